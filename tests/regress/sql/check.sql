-- safedelete.check: a script is judged and not run.
CREATE EXTENSION safedelete;
\set VERBOSITY default
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off
CREATE TABLE orders (id int PRIMARY KEY, customer int, paid bool NOT NULL);
CREATE TABLE lines (id int, "order" int REFERENCES orders);
CREATE TABLE tiny (id int);
CREATE TABLE parts (id int, k int) PARTITION BY LIST (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
INSERT INTO orders SELECT g, g % 100, g % 2 = 0 FROM generate_series(1, 10000) g;
INSERT INTO lines SELECT g, g FROM generate_series(1, 10000) g;
INSERT INTO tiny SELECT generate_series(1, 5);
INSERT INTO parts SELECT g, 1 FROM generate_series(1, 1000) g;
ANALYZE orders, lines, tiny, parts;
CREATE FUNCTION purge() RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM orders; END';
CREATE VIEW paid AS SELECT * FROM orders WHERE paid;
-- Statements and lines, with comments and blanks before them.
SELECT statement, line, command, relation, verdict, rule, sqlstate, estimated_rows, table_rows FROM safedelete.check($$
-- first
SELECT 1;

/* a /* nested */ comment */ DELETE FROM orders;
UPDATE orders
   SET customer = 1
 WHERE true; DELETE FROM orders WHERE id = 1;;
DELETE FROM orders WHERE customer = 7; DELETE FROM orders WHERE id > 100;
WITH gone AS (DELETE FROM lines RETURNING "order") UPDATE orders SET paid = true FROM gone WHERE id = gone."order";
MERGE INTO orders USING tiny ON orders.id = tiny.id WHEN MATCHED THEN DELETE;
MERGE INTO orders USING tiny ON true WHEN MATCHED THEN UPDATE SET paid = true;
UPDATE paid SET customer = 2;
INSERT INTO tiny VALUES (6)
$$);
SELECT message, detail, hint FROM safedelete.check('DELETE FROM orders WHERE id > 100; DELETE FROM lines');
-- What cannot be analysed is unknown, or refused where the form shows it.
SELECT statement, command, relation, verdict, rule, sqlstate, message FROM safedelete.check($$
CREATE TABLE new (id int); DELETE FROM new WHERE id = 1; DELETE FROM new; WITH x AS (UPDATE new SET id = 1 RETURNING *) SELECT * FROM x;
DELETE FROM orders WHERE nothing = 1; DELETE FROM orders WHERE id = 1 / 0
$$);
-- Utility commands.
SELECT statement, command, relation, verdict, rule, estimated_rows FROM safedelete.check($$
TRUNCATE tiny; TRUNCATE orders CASCADE; TRUNCATE parts; TRUNCATE ONLY parts_1; TRUNCATE nowhere; DROP TABLE orders CASCADE;
EXPLAIN DELETE FROM orders; EXPLAIN (ANALYZE) DELETE FROM orders; EXPLAIN (ANALYZE off) DELETE FROM orders;
COPY (DELETE FROM orders RETURNING id) TO STDOUT; COPY orders FROM STDIN; VACUUM orders; CREATE INDEX ON orders (customer);
PREPARE one AS DELETE FROM orders WHERE id = $1; EXECUTE one(1); PREPARE all_ AS DELETE FROM orders; EXECUTE all_; EXECUTE other;
CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM orders; SELECT'; CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM orders; END;
CREATE FUNCTION f(int) RETURNS void LANGUAGE sql AS 'DELETE FROM orders WHERE id = $1'; SELECT purge(); CALL proc(); SELECT now(), random()
$$);
-- DO blocks and bodies in PL/pgSQL, by its own parser and with its variables. Nothing of them runs.
SELECT statement, line, command, relation, verdict, message FROM safedelete.check($q$
DO $$ DECLARE r record; n int := 5; BEGIN
  n := 3; DELETE FROM orders WHERE id = n; RAISE NOTICE 'never';
  IF n > 3 THEN DELETE FROM orders; ELSIF n = 2 THEN UPDATE orders SET paid = true; ELSE PERFORM purge(); END IF;
  FOR r IN SELECT id FROM orders LOOP UPDATE lines SET id = 1; END LOOP;
  FOR i IN 1..3 LOOP TRUNCATE lines; END LOOP;
  WHILE true LOOP DELETE FROM tiny; END LOOP;
  LOOP DELETE FROM tiny; END LOOP;
  FOREACH n IN ARRAY ARRAY[1] LOOP DELETE FROM tiny; END LOOP;
  EXECUTE 'DELETE FROM orders'; FOR r IN EXECUTE 'SELECT 1' LOOP NULL; END LOOP;
  WITH d AS (DELETE FROM tiny RETURNING *) SELECT count(*) INTO n FROM d;
  CALL proc();
  BEGIN DELETE FROM tiny WHERE true; EXCEPTION WHEN OTHERS THEN DELETE FROM tiny; END;
  n := purge(); DELETE FROM nowhere; DELETE FROM nowhere WHERE id = n;
  CASE n WHEN 1 THEN UPDATE orders SET paid = false; ELSE UPDATE orders SET paid = true WHERE id = n; END CASE;
  DELETE FROM orders WHERE n IS NULL OR id = n;
END $$;
DO $$ BEGIN NULL; END $$; DO $$ BEGIN x; END $$; DO LANGUAGE nothing 'x';
CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders; END $$;
CREATE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders WHERE id = a; RETURN 1; END $$;
$q$);
SELECT command, relation, verdict, message FROM safedelete.check($q$
DO $$ DECLARE x int := purge(); c CURSOR FOR DELETE FROM orders RETURNING id; BEGIN
  FOR i IN 1..purge() LOOP NULL; END LOOP; CASE purge() WHEN 1 THEN NULL; END CASE; RAISE NOTICE '%', purge(); ASSERT purge() = 1;
  EXPLAIN ANALYZE DELETE FROM orders; COPY (DELETE FROM orders RETURNING id) TO '/dev/null'; DO 'BEGIN END';
  SET LOCAL safedelete.allow_rows = -1; DELETE FROM orders;
END $$;
$q$);
-- Functions that folding runs are not stopped by the look into the block.
CREATE FUNCTION limit_(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';
SELECT verdict, message FROM safedelete.check('DO $$ BEGIN DELETE FROM orders WHERE id > limit_(9990); DELETE FROM orders WHERE limit_(1) = 1; END $$');
DROP FUNCTION limit_;
DO $$ BEGIN RAISE NOTICE 'PL/pgSQL is as it was'; END $$;
-- Through other statements; what the script creates; no more than the caller may see.
SELECT statement, command, relation, verdict, message FROM safedelete.check($$
PREPARE p AS DELETE FROM orders; EXPLAIN ANALYZE EXECUTE p; PREPARE q(int) AS DELETE FROM orders WHERE $1 IS NULL OR id = $1; EXECUTE q(1);
PREPARE w AS WITH d AS (DELETE FROM orders RETURNING *) SELECT * FROM d; CREATE TABLE z AS EXECUTE w; EXPLAIN ANALYZE CREATE TABLE z AS EXECUTE w;
CREATE TEMP TABLE scratch (id int); DELETE FROM scratch; CREATE TEMP TABLE more AS SELECT 1 AS id; UPDATE more SET id = 2; CREATE VIEW v AS SELECT * FROM orders WHERE id = 1; DELETE FROM v;
ALTER TABLE tiny ADD COLUMN y int; UPDATE tiny SET y = 1
$$);
SELECT safedelete.set_policy('tiny', '{"require_where": false}');
SELECT verdict FROM safedelete.check('UPDATE tiny SET y = 1');
SELECT safedelete.clear_policy('tiny');
SELECT safedelete.set_policy('parts_1', '{"max_rows": 0}');
SELECT command, verdict, message FROM safedelete.check('DELETE FROM parts WHERE id < 10');
SELECT safedelete.clear_policy('parts_1');
CREATE ROLE regress_reader;
SET ROLE regress_reader;
SELECT command, verdict, sqlstate, message, estimated_rows, table_rows FROM safedelete.check('DELETE FROM orders WHERE id < 10; TRUNCATE orders');
SET safedelete.commands = 'drop';
RESET ROLE;
SET safedelete.commands = 'drop';
SET ROLE regress_reader;
SELECT command, verdict, sqlstate, message, estimated_rows, table_rows FROM safedelete.check('DROP TABLE orders');
RESET ROLE;
RESET safedelete.commands;
DROP ROLE regress_reader;
SET safedelete.commands = 'drop';
SELECT command, relation, verdict, rule FROM safedelete.check('DROP TABLE orders; DROP TABLE tiny, nowhere; DROP SCHEMA public; DROP VIEW paid; DROP DATABASE x; DROP OWNED BY current_user; DELETE FROM orders') ORDER BY statement, relation;
-- What PostgreSQL refuses before it drops anything; not, where the script may have dropped before what depends on it.
CREATE SCHEMA regress_full;
CREATE TABLE regress_full.parent AS SELECT generate_series(1, 1000) AS id;
CREATE TABLE regress_full.child () INHERITS (regress_full.parent);
CREATE TABLE regress_full.of_type (row_of regress_full.child);
CREATE SCHEMA regress_empty;
CREATE VIEW regress_full.shown AS SELECT id FROM regress_full.parent;
SELECT statement, relation, verdict, sqlstate, message, hint FROM safedelete.check($$
BEGIN; DELETE FROM tiny WHERE id = 0; DROP TABLE regress_full.parent;
$$) WHERE command LIKE 'DROP%';
SELECT (checked).relation, (checked).verdict, (checked).sqlstate, (checked).message FROM (SELECT safedelete.check(script) AS checked FROM (VALUES
  ('DROP TABLE regress_full.parent CASCADE'), ('DROP TABLE regress_full.parent, regress_full.child'),
  ('DROP TABLE regress_full.child'), ('DROP TABLE regress_full.child, regress_full.of_type'), ('DROP TABLE IF EXISTS regress_full.of_type'),
  ('DROP SCHEMA regress_full'), ('DROP SCHEMA regress_full CASCADE'), ('DROP SCHEMA regress_empty, regress_full'), ('DROP SCHEMA regress_empty')) AS scripts (script)) AS all_;
SELECT statement, relation, verdict, sqlstate FROM safedelete.check('DROP VIEW regress_full.shown; DROP TABLE regress_full.child, regress_full.parent; DROP TABLE regress_full.parent');
DO $$ BEGIN DROP TABLE regress_full.parent; EXCEPTION WHEN dependent_objects_still_exist THEN RAISE NOTICE '% %', SQLSTATE, SQLERRM; END $$;
DO $$ BEGIN DROP TABLE regress_full.parent, regress_full.child; EXCEPTION WHEN dependent_objects_still_exist THEN RAISE NOTICE '% %', SQLSTATE, SQLERRM; END $$;
-- Who may drop: a schema's owner as well.
CREATE ROLE regress_dropper;
GRANT USAGE ON SCHEMA safedelete TO regress_dropper;
ALTER SCHEMA regress_full OWNER TO regress_dropper;
SET ROLE regress_dropper;
SELECT (checked).relation, (checked).verdict, (checked).sqlstate, (checked).message FROM (SELECT safedelete.check(script) AS checked FROM (VALUES
  ('DROP TABLE regress_full.of_type'), ('DROP TABLE tiny'), ('DROP SCHEMA regress_empty'), ('DROP SCHEMA regress_full CASCADE')) AS scripts (script)) AS all_;
RESET ROLE;
DROP SCHEMA regress_empty;
SET safedelete.commands = 'truncate';
SET client_min_messages = warning;
DROP SCHEMA regress_full CASCADE;
RESET client_min_messages;
DROP OWNED BY regress_dropper;
DROP ROLE regress_dropper;
RESET safedelete.commands;
-- Settings, policy and role are the caller's, and those that the script sets.
SELECT statement, command, verdict, rule, message FROM safedelete.check($$
BEGIN; SET LOCAL safedelete.allow_rows = -1; DELETE FROM orders; SET LOCAL safedelete.allow_rows = 5; DELETE FROM orders; COMMIT; DELETE FROM orders;
BEGIN; SET safedelete.allow_rows = 20000; ROLLBACK; DELETE FROM orders; BEGIN; SET safedelete.allow_rows = 20000; COMMIT; DELETE FROM orders; RESET safedelete.allow_rows;
DELETE FROM orders; SET safedelete.max_rowz = 1; SET ROLE nobody_at_all; SET search_path = nowhere; DELETE FROM orders; DELETE FROM public.orders WHERE id = 1
$$);
SELECT statement, command, verdict, message FROM safedelete.check($$
SET safedelete.allow_rows = -1; RESET ALL; DELETE FROM orders; SET safedelete.allow_rows = -1; DISCARD ALL; DELETE FROM orders;
BEGIN; SAVEPOINT a; SET LOCAL safedelete.allow_rows = -1; DELETE FROM orders; ROLLBACK TO a; DELETE FROM orders;
SAVEPOINT b; SET LOCAL safedelete.allow_rows = -1; RELEASE b; DELETE FROM orders; COMMIT; DELETE FROM orders; SELECT set_config('safedelete.allow_rows', '-1', true)
$$);
SHOW safedelete.allow_rows;
SHOW search_path;
SELECT safedelete.set_policy('orders', '{"max_rows": 0}');
SELECT command, verdict, message FROM safedelete.check('DELETE FROM orders WHERE id = 1; DELETE FROM lines WHERE id = 1');
SELECT safedelete.set_policy('orders', '{"mode": "off"}');
SELECT command, relation, verdict, message FROM safedelete.check('DELETE FROM orders');
SELECT safedelete.set_policy('orders', '{"mode": "warn"}');
SELECT command, verdict, rule FROM safedelete.check('DELETE FROM orders');
SELECT safedelete.clear_policy('orders');
-- Bad input.
SELECT * FROM safedelete.check('');
SELECT * FROM safedelete.check(' -- nothing here' || chr(10) || ' ;; /* nor here */');
SELECT * FROM safedelete.check(NULL);
SELECT * FROM safedelete.check('SELECT ''unbalanced');
SELECT * FROM safedelete.check(E'SELECT 1;\nSELEKT 2;');
SELECT * FROM safedelete.check(E'SELECT 1;\n\\copy orders from x\nSELECT 2;');
SELECT count(*), count(DISTINCT line), min(verdict) FROM safedelete.check((SELECT string_agg('DELETE FROM orders WHERE id = ' || g, E';\n') FROM generate_series(1, 5000) g));
SELECT count(*), min(verdict) FROM safedelete.check('SELECT ''' || repeat('x', 5000000) || '''; DELETE FROM tiny WHERE id = 1');
SET statement_timeout = '100ms';
SELECT count(*) FROM safedelete.check((SELECT string_agg('DELETE FROM orders WHERE id = ' || g, ';') FROM generate_series(1, 100000) g));
RESET statement_timeout;
-- Nothing ran, nothing is locked.
SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM lines), (SELECT count(*) FROM tiny);
BEGIN;
SELECT count(*) > 0 FROM safedelete.check('DELETE FROM orders; TRUNCATE tiny');
SELECT count(*) FROM pg_locks WHERE relation IN ('orders'::regclass, 'tiny'::regclass);
COMMIT;
-- dry_run: what the statements, foreign keys and triggers come to.
CREATE TABLE customers (id int PRIMARY KEY);
CREATE TABLE bills (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE);
CREATE TABLE notes (id int, customer int REFERENCES customers ON DELETE SET NULL);
CREATE TABLE audit (id int, at timestamptz);
INSERT INTO customers SELECT generate_series(1, 100);
INSERT INTO bills SELECT g, 1 + g % 100 FROM generate_series(1, 1000) g;
INSERT INTO notes SELECT g, 1 + g % 100 FROM generate_series(1, 500) g;
INSERT INTO audit SELECT g FROM generate_series(1, 100) g;
ANALYZE customers, bills, notes, audit;
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE audit SET at = now() WHERE id = OLD.customer; RETURN OLD; END';
CREATE TRIGGER audited AFTER DELETE ON bills FOR EACH ROW EXECUTE FUNCTION audited();
SELECT * FROM safedelete.dry_run('DELETE FROM customers WHERE id <= 2');
SELECT relation, command, rows, by, verdict, message FROM safedelete.dry_run('DELETE FROM customers; UPDATE tiny SET id = 0 WHERE id = 77; TRUNCATE tiny');
SELECT relation, command, rows, by, verdict FROM safedelete.dry_run('DELETE FROM lines; SELECT purge(); MERGE INTO tiny USING audit ON tiny.id = audit.id WHEN MATCHED THEN DELETE; DO $d$ BEGIN DELETE FROM lines WHERE id = 1; DELETE FROM lines WHERE id = 2; END $d$');
SELECT relation, command, rows, by, verdict FROM safedelete.dry_run('DELETE FROM parts WHERE id <= 10; TRUNCATE parts; DROP TABLE tiny');
SET safedelete.mode = off;
SELECT relation, command, rows, verdict FROM safedelete.dry_run('DELETE FROM tiny; CREATE TEMP TABLE t AS SELECT 1 AS id; UPDATE t SET id = 2; INSERT INTO customers VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 1');
RESET safedelete.mode;
SET safedelete.allow_rows = -1;
SELECT relation, rows, verdict FROM safedelete.dry_run('DELETE FROM tiny');
RESET safedelete.allow_rows;
-- A deferred foreign key's action is fired, too.
ALTER TABLE bills ALTER CONSTRAINT bills_customer_fkey DEFERRABLE INITIALLY DEFERRED;
SELECT relation, rows, by FROM safedelete.dry_run('DELETE FROM customers WHERE id = 1');
SELECT relation, rows FROM safedelete.dry_run('INSERT INTO bills VALUES (5001, 5001); INSERT INTO customers VALUES (5001)');
BEGIN;
INSERT INTO bills VALUES (7777, 7777);
SELECT relation, rows FROM safedelete.dry_run('DELETE FROM customers WHERE id = 1');
ROLLBACK;
-- Cached plans of functions are as they were afterwards.
SELECT purge();
-- Bad input; errors are the statements' own.
SELECT * FROM safedelete.dry_run('');
SELECT * FROM safedelete.dry_run(NULL);
SELECT * FROM safedelete.dry_run('BEGIN; DELETE FROM tiny WHERE id = 1; COMMIT');
SELECT * FROM safedelete.dry_run('DELETE FROM tiny WHERE id = 1; DELETE FROM tiny WHERE id = 1 / (id - id)');
SELECT * FROM safedelete.dry_run('SELECT * FROM safedelete.dry_run(''DELETE FROM tiny'')');
SELECT * FROM safedelete.dry_run(E'-- a comment that a carriage return ends\rDELETE FROM tiny WHERE id = 1');
SELECT * FROM safedelete.dry_run('COPY tiny FROM STDIN');
SELECT * FROM safedelete.dry_run('VACUUM tiny');
SELECT * FROM safedelete.dry_run('SELEKT 1');
-- A body of no statement.
SELECT command, verdict FROM safedelete.check('CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC END; CREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC ; END');
SET statement_timeout = '100ms';
SELECT * FROM safedelete.dry_run('DELETE FROM tiny WHERE id = 1; SELECT pg_sleep(10)');
RESET statement_timeout;
BEGIN READ ONLY;
SELECT * FROM safedelete.dry_run('DELETE FROM tiny WHERE id = 1');
ROLLBACK;
DELETE FROM tiny;
SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM customers), (SELECT count(*) FROM bills), (SELECT count(*) FROM tiny);
DROP TABLE orders, lines, tiny, parts, customers, bills, notes, audit CASCADE;
DROP FUNCTION purge, audited;
DROP EXTENSION safedelete;
