-- The share is of the rows that are there, counted where the verdict hangs on it: not of dead rows, of
-- what statistics remember, or of what a failed try has left behind. The tests' min_rows is 100.
CREATE EXTENSION safedelete;
CREATE FUNCTION pages_counted(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || statement LOOP
    IF line ~ 'Limit:|Rows Counted:|Table Rows:|Pages Counted:' THEN RETURN NEXT regexp_replace(trim(line), '(Pages.*: |Table Rows: at least )\d+', '\1some'); END IF;
  END LOOP;
END $$;

-- Never analyzed, and its rows are shorter than PostgreSQL guesses.
CREATE TABLE import (id int, a text, b text, c text, d text, e text, f text, g text) WITH (autovacuum_enabled = off);
INSERT INTO import (id) SELECT g FROM generate_series(1, 5000) g;
DELETE FROM import WHERE id % 12 = 0;
DELETE FROM import WHERE id % 12 <> 1;
SELECT count(*) FROM import;
DELETE FROM import WHERE id % 12 < 6;
DELETE FROM import WHERE id % 12 < 7;
TRUNCATE import;
INSERT INTO import (id) SELECT g FROM generate_series(1, 200) g;
DELETE FROM import WHERE id <= 101;
ANALYZE import;
DELETE FROM import WHERE id <= 101;
DELETE FROM import WHERE id <= 100;

-- Vacuumed when it was nearly empty, then a burst.
CREATE TABLE outbox (id int PRIMARY KEY, body text) WITH (autovacuum_enabled = off);
INSERT INTO outbox SELECT g, repeat('x', 100) FROM generate_series(1, 3000) g;
BEGIN; SET LOCAL safedelete.allow_rows = -1; DELETE FROM outbox WHERE id <= 2995; COMMIT;
VACUUM ANALYZE outbox;
INSERT INTO outbox SELECT g, repeat('x', 100) FROM generate_series(3001, 5000) g;
DELETE FROM outbox WHERE id <= 3295;
DELETE FROM outbox WHERE id > 3000 AND id <= 4200;
-- Nearly all dead, and not vacuumed yet.
BEGIN; SET LOCAL safedelete.allow_rows = -1; DELETE FROM outbox WHERE id <= 4800; COMMIT;
DELETE FROM outbox WHERE id <= 4901;
DELETE FROM outbox WHERE id <= 4900;

-- What was refused stays refused, however often it is tried.
CREATE TABLE product (id int PRIMARY KEY, price int) WITH (autovacuum_enabled = off);
INSERT INTO product SELECT g, g FROM generate_series(1, 1000) g;
ANALYZE product;
MERGE INTO product p USING generate_series(1, 1000) s ON p.id = s WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING generate_series(1, 1000) s ON p.id = s WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING generate_series(1, 1000) s ON p.id = s WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING generate_series(1, 1000) s ON p.id = s WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING generate_series(1, 1000) s ON p.id = s WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING generate_series(1, 600) s ON p.id = s WHEN MATCHED THEN DELETE;
MERGE INTO product p USING generate_series(1, 600) s ON p.id = s WHEN MATCHED THEN DELETE;
SET safedelete.commands = 'delete, update, merge, upsert';
INSERT INTO product SELECT g, 0 FROM generate_series(1, 1000) g ON CONFLICT (id) DO UPDATE SET price = 0;
INSERT INTO product SELECT g, 0 FROM generate_series(1, 1000) g ON CONFLICT (id) DO UPDATE SET price = 0;
INSERT INTO product SELECT g, 0 FROM generate_series(1, 1000) g ON CONFLICT (id) DO UPDATE SET price = 0;
RESET safedelete.commands;
CREATE PROCEDURE wipe() LANGUAGE plpgsql AS $$
BEGIN FOR i IN 1..1000 LOOP UPDATE product SET price = NULL WHERE id = i; END LOOP; END $$;
CALL wipe();
CALL wipe();
CALL wipe();
-- A failed import makes no room either.
INSERT INTO product SELECT g, g FROM generate_series(2000, 4000) g UNION ALL SELECT 5, 5;
DELETE FROM product WHERE id > 0;
BEGIN; SET LOCAL safedelete.allow_rows = -1; UPDATE product SET price = 1; ROLLBACK;
DELETE FROM product WHERE id > 400;
SELECT count(*), count(price) FROM product;
-- A foreign key's.
CREATE TABLE team (id int PRIMARY KEY);
CREATE TABLE person (id int PRIMARY KEY, team int REFERENCES team ON DELETE SET NULL) WITH (autovacuum_enabled = off);
INSERT INTO team VALUES (1), (2);
INSERT INTO person SELECT g, CASE WHEN g <= 700 THEN 1 END FROM generate_series(1, 1000) g;
ANALYZE team, person;
DELETE FROM team WHERE id = 1;
DELETE FROM team WHERE id = 1;
DELETE FROM team WHERE id = 1;

-- In a sum, the table holds what is there and what the sum has deleted.
CREATE TABLE part (id int PRIMARY KEY, kind int) WITH (autovacuum_enabled = off);
INSERT INTO part SELECT g, g % 10 FROM generate_series(1, 1000) g;
BEGIN;
DO $$ BEGIN FOR i IN 0..4 LOOP DELETE FROM part WHERE kind = i; END LOOP; END $$;
SELECT count(*) FROM part;
ROLLBACK;
DO $$ BEGIN FOR i IN 0..5 LOOP DELETE FROM part WHERE kind = i; END LOOP; END $$;
DO $$ BEGIN FOR i IN 1..501 LOOP DELETE FROM part WHERE id = i; END LOOP; END $$;
-- What is inserted on the way is there, too, for the statements after.
BEGIN;
DO $$ BEGIN
  UPDATE part SET kind = 0 WHERE id <= 500;
  INSERT INTO part SELECT g, 0 FROM generate_series(1001, 2000) g;
  UPDATE part SET kind = 0 WHERE id BETWEEN 501 AND 1000;
END $$;
ROLLBACK;
-- And not where it was undone.
DO $$ BEGIN
  BEGIN
    INSERT INTO part SELECT g, 0 FROM generate_series(1001, 2000) g;
    DELETE FROM part WHERE id <= 600;
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN NULL;
  END;
  DELETE FROM part WHERE id <= 600;
END $$;

-- A snapshot of long ago, and one that takes predicate locks.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM part;
DELETE FROM part WHERE id <= 501;
ROLLBACK;
SET enable_seqscan = off;
BEGIN ISOLATION LEVEL SERIALIZABLE;
DELETE FROM part WHERE id BETWEEN 1 AND 400;
SELECT mode FROM pg_locks WHERE relation = 'part'::regclass AND locktype = 'relation' ORDER BY 1;
ROLLBACK;
RESET enable_seqscan;

-- All of the tree, pruned partitions too; with ONLY the table alone.
CREATE TABLE measure (id int, day int) PARTITION BY LIST (day);
CREATE TABLE measure_1 PARTITION OF measure FOR VALUES IN (1);
CREATE TABLE measure_2 PARTITION OF measure FOR VALUES IN (2);
INSERT INTO measure SELECT g, 1 + g % 2 FROM generate_series(1, 1000) g;
DELETE FROM measure WHERE day = 1;
DELETE FROM measure WHERE id <= 502;
DELETE FROM measure_2 WHERE id <= 500;
CREATE TABLE animal (id int);
CREATE TABLE cat () INHERITS (animal);
INSERT INTO animal SELECT generate_series(1, 300);
INSERT INTO cat SELECT generate_series(301, 1000);
DELETE FROM ONLY animal WHERE id <= 151;
DELETE FROM animal WHERE id <= 501;
DELETE FROM animal WHERE id <= 500;
CREATE UNLOGGED TABLE scratch AS SELECT g AS id FROM generate_series(1, 1000) g;
DELETE FROM scratch WHERE id <= 501;

-- A count stops as soon as it decides, and a small write needs none.
CREATE TABLE big AS SELECT g AS id FROM generate_series(1, 100000) g;
VACUUM ANALYZE big;
CREATE PROCEDURE flush() LANGUAGE sql AS 'SELECT pg_stat_force_next_flush()';
CALL flush();
BEGIN;
SELECT pages_counted('DELETE FROM big WHERE id <= 20000');
SELECT pages_counted('DELETE FROM big WHERE id BETWEEN 25001 AND 55000');
ROLLBACK;
SET safedelete.max_fraction = 0.001;
DELETE FROM big WHERE id <= 101;
SET safedelete.min_rows = 10;
CALL flush();
VACUUM big;
BEGIN;
SELECT pages_counted('DELETE FROM big WHERE id <= 60');
SELECT pages_counted('DELETE FROM big WHERE id <= 100');
ROLLBACK;
-- Without a share there is nothing to count for, nor over max_rows.
SET safedelete.max_fraction = 0;
DELETE FROM big WHERE id <= 11;
RESET safedelete.max_fraction;
SET safedelete.max_rows = 150;
DELETE FROM big WHERE id <= 151;
RESET safedelete.max_rows;
RESET safedelete.min_rows;
SELECT relation, rows, table_rows, round(fraction::numeric, 3), verdict
  FROM safedelete.dry_run('DELETE FROM big WHERE id <= 40000; DELETE FROM big WHERE id > 40000');
-- Nothing of it is in the table's statistics.
CALL flush();
SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'big';

-- What other sessions have deleted reaches the estimates late: 1,500 rows are left, and all of them say 10,000.
CREATE TABLE stale (id int) WITH (autovacuum_enabled = off);
INSERT INTO stale SELECT generate_series(1, 10000);
ANALYZE stale;
BEGIN; SET LOCAL safedelete.mode = off; DELETE FROM stale WHERE id > 1500; COMMIT;
DELETE FROM stale WHERE id <= 1200;
BEGIN; DELETE FROM stale WHERE id <= 740; ROLLBACK;
VACUUM stale;
DELETE FROM stale WHERE id <= 1200;

-- What a sum has deleted counts for its table's size, and what it has only collected is still there.
CREATE TABLE inner_most (id int);
INSERT INTO inner_most SELECT generate_series(1, 1000);
CREATE FUNCTION take_more(i int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN IF i = 1 THEN DELETE FROM inner_most WHERE id BETWEEN 401 AND 600; END IF; RETURN i; END $$;
WITH d AS (DELETE FROM inner_most WHERE id <= 400 RETURNING take_more(id)) SELECT count(*) FROM d;
CREATE FUNCTION take_more_by_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM take_more(OLD.id); RETURN OLD; END $$;
CREATE TRIGGER t BEFORE DELETE ON inner_most FOR EACH ROW WHEN (OLD.id <= 400) EXECUTE FUNCTION take_more_by_trigger();
DELETE FROM inner_most WHERE id <= 400;
DROP TRIGGER t ON inner_most;
DO $$ BEGIN DELETE FROM inner_most WHERE id <= 400; DELETE FROM inner_most WHERE id <= 500; RAISE EXCEPTION 'undone'; END $$;
DO $$ BEGIN DELETE FROM inner_most WHERE id <= 400; DELETE FROM inner_most WHERE id <= 501; END $$;
-- Rows that the sum itself has inserted were not there.
DO $$
BEGIN
  INSERT INTO inner_most SELECT generate_series(1001, 2000);
  DELETE FROM inner_most WHERE id > 1000;
  DELETE FROM inner_most WHERE id <= 501;
END $$;
-- Deleted by a command that is not guarded, it is no longer there.
SET safedelete.commands = 'update';
DO $$ BEGIN DELETE FROM inner_most WHERE id <= 400; UPDATE inner_most SET id = id WHERE id <= 701; END $$;
RESET safedelete.commands;
DO $$ BEGIN DELETE FROM inner_most WHERE id <= 300; TRUNCATE inner_most; END $$;
BEGIN;
SET LOCAL safedelete.allow_rows = 700;
DO $$ BEGIN DELETE FROM inner_most WHERE id <= 300; TRUNCATE inner_most; END $$;
ROLLBACK;

-- A table that this transaction created holds nothing that could be lost.
BEGIN;
CREATE TABLE tag (id int, slug text);
INSERT INTO tag SELECT g, ' S' || g FROM generate_series(1, 500) g;
PREPARE lower_all AS UPDATE tag SET slug = lower(trim(slug));
PREPARE lower_most(int) AS UPDATE tag SET slug = lower(slug) WHERE id > $1;
UPDATE tag SET slug = trim(slug);
EXECUTE lower_all;
EXECUTE lower_most(1);
SELECT FROM safedelete.set_policy('tag', '{"max_rows": 0}');
DELETE FROM tag WHERE id = 1;
DELETE FROM tag WHERE id < 10;
DO $$ BEGIN FOR i IN 10..30 LOOP DELETE FROM tag WHERE id = i; END LOOP; END $$;
SELECT count(*) FROM tag;
SAVEPOINT one;
CREATE TABLE tag2 AS TABLE tag;
ROLLBACK TO one;
CREATE TABLE tag2 AS TABLE tag;
DELETE FROM tag2;
TRUNCATE tag;
INSERT INTO tag SELECT g, ' S' || g FROM generate_series(1, 500) g;
-- A new tree of old tables holds what these held.
CREATE TABLE family (id int) PARTITION BY RANGE (id);
CREATE TABLE family_new PARTITION OF family FOR VALUES FROM (2000) TO (3000);
INSERT INTO family SELECT generate_series(2000, 2500);
DELETE FROM family;
ALTER TABLE family ATTACH PARTITION scratch FOR VALUES FROM (1) TO (2000);
DELETE FROM family WHERE id > 0;
ROLLBACK;
BEGIN;
CREATE TABLE tag (id int, slug text);
INSERT INTO tag SELECT g, ' S' || g FROM generate_series(1, 500) g;
DEALLOCATE ALL;
PREPARE lower_all AS UPDATE tag SET slug = lower(trim(slug));
PREPARE lower_most(int) AS UPDATE tag SET slug = lower(slug) WHERE id > $1;
EXECUTE lower_all;
EXECUTE lower_most(1);
COMMIT;
EXECUTE lower_all;
EXECUTE lower_most(1);
DELETE FROM tag WHERE id > 1;

-- Analyzed by the session that filled it: what it had not reported by then is added to the live rows once more. Then
-- most rows go, and all that PostgreSQL keeps of the table is of before.
CREATE TABLE filled (id int) WITH (autovacuum_enabled = off);
CREATE TABLE filled_parts (id int) PARTITION BY RANGE (id);
CREATE TABLE filled_part PARTITION OF filled_parts FOR VALUES FROM (0) TO (100000) WITH (autovacuum_enabled = off);
INSERT INTO filled SELECT generate_series(1, 10000);
ANALYZE filled;
INSERT INTO filled_parts SELECT generate_series(1, 10000);
ANALYZE filled_part;
BEGIN; SET LOCAL safedelete.allow_rows = -1; DELETE FROM filled WHERE id > 1500; DELETE FROM filled_parts WHERE id > 1500; COMMIT;
SELECT pg_stat_force_next_flush();
DELETE FROM filled WHERE id <= 900;
DELETE FROM filled_parts WHERE id <= 900;
DELETE FROM filled WHERE id <= 750;
DROP TABLE filled, filled_parts;
