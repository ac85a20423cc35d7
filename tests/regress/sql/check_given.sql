-- safedelete.check with sizes of another database; columns of lines; budgets that a script declares.
CREATE EXTENSION safedelete;
\set VERBOSITY default
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off
CREATE SCHEMA "My Shop";
CREATE TABLE "My Shop".orders (id int PRIMARY KEY, paid bool, day date);
CREATE TABLE small (id int);
CREATE TABLE parts (id int, k int) PARTITION BY LIST (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
CREATE TABLE parent (id int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO small SELECT generate_series(1, 1000);
INSERT INTO child SELECT generate_series(1, 30);
SET search_path = "My Shop", public;
SELECT '{"tables": [{"schema": "My Shop", "table": "orders", "rows": 1000000}, {"schema": "public", "table": "parts_1", "rows": 7000},
  {"schema": "public", "table": "parts_2", "rows": 3000}, {"schema": "public", "table": "parent", "rows": 1000},
  {"schema": "elsewhere", "table": "orders", "rows": 5}, {"schema": "public", "table": "small"}]}' AS given \gset
-- The planner's estimates and the shares are those of the other database; tables that it does not name have their own.
SELECT statement, command, relation, verdict, rule, estimated_rows, table_rows FROM safedelete.check($$
DELETE FROM orders WHERE id = 1;
DELETE FROM orders WHERE paid;
DELETE FROM orders WHERE id <> 4;
TRUNCATE orders;
DELETE FROM small WHERE id > 10;
DELETE FROM parts WHERE k = 1;
DELETE FROM parts WHERE id > -5;
DELETE FROM parts_2 WHERE id <> 3;
DELETE FROM parent WHERE id <> 3;
DELETE FROM ONLY parent WHERE id <> 3;
TRUNCATE parent;
$$, :'given');
SELECT message, detail FROM safedelete.check('DELETE FROM orders WHERE id <> 4; TRUNCATE orders', :'given') ORDER BY 1;
-- They are check's alone.
SELECT verdict, table_rows FROM safedelete.check('TRUNCATE orders');
BEGIN; INSERT INTO orders VALUES (1); TRUNCATE orders; ROLLBACK;
SELECT count(*) FROM safedelete.check('DELETE FROM orders WHERE id / 0 = 1', :'given');
EXPLAIN (COSTS OFF) DELETE FROM orders WHERE id = 7;
-- Sizes that cannot be read.
SELECT * FROM safedelete.check('SELECT 1', '[]');
SELECT * FROM safedelete.check('SELECT 1', '{"tables": [{"schema": "public"}]}');
SELECT * FROM safedelete.check('SELECT 1', '{"tables": [{"schema": "public", "table": "t", "rows": -1}]}');
SELECT statement, verdict FROM safedelete.check('SELECT 1', '{"tables": []}');
-- What sizes() gives, check takes.
SELECT safedelete.set_policy('small', '{"max_rows": 5}');
SELECT safedelete.set_schema_policy('"My Shop"', '{"min_rows": 50}');
ANALYZE small, orders, parts, parts_1, parts_2, parent, child;
SELECT jsonb_pretty(s - 'taken' - 'database' - 'settings') FROM safedelete.sizes() s;
SELECT s ->> 'database' = current_database(), (s ->> 'taken')::timestamptz = now() FROM safedelete.sizes() s;
SET safedelete.max_rows = 77;
SELECT safedelete.sizes() #> '{settings,safedelete.max_rows}';
RESET safedelete.max_rows;
CREATE ROLE regress_monitoring;
GRANT USAGE ON SCHEMA safedelete TO regress_monitoring;
SET ROLE regress_monitoring;
SELECT count(*) FROM safedelete.sizes() s, jsonb_array_elements(s -> 'tables') WHERE value ->> 'table' = 'small';
RESET ROLE;
SELECT command, verdict, table_rows FROM safedelete.check('TRUNCATE small', safedelete.sizes());
-- Lines and columns, in characters.
SELECT statement, line, "column", command FROM safedelete.check(E'SELECT 1; SELECT 2;\n\n  /* ä€\n */ SELECT \'äöü€\'; DELETE FROM small WHERE id = 1;\n\tTRUNCATE small');
SELECT max("column"), max(line) FROM safedelete.check(repeat('SELECT ''ä''; ', 5000));
SELECT "column", line FROM safedelete.check(repeat(E'SELECT ''ä'';\n ', 5000) || 'SELECT') ORDER BY line DESC LIMIT 1;
-- The budget that counts for a write, and its reason.
SELECT statement, command, verdict, rule, allow_rows, reason FROM safedelete.check($$
DELETE FROM orders WHERE id = 1;
SET LOCAL safedelete.allow_rows = 1200; DELETE FROM orders WHERE id = 1; DELETE FROM orders;
SET LOCAL safedelete.reason = 'INC-7'; UPDATE orders SET paid = true; TRUNCATE small; INSERT INTO orders VALUES (1);
UPDATE orders SET missing = 1;
SET LOCAL safedelete.allow_rows = -1; DELETE FROM small;
RESET safedelete.allow_rows; DELETE FROM small;
$$);
SELECT safedelete.set_policy('small', '{"override": false}');
SELECT command, verdict, allow_rows FROM safedelete.check('SET safedelete.allow_rows = 9; DELETE FROM small; DELETE FROM orders');
SET search_path = public;
DROP TABLE small, parts, parent CASCADE;
DROP SCHEMA "My Shop" CASCADE;
REVOKE USAGE ON SCHEMA safedelete FROM regress_monitoring;
DROP ROLE regress_monitoring;
DROP EXTENSION safedelete;
