-- A session's own ceiling: safedelete.own_max_rows.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS safedelete;
RESET client_min_messages;
CREATE SCHEMA own;
SET search_path = own;
CREATE TABLE t (id int PRIMARY KEY, k int, v text);
INSERT INTO t SELECT g, g % 10, 'x' FROM generate_series(1, 1000) g;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE);
INSERT INTO parent SELECT generate_series(1, 10);
INSERT INTO child SELECT g, g % 10 + 1 FROM generate_series(1, 200) g;
CREATE INDEX ON child (parent);
ANALYZE t, parent, child;
CREATE ROLE own_user;
GRANT ALL ON SCHEMA own, safedelete TO own_user;
GRANT ALL ON ALL TABLES IN SCHEMA own TO own_user;
SELECT value, source FROM safedelete.settings_for('t') WHERE setting = 'own_max_rows';

-- Anyone may set it, before and after: plans know.
SET ROLE own_user;
PREPARE p (int) AS DELETE FROM t WHERE id <= $1;
BEGIN; EXECUTE p (11); ROLLBACK;
SET safedelete.own_max_rows = 10;
EXECUTE p (11);
BEGIN; EXECUTE p (10); ROLLBACK;
\set VERBOSITY default
DELETE FROM t WHERE k = 3;
\set VERBOSITY terse
UPDATE t SET v = 'y' WHERE id <= 11;
BEGIN; UPDATE t SET v = 'y' WHERE id <= 10; ROLLBACK;
DELETE FROM t WHERE id > 5000;
TRUNCATE t;
TRUNCATE parent CASCADE;
RESET ROLE;

-- Whatever else would let it through.
SET safedelete.mode = log;
UPDATE t SET v = 'y' WHERE id <= 11;
RESET safedelete.mode;
BEGIN; SET LOCAL safedelete.allow_rows = -1;
DELETE FROM t;
ROLLBACK;
BEGIN; SET LOCAL safedelete.allow_rows = -1;
TRUNCATE t;
ROLLBACK;
SET safedelete.bypass_role = own_user;
SET ROLE own_user;
DELETE FROM t WHERE id <= 11;
TRUNCATE t;
BEGIN; DELETE FROM t WHERE id <= 10; ROLLBACK;
RESET ROLE;
RESET safedelete.bypass_role;
SET safedelete.commands = '';
DELETE FROM t WHERE id <= 11;
TRUNCATE t;
INSERT INTO t SELECT g, 0, 'u' FROM generate_series(1, 11) g ON CONFLICT (id) DO UPDATE SET v = 'u';
RESET safedelete.commands;
SET safedelete.exempt_tables = 'own.t';
DELETE FROM t WHERE id <= 11;
RESET safedelete.exempt_tables;
SELECT safedelete.set_policy('t', '{"mode": "off", "max_fraction": 1}');
DELETE FROM t WHERE id <= 11;
SELECT safedelete.clear_policy('t');
-- It does not loosen.
SET safedelete.max_rows = 5;
DELETE FROM t WHERE id <= 6;
RESET safedelete.max_rows;
DELETE FROM t;

-- MERGE, cascades, loops; each table by itself, each statement by itself.
MERGE INTO t USING generate_series(1, 11) g ON t.id = g WHEN MATCHED THEN DELETE;
DELETE FROM parent WHERE id = 1;
DO $$ BEGIN FOR i IN 1..11 LOOP DELETE FROM t WHERE id = i; END LOOP; END $$;
BEGIN;
DO $$ BEGIN FOR i IN 1..11 LOOP UPDATE t SET v = v || i WHERE id = 1; END LOOP; END $$;
ROLLBACK;
BEGIN;
DO $$ BEGIN FOR i IN 1..10 LOOP DELETE FROM t WHERE id = i; DELETE FROM child WHERE id = i; END LOOP; END $$;
DELETE FROM t WHERE id BETWEEN 11 AND 20;
ROLLBACK;
BEGIN;
DO $$ BEGIN
  BEGIN DELETE FROM t WHERE id <= 10; RAISE EXCEPTION 'undone'; EXCEPTION WHEN raise_exception THEN NULL; END;
  UPDATE t SET v = 'y' WHERE id <= 10;
END $$;
ROLLBACK;
BEGIN; SET LOCAL safedelete.scope = transaction;
DELETE FROM t WHERE id <= 6;
DELETE FROM t WHERE id BETWEEN 7 AND 11;
ROLLBACK;
-- A function that bypasses has its share.
CREATE FUNCTION purge(a int, b int) RETURNS void LANGUAGE sql SECURITY DEFINER AS
  'DELETE FROM own.t WHERE id BETWEEN a AND b';
ALTER FUNCTION purge OWNER TO own_user;
SET safedelete.bypass_role = own_user;
DO $$ BEGIN PERFORM own.purge(1, 6); DELETE FROM own.t WHERE id BETWEEN 7 AND 11; END $$;
DO $$ BEGIN DELETE FROM own.t WHERE id BETWEEN 7 AND 11; PERFORM own.purge(1, 6); END $$;
-- A row that the sum has written before counts once, whoever wrote it and whether or not that was guarded.
CREATE FUNCTION touch(a int, b int) RETURNS void LANGUAGE sql SECURITY DEFINER AS
  $$UPDATE own.t SET v = 'y' WHERE id BETWEEN a AND b$$;
ALTER FUNCTION touch OWNER TO own_user;
BEGIN;
DO $$ BEGIN PERFORM own.touch(1, 8); UPDATE own.t SET v = 'z' WHERE id BETWEEN 1 AND 8; PERFORM own.touch(1, 10); END $$;
ROLLBACK;
BEGIN;
DO $$ BEGIN FOR i IN 1..20 LOOP PERFORM own.touch(1, 1); UPDATE own.t SET v = i::text WHERE id = 1; END LOOP; END $$;
ROLLBACK;
DO $$ BEGIN PERFORM own.touch(1, 8); UPDATE own.t SET v = 'z' WHERE id BETWEEN 5 AND 11; END $$;
RESET safedelete.bypass_role;
BEGIN;
DO $$ BEGIN FOR i IN 1..20 LOOP
  INSERT INTO own.t VALUES (1, 1, 'u') ON CONFLICT (id) DO UPDATE SET v = 'u';
  UPDATE own.t SET v = i::text WHERE id = 1;
END LOOP; END $$;
ROLLBACK;
SET safedelete.commands = 'delete';
BEGIN;
DO $$ BEGIN FOR i IN 1..20 LOOP UPDATE own.t SET v = i::text WHERE id BETWEEN 1 AND 5; END LOOP;
  DELETE FROM own.t WHERE id BETWEEN 1 AND 10; END $$;
ROLLBACK;
DO $$ BEGIN UPDATE own.t SET v = 'y' WHERE id <= 6; DELETE FROM own.t WHERE id BETWEEN 5 AND 11; END $$;
MERGE INTO t USING generate_series(1, 11) g ON t.id = g WHEN MATCHED THEN UPDATE SET v = 'm';
RESET safedelete.commands;
-- What was written while there was no ceiling it has not counted.
CREATE FUNCTION freely(n int) RETURNS void LANGUAGE plpgsql SET safedelete.own_max_rows = -1 AS
  $$ BEGIN UPDATE own.t SET v = 'y' WHERE id <= n; END $$;
DO $$ BEGIN PERFORM own.freely(50); UPDATE own.t SET v = 'z' WHERE id <= 11; END $$;
BEGIN;
DO $$ BEGIN
  UPDATE own.t SET v = 'z' WHERE id <= 6; PERFORM own.freely(50);
  UPDATE own.t SET v = 'z' WHERE id <= 4; UPDATE own.t SET v = 'z' WHERE id <= 4;
END $$;
ROLLBACK;
BEGIN;
SET LOCAL safedelete.scope = transaction;
SET LOCAL safedelete.own_max_rows = -1;
UPDATE t SET v = 'y' WHERE id <= 50;
SET LOCAL safedelete.own_max_rows = 10;
UPDATE t SET v = 'z' WHERE id <= 10;
UPDATE t SET v = 'z' WHERE id <= 10;
UPDATE t SET v = 'z' WHERE id = 11;
ROLLBACK;
-- Rows that the sum inserts were not there.
BEGIN;
DO $$ BEGIN INSERT INTO own.t SELECT g FROM generate_series(2001, 2100) g; UPDATE own.t SET v = 'n' WHERE id > 2000; END $$;
ROLLBACK;
VACUUM ANALYZE t;

-- What holds nothing that could be lost is free.
CREATE TEMP TABLE temporary AS SELECT * FROM t;
DELETE FROM temporary;
BEGIN; CREATE TABLE new AS SELECT * FROM t; DELETE FROM new; ROLLBACK;
-- None, and one.
SET safedelete.own_max_rows = 0;
DELETE FROM t WHERE id = 1;
SET safedelete.own_max_rows = 1;
BEGIN; DELETE FROM t WHERE id = 1; ROLLBACK;
EXPLAIN (COSTS OFF) DELETE FROM t WHERE id = 1;
-- Beforehand.
SET safedelete.own_max_rows = 10;
SELECT verdict, rule, message, detail FROM safedelete.check('DELETE FROM own.t WHERE k = 3; TRUNCATE own.t; DELETE FROM own.t WHERE id = 1');
SELECT relation, command, rows, verdict, message FROM safedelete.dry_run('DELETE FROM own.t WHERE k = 3');
SELECT verdict, rule, rows, "limit", limit_source FROM safedelete.events WHERE rule = 'own' AND relation = 'own.child' ORDER BY id;
-- Only mode ends it.
SET safedelete.mode = off;
BEGIN; DELETE FROM t WHERE id <= 11; ROLLBACK;
RESET safedelete.mode;
SET safedelete.own_max_rows = -1;
BEGIN; DELETE FROM t WHERE id <= 11; ROLLBACK;
SELECT count(*) AS "all are there" FROM t WHERE v = 'x';
SET client_min_messages = error;
DROP SCHEMA own CASCADE;
DROP OWNED BY own_user;
DROP ROLE own_user;
