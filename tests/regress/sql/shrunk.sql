-- What a sum has learned of a table's size holds as long as the size does: rows that are gone without being of the sum
-- make it smaller, whoever took them. And a partitioned table is one name, however a statement calls it. The tests'
-- min_rows is 100.
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE SCHEMA shrunk;
SET search_path = shrunk;
CREATE TABLE t (id int PRIMARY KEY, v int) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT g, 0 FROM generate_series(1, 2000) g;
CREATE PROCEDURE refuses(what text, statements text[]) LANGUAGE plpgsql AS $$
DECLARE statement text; said text;
BEGIN
  FOREACH statement IN ARRAY statements LOOP EXECUTE statement; END LOOP;
  RAISE 'not refused';
EXCEPTION WHEN SQLSTATE 'SD001' OR raise_exception THEN
  GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
  RAISE NOTICE '%: %', what, coalesce(nullif(said, ''), SQLERRM);
END $$;

-- By a command that is not guarded: a DELETE of many, of one by one, in a CTE, by MERGE; TRUNCATE of a part below.
SET safedelete.commands = 'update';
CALL refuses('DELETE', ARRAY['UPDATE t SET v = 1 WHERE id <= 600', 'DELETE FROM t WHERE id > 1100',
  'UPDATE t SET v = 2 WHERE id <= 601']);
CALL refuses('one by one', ARRAY['UPDATE t SET v = 1 WHERE id <= 600',
  'DO $d$ BEGIN FOR i IN 1101..2000 LOOP DELETE FROM t WHERE id = i; END LOOP; END $d$',
  'DO $d$ BEGIN FOR i IN 601..620 LOOP UPDATE t SET v = 2 WHERE id = i; END LOOP; END $d$']);
CALL refuses('CTE', ARRAY['UPDATE t SET v = 1 WHERE id <= 600',
  'WITH gone AS (DELETE FROM t WHERE id > 1100 RETURNING id) SELECT count(*) FROM gone',
  'UPDATE t SET v = 2 WHERE id <= 601']);
CALL refuses('MERGE', ARRAY['UPDATE t SET v = 1 WHERE id <= 600',
  'MERGE INTO t USING generate_series(1101, 2000) g ON t.id = g WHEN MATCHED THEN DELETE',
  'UPDATE t SET v = 2 WHERE id <= 601']);
RESET safedelete.commands;
-- By a role that is not checked.
CREATE ROLE shrunk_bypass;
GRANT ALL ON SCHEMA shrunk TO shrunk_bypass;
GRANT ALL ON t TO shrunk_bypass;
CREATE FUNCTION purge() RETURNS bigint SECURITY DEFINER LANGUAGE sql SET search_path = shrunk AS $$
  WITH gone AS (DELETE FROM t WHERE id > 1100 RETURNING 1) SELECT count(*) FROM gone $$;
CREATE FUNCTION purge_alone() RETURNS void SECURITY DEFINER LANGUAGE sql SET search_path = shrunk AS $$
  DELETE FROM t WHERE id > 1100 $$;
ALTER FUNCTION purge OWNER TO shrunk_bypass;
ALTER FUNCTION purge_alone OWNER TO shrunk_bypass;
SET safedelete.bypass_role = 'shrunk_bypass';
SET client_min_messages = error;
DO $$ BEGIN
  UPDATE t SET v = 1 WHERE id <= 600;
  PERFORM purge_alone();
  UPDATE t SET v = 2 WHERE id <= 601;
END $$;
DO $$ BEGIN
  UPDATE t SET v = 1 WHERE id <= 600;
  PERFORM purge();
  UPDATE t SET v = 2 WHERE id <= 601;
END $$;
RESET client_min_messages;
RESET safedelete.bypass_role;
-- What is within its limit all the same is not refused.
BEGIN;
DO $$ BEGIN
  UPDATE t SET v = 1 WHERE id <= 600;
  DELETE FROM t WHERE id > 1900;
  UPDATE t SET v = 2 WHERE id <= 900;
END $$;
ROLLBACK;

-- By the sum itself, of rows that it had inserted.
CALL refuses('inserted', ARRAY['INSERT INTO t SELECT g, 0 FROM generate_series(3001, 6000) g',
  'UPDATE t SET v = 1 WHERE id <= 1001', 'DELETE FROM t WHERE id > 3000', 'UPDATE t SET v = 2 WHERE id = 1002']);
CALL refuses('inserted, one by one', ARRAY['INSERT INTO t SELECT g, 0 FROM generate_series(3001, 6000) g',
  'UPDATE t SET v = 1 WHERE id <= 1001',
  'DO $d$ BEGIN FOR i IN 3001..6000 LOOP DELETE FROM t WHERE id = i; END LOOP; END $d$',
  'UPDATE t SET v = 2 WHERE id = 1002']);
CALL refuses('inserted, MERGE', ARRAY['INSERT INTO t SELECT g, 0 FROM generate_series(3001, 6000) g',
  'UPDATE t SET v = 1 WHERE id <= 1001',
  'MERGE INTO t USING generate_series(3001, 6000) g ON t.id = g WHEN MATCHED THEN DELETE',
  'UPDATE t SET v = 2 WHERE id = 1002']);

-- By the other name of a tree.
CREATE TABLE whole (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF whole FOR VALUES FROM (0) TO (1000);
CREATE TABLE high PARTITION OF whole FOR VALUES FROM (1000) TO (10000);
INSERT INTO whole SELECT g, 0 FROM generate_series(1, 2000) g;
CALL refuses('part', ARRAY['UPDATE whole SET v = 1 WHERE id <= 600', 'DELETE FROM high WHERE id > 1500',
  'UPDATE whole SET v = 2 WHERE id <= 801']);

-- An upsert of a partitioned table is of the sum that the table's other writes are of.
CALL refuses('upsert, not guarded', ARRAY['DELETE FROM whole WHERE id <= 1000',
  'INSERT INTO whole VALUES (1001, 1) ON CONFLICT (id) DO UPDATE SET v = 2']);
SET safedelete.commands = 'delete, update, upsert';
CALL refuses('DELETE and upsert', ARRAY['DELETE FROM whole WHERE id <= 1000',
  'INSERT INTO whole VALUES (1001, 1) ON CONFLICT (id) DO UPDATE SET v = 2']);
CALL refuses('upsert and DELETE', ARRAY['INSERT INTO whole SELECT g, 1 FROM generate_series(1, 600) g
  ON CONFLICT (id) DO UPDATE SET v = 2', 'DELETE FROM whole WHERE id > 1599']);
CALL refuses('upsert again', ARRAY['UPDATE whole SET v = 1 WHERE id <= 1000',
  'INSERT INTO whole SELECT g, 1 FROM generate_series(1, 1000) g ON CONFLICT (id) DO UPDATE SET v = 2']);
-- That of a table with children is of its own rows.
CREATE TABLE parent (id int PRIMARY KEY, v int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent SELECT g, 0 FROM generate_series(1, 300) g;
INSERT INTO child SELECT g, 0 FROM generate_series(301, 1000) g;
CALL refuses('ONLY', ARRAY['UPDATE ONLY parent SET v = 1 WHERE id <= 150',
  'INSERT INTO parent VALUES (151, 1) ON CONFLICT (id) DO UPDATE SET v = 2']);
RESET safedelete.commands;
-- TRUNCATE takes the children too, and so it is of the tree's sum.
SET safedelete.max_rows = 900;
CALL refuses('TRUNCATE', ARRAY['UPDATE parent SET v = 1 WHERE id <= 400', 'INSERT INTO parent VALUES (2000, 1)',
  'DELETE FROM parent WHERE id BETWEEN 401 AND 450', 'TRUNCATE parent']);
CALL refuses('TRUNCATE ONLY', ARRAY['DELETE FROM parent WHERE id > 500', 'TRUNCATE ONLY parent']);
RESET safedelete.max_rows;

-- Rows that moved to another partition and were deleted then were there before.
CREATE TABLE moved (id int, k int) PARTITION BY RANGE (k);
CREATE TABLE moved_low PARTITION OF moved FOR VALUES FROM (0) TO (10);
CREATE TABLE moved_rest PARTITION OF moved FOR VALUES FROM (10) TO (40) PARTITION BY RANGE (k);
CREATE TABLE moved_mid PARTITION OF moved_rest FOR VALUES FROM (10) TO (20);
CREATE TABLE moved_high PARTITION OF moved_rest FOR VALUES FROM (20) TO (40);
INSERT INTO moved SELECT g, g % 30 FROM generate_series(1, 2000) g;
CALL refuses('moved, deleted', ARRAY['UPDATE moved SET k = (k + 10) % 40 WHERE id <= 900',
  'DELETE FROM moved WHERE id <= 1000', 'DELETE FROM moved WHERE id = 1001']);
CALL refuses('moved twice, deleted', ARRAY['UPDATE moved SET k = (k + 10) % 40 WHERE id <= 900',
  'UPDATE moved SET k = (k + 20) % 40 WHERE id <= 900', 'DELETE FROM moved WHERE id <= 1001']);
CALL refuses('moved, not deleted', ARRAY['UPDATE moved SET k = (k + 10) % 40 WHERE id <= 600',
  'DELETE FROM moved WHERE id > 1600', 'DELETE FROM moved WHERE id = 1600']);
-- By a MERGE as well, where it has inserted nothing.
CALL refuses('moved by MERGE, deleted', ARRAY['MERGE INTO moved m USING generate_series(1, 900) g ON m.id = g WHEN MATCHED THEN UPDATE SET k = (k + 10) % 40',
  'DELETE FROM moved WHERE id <= 1000', 'DELETE FROM moved WHERE id = 1001']);
CALL refuses('moved and deleted by MERGE, deleted', ARRAY['MERGE INTO moved m USING generate_series(1, 900) g ON m.id = g WHEN MATCHED AND id > 800 THEN DELETE WHEN MATCHED THEN UPDATE SET k = (k + 10) % 40 WHEN NOT MATCHED THEN INSERT VALUES (g, 1)',
  'DELETE FROM moved WHERE id <= 1000', 'DELETE FROM moved WHERE id = 1001']);
CALL refuses('moved by MERGE and by UPDATE, deleted', ARRAY['MERGE INTO moved m USING generate_series(1, 900) g ON m.id = g WHEN MATCHED THEN UPDATE SET k = (k + 10) % 40',
  'UPDATE moved SET k = (k + 20) % 40 WHERE id <= 900', 'DELETE FROM moved WHERE id <= 1001']);
CALL refuses('moved by MERGE, not deleted', ARRAY['MERGE INTO moved m USING generate_series(1, 600) g ON m.id = g WHEN MATCHED THEN UPDATE SET k = (k + 10) % 40',
  'DELETE FROM moved WHERE id > 1600', 'DELETE FROM moved WHERE id = 1600']);
CALL refuses('moved beside inserted rows', ARRAY['MERGE INTO moved m USING generate_series(1501, 2400) g ON m.id = g WHEN MATCHED THEN UPDATE SET k = (k + 10) % 40 WHEN NOT MATCHED THEN INSERT VALUES (g, 1)',
  'DELETE FROM moved WHERE id > 2000', 'DELETE FROM moved WHERE id <= 500', 'DELETE FROM moved WHERE id = 501']);
-- Those that moved in from another one enlarge the part that is named by nothing.
CALL refuses('moved into the part', ARRAY['UPDATE moved SET k = 10 WHERE k < 9 AND id <= 900',
  'DELETE FROM moved_rest WHERE id <= 300', 'DELETE FROM moved_rest WHERE id <= 2000']);
SET safedelete.commands = 'delete';
CALL refuses('moved, not guarded', ARRAY['UPDATE moved SET k = (k + 10) % 40 WHERE id <= 1900',
  'DELETE FROM moved WHERE id <= 1000', 'DELETE FROM moved WHERE id = 1001']);
RESET safedelete.commands;

-- A row that the sum has inserted and deleted after a rewrite enlarges nothing; one that it has not, does.
CALL refuses('inserted', ARRAY['ALTER TABLE t ALTER v TYPE bigint', 'INSERT INTO t VALUES (5000, 0)',
  'DELETE FROM t WHERE id = 5000', 'DELETE FROM t WHERE id <= 1001']);
CALL refuses('there before', ARRAY['DELETE FROM t WHERE id = 2000', 'ALTER TABLE t ALTER v TYPE bigint',
  'DELETE FROM t WHERE id = 1999', 'DELETE FROM t WHERE id <= 999']);
-- A row that a client's statement updates which is not guarded was there all the same.
SET safedelete.scope = transaction;
SET safedelete.commands = 'delete';
SET safedelete.max_rows = 0;
BEGIN;
INSERT INTO t VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET v = 7;
SAVEPOINT s;
DELETE FROM t WHERE id = 1;
ROLLBACK TO s;
DO $$ BEGIN DELETE FROM t WHERE id = 1; END $$;
ROLLBACK TO s;
UPDATE t SET v = 8 WHERE id = 2;
SAVEPOINT s;
DO $$ BEGIN DELETE FROM t WHERE id = 2; END $$;
ROLLBACK;
BEGIN;
INSERT INTO t VALUES (9000, 1) ON CONFLICT (id) DO UPDATE SET v = 7;
DO $$ BEGIN DELETE FROM t WHERE id = 9000; END $$;
ROLLBACK;
RESET safedelete.max_rows;
RESET safedelete.commands;
RESET safedelete.scope;
SELECT count(*), max(v) FROM t;
SET client_min_messages = warning;
DROP SCHEMA shrunk CASCADE;
DROP ROLE shrunk_bypass;
