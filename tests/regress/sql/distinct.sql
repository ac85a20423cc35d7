-- A sum counts distinct rows that were there when it began.
\set VERBOSITY terse
\set SHOW_CONTEXT never
CREATE SCHEMA distinct_rows;
SET search_path = distinct_rows;
CREATE TABLE t (id int PRIMARY KEY, v int, pad text DEFAULT repeat('x', 100));
INSERT INTO t SELECT g, 0 FROM generate_series(1, 1000) g;
CREATE INDEX ON t (v);
ANALYZE t;
CREATE TABLE log (id serial PRIMARY KEY, of int);
SET safedelete.max_rows = 100;
SET safedelete.max_fraction = 1;

-- A counter that a trigger updates for each row, by each way to insert.
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN UPDATE t SET v = v + 1 WHERE id = NEW.of; RETURN NULL; END $$;
CREATE TRIGGER bump AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION bump();
INSERT INTO log (of) SELECT 1 FROM generate_series(1, 500);
INSERT INTO log (of) SELECT 1 + g % 100 FROM generate_series(1, 500) g;
INSERT INTO log (of) SELECT 1 + g % 101 FROM generate_series(1, 500) g;
SELECT 'INSERT INTO log (of) VALUES ' || string_agg('(2)', ',') FROM generate_series(1, 101) \gexec
COPY log (of) FROM PROGRAM 'seq 1 150 | sed s/.*/3/';
DROP TRIGGER bump ON log;
CREATE FUNCTION next(int) RETURNS int LANGUAGE sql AS 'UPDATE t SET v = v + 1 WHERE id = $1 RETURNING v';
SELECT count(*) FROM (SELECT next(4) FROM generate_series(1, 300)) n;

-- Loops: by key, by a list of keys, by a range, by a join; DELETE of what was updated.
DO $$ BEGIN FOR i IN 1..300 LOOP UPDATE t SET v = i WHERE id = 5; END LOOP; END $$;
DO $$ BEGIN FOR i IN 1..300 LOOP UPDATE t SET v = i WHERE id IN (5, 6, 7); END LOOP; END $$;
DO $$ BEGIN FOR i IN 1..9 LOOP UPDATE t SET v = i WHERE id BETWEEN 101 AND 200; END LOOP; END $$;
DO $$ BEGIN FOR i IN 1..9 LOOP UPDATE t SET v = i WHERE id BETWEEN 101 AND 201; END LOOP; END $$;
DO $$ BEGIN FOR i IN 1..9 LOOP UPDATE t SET v = i FROM log WHERE t.id = 10 + log.id % 50; END LOOP; END $$;
DO $$ BEGIN FOR i IN 1..9 LOOP UPDATE t SET v = i WHERE ctid = (SELECT ctid FROM t WHERE id = 5); END LOOP; END $$;
BEGIN;
DO $$ BEGIN
  FOR i IN 1..100 LOOP UPDATE t SET v = i WHERE id = i; END LOOP;
  FOR i IN 1..100 LOOP UPDATE t SET v = 0 WHERE id = i; END LOOP;
  FOR i IN 1..50 LOOP DELETE FROM t WHERE id = i; END LOOP;
  DELETE FROM t WHERE id BETWEEN 51 AND 90;
  DELETE FROM t USING log WHERE t.id = log.id AND t.id BETWEEN 91 AND 100;
END $$;
DO $$ BEGIN
  FOR i IN 101..150 LOOP UPDATE t SET v = i WHERE id = i; END LOOP;
  FOR i IN 101..201 LOOP DELETE FROM t WHERE id = i; END LOOP;
END $$;
ROLLBACK;
-- Rows that the sum inserted do not count.
BEGIN;
DO $$ BEGIN
  INSERT INTO t SELECT g FROM generate_series(2001, 2500) g;
  UPDATE t SET v = 1 WHERE id > 2000;
  FOR i IN 2001..2400 LOOP DELETE FROM t WHERE id = i; END LOOP;
  DELETE FROM t WHERE id BETWEEN 1 AND 100 OR id > 2000;
END $$;
ROLLBACK;
-- But those that the transaction had inserted before do.
BEGIN;
INSERT INTO t SELECT g FROM generate_series(2001, 2500) g;
DO $$ BEGIN FOR i IN 2001..2101 LOOP DELETE FROM t WHERE id = i; END LOOP; END $$;
ROLLBACK;
BEGIN;
INSERT INTO t SELECT g FROM generate_series(2001, 2500) g;
DO $$ BEGIN DELETE FROM t WHERE id > 2399; END $$;
ROLLBACK;
-- A cursor's row.
DO $$ DECLARE c CURSOR FOR SELECT * FROM t WHERE id <= 60 FOR UPDATE; r record; BEGIN
  FOR r IN c LOOP UPDATE t SET v = 9 WHERE CURRENT OF c; UPDATE t SET v = 10 WHERE id = r.id; END LOOP;
  RAISE EXCEPTION 'not refused';
END $$;
DO $$ DECLARE c CURSOR FOR SELECT * FROM t WHERE id <= 100 FOR UPDATE; r record; BEGIN
  FOR r IN c LOOP UPDATE t SET v = 9 WHERE id = r.id; END LOOP;
  FOR r IN SELECT ctid AS at FROM t WHERE id <= 100 LOOP DELETE FROM t WHERE ctid = r.at; END LOOP;
  RAISE EXCEPTION 'not refused';
END $$;

-- A row that the transaction has locked and a subtransaction deletes: both are in its xmax (a multixact). The sum has
-- made these rows itself.
DO $$ DECLARE r record; BEGIN
  UPDATE t SET v = 9 WHERE id <= 100;
  FOR r IN SELECT ctid AS at FROM t WHERE id <= 100 FOR UPDATE LOOP
    BEGIN DELETE FROM t WHERE ctid = r.at; EXCEPTION WHEN division_by_zero THEN NULL; END;
  END LOOP;
  RAISE EXCEPTION 'not refused';
END $$;
DO $$ DECLARE c CURSOR FOR SELECT * FROM t WHERE id <= 100 FOR SHARE; r record; BEGIN
  UPDATE t SET v = 9 WHERE id <= 100;
  FOR r IN c LOOP
    BEGIN DELETE FROM t WHERE CURRENT OF c; EXCEPTION WHEN division_by_zero THEN NULL; END;
  END LOOP;
  RAISE EXCEPTION 'not refused';
END $$;
DO $$ DECLARE r record; BEGIN
  UPDATE t SET v = 9 WHERE id <= 50;
  FOR r IN SELECT ctid AS at FROM t WHERE id <= 101 FOR NO KEY UPDATE LOOP
    BEGIN DELETE FROM t WHERE ctid = r.at; EXCEPTION WHEN division_by_zero THEN NULL; END;
  END LOOP;
END $$;

-- What a subtransaction undid is given back, and counts when it comes again.
DO $$ BEGIN
  FOR j IN 1..5 LOOP
    BEGIN
      FOR i IN 1..60 LOOP UPDATE t SET v = j WHERE id = i; UPDATE t SET v = -j WHERE id = i; END LOOP;
      RAISE EXCEPTION 'undone';
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
  FOR i IN 1..60 LOOP UPDATE t SET v = 7 WHERE id = i; END LOOP;
  FOR i IN 1..100 LOOP UPDATE t SET v = 8 WHERE id = i; END LOOP;
  RAISE EXCEPTION 'not refused';
END $$;
DO $$ BEGIN
  BEGIN
    FOR i IN 1..60 LOOP UPDATE t SET v = 1 WHERE id = i; END LOOP;
  EXCEPTION WHEN raise_exception THEN NULL;
  END;
  FOR i IN 1..101 LOOP UPDATE t SET v = 8 WHERE id = i; END LOOP;
END $$;

-- What nobody counted does not go uncounted by having been written.
SET safedelete.commands = 'delete';
DO $$ BEGIN
  FOR i IN 1..150 LOOP UPDATE t SET v = i WHERE id = i; END LOOP;
  FOR i IN 1..150 LOOP DELETE FROM t WHERE id = i; END LOOP;
END $$;
DO $$ BEGIN UPDATE t SET v = 1 WHERE id <= 150; DELETE FROM t WHERE id <= 150; END $$;
SET safedelete.commands = 'delete, update';
DO $$ BEGIN
  INSERT INTO t SELECT g FROM generate_series(1, 150) g ON CONFLICT (id) DO UPDATE SET v = 3;
  DELETE FROM t WHERE v = 3;
END $$;
DO $$ BEGIN
  MERGE INTO t USING generate_series(1, 150) g ON t.id = g WHEN MATCHED THEN UPDATE SET v = 3;
  FOR i IN 1..150 LOOP UPDATE t SET v = 4 WHERE id = i; END LOOP;
END $$;
RESET safedelete.commands;
CREATE ROLE regress_unchecked;
GRANT USAGE ON SCHEMA distinct_rows TO regress_unchecked;
GRANT SELECT, UPDATE ON t TO regress_unchecked;
CREATE FUNCTION unchecked() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = distinct_rows AS
  $$ BEGIN UPDATE t SET v = 5 WHERE id <= 150; END $$;
ALTER FUNCTION unchecked() OWNER TO regress_unchecked;
SET safedelete.bypass_role = regress_unchecked;
DO $$ BEGIN PERFORM unchecked(); DELETE FROM t WHERE v = 5; END $$;
DO $$ BEGIN PERFORM unchecked(); FOR i IN 1..150 LOOP UPDATE t SET v = 4 WHERE id = i; END LOOP; END $$;
RESET safedelete.bypass_role;

-- MERGE and upserts count so, too.
SET safedelete.commands = 'delete, update, merge, upsert';
DO $$ BEGIN
  FOR i IN 1..5 LOOP
    MERGE INTO t USING generate_series(1, 100) g ON t.id = g WHEN MATCHED THEN UPDATE SET v = i;
    INSERT INTO t SELECT g FROM generate_series(1, 100) g ON CONFLICT (id) DO UPDATE SET v = i;
    UPDATE t SET v = 1 WHERE id <= 100;
  END LOOP;
  INSERT INTO t SELECT g FROM generate_series(2001, 2300) g;
  INSERT INTO t SELECT g FROM generate_series(2001, 2300) g ON CONFLICT (id) DO UPDATE SET v = 9;
  MERGE INTO t USING generate_series(2001, 2300) g ON t.id = g WHEN MATCHED THEN DELETE;
  RAISE EXCEPTION 'not refused';
END $$;
DO $$ BEGIN
  MERGE INTO t USING generate_series(1, 60) g ON t.id = g WHEN MATCHED THEN UPDATE SET v = 1;
  MERGE INTO t USING generate_series(1, 101) g ON t.id = g WHEN MATCHED THEN UPDATE SET v = 1;
END $$;
DO $$ BEGIN
  INSERT INTO t SELECT g FROM generate_series(1, 60) g ON CONFLICT (id) DO UPDATE SET v = 1;
  INSERT INTO t SELECT g FROM generate_series(1, 101) g ON CONFLICT (id) DO UPDATE SET v = 1;
END $$;
RESET safedelete.commands;

-- Over a transaction, and what a savepoint undid.
SET safedelete.scope = transaction;
BEGIN;
SELECT format('UPDATE t SET v = %s WHERE id = 1', g) FROM generate_series(1, 120) g \gexec
UPDATE t SET v = 1 WHERE id <= 100;
SAVEPOINT s;
UPDATE t SET v = 2 WHERE id <= 100;
DELETE FROM t WHERE id <= 100;
ROLLBACK TO s;
UPDATE t SET v = 3 WHERE id <= 100;
INSERT INTO t SELECT g FROM generate_series(2001, 2300) g;
DELETE FROM t WHERE id > 2000;
UPDATE t SET v = 3 WHERE id <= 101;
ROLLBACK;
RESET safedelete.scope;

-- Cascades, and rows that a foreign key reaches again.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, a int REFERENCES parent ON UPDATE CASCADE, b int REFERENCES parent ON UPDATE CASCADE);
INSERT INTO parent SELECT generate_series(1, 200);
INSERT INTO child SELECT g, g, g FROM generate_series(1, 200) g;
ANALYZE parent, child;
BEGIN; UPDATE parent SET id = id + 1000 WHERE id <= 100; ROLLBACK;
SET safedelete.max_rows = 99;
BEGIN; UPDATE parent SET id = id + 1000 WHERE id <= 99; ROLLBACK;
SET safedelete.max_rows = 100;

-- A partitioned table: by its name, with rows that move; a part that is named itself is another name.
CREATE TABLE whole (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE part_a PARTITION OF whole FOR VALUES FROM (0) TO (1000);
CREATE TABLE part_b PARTITION OF whole FOR VALUES FROM (1000) TO (3000);
ALTER TABLE whole ADD PRIMARY KEY (id);
INSERT INTO whole SELECT g, 0 FROM generate_series(1, 800) g;
ANALYZE whole;
DO $$ BEGIN
  FOR i IN 1..5 LOOP UPDATE whole SET v = i WHERE id <= 100; END LOOP;
  UPDATE whole SET id = id + 1000 WHERE id <= 100;
  FOR i IN 1001..1100 LOOP UPDATE whole SET v = 1 WHERE id = i; END LOOP;
  UPDATE whole SET id = id - 1000 WHERE id > 1000;
  RAISE EXCEPTION 'not refused';
END $$;
DO $$ BEGIN UPDATE part_a SET v = 1 WHERE id <= 100; UPDATE whole SET v = 1 WHERE id <= 101; END $$;
DO $$ BEGIN UPDATE part_a SET v = 1 WHERE id <= 60; UPDATE whole SET v = 1 WHERE id BETWEEN 51 AND 150; UPDATE part_a SET v = 2 WHERE id <= 60; RAISE EXCEPTION 'not refused'; END $$;

-- A COMMIT in a procedure begins a new sum.
CREATE PROCEDURE twice() LANGUAGE plpgsql AS $$ BEGIN
  FOR i IN 1..100 LOOP UPDATE t SET v = v WHERE id = i; END LOOP;
  COMMIT;
  FOR j IN 1..3 LOOP FOR i IN 51..150 LOOP UPDATE t SET v = v WHERE id = i; END LOOP; END LOOP;
END $$;
CALL twice();
-- A deferred trigger's updates are one statement at COMMIT.
CREATE CONSTRAINT TRIGGER bump AFTER INSERT ON log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump();
BEGIN;
INSERT INTO log (of) SELECT 1 + g % 60 FROM generate_series(1, 200) g;
UPDATE t SET v = 0 WHERE id <= 60;
COMMIT;
BEGIN;
INSERT INTO log (of) SELECT g FROM generate_series(1, 60) g;
INSERT INTO log (of) SELECT g FROM generate_series(61, 101) g;
COMMIT;
RESET safedelete.max_rows;
RESET safedelete.max_fraction;
SET client_min_messages = warning;
DROP SCHEMA distinct_rows CASCADE;
DROP ROLE regress_unchecked;

-- What a data-modifying CTE writes uncounted (an upsert, by default) counts when it is reached; what it counted does not.
SET search_path = public;
CREATE TABLE beside (id int PRIMARY KEY, v int);
INSERT INTO beside SELECT g, 0 FROM generate_series(1, 1000) g;
DO $$ DECLARE n int; BEGIN
  WITH u AS (INSERT INTO beside SELECT g, 0 FROM generate_series(1, 900) g ON CONFLICT (id) DO UPDATE SET v = 2 RETURNING 1)
  SELECT count(*) INTO n FROM u;
  DELETE FROM beside WHERE id <= 900;
END $$;
BEGIN;
DO $$ DECLARE n int; BEGIN
  WITH u AS (UPDATE beside SET v = 3 WHERE id <= 450 RETURNING 1) SELECT count(*) INTO n FROM u;
  WITH u AS (UPDATE beside SET v = 4 WHERE id <= 450 RETURNING 1) INSERT INTO beside SELECT 2000, count(*) FROM u;
  DELETE FROM beside WHERE id <= 450;
END $$;
SELECT count(*) FROM beside;
ROLLBACK;
DROP TABLE beside;
