-- What the guards are asked. A case is a line '-- case:' with its name in the table, headers, and SQL:
--
--   -- kind:     destroys (to be stopped) or harmless (to be let through); holds for the cases below, too
--   -- brief:    its line in README.md's table; cases that share one are counted together; holds likewise
--   -- rows:     how many rows are gone or changed where it runs
--   -- count:    SQL that counts them; by default those of orders
--   -- setup:    SQL that runs before it, in its transaction, with the guard off
--   -- sql:      the statement, on PostgreSQL
--   -- mariadb setup:   the same for MariaDB
--   -- mariadb:  the statement for MariaDB; 'same' on this line is that of PostgreSQL, anything else says why there is none
--
-- {off} and {on} are the statements that set a guard off and on again.

-- kind: destroys
-- brief: no `WHERE`
-- case: `DELETE FROM orders`
-- rows: 10000
-- sql:
DELETE FROM orders;
-- mariadb: same

-- case: `UPDATE orders SET …`
-- rows: 10000
-- sql:
UPDATE orders SET status = 'lost';
-- mariadb: same

-- case: `DELETE FROM all_orders`, a view
-- rows: 10000
-- sql:
DELETE FROM all_orders;
-- mariadb: same

-- brief: a `WHERE` that is always true
-- case: `WHERE true`
-- rows: 10000
-- sql:
DELETE FROM orders WHERE true;
-- mariadb: same

-- case: `WHERE 1 = 1`
-- rows: 10000
-- sql:
DELETE FROM orders WHERE 1 = 1;
-- mariadb: same

-- case: `WHERE id IS NOT NULL` on a NOT NULL column
-- rows: 10000
-- sql:
DELETE FROM orders WHERE id IS NOT NULL;
-- mariadb: same

-- case: `WHERE id = id`
-- rows: 10000
-- sql:
UPDATE orders SET status = 'lost' WHERE id = id;
-- mariadb: same

-- case: `WHERE customer_id > 5 OR customer_id <= 5`
-- rows: 10000
-- sql:
DELETE FROM orders WHERE customer_id > 5 OR customer_id <= 5;
-- mariadb: same

-- brief: a condition on another table only
-- case: `DELETE FROM orders USING customers c WHERE c.id = 42`
-- rows: 10000
-- sql:
DELETE FROM orders USING customers c WHERE c.id = 42;
-- mariadb:
DELETE orders FROM orders JOIN customers c WHERE c.id = 42;

-- case: `WHERE id IN (SELECT id FROM closed)`, and `closed` has no `id`
-- rows: 10000
-- sql:
DELETE FROM orders WHERE id IN (SELECT id FROM closed);
-- mariadb: same

-- case: `WHERE EXISTS (SELECT 1 FROM closed)`
-- rows: 10000
-- sql:
DELETE FROM orders WHERE EXISTS (SELECT 1 FROM closed);
-- mariadb: same

-- brief: inside CTE, MERGE, function, EXPLAIN ANALYZE
-- case: `WITH gone AS (DELETE FROM orders RETURNING *) SELECT …`
-- rows: 10000
-- sql:
WITH gone AS (DELETE FROM orders RETURNING *) SELECT count(*) AS gone FROM gone;
-- mariadb: no such statement

-- case: `MERGE … ON true WHEN MATCHED THEN DELETE`
-- rows: 10000
-- sql:
MERGE INTO orders USING closed ON true WHEN MATCHED THEN DELETE;
-- mariadb: no such statement

-- case: `SELECT wipe()`, whose body is `DELETE FROM orders`
-- rows: 10000
-- setup:
CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders; RETURN 1; END $$;
-- sql:
SELECT wipe();
-- mariadb setup:
DELIMITER //
CREATE FUNCTION wipe() RETURNS int BEGIN DELETE FROM orders; RETURN 1; END//
DELIMITER ;
-- mariadb:
SELECT wipe();

-- case: the same, its body in `BEGIN ATOMIC`
-- rows: 10000
-- setup:
CREATE FUNCTION wipe() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM orders; END;
-- sql:
SELECT wipe();
-- mariadb: no such statement

-- case: `EXPLAIN ANALYZE DELETE FROM orders`
-- rows: 10000
-- sql:
EXPLAIN (ANALYZE, TIMING off, SUMMARY off) DELETE FROM orders;
-- mariadb:
ANALYZE DELETE FROM orders;

-- brief: prepared statements
-- case: prepared and planned while the guard was off, run when it is on
-- rows: 10000
-- setup:
PREPARE d AS DELETE FROM orders;
SAVEPOINT before;
EXECUTE d;
ROLLBACK TO before;
-- sql:
EXECUTE d;
-- mariadb setup:
PREPARE d FROM 'DELETE FROM orders';
-- mariadb:
EXECUTE d;

-- case: generic plan, `WHERE $1 IS NULL OR customer_id = $1` with NULL
-- rows: 10000
-- setup:
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE d(int) AS DELETE FROM orders WHERE $1 IS NULL OR customer_id = $1;
-- sql:
EXECUTE d(NULL);
-- mariadb setup:
PREPARE d FROM 'DELETE FROM orders WHERE ? IS NULL OR customer_id = ?';
SET @none = NULL;
-- mariadb:
EXECUTE d USING @none, @none;

-- brief: a `WHERE` that matches nearly everything
-- case: `DELETE … WHERE id <= 9900`, 99 % of the table
-- rows: 9900
-- sql:
DELETE FROM orders WHERE id <= 9900;
-- mariadb: same

-- case: `WHERE lower(status) = 'open'`, 99.8 %, estimated as 0.5 %
-- rows: 9980
-- sql:
DELETE FROM orders WHERE lower(status) = 'open';
-- mariadb: same

-- brief: many rows by small steps: cascade, loop
-- case: one customer deleted, 6000 of 10000 orders cascade
-- rows: 6000
-- sql:
DELETE FROM customers WHERE id = 1;
-- mariadb: same

-- case: a loop that deletes each row by its key, in `DO`
-- rows: 10000
-- sql:
DO $$ BEGIN FOR i IN 1..10000 LOOP DELETE FROM orders WHERE id = i; END LOOP; END $$;
-- mariadb:
DELIMITER //
BEGIN NOT ATOMIC FOR i IN 1..10000 DO DELETE FROM orders WHERE id = i; END FOR; END//
DELIMITER ;

-- brief: `TRUNCATE`
-- case: `TRUNCATE orders`
-- rows: 10000
-- sql:
TRUNCATE orders;
-- mariadb:
TRUNCATE TABLE orders;

-- case: `TRUNCATE customers CASCADE`
-- rows: 10000
-- sql:
TRUNCATE customers CASCADE;
-- mariadb: no such statement

-- brief: upsert of every row, `DROP TABLE`
-- case: `INSERT … ON CONFLICT DO UPDATE` of every row
-- rows: 10000
-- sql:
INSERT INTO orders SELECT * FROM orders_was ON CONFLICT (id) DO UPDATE SET status = 'lost';
-- mariadb:
INSERT INTO orders SELECT * FROM orders_was ON DUPLICATE KEY UPDATE status = 'lost';

-- case: `DROP TABLE orders`
-- rows: 10000
-- count: SELECT count(*) FROM orders_was WHERE NOT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_name = 'orders')
-- setup:
DROP VIEW all_orders, void_orders;
-- sql:
DROP TABLE orders;
-- mariadb setup:
DROP VIEW all_orders, void_orders;
-- mariadb:
DROP TABLE orders;

-- kind: harmless
-- brief: harmless statements refused
-- case: plain `EXPLAIN DELETE FROM orders`
-- rows: 0
-- sql:
EXPLAIN DELETE FROM orders;
-- mariadb: same

-- case: `DELETE … WHERE id IN (4711)`
-- rows: 1
-- sql:
DELETE FROM orders WHERE id IN (4711);
-- mariadb: same

-- case: `UPDATE … WHERE amount = 7`, a column without an index
-- rows: 10
-- sql:
UPDATE orders SET status = 'paid' WHERE amount = 7;
-- mariadb: same

-- case: `WHERE lower(status) <> 'open'`, 20 rows, estimated as 9950
-- rows: 20
-- sql:
DELETE FROM orders WHERE lower(status) <> 'open';
-- mariadb: same

-- case: `DELETE FROM void_orders`, a view whose WHERE selects 20 rows
-- rows: 20
-- sql:
DELETE FROM void_orders;
-- mariadb: same

-- case: `UPDATE orders SET …` where row security leaves 4 rows
-- rows: 4
-- count: SELECT count(*) FROM orders WHERE status = 'mine'
-- setup:
CREATE POLICY own ON orders TO app USING (customer_id = 42);
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
SET LOCAL ROLE app;
-- sql:
UPDATE orders SET status = 'mine';
-- mariadb: no row security

-- case: `DELETE` of 60 rows of a table of 80, with a `WHERE`
-- rows: 60
-- count: SELECT 80 - count(*) FROM small
-- setup:
CREATE TABLE small AS SELECT id FROM orders WHERE id <= 80;
-- sql:
DELETE FROM small WHERE id <= 60;
-- mariadb setup:
CREATE TABLE small (id int PRIMARY KEY) AS SELECT id FROM orders WHERE id <= 80;
-- mariadb:
DELETE FROM small WHERE id <= 60;

-- case: `DELETE FROM scratch`, a temporary table
-- rows: 80
-- count: SELECT 80 - count(*) FROM scratch
-- setup:
CREATE TEMP TABLE scratch AS SELECT id FROM orders WHERE id <= 80;
-- sql:
DELETE FROM scratch;
-- mariadb setup:
CREATE TEMPORARY TABLE scratch AS SELECT id FROM orders WHERE id <= 80;
-- mariadb:
DELETE FROM scratch;

-- case: `INSERT … ON CONFLICT DO UPDATE` of one row
-- rows: 1
-- sql:
INSERT INTO orders VALUES (4711, 1, 0, 'open') ON CONFLICT (id) DO UPDATE SET amount = -1;
-- mariadb:
INSERT INTO orders VALUES (4711, 1, 0, 'open') ON DUPLICATE KEY UPDATE amount = -1;

-- case: `CREATE TABLE … PRIMARY KEY`
-- rows: 1
-- count: SELECT count(*) FROM information_schema.tables WHERE table_name = 'fresh'
-- sql:
CREATE TABLE fresh (id int PRIMARY KEY);
-- mariadb: same

-- case: `ALTER TABLE … ADD COLUMN … DEFAULT`
-- rows: 1
-- count: SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders' AND column_name = 'paid'
-- sql:
ALTER TABLE orders ADD COLUMN paid bool NOT NULL DEFAULT false;
-- mariadb: same

-- case: `DELETE … WHERE customer_id = 1`, 60 % of the table, and meant
-- rows: 6000
-- sql:
DELETE FROM orders WHERE customer_id = 1;
-- mariadb: same

-- case: logical replication applies a `DELETE` of every row
-- rows: 10000
-- sql: replication
-- mariadb: not run
