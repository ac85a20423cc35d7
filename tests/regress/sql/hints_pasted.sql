-- The HINT of a refusal is pasted, and the same statement goes through, whatever tables foreign keys and rules lead to.
CREATE EXTENSION dblink;
SELECT dblink_connect('client', 'host=''' || split_part(current_setting('unix_socket_directories'), ',', 1)
  || ''' port=' || current_setting('port') || ' dbname=' || current_database() || ' user=' || current_user) AS client;
-- Runs a statement, what its HINT says and the statement once more, and takes both back.
CREATE FUNCTION pasted(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  refused text;
  hint text;
  again text;
BEGIN
  PERFORM dblink_exec('client', 'BEGIN');
  BEGIN
    PERFORM dblink_exec('client', statement);
    PERFORM dblink_exec('client', 'ROLLBACK');
    RETURN 'not refused';
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS refused = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
  END;
  hint := substring(hint FROM 'SET LOCAL safedelete.allow_rows = .*');
  PERFORM dblink_exec('client', 'ROLLBACK; BEGIN; ' || hint);
  BEGIN
    PERFORM dblink_exec('client', statement);
    again := 'passes';
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS again = MESSAGE_TEXT;
  END;
  PERFORM dblink_exec('client', 'ROLLBACK');
  RETURN format('%s; with %s %s', refused, substring(hint FROM 'allow_rows = -?\d+'), again);
END $$;
-- Foreign keys: on delete, of tables below those, set to null, between partitions.
CREATE TABLE parent (id int PRIMARY KEY, code int UNIQUE, name text);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE);
CREATE TABLE grandchild (id int PRIMARY KEY, child int REFERENCES child ON DELETE SET NULL);
CREATE TABLE other (id int, code int REFERENCES parent (code) ON DELETE SET DEFAULT ON UPDATE CASCADE);
INSERT INTO parent SELECT g, g, g FROM generate_series(1, 300) g;
INSERT INTO child SELECT g, 1 + g % 300 FROM generate_series(1, 1200) g;
INSERT INTO grandchild SELECT g, g FROM generate_series(1, 1000) g;
INSERT INTO other SELECT g, 1 + g % 200 FROM generate_series(1, 900) g;
SELECT pasted('DELETE FROM parent WHERE id <= 250');
SELECT pasted('DELETE FROM child WHERE id <= 900');
-- Of the columns that are set, a key's alone are followed.
SELECT pasted('UPDATE parent SET code = -code WHERE id <= 200');
SELECT pasted('UPDATE parent SET name = code WHERE id <= 200');
-- A cascade is refused first, and a larger table comes after.
DELETE FROM parent WHERE id > 290;
SELECT pasted('DELETE FROM parent WHERE id <= 140');
-- Tables that no rule refuses anything of count for nothing.
SECURITY LABEL FOR safedelete ON TABLE child IS '{"max_fraction": 1}';
SELECT pasted('DELETE FROM parent WHERE id <= 250');
SECURITY LABEL FOR safedelete ON TABLE child IS NULL;
-- Partitions, and what refers to them; a part of a policy of its own is refused before the whole.
CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF whole FOR VALUES FROM (0) TO (400);
CREATE TABLE high PARTITION OF whole FOR VALUES FROM (400) TO (1000);
CREATE TABLE refers (id int, whole int REFERENCES whole ON DELETE CASCADE);
CREATE TABLE refers_to_low (id int, low int REFERENCES low ON DELETE CASCADE);
INSERT INTO whole SELECT generate_series(1, 500);
INSERT INTO refers SELECT g, 1 + g % 400 FROM generate_series(1, 700) g;
INSERT INTO refers_to_low SELECT g, 1 + g % 399 FROM generate_series(1, 800) g;
SELECT pasted('DELETE FROM whole WHERE id < 300');
SECURITY LABEL FOR safedelete ON TABLE low IS '{"max_rows": 10}';
SELECT pasted('DELETE FROM whole WHERE id < 480');
-- Several writes of one statement: a WITH list, and what rules make of it.
CREATE TABLE small AS SELECT generate_series(1, 300) AS id;
CREATE TABLE large AS SELECT generate_series(1, 800) AS id;
SELECT pasted('WITH gone AS (DELETE FROM small WHERE id > 1 RETURNING id) DELETE FROM large WHERE id > 1');
SELECT pasted('WITH gone AS (DELETE FROM large WHERE id > 1 RETURNING id) DELETE FROM small WHERE id > 1');
CREATE RULE also AS ON DELETE TO small DO ALSO DELETE FROM large WHERE id > old.id;
SELECT pasted('DELETE FROM small WHERE id > 1');
DROP RULE also ON small;
-- What triggers come to is not known: the number is the size of the table that is refused.
CREATE FUNCTION clears() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN DELETE FROM large WHERE id > 1; RETURN old; END $$;
CREATE TRIGGER t AFTER DELETE ON small EXECUTE FUNCTION clears();
SELECT pasted('DELETE FROM small WHERE id > 1');
SELECT pasted('DELETE FROM small WHERE id = 1');
SELECT pasted('UPDATE small SET id = id WHERE id > 1');
ALTER TABLE small DISABLE TRIGGER t;
SELECT pasted('DELETE FROM small WHERE id > 1');
DROP TRIGGER t ON small;
CREATE TRIGGER t BEFORE DELETE ON grandchild FOR EACH ROW EXECUTE FUNCTION clears();
CREATE TRIGGER u AFTER UPDATE ON grandchild EXECUTE FUNCTION clears();
SELECT pasted('DELETE FROM parent WHERE id <= 250');
DROP TRIGGER u ON grandchild;
SELECT pasted('DELETE FROM parent WHERE id <= 250');
CREATE TRIGGER t BEFORE UPDATE ON small FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT pasted('UPDATE small SET id = id + 1 WHERE id > 1');
CREATE VIEW shown AS SELECT id FROM small;
CREATE FUNCTION shown_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM small WHERE id > old.id;
  DELETE FROM large WHERE id > old.id;
  RETURN old;
END $$;
CREATE TRIGGER t INSTEAD OF DELETE ON shown FOR EACH ROW EXECUTE FUNCTION shown_gone();
SELECT pasted('DELETE FROM shown WHERE id = 1');
-- TRUNCATE as well.
CREATE TRIGGER truncated BEFORE TRUNCATE ON small EXECUTE FUNCTION clears();
SELECT pasted('TRUNCATE small');
SELECT pasted('TRUNCATE large');
-- MERGE.
CREATE TABLE upserted (id int PRIMARY KEY, n int);
INSERT INTO upserted SELECT g, 0 FROM generate_series(1, 300) g;
CREATE TABLE upserted_child (id int, upserted int REFERENCES upserted ON UPDATE CASCADE ON DELETE CASCADE);
INSERT INTO upserted_child SELECT g, 1 + g % 300 FROM generate_series(1, 1100) g;
SELECT pasted('MERGE INTO upserted u USING generate_series(1, 200) g ON u.id = g WHEN MATCHED THEN DELETE');
SELECT dblink_disconnect('client') AS client;
DROP FUNCTION pasted;
DROP EXTENSION dblink;
DROP VIEW shown;
DROP TABLE parent, child, grandchild, other, whole, refers, refers_to_low, small, large, upserted, upserted_child;
DROP FUNCTION clears, shown_gone;
