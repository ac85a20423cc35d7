-- Row versions that a sum has not made by writing rows: a table that is rewritten, rows that an upsert inserts, and
-- what goes with a file. The tests' min_rows is 100.
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE SCHEMA rewritten;
SET search_path = rewritten;
CREATE TABLE t (id int PRIMARY KEY, v int) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT g, 0 FROM generate_series(1, 1000) g;

-- All versions of a rewritten table are the transaction's own, and of rows that were there.
DO $$ BEGIN ALTER TABLE t ALTER v TYPE bigint; DELETE FROM t WHERE id <= 501; END $$;
DO $$ BEGIN
  ALTER TABLE t ADD w float DEFAULT random();
  FOR i IN 1..501 LOOP UPDATE t SET v = 1 WHERE id = i; END LOOP;
END $$;
BEGIN;
DO $$ BEGIN ALTER TABLE t ALTER v TYPE bigint; DELETE FROM t WHERE id <= 500; END $$;
ROLLBACK;
SET safedelete.scope = transaction;
BEGIN;
UPDATE t SET v = 1 WHERE id <= 10;
ALTER TABLE t ALTER v TYPE bigint;
SAVEPOINT s;
DELETE FROM t WHERE id BETWEEN 11 AND 501;
ROLLBACK TO s;
DELETE FROM t WHERE id <= 501;
ROLLBACK;
-- What CLUSTER copies stays whose it was.
BEGIN;
UPDATE t SET v = 1 WHERE id <= 400;
CLUSTER t USING t_pkey;
UPDATE t SET v = 2 WHERE id <= 500;
SAVEPOINT s;
UPDATE t SET v = 3 WHERE id <= 501;
ROLLBACK;

-- Nor does a session's own ceiling take them for its own.
SET safedelete.own_max_rows = 100;
DO $$ BEGIN ALTER TABLE t ALTER v TYPE bigint; DELETE FROM t WHERE id <= 101; END $$;
RESET safedelete.own_max_rows;

-- What was taken away counts for the size, also where the new file does not know of it.
BEGIN;
DELETE FROM t WHERE id <= 300;
ALTER TABLE t ALTER v TYPE bigint;
DELETE FROM t WHERE id <= 500;
SAVEPOINT s;
DELETE FROM t WHERE id <= 501;
ROLLBACK;
BEGIN;
DELETE FROM t WHERE id <= 300;
CLUSTER t USING t_pkey;
DELETE FROM t WHERE id <= 500;
SAVEPOINT s;
DELETE FROM t WHERE id <= 501;
ROLLBACK;
RESET safedelete.scope;

-- An upsert that nobody counts: the rows that it has updated were there, those that it has inserted were not.
DO $$ BEGIN
  INSERT INTO t SELECT g, 1 FROM generate_series(1001, 3000) g ON CONFLICT (id) DO UPDATE SET v = 2;
  DELETE FROM t WHERE id > 1000;
END $$;
DO $$ BEGIN
  INSERT INTO t SELECT g, 1 FROM generate_series(1, 3000) g ON CONFLICT (id) DO UPDATE SET v = 2;
  DELETE FROM t WHERE v = 1;
  DELETE FROM t WHERE id <= 501;
END $$;
SET safedelete.commands = 'delete';
DO $$ BEGIN
  MERGE INTO t USING generate_series(900, 2000) g ON t.id = g
    WHEN MATCHED THEN UPDATE SET v = 5 WHEN NOT MATCHED THEN INSERT VALUES (g, 6);
  DELETE FROM t WHERE v = 6;
END $$;
DO $$ BEGIN
  MERGE INTO t USING generate_series(1, 1500) g ON t.id = g
    WHEN MATCHED THEN UPDATE SET v = 5 WHEN NOT MATCHED THEN INSERT VALUES (g, 6);
  DELETE FROM t WHERE v = 5;
END $$;
RESET safedelete.commands;
-- In a tree an UPDATE may have moved them, and then they update no version.
CREATE TABLE whole (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF whole FOR VALUES FROM (0) TO (5000);
CREATE TABLE high PARTITION OF whole FOR VALUES FROM (5000) TO (10000);
INSERT INTO whole SELECT g, 0 FROM generate_series(1, 1000) g;
SET safedelete.commands = 'delete';
DO $$ BEGIN UPDATE whole SET id = id + 5000 WHERE id <= 600; DELETE FROM whole WHERE id > 5000; END $$;
RESET safedelete.commands;
DO $$ BEGIN
  INSERT INTO whole SELECT g, 1 FROM generate_series(4000, 6000) g ON CONFLICT (id) DO UPDATE SET v = 2;
  DELETE FROM whole WHERE v = 1;
END $$;
-- TRUNCATE takes what the sum has inserted for nothing, and what it has counted not again.
CREATE TABLE staged (id int);
BEGIN;
DO $$ BEGIN INSERT INTO staged SELECT generate_series(1, 2000); TRUNCATE staged; END $$;
SET LOCAL safedelete.scope = transaction;
INSERT INTO staged SELECT generate_series(1, 2000);
TRUNCATE staged;
INSERT INTO staged SELECT generate_series(1, 2000);
DELETE FROM staged WHERE id > 0;
ROLLBACK;
INSERT INTO staged SELECT generate_series(1, 90);
BEGIN;
DO $$ BEGIN UPDATE staged SET id = id WHERE id <= 80; TRUNCATE staged; END $$;
ROLLBACK;
INSERT INTO staged SELECT generate_series(91, 101);
DO $$ BEGIN UPDATE staged SET id = id WHERE id <= 80; TRUNCATE staged; END $$;
DO $$ BEGIN INSERT INTO staged SELECT generate_series(1, 50); TRUNCATE staged; END $$;
BEGIN;
DO $$ BEGIN INSERT INTO staged SELECT generate_series(1, 300); TRUNCATE staged; END $$;
ROLLBACK;
DO $$ BEGIN
  INSERT INTO whole SELECT g, 0 FROM generate_series(2001, 9000) g ON CONFLICT (id) DO UPDATE SET v = 2;
  TRUNCATE whole;
  RAISE EXCEPTION 'not refused';
END $$;
DO $$ BEGIN INSERT INTO high SELECT g, 0 FROM generate_series(6001, 6900) g; TRUNCATE whole; END $$;
SET safedelete.own_max_rows = 90;
DO $$ BEGIN INSERT INTO staged SELECT generate_series(1, 2000); TRUNCATE staged; END $$;
RESET safedelete.own_max_rows;
SELECT count(*), max(id) FROM t;
SELECT count(*), max(id) FROM whole;
SELECT count(*), max(id) FROM staged;
SET client_min_messages = warning;
DROP SCHEMA rewritten CASCADE;
