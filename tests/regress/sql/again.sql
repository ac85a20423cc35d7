-- A DELETE whose join finds a row again: what became of the first partner says whether the others are needed.
\set VERBOSITY terse
CREATE SCHEMA again;
SET search_path = again;
SET safedelete.max_rows = 100;
SET safedelete.max_fraction = 1;
CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL DEFAULT 0);
CREATE TABLE partner (id int, n int);
CREATE TABLE fired (id int, n int);
CREATE TABLE run (guarded bool, what text, deleted bigint, fired bigint, partners text);
INSERT INTO t SELECT generate_series(1, 1000);
INSERT INTO partner SELECT id, n FROM generate_series(1, 1000) id, generate_series(1, 3) n;
ANALYZE;

-- Each case without the guard and with it, undone: rows deleted, times that its triggers fired, and which partner each
-- row went by.
CREATE PROCEDURE differ(what text, statement text) LANGUAGE plpgsql AS $$
DECLARE
  done run;
BEGIN
  FOREACH done.guarded IN ARRAY '{false,true}'::bool[] LOOP
    BEGIN
      PERFORM set_config('safedelete.mode', CASE WHEN done.guarded THEN 'enforce' ELSE 'off' END, true);
      done.what := what;
      EXECUTE statement;
      GET DIAGNOSTICS done.deleted = ROW_COUNT;
      SELECT count(*), md5(string_agg(id || '/' || n, ' ' ORDER BY id, n)) INTO done.fired, done.partners FROM fired;
      RAISE EXCEPTION SQLSTATE 'UNDO1';
    EXCEPTION
      WHEN SQLSTATE 'UNDO1' THEN NULL;
      WHEN OTHERS THEN done.partners := SQLERRM;
    END;
    INSERT INTO run SELECT done.*;
  END LOOP;
END $$;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO fired VALUES (OLD.id, 0); RETURN OLD; END $$;
-- Lets a row go when it is asked for the second time, where its number is odd.
CREATE FUNCTION hesitate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fired VALUES (OLD.id, 1);
  RETURN CASE WHEN OLD.id % 2 = 0 OR (SELECT count(*) FROM fired WHERE id = OLD.id AND n = 1) > 1 THEN OLD END;
END $$;
-- Takes the row itself, which PostgreSQL refuses, or the next one, whose partners find it gone or modified.
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fired VALUES (OLD.id, 2);
  IF OLD.id = TG_ARGV[0]::int THEN
    EXECUTE format('UPDATE again.%I SET v = v + 1 WHERE id = %s', TG_TABLE_NAME, TG_ARGV[1]);
  END IF;
  RETURN OLD;
END $$;

CALL differ('no trigger', 'DELETE FROM t USING partner p WHERE p.id = t.id AND t.id <= 90');
CALL differ('RETURNING', 'WITH d AS (DELETE FROM t USING partner p WHERE p.id = t.id AND t.id <= 90 RETURNING t.id, p.n)
  INSERT INTO fired SELECT * FROM d');
CREATE TRIGGER note AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
CALL differ('AFTER', 'DELETE FROM t USING partner p WHERE p.id = t.id AND t.id <= 90');
CREATE TRIGGER hesitate BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION hesitate();
CALL differ('hesitates', 'DELETE FROM t USING partner p WHERE p.id = t.id AND t.id <= 90');
CALL differ('hesitates by order', 'DELETE FROM t USING (SELECT * FROM partner ORDER BY n, id OFFSET 0) p
  WHERE p.id = t.id AND t.id <= 90');
DROP TRIGGER hesitate ON t;
CREATE TRIGGER meddle BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION meddle(7, 7);
CALL differ('takes itself', 'DELETE FROM t USING partner p WHERE p.id = t.id AND t.id <= 90');
DROP TRIGGER meddle ON t;
CREATE TRIGGER meddle BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION meddle(7, 700);
CALL differ('takes another', 'DELETE FROM t USING partner p WHERE p.id = t.id AND t.id <= 90');

-- A partitioned table, children of a table, and more partners than work_mem holds.
CREATE TABLE parts (id int PRIMARY KEY, v int NOT NULL DEFAULT 0) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (50);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (50) TO (1001);
INSERT INTO parts SELECT generate_series(1, 1000);
CREATE TRIGGER hesitate BEFORE DELETE ON parts FOR EACH ROW EXECUTE FUNCTION hesitate();
CALL differ('partitions', 'DELETE FROM parts t USING partner p WHERE p.id = t.id AND t.id <= 90');
CREATE TABLE heirs (LIKE t INCLUDING ALL);
CREATE TABLE heirs_1 () INHERITS (heirs);
INSERT INTO heirs SELECT generate_series(1, 30);
INSERT INTO heirs_1 SELECT generate_series(31, 1000);
CREATE TRIGGER hesitate BEFORE DELETE ON heirs_1 FOR EACH ROW EXECUTE FUNCTION hesitate();
CALL differ('children', 'DELETE FROM heirs t USING partner p WHERE p.id = t.id AND t.id <= 90');
INSERT INTO partner SELECT id, n FROM generate_series(1, 90) id, generate_series(4, 60) n;
CREATE TRIGGER hesitate BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION hesitate();
SET work_mem = '64kB';
CALL differ('work_mem', 'DELETE FROM t USING partner p WHERE p.id = t.id AND t.id <= 90');
RESET work_mem;

SELECT what, a.deleted, a.fired, (a.deleted, a.fired, a.partners) IS NOT DISTINCT FROM (b.deleted, b.fired, b.partners) AS same,
    CASE WHEN a.partners LIKE '% %' THEN a.partners END AS error
  FROM run a JOIN run b USING (what) WHERE NOT a.guarded AND b.guarded ORDER BY a.ctid;
-- They count once.
DELETE FROM t USING partner p WHERE p.id = t.id AND t.id <= 101;

DROP SCHEMA again CASCADE;
