-- Rule where: what rewrite rules add to a statement is not its own WHERE; views' and row security's conditions are.
-- Each line: a condition or statement | what comes of it, rolled back | what check says of it.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS safedelete;
CREATE SCHEMA rules; SET search_path = rules;
CREATE FUNCTION try(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE n bigint; d text;
BEGIN
  EXECUTE sql; GET DIAGNOSTICS n = ROW_COUNT; RAISE EXCEPTION SQLSTATE 'XX001';
EXCEPTION
  WHEN SQLSTATE 'XX001' THEN RETURN n || ' rows';
  WHEN SQLSTATE '21000' THEN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL; RETURN regexp_replace(sqlerrm, '(matches|requires).*', '') || substring(d for 48);
  WHEN OTHERS THEN RETURN sqlstate || ' ' || sqlerrm;
END $$;
CREATE FUNCTION show(VARIADIC sql text[]) RETURNS TABLE (sql text, outcome text, verdict text) LANGUAGE sql AS $$
  SELECT w, try(w), (SELECT string_agg(verdict, ', ') FROM safedelete.check(w)) FROM unnest(sql) w $$;
SET safedelete.max_fraction = 1;
CREATE TABLE a (id int PRIMARY KEY, v int, gone bool DEFAULT false);  INSERT INTO a SELECT g, g FROM generate_series(1, 20) g;
CREATE TABLE log (id int, v int); INSERT INTO log SELECT g, g FROM generate_series(1, 20) g;
-- Conditional INSTEAD.
CREATE RULE keep AS ON DELETE TO a WHERE OLD.v > 1000 DO INSTEAD NOTHING;
CREATE RULE keep2 AS ON DELETE TO a WHERE OLD.v < -1000 DO INSTEAD NOTHING;
CREATE RULE keepu AS ON UPDATE TO a WHERE OLD.v > 1000 AND NEW.v < 3 DO INSTEAD NOTHING;
SELECT * FROM show('DELETE FROM a', 'DELETE FROM a WHERE true', 'DELETE FROM a WHERE id = 3', 'DELETE FROM a WHERE (v > 1000) IS NOT TRUE', 'DELETE FROM a WHERE v > 5', 'UPDATE a SET v = v + 1', 'UPDATE a SET v = 3 WHERE v > 4', 'UPDATE a SET v = 3', 'UPDATE a SET gone = true', 'DELETE FROM a WHERE a.v IN (SELECT v FROM log)', 'UPDATE a SET v = log.v FROM log', 'UPDATE a SET v = log.v FROM log WHERE log.id = a.id');
DROP RULE keep ON a; DROP RULE keep2 ON a; DROP RULE keepu ON a;
-- ALSO.
CREATE RULE also AS ON DELETE TO a DO ALSO DELETE FROM log WHERE log.id = OLD.id;
CREATE RULE alsou AS ON UPDATE TO a WHERE NEW.v <> OLD.v DO ALSO UPDATE log SET v = NEW.v WHERE log.id = NEW.id;
SELECT * FROM show('DELETE FROM a', 'DELETE FROM a WHERE id < 3', 'UPDATE a SET v = 0 WHERE id = 4', 'UPDATE a SET v = v + 1', 'UPDATE a SET id = id + 1 WHERE v = 3');
DROP RULE also ON a; DROP RULE alsou ON a;
-- Soft delete on the table itself.
CREATE RULE soft AS ON DELETE TO a DO INSTEAD UPDATE a SET gone = true WHERE a.id = OLD.id AND NOT a.gone;
SELECT * FROM show('DELETE FROM a', 'DELETE FROM a WHERE true', 'DELETE FROM a WHERE id = 3', 'DELETE FROM a WHERE v > 5 AND id < 9', 'DELETE FROM a USING log WHERE log.id = 3', 'DELETE FROM a USING log WHERE log.id = a.id AND log.v = 3');
PREPARE p(int) AS DELETE FROM a WHERE $1 IS NULL OR id = $1;
SELECT * FROM show('EXECUTE p(3)', 'EXECUTE p(NULL)'); SET plan_cache_mode = force_generic_plan; SELECT * FROM show('EXECUTE p(3)', 'EXECUTE p(NULL)'); RESET plan_cache_mode; DEALLOCATE p;
CREATE FUNCTION fa() RETURNS void BEGIN ATOMIC DELETE FROM a; END; CREATE FUNCTION fb() RETURNS void BEGIN ATOMIC DELETE FROM a WHERE id = 3; END; CREATE FUNCTION fc() RETURNS void BEGIN ATOMIC DELETE FROM a WHERE id = 3 AND v = 3; END;
SELECT try('SELECT fa()'), try('SELECT fb()'), try('SELECT fc()');
DROP FUNCTION fa, fb, fc;
DROP RULE soft ON a;
-- View made writable.
CREATE VIEW av AS SELECT * FROM a; CREATE RULE d AS ON DELETE TO av DO INSTEAD DELETE FROM a WHERE id = OLD.id; CREATE RULE u AS ON UPDATE TO av DO INSTEAD UPDATE a SET id = NEW.id, v = NEW.v WHERE id = OLD.id; CREATE RULE i AS ON INSERT TO av DO INSTEAD UPDATE a SET v = NEW.v WHERE id = NEW.id;
CREATE VIEW aw AS SELECT * FROM a WHERE NOT gone; CREATE RULE d AS ON DELETE TO aw DO INSTEAD DELETE FROM a WHERE id = OLD.id;
CREATE VIEW ax AS SELECT * FROM av;
SELECT * FROM show('DELETE FROM av', 'DELETE FROM av WHERE v = 3', 'DELETE FROM av WHERE v = v', 'UPDATE av SET v = 3', 'UPDATE av SET v = 3 WHERE id = 5', 'UPDATE av SET v = v + 1, id = id WHERE v < 5', 'INSERT INTO av VALUES (1, 7)', 'DELETE FROM aw', 'DELETE FROM aw WHERE v = 2', 'DELETE FROM ax', 'DELETE FROM ax WHERE v = 2', 'WITH d AS (DELETE FROM av WHERE id = 3 RETURNING 1) SELECT 1', 'DELETE FROM av WHERE id IN (SELECT id FROM log WHERE v < 3)');
-- A rule whose action is on a view; a chain of rules.
CREATE VIEW b AS SELECT * FROM a WHERE v < 100; CREATE VIEW bv AS SELECT * FROM b; CREATE RULE d AS ON DELETE TO bv DO INSTEAD DELETE FROM b WHERE id = OLD.id;
CREATE VIEW cv AS SELECT * FROM av; CREATE RULE d AS ON DELETE TO cv DO INSTEAD DELETE FROM av WHERE id = OLD.id;
SELECT * FROM show('DELETE FROM bv', 'DELETE FROM bv WHERE id = 3', 'DELETE FROM cv', 'DELETE FROM cv WHERE id = 3', 'DELETE FROM cv WHERE v < 3 AND v > 1');
-- Conditional INSTEAD with action.
CREATE RULE ci AS ON DELETE TO a WHERE OLD.v > 10 DO INSTEAD UPDATE a SET gone = true WHERE a.id = OLD.id;
SELECT * FROM show('DELETE FROM a', 'DELETE FROM a WHERE id = 3', 'DELETE FROM a WHERE id > 3');
DROP RULE ci ON a;
-- An action without a tie, a constant key.
CREATE VIEW k AS SELECT * FROM a; CREATE RULE d AS ON DELETE TO k DO INSTEAD DELETE FROM a WHERE id = 5; CREATE RULE u AS ON UPDATE TO k DO INSTEAD UPDATE a SET v = 1;
SELECT * FROM show('DELETE FROM k', 'DELETE FROM k WHERE v = 3', 'UPDATE k SET v = 3 WHERE id = 3');
-- Row security of the statement's target counts.
CREATE ROLE regress_rules;
CREATE TABLE r (id int, tenant int);
INSERT INTO r SELECT g, 1 FROM generate_series(1, 9) g;
ALTER TABLE r ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON r USING (tenant = 1);
CREATE RULE d AS ON DELETE TO r DO INSTEAD UPDATE log SET v = 0 WHERE id = OLD.id;
GRANT ALL ON r, log TO regress_rules; GRANT USAGE ON SCHEMA rules TO regress_rules;
SET ROLE regress_rules;
SELECT try('DELETE FROM r'), try('DELETE FROM r WHERE id = 3');
RESET ROLE;
SELECT try('DELETE FROM r'), try('DELETE FROM r WHERE id = 3');
DROP SCHEMA rules CASCADE;
DROP ROLE regress_rules;
DROP EXTENSION safedelete;
