-- What a sum has taken from a table, or from a part of it that has a policy of its own, belongs to the size that its limit
-- is of: deleted one by one where nothing was left to be counted, deleted by MERGE, moved to another part.
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE SCHEMA taken;
SET search_path = taken;
SET safedelete.min_rows = 0;
CREATE PROCEDURE refuses(what text, statements text[]) LANGUAGE plpgsql AS $$
DECLARE statement text; said text;
BEGIN
  FOREACH statement IN ARRAY statements LOOP EXECUTE statement; END LOOP;
  RAISE 'not refused';
EXCEPTION WHEN SQLSTATE 'SD001' OR raise_exception THEN
  GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
  RAISE NOTICE '%: %', what, coalesce(nullif(said, ''), SQLERRM);
END $$;

-- Rows that the sum has updated and then deletes, when it stands at its limit or has none yet.
CREATE TABLE t (id int PRIMARY KEY, v int) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT g, 0 FROM generate_series(1, 200) g;
CALL refuses('none, and then two', ARRAY['UPDATE t SET v = 1 WHERE id > 900', 'UPDATE t SET v = 1 WHERE id > 900',
  'UPDATE t SET v = 1 WHERE id <= 2', 'DELETE FROM t WHERE id <= 2', 'DELETE FROM t WHERE id BETWEEN 3 AND 100']);
CALL refuses('one by one', ARRAY['UPDATE t SET v = 1 WHERE id > 900', 'UPDATE t SET v = 1 WHERE id > 900',
  'UPDATE t SET v = 1 WHERE id <= 2', 'DELETE FROM t WHERE id = 1', 'DELETE FROM t WHERE id = 2',
  'DELETE FROM t WHERE id BETWEEN 3 AND 101']);
CALL refuses('MERGE', ARRAY['UPDATE t SET v = 1 WHERE id > 900', 'UPDATE t SET v = 1 WHERE id > 900',
  'UPDATE t SET v = 1 WHERE id <= 2', 'MERGE INTO t USING generate_series(1, 2) g ON t.id = g WHEN MATCHED THEN DELETE',
  'DELETE FROM t WHERE id BETWEEN 3 AND 101']);
CALL refuses('at the limit', ARRAY['UPDATE t SET v = 1 WHERE id <= 100', 'UPDATE t SET v = 2 WHERE id <= 2',
  'DELETE FROM t WHERE id <= 2', 'DELETE FROM t WHERE id > 199']);

-- A part with a policy of its own: what MERGE deletes of it, and what moves out of it.
CREATE TABLE whole (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF whole FOR VALUES FROM (0) TO (1000);
CREATE TABLE high PARTITION OF whole FOR VALUES FROM (1000) TO (MAXVALUE);
INSERT INTO whole SELECT g, 0 FROM generate_series(1, 200) g;
SET safedelete.max_fraction = 1;
SELECT safedelete.set_policy('low', '{"max_fraction": 0.5}');
CALL refuses('MERGE deletes', ARRAY['MERGE INTO whole w USING generate_series(1, 50) g ON w.id = g WHEN MATCHED THEN DELETE',
  'UPDATE whole SET v = 1 WHERE id BETWEEN 51 AND 100']);
CALL refuses('MERGE deletes, one more', ARRAY['MERGE INTO whole w USING generate_series(1, 50) g ON w.id = g
  WHEN MATCHED AND g % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 1', 'UPDATE whole SET v = 1 WHERE id BETWEEN 51 AND 101']);
CALL refuses('updated before', ARRAY['UPDATE whole SET v = 1 WHERE id <= 50',
  'MERGE INTO whole w USING generate_series(1, 50) g ON w.id = g WHEN MATCHED THEN DELETE',
  'UPDATE whole SET v = 1 WHERE id BETWEEN 51 AND 101']);
CALL refuses('moved', ARRAY['UPDATE whole SET id = id + 1000 WHERE id <= 50', 'UPDATE whole SET v = 1 WHERE id BETWEEN 51 AND 100']);
CALL refuses('moved one by one', ARRAY['DO $d$ BEGIN FOR i IN 1..50 LOOP UPDATE whole SET id = id + 1000 WHERE id = i; END LOOP; END $d$',
  'UPDATE whole SET v = 1 WHERE id BETWEEN 51 AND 101']);
CALL refuses('moved by MERGE', ARRAY['MERGE INTO whole w USING generate_series(1, 50) g ON w.id = g WHEN MATCHED THEN UPDATE SET id = w.id + 1000',
  'UPDATE whole SET v = 1 WHERE id BETWEEN 51 AND 101']);
CALL refuses('undone', ARRAY['UPDATE whole SET v = 1 WHERE id > 190', 'DO $d$ BEGIN UPDATE whole SET id = id + 1000 WHERE id <= 50; RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN NULL; END $d$', 'UPDATE whole SET v = 1 WHERE id <= 91']);
-- By the part's own name, too; not what another name has taken.
CALL refuses('by its own name', ARRAY['UPDATE whole SET id = id + 1000 WHERE id <= 50', 'UPDATE low SET v = 1 WHERE id BETWEEN 51 AND 101']);
SELECT safedelete.clear_policy('low');
SET safedelete.max_fraction = 0.5;
CALL refuses('two names', ARRAY['UPDATE whole SET id = id + 1000 WHERE id <= 50', 'UPDATE low SET v = 1 WHERE id BETWEEN 51 AND 126']);

-- Rows that a MERGE has inserted into a partition are the sum's, whatever else it has updated there.
CALL refuses('inserted', ARRAY['MERGE INTO whole w USING generate_series(191, 500) g ON w.id = g WHEN MATCHED THEN UPDATE SET v = 1
  WHEN NOT MATCHED THEN INSERT VALUES (g, 0)', 'UPDATE whole SET v = 2 WHERE id > 200', 'DELETE FROM whole WHERE id > 400']);
SET safedelete.commands = 'delete, update';
SET safedelete.max_rows = 9;
CALL refuses('not guarded', ARRAY['MERGE INTO whole w USING generate_series(191, 500) g ON w.id = g WHEN MATCHED THEN UPDATE SET v = 1
  WHEN NOT MATCHED THEN INSERT VALUES (g, 0)', 'UPDATE whole SET v = 2 WHERE id > 200']);
-- Where it may have moved rows, nobody tells them from those.
CALL refuses('moves', ARRAY['MERGE INTO whole w USING generate_series(191, 500) g ON w.id = g WHEN MATCHED THEN UPDATE SET id = g + 1000
  WHEN NOT MATCHED THEN INSERT VALUES (g, 0)', 'UPDATE whole SET v = 2 WHERE id > 1000']);
CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NEW.id + 1000; RETURN NEW; END $$;
CREATE TRIGGER moves BEFORE UPDATE ON low FOR EACH ROW EXECUTE FUNCTION moves();
CALL refuses('moved by a trigger', ARRAY['MERGE INTO whole w USING generate_series(1, 150) g ON w.id = g WHEN MATCHED THEN UPDATE SET v = 1',
  'DELETE FROM whole WHERE id > 1000']);
RESET safedelete.commands;
RESET safedelete.max_rows;

-- A part that leaves the tree, or is dropped, takes its rows along.
INSERT INTO whole SELECT g, 0 FROM generate_series(1001, 1800) g;
CALL refuses('detached', ARRAY['DELETE FROM whole WHERE id <= 100', 'ALTER TABLE whole DETACH PARTITION high',
  'DELETE FROM whole WHERE id = 101']);
CALL refuses('dropped', ARRAY['DELETE FROM whole WHERE id <= 100', 'DROP TABLE high', 'DELETE FROM whole WHERE id = 101']);
CREATE TABLE parent (id int, v int);
CREATE SCHEMA of_child;
CREATE TABLE of_child.child () INHERITS (parent);
INSERT INTO parent SELECT g, 0 FROM generate_series(1, 200) g;
INSERT INTO of_child.child SELECT g, 0 FROM generate_series(201, 1000) g;
CALL refuses('left', ARRAY['DELETE FROM parent WHERE id <= 100', 'ALTER TABLE of_child.child NO INHERIT parent', 'DELETE FROM parent WHERE id = 101']);
CALL refuses('dropped with its schema', ARRAY['DELETE FROM parent WHERE id <= 100', 'SET client_min_messages = warning', 'DROP SCHEMA of_child CASCADE',
  'SET client_min_messages = notice', 'DELETE FROM parent WHERE id = 101']);

RESET safedelete.max_fraction;
RESET safedelete.min_rows;
SET client_min_messages = warning;
DROP SCHEMA taken CASCADE;
