-- More of rule `rows` and its reach, found by probing.

-- case: p-max-rows-0-point
-- group: rows
-- set: max_rows = 0
-- set: max_fraction = 1
-- expect: refuse SD001
-- message: exceeds the limit of 0 rows
DELETE FROM order_items WHERE id = 3;

-- case: p-max-rows-0-nothing-matches
-- group: rows
-- set: max_rows = 0
-- expect: allow
DELETE FROM order_items WHERE id = -3;

-- case: p-max-rows-0-set-mid-session
-- group: rows
-- as: postgres
-- expect: refuse SD001
-- check: SELECT count(*) = 9999 FROM order_items
SET plan_cache_mode = force_generic_plan;
PREPARE d(int) AS DELETE FROM order_items WHERE id = $1;
EXECUTE d(1);
SET safedelete.max_rows = 0;
EXECUTE d(2);

-- case: p-max-rows-0-set-mid-session-plpgsql
-- group: rows
-- as: postgres
-- setup: CREATE FUNCTION one(i int) RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM order_items WHERE id = i; END'
-- expect: refuse SD001
-- check: SELECT count(*) = 9999 FROM order_items
SET plan_cache_mode = force_generic_plan;
SELECT one(1);
SET safedelete.max_rows = 0;
SELECT one(2);

-- case: p-max-rows-0-set-local-back
-- group: rows
-- as: postgres
-- expect: allow
-- check: SELECT count(*) = 9998 FROM order_items
SET plan_cache_mode = force_generic_plan;
PREPARE d(int) AS DELETE FROM order_items WHERE id = $1;
EXECUTE d(1);
BEGIN; SET LOCAL safedelete.max_rows = 0; ROLLBACK;
EXECUTE d(2);

-- case: p-scope-mid-session
-- group: rows
-- as: postgres
-- set: max_rows = 5
-- expect: refuse SD001
-- check: SELECT count(*) = 10000 FROM order_items
SET plan_cache_mode = force_generic_plan;
PREPARE d(int) AS DELETE FROM order_items WHERE id = $1;
BEGIN;
EXECUTE d(100);
ROLLBACK;
SET safedelete.scope = transaction;
BEGIN;
EXECUTE d(1);EXECUTE d(2);EXECUTE d(3);EXECUTE d(4);EXECUTE d(5);EXECUTE d(6);
COMMIT;

-- case: p-fraction-0
-- group: rows
-- set: max_fraction = 0
-- expect: allow
DELETE FROM events WHERE id <= 100;

-- case: p-fraction-0-over
-- group: rows
-- set: max_fraction = 0
-- expect: refuse SD001
-- message: exceeds the limit of 100 rows
DELETE FROM events WHERE id <= 101;

-- case: p-fraction-0-min-0
-- group: rows
-- set: max_fraction = 0
-- set: min_rows = 0
-- expect: refuse SD001
-- message: exceeds the limit of 0 rows
DELETE FROM accounts WHERE id = 3;

-- case: p-fraction-1
-- group: rows
-- set: max_fraction = 1
-- expect: allow
DELETE FROM events WHERE id >0;

-- case: p-fraction-small-min0-at
-- group: rows
-- set: max_fraction = 0.0001
-- set: min_rows = 0
-- expect: allow
DELETE FROM events WHERE id <= 2;

-- case: p-fraction-small-min0-over
-- group: rows
-- set: max_fraction = 0.0001
-- set: min_rows = 0
-- expect: refuse SD001
-- message: exceeds the limit of 2 rows
DELETE FROM events WHERE id <= 3;

-- case: p-fraction-subone-min0
-- group: rows
-- set: max_fraction = 0.00001
-- set: min_rows = 0
-- expect: refuse SD001
-- message: exceeds the limit of 0 rows
DELETE FROM events WHERE id <= 1;

-- case: p-fraction-subone-min0-point
-- group: rows
-- why: 1 row of 40 exceeds a hundredth
-- set: max_fraction = 0.01
-- set: min_rows = 0
-- expect: refuse SD001
DELETE FROM settings WHERE name = 's1';

-- case: p-using-distinct-over
-- group: rows
-- set: max_rows = 1999
-- expect: refuse SD001
-- check: SELECT count(*) = 5000 FROM orders
DELETE FROM orders o USING order_items i WHERE i.order_id = o.id AND o.id <= 2000;

-- case: p-part-join-at
-- group: rows
-- set: max_rows = 100
-- expect: allow
-- check: SELECT count(*) = 3560 FROM measures
DELETE FROM measures m USING orders o WHERE o.account_id = m.id AND m.id BETWEEN 1 AND 100;

-- case: p-part-join-over
-- group: rows
-- set: max_rows = 99
-- expect: refuse SD001
-- message: selected 100 rows
DELETE FROM measures m USING orders o WHERE o.account_id = m.id AND m.id BETWEEN 1 AND 100;

-- case: p-inh-join-update-at
-- group: rows
-- set: max_rows = 200
-- expect: allow
UPDATE vehicles v SET wheels = 3 FROM order_items i WHERE i.order_id = v.id AND v.id BETWEEN 201 AND 400;

-- case: p-inh-join-update-over
-- group: rows
-- set: max_rows = 199
-- expect: refuse SD001
UPDATE vehicles v SET wheels = 3 FROM order_items i WHERE i.order_id = v.id AND v.id BETWEEN 201 AND 400;

-- case: p-semi-join-over
-- group: rows
-- set: max_rows = 29
-- set: commands = 'delete'
-- expect: refuse SD001
-- message: accounts
DELETE FROM accounts a WHERE id IN (SELECT account FROM churned);

-- case: p-update-returning-cte
-- group: rows
-- expect: allow
-- check: SELECT count(*) = 9000 FROM arch WHERE payload = 'n'
CREATE TABLE arch (LIKE events);
SET work_mem = '64kB';
WITH u AS (UPDATE events SET payload = 'n' WHERE id <= 9000 RETURNING *) INSERT INTO arch SELECT * FROM u;

-- case: p-delete-returning-workmem
-- group: rows
-- expect: allow
-- check: SELECT count(*) = 9999 AND sum(length(payload)) = 20*9999 AND count(distinct id) = 9999 FROM arch
CREATE TABLE arch (LIKE events);
SET work_mem = '64kB';
WITH u AS (DELETE FROM events WHERE id <= 9999 RETURNING *) INSERT INTO arch SELECT * FROM u;

-- case: p-delete-allow-unlimited-workmem
-- group: rows
-- expect: allow
-- check: SELECT count(*) = 20000 AND count(distinct id) = 20000 FROM arch
CREATE TABLE arch (LIKE events);
SET work_mem = '64kB'; SET safedelete.allow_rows = -1;
WITH u AS (DELETE FROM events WHERE id > 0 RETURNING *) INSERT INTO arch SELECT * FROM u;

-- case: p-update-allow-unlimited-workmem
-- group: rows
-- expect: allow
-- check: SELECT count(*) = 20000 AND count(distinct id) = 20000 AND sum(id) = 20000*20001/2 FROM events WHERE payload = 'p' || id
SET work_mem = '64kB'; SET safedelete.allow_rows = -1;
UPDATE events SET payload = 'p' || id WHERE id > 0;

-- case: p-update-join-allow-unlimited
-- group: rows
-- expect: allow
-- check: SELECT count(*) = 1000 FROM accounts WHERE plan = 'p' || id
SET work_mem = '64kB'; SET safedelete.allow_rows = -1;
UPDATE accounts a SET plan = 'p' || o.account_id FROM orders o WHERE o.account_id = a.id;

-- case: p-update-join-budget-exact
-- group: rows
-- expect: allow
-- check: SELECT count(*) = 1000 FROM accounts WHERE plan = 'p' || id
SET work_mem = '64kB'; SET safedelete.allow_rows = 1000;
UPDATE accounts a SET plan = 'p' || o.account_id FROM orders o WHERE o.account_id = a.id;

-- case: p-update-join-budget-over
-- group: rows
-- expect: refuse SD001
-- message: exceeds the limit of 999 rows
SET work_mem = '64kB'; SET safedelete.allow_rows = 999;
UPDATE accounts a SET plan = 'p' || o.account_id FROM orders o WHERE o.account_id = a.id;

-- case: p-unqualified-small-budget
-- group: rows
-- expect: refuse SD001
-- message: exceeds the limit of 39 rows
SET safedelete.allow_rows = 39;
DELETE FROM settings;

-- case: p-unqualified-exact-budget
-- group: rows
-- expect: allow
SET safedelete.allow_rows = 40;
DELETE FROM settings;

-- case: p-unqualified-budget-in-function-after-rows
-- group: rows
-- why: 50 rows before, then 3000 unqualified under a budget of 60
-- expect: refuse SD001
-- message: exceeds the limit of 60 rows
SET safedelete.allow_rows = 60;
DO $$ BEGIN DELETE FROM events WHERE id <= 90; DELETE FROM events; END $$;

-- case: p-point-then-trigger-same-table
-- group: reach
-- why: 1 + 100 rows of one table
-- set: max_rows = 100
-- setup: CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF pg_trigger_depth() = 1 THEN DELETE FROM order_items WHERE id BETWEEN 101 AND 200; END IF; RETURN NULL; END'; CREATE TRIGGER t AFTER DELETE ON order_items FOR EACH ROW EXECUTE FUNCTION more();
-- expect: refuse SD001
DELETE FROM order_items WHERE id = 1;

-- case: p-point-then-trigger-same-table-at
-- group: reach
-- set: max_rows = 101
-- setup: CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF pg_trigger_depth() = 1 THEN DELETE FROM order_items WHERE id BETWEEN 101 AND 200; END IF; RETURN NULL; END'; CREATE TRIGGER t AFTER DELETE ON order_items FOR EACH ROW EXECUTE FUNCTION more();
-- expect: allow
DELETE FROM order_items WHERE id = 1;

-- case: p-point-selfref-cascade
-- group: reach
-- set: max_rows = 100
-- setup: CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE); INSERT INTO tree SELECT g, CASE WHEN g > 1 THEN 1 END FROM generate_series(1, 101) g; INSERT INTO tree SELECT g FROM generate_series(1000, 2000) g; GRANT ALL ON tree TO app; ANALYZE tree;
-- expect: refuse SD001
DELETE FROM tree WHERE id = 1;

-- case: p-selfref-cascade-chain
-- group: reach
-- set: max_rows = 100
-- setup: CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE); INSERT INTO tree SELECT g, NULLIF(g - 1, 0) FROM generate_series(1, 1000) g; GRANT ALL ON tree TO app; ANALYZE tree;
-- expect: refuse SD001
-- message: exceeds the limit of 100 rows
DELETE FROM tree WHERE id = 901 - 1;

-- case: p-selfref-cascade-chain-at
-- group: reach
-- set: max_rows = 101
-- setup: CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE); INSERT INTO tree SELECT g, NULLIF(g - 1, 0) FROM generate_series(1, 1000) g; GRANT ALL ON tree TO app; ANALYZE tree;
-- expect: allow
-- check: SELECT count(*) = 899 FROM tree
DELETE FROM tree WHERE id = 900;

-- case: p-rule-also-sums
-- group: reach
-- setup: CREATE RULE r1 AS ON INSERT TO settings DO ALSO DELETE FROM events WHERE id <= 8000; CREATE RULE r2 AS ON INSERT TO settings DO ALSO DELETE FROM events WHERE id <= 16000;
-- expect: refuse SD001
INSERT INTO settings VALUES ('a', 'b');

-- case: p-deferred-trigger-loop
-- group: reach
-- set: max_rows = 100
-- setup: CREATE FUNCTION def() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN FOR i IN 1..200 LOOP DELETE FROM order_items WHERE id = i; END LOOP; RETURN NULL; END'; CREATE CONSTRAINT TRIGGER t AFTER INSERT ON settings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION def();
-- expect: refuse SD001
-- check: SELECT count(*) = 10000 FROM order_items
INSERT INTO settings VALUES ('a', 'b');

-- case: p-deferred-trigger-rows
-- group: reach
-- set: max_rows = 100
-- setup: CREATE FUNCTION def() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM order_items WHERE id = NEW.id; RETURN NULL; END'; CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION def();
-- expect: refuse SD001
-- check: SELECT count(*) = 10000 FROM order_items
SET safedelete.allow_rows = 0;
BEGIN;
UPDATE accounts SET plan = 'a' WHERE id BETWEEN 1 AND 90;
UPDATE accounts SET plan = 'a' WHERE id BETWEEN 101 AND 190;
COMMIT;

-- case: p-truncate-cascade-inherit-child
-- group: ddl
-- why: TRUNCATE CASCADE empties the table that refers, not what inherits from it
-- setup: CREATE TABLE k (id int PRIMARY KEY); CREATE TABLE c (id int, k int REFERENCES k); CREATE TABLE c2 () INHERITS (c); INSERT INTO c2 SELECT g FROM generate_series(1, 5000) g; ALTER TABLE k OWNER TO app; ALTER TABLE c OWNER TO app; ALTER TABLE c2 OWNER TO app
-- expect: allow
-- check: SELECT count(*) = 5000 FROM c2
TRUNCATE k CASCADE;

-- case: p-drop-inheritance-tree
-- group: ddl
-- set: commands = 'drop'
-- set: max_rows = 800
-- set: max_fraction = 1
-- expect: refuse SD001
DROP TABLE vehicles CASCADE;

-- case: p-truncate-inheritance-tree
-- group: ddl
-- set: max_rows = 800
-- set: max_fraction = 1
-- expect: refuse SD001
TRUNCATE vehicles;

-- case: p-drop-stale-dropped-below
-- group: ddl
-- set: commands = 'drop'
-- set: max_rows = 4000
-- set: max_fraction = 1
-- expect: allow
DO $$ BEGIN BEGIN DROP TABLE measures_q1; RAISE 'x'; EXCEPTION WHEN raise_exception THEN NULL; END; DROP TABLE measures; END $$;

-- case: p-drop-parts
-- group: ddl
-- set: commands = 'drop'
-- set: max_rows = 3000
-- set: max_fraction = 1
-- expect: refuse SD001
-- message: table "measures"
DROP TABLE measures;

-- case: p-truncate-only
-- group: ddl
-- set: max_rows = 300
-- set: max_fraction = 1
-- expect: allow
-- check: SELECT count(*) = 600 FROM vehicles
TRUNCATE ONLY vehicles;

-- case: p-truncate-bloated
-- group: ddl
-- expect: allow
SET safedelete.allow_rows = -1;
DELETE FROM events;
RESET safedelete.allow_rows;
TRUNCATE events;

-- case: p-truncate-fresh
-- group: ddl
-- expect: allow
CREATE TABLE f AS SELECT generate_series(1, 90) i;
TRUNCATE f;

-- case: p-truncate-fresh-same-tx
-- group: ddl
-- expect: allow
BEGIN;
CREATE TABLE f (i int);
INSERT INTO f SELECT generate_series(1, 100) i;
TRUNCATE f;
COMMIT;

-- case: p-truncate-fresh-wide
-- group: ddl
-- why: 100 wide rows over many pages
-- expect: allow
CREATE TABLE f (i int, t text);
ALTER TABLE f ALTER t SET STORAGE PLAIN;
INSERT INTO f SELECT g, repeat('x', 7000) FROM generate_series(1, 100) g;
TRUNCATE f;

-- case: p-truncate-101
-- group: ddl
-- expect: refuse SD001
-- message: exceeds the limit of 100 rows
CREATE TABLE f AS SELECT generate_series(1, 101) i;
TRUNCATE f;

-- case: p-truncate-priv-first
-- group: ddl
-- as: tenant
-- setup: REVOKE ALL ON events FROM tenant
-- expect: error 42501
TRUNCATE events;

-- case: p-drop-priv-first
-- group: ddl
-- as: tenant
-- set: commands = 'drop'
-- expect: error 42501
DROP TABLE events;

-- case: p-truncate-fk-no-cascade
-- group: ddl
-- why: PostgreSQL's own error comes first
-- expect: error 0A000
TRUNCATE accounts;

-- case: p-truncate-restart-identity
-- group: ddl
-- expect: refuse SD001
TRUNCATE settings, events RESTART IDENTITY;

-- case: p-drop-view-etc
-- group: ddl
-- set: commands = 'drop,truncate,delete'
-- expect: allow
DROP VIEW all_accounts; DROP MATERIALIZED VIEW plan_counts; DROP INDEX events_id_idx;

-- case: p-drop-column
-- group: ddl
-- set: commands = 'drop,truncate,delete'
-- expect: allow
ALTER TABLE events DROP COLUMN payload;

-- case: p-drop-owned
-- group: ddl
-- as: app
-- set: commands = 'drop'
-- expect: refuse SD001
DROP OWNED BY app CASCADE;

-- case: p-do-exception-gives-back
-- group: reach
-- set: max_rows = 100
-- expect: allow
-- check: SELECT count(*) = 9900 FROM order_items
DO $$ BEGIN FOR i IN 1..5 LOOP BEGIN DELETE FROM order_items WHERE id <= 80; RAISE 'x'; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; DELETE FROM order_items WHERE id <= 100; END $$;

-- case: p-do-exception-kept
-- group: reach
-- set: max_rows = 100
-- expect: refuse SD001
DO $$ BEGIN FOR i IN 1..5 LOOP BEGIN DELETE FROM order_items WHERE id BETWEEN i*80 AND i*80+79; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$;

-- case: p-proc-commit
-- group: reach
-- set: max_rows = 100
-- setup: CREATE PROCEDURE pc() LANGUAGE plpgsql AS 'BEGIN FOR i IN 1..250 LOOP DELETE FROM order_items WHERE id = i; IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END'
-- expect: allow
CALL pc();

-- case: p-proc-commit-over
-- group: reach
-- set: max_rows = 99
-- setup: CREATE PROCEDURE pc() LANGUAGE plpgsql AS 'BEGIN FOR i IN 1..250 LOOP DELETE FROM order_items WHERE id = i; IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END'
-- expect: refuse SD001
-- message: 100 rows
CALL pc();

-- case: p-proc-rollback
-- group: reach
-- set: max_rows = 100
-- setup: CREATE PROCEDURE pc() LANGUAGE plpgsql AS 'BEGIN FOR i IN 1..250 LOOP DELETE FROM order_items WHERE id = i; IF i % 100 = 0 THEN ROLLBACK; END IF; END LOOP; END'
-- expect: allow
-- check: SELECT count(*) = 9950 FROM order_items
CALL pc();

-- case: p-select-deleting-function
-- group: reach
-- set: max_rows = 100
-- setup: CREATE FUNCTION d1(i int) RETURNS int LANGUAGE sql AS 'DELETE FROM order_items WHERE id = i RETURNING id'
-- expect: refuse SD001
SELECT d1(g) FROM generate_series(1, 101) g;

-- case: p-select-deleting-function-at
-- group: reach
-- set: max_rows = 100
-- setup: CREATE FUNCTION d1(i int) RETURNS int LANGUAGE sql AS 'DELETE FROM order_items WHERE id = i RETURNING id'
-- expect: allow
SELECT d1(g) FROM generate_series(1, 100) g;
SELECT d1(g) FROM generate_series(101, 200) g;

-- case: p-dynamic-cte-in-loop
-- group: reach
-- set: max_rows = 100
-- expect: refuse SD001
DO $$ DECLARE n int; BEGIN FOR i IN 1..101 LOOP EXECUTE 'WITH d AS (DELETE FROM order_items WHERE id = $1 RETURNING id) SELECT count(*) FROM d' INTO n USING i; END LOOP; END $$;

-- case: p-upsert-loop
-- group: reach
-- set: commands = 'upsert'
-- set: max_rows = 30
-- expect: refuse SD001
-- message: INSERT ON CONFLICT on table "settings" exceeds the limit of 30 rows
DO $$ BEGIN FOR i IN 1..31 LOOP INSERT INTO settings SELECT name, 'x' FROM (SELECT name FROM settings ORDER BY name OFFSET i LIMIT 1) one ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value; END LOOP; END $$;

-- case: p-upsert-loop-of-one-row
-- group: reach
-- set: commands = 'upsert'
-- set: max_rows = 50
-- expect: allow
DO $$ BEGIN FOR i IN 1..51 LOOP INSERT INTO settings VALUES ('s1', i::text) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value; END LOOP; END $$;

-- case: p-upsert-where
-- group: rows
-- set: commands = 'upsert'
-- set: max_rows = 10
-- expect: allow
-- check: SELECT count(*) = 10 FROM accounts WHERE plan = 'up'
INSERT INTO accounts SELECT id, email, 'up', balance, active, deleted_at FROM accounts ON CONFLICT (id) DO UPDATE SET plan = 'up' WHERE accounts.id <= 10;

-- case: p-upsert-where-over
-- group: rows
-- set: commands = 'upsert'
-- set: max_rows = 9
-- expect: refuse SD001
INSERT INTO accounts SELECT id, email, 'up', balance, active, deleted_at FROM accounts ON CONFLICT (id) DO UPDATE SET plan = 'up' WHERE accounts.id <= 10;

-- case: p-upsert-do-nothing
-- group: rows
-- set: commands = 'upsert'
-- set: max_rows = 9
-- expect: allow
INSERT INTO accounts SELECT id, email, 'up', balance, active, deleted_at FROM accounts ON CONFLICT DO NOTHING;

-- case: p-upsert-values-returning
-- group: rows
-- set: commands = 'upsert'
-- set: max_rows = 2
-- expect: refuse SD001
INSERT INTO settings VALUES ('s1','a'),('new','b'),('s2','c'),('s3','d') ON CONFLICT (name) DO UPDATE SET value = 'z' RETURNING *;

-- case: p-upsert-values-returning-at
-- group: rows
-- set: commands = 'upsert'
-- set: max_rows = 3
-- expect: allow
INSERT INTO settings VALUES ('s1','a'),('new','b'),('s2','c'),('s3','d') ON CONFLICT (name) DO UPDATE SET value = 'z' RETURNING *;

-- case: p-upsert-partitioned
-- group: rows
-- set: commands = 'upsert'
-- set: max_rows = 3
-- setup: CREATE TABLE pu (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE pu1 PARTITION OF pu FOR VALUES FROM (0) TO (10); CREATE TABLE pu2 PARTITION OF pu FOR VALUES FROM (10) TO (20); INSERT INTO pu SELECT generate_series(5, 14); GRANT ALL ON pu TO app
-- expect: refuse SD001
-- message: INSERT ON CONFLICT on table "pu"
INSERT INTO pu SELECT generate_series(0, 8) ON CONFLICT (id) DO UPDATE SET v = 1;

-- case: p-merge-last-row-over
-- group: rows
-- set: max_rows = 30
-- expect: refuse SD001
-- message: MERGE on table "accounts" exceeds the limit of 30 rows
MERGE INTO accounts a USING accounts s ON a.id = s.id WHEN MATCHED AND s.id > 969 THEN UPDATE SET plan = 'm' WHEN MATCHED THEN DO NOTHING;

-- case: p-merge-mixed-over
-- group: rows
-- set: max_rows = 4
-- expect: refuse SD001
MERGE INTO accounts a USING (SELECT generate_series(996, 1100) id) s ON a.id = s.id WHEN MATCHED AND s.id > 998 THEN UPDATE SET plan = 'm' WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'x' || s.id, 'p', 1, true, null);

-- case: p-merge-nmbs
-- group: rows
-- min-pg: 17
-- set: max_rows = 9
-- expect: refuse SD001
MERGE INTO settings a USING (SELECT 's' || generate_series(1, 30) AS name) s ON a.name = s.name WHEN NOT MATCHED BY SOURCE AND a.value = 'v' THEN DELETE;

-- case: p-merge-nmbs-at
-- group: rows
-- min-pg: 17
-- set: max_rows = 10
-- expect: allow
MERGE INTO settings a USING (SELECT 's' || generate_series(1, 30) AS name) s ON a.name = s.name WHEN NOT MATCHED BY SOURCE AND a.value = 'v' THEN DELETE;

-- case: p-merge-partitioned
-- group: rows
-- set: max_rows = 100
-- expect: refuse SD001
-- message: MERGE on table "measures"
MERGE INTO measures a USING (SELECT generate_series(1, 101) id) s ON a.id = s.id WHEN MATCHED THEN UPDATE SET day = '2024-12-01';

-- case: p-merge-partitioned-at
-- group: rows
-- set: max_rows = 101
-- expect: allow
MERGE INTO measures a USING (SELECT generate_series(1, 101) id) s ON a.id = s.id WHEN MATCHED THEN UPDATE SET day = '2024-12-01';

-- case: p-merge-view
-- group: rows
-- min-pg: 17
-- set: max_rows = 10
-- expect: refuse SD001
-- message: MERGE on table "accounts"
MERGE INTO all_accounts a USING (SELECT generate_series(1, 11) id) s ON a.id = s.id WHEN MATCHED THEN UPDATE SET plan = 'm';

-- case: p-merge-loop
-- group: rows
-- set: max_rows = 10
-- expect: refuse SD001
DO $$ BEGIN FOR i IN 1..11 LOOP MERGE INTO accounts a USING (SELECT i AS id) s ON a.id = s.id WHEN MATCHED THEN UPDATE SET plan = 'm'; END LOOP; END $$;

-- case: p-merge-cascade
-- group: reach
-- set: max_rows = 39
-- expect: refuse SD001
-- message: table "tickets"
-- message: accounts
MERGE INTO accounts a USING (SELECT 1 AS id) s ON a.id = s.id WHEN MATCHED THEN DELETE;

-- case: p-cascade-upd-composite
-- group: reach
-- set: max_rows = 99
-- setup: CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE c (id int, a int, b int, FOREIGN KEY (a, b) REFERENCES p ON UPDATE CASCADE ON DELETE SET NULL); INSERT INTO p SELECT g, g FROM generate_series(1, 10) g; INSERT INTO c SELECT g, 3, 3 FROM generate_series(1, 100) g; GRANT ALL ON p, c TO app
-- expect: refuse SD001
-- message: UPDATE on table "c"
UPDATE p SET b = 77 WHERE a = 3 AND b = 3;

-- case: p-cascade-set-default-at
-- group: reach
-- set: max_rows = 100
-- setup: CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (id int, a int DEFAULT 1 REFERENCES p ON DELETE SET DEFAULT); INSERT INTO p SELECT g FROM generate_series(1, 10) g; INSERT INTO c SELECT g, 3 FROM generate_series(1, 100) g; GRANT ALL ON p, c TO app
-- expect: allow
DELETE FROM p WHERE a = 3;

-- case: p-cascade-set-default-over
-- group: reach
-- set: max_rows = 99
-- setup: CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (id int, a int DEFAULT 1 REFERENCES p ON DELETE SET DEFAULT); INSERT INTO p SELECT g FROM generate_series(1, 10) g; INSERT INTO c SELECT g, 3 FROM generate_series(1, 100) g; GRANT ALL ON p, c TO app
-- expect: refuse SD001
-- message: UPDATE on table "c"
DELETE FROM p WHERE a = 3;

-- case: p-cascade-partitioned-child
-- group: reach
-- set: max_rows = 99
-- setup: CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (id int, a int REFERENCES p ON DELETE CASCADE) PARTITION BY HASH (id); CREATE TABLE c0 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE c1 PARTITION OF c FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO p SELECT g FROM generate_series(1, 10) g; INSERT INTO c SELECT g, 3 FROM generate_series(1, 100) g; GRANT ALL ON p, c TO app
-- expect: refuse SD001
-- message: DELETE on table "c"
DELETE FROM p WHERE a = 3;

-- case: p-cascade-partitioned-parent
-- group: reach
-- set: max_rows = 99
-- setup: CREATE TABLE p (a int PRIMARY KEY) PARTITION BY HASH (a); CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1); CREATE TABLE c (id int, a int REFERENCES p ON DELETE CASCADE);  INSERT INTO p SELECT g FROM generate_series(1, 10) g; INSERT INTO c SELECT g, 1 + g % 10 FROM generate_series(1, 100) g; GRANT ALL ON p, c TO app
-- expect: refuse SD001
-- message: DELETE on table "c"
-- message: "p"
DELETE FROM p WHERE a > 0;

-- case: p-cascade-pk-child
-- group: reach
-- set: max_rows = 99
-- setup: CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (a int PRIMARY KEY REFERENCES p ON DELETE CASCADE); INSERT INTO p SELECT g FROM generate_series(1, 1000) g; INSERT INTO c SELECT g FROM generate_series(1, 1000) g; GRANT ALL ON p, c TO app; ANALYZE p, c
-- expect: refuse SD001
DELETE FROM p WHERE a <= 100;

-- case: p-cascade-pk-child-only-child-over
-- group: reach
-- set: max_fraction = 0.2
-- set: min_rows = 10
-- setup: CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (a int PRIMARY KEY REFERENCES p ON DELETE CASCADE); INSERT INTO p SELECT g FROM generate_series(1, 1000) g; INSERT INTO c SELECT g FROM generate_series(1, 100) g; GRANT ALL ON p, c TO app; ANALYZE p, c
-- expect: refuse SD001
-- message: DELETE on table "c" exceeds the limit of 20 rows
-- message: "p"
DELETE FROM p WHERE a <= 21;

-- case: p-replica-role
-- group: reach
-- as: postgres
-- set: max_rows = 39
-- expect: allow
SET session_replication_role = replica;
DELETE FROM accounts WHERE id = 1;

-- case: p-bypass-child-owner
-- group: override
-- set: bypass_role = dba
-- set: max_rows = 39
-- setup: ALTER TABLE tickets OWNER TO dba
-- expect: refuse SD001
-- message: tickets
DELETE FROM accounts WHERE id = 1;

-- case: p-cascade-budget
-- group: override
-- set: max_rows = 39
-- expect: allow
SET safedelete.allow_rows = 40;
DELETE FROM accounts WHERE id = 1;

-- case: p-cascade-override-role
-- group: override
-- set: max_rows = 39
-- set: override_role = dba
-- setup: ALTER TABLE tickets OWNER TO dba
-- expect: refuse SD001
SET safedelete.allow_rows = 40;
DELETE FROM accounts WHERE id = 1;

-- case: p-cascade-500
-- group: reach
-- set: max_rows = 3
-- setup: CREATE TABLE p (a int PRIMARY KEY); INSERT INTO p VALUES (1), (2); GRANT ALL ON p TO app; DO $$ BEGIN FOR i IN 1..500 LOOP EXECUTE format('CREATE TABLE c%s (a int REFERENCES p ON DELETE CASCADE); INSERT INTO c%s SELECT 1 FROM generate_series(1, 3)', i, i); END LOOP; END $$
-- expect: allow
DELETE FROM p WHERE a = 1;

-- case: p-drop-ext-members
-- group: ddl
-- as: postgres
-- set: commands = 'drop'
-- setup: CREATE EXTENSION postgres_fdw; CREATE TABLE em AS SELECT generate_series(1, 1000) i; ALTER EXTENSION postgres_fdw ADD TABLE em
-- expect: refuse SD001
DROP EXTENSION postgres_fdw;

-- case: q-using-distinct-at
-- group: rows
-- set: max_rows = 2000
-- set: max_fraction = 1
-- expect: allow
-- check: SELECT count(*) = 3000 FROM orders
-- setup: ALTER TABLE order_items DROP CONSTRAINT order_items_order_id_fkey
DELETE FROM orders o USING order_items i WHERE i.order_id = o.id AND o.id <= 2000;

-- case: q-outer-join
-- group: rows
-- set: max_rows = 30
-- setup: ALTER TABLE tickets DROP CONSTRAINT tickets_account_id_fkey; ALTER TABLE orders DROP CONSTRAINT orders_account_id_fkey
-- expect: allow
-- check: SELECT count(*) = 970 FROM accounts
DELETE FROM accounts a USING churned c LEFT JOIN tickets t ON t.account_id = c.account WHERE a.id = c.account;

-- case: q-merge-mixed-at
-- group: rows
-- set: max_rows = 5
-- setup: ALTER TABLE tickets DROP CONSTRAINT tickets_account_id_fkey; ALTER TABLE orders DROP CONSTRAINT orders_account_id_fkey
-- expect: allow
MERGE INTO accounts a USING (SELECT generate_series(996, 1100) id) s ON a.id = s.id WHEN MATCHED AND s.id > 998 THEN UPDATE SET plan = 'm' WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'x' || s.id, 'p', 1, true, null);

-- case: q-cascade-cycle
-- group: reach
-- set: max_rows = 20
-- setup: SET safedelete.mode = off; CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE); ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b ON DELETE CASCADE; INSERT INTO a SELECT g FROM generate_series(1, 100) g; INSERT INTO b SELECT g, g FROM generate_series(1, 100) g; UPDATE a SET b = id - 1 WHERE id > 1; GRANT ALL ON a, b TO app; 
-- expect: refuse SD001
DELETE FROM a WHERE id = 50;

-- case: q-cascade-cycle-at
-- group: reach
-- set: max_rows = 51
-- setup: SET safedelete.mode = off; CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE); ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b ON DELETE CASCADE; INSERT INTO a SELECT g FROM generate_series(1, 100) g; INSERT INTO b SELECT g, g FROM generate_series(1, 100) g; UPDATE a SET b = id - 1 WHERE id > 1; GRANT ALL ON a, b TO app; 
-- expect: allow
-- check: SELECT count(*) = 49 FROM a
DELETE FROM a WHERE id = 50;

-- case: q-generated-columns-update
-- group: rows
-- set: max_rows = 100
-- setup: CREATE TABLE g (id int PRIMARY KEY, a int, s int GENERATED ALWAYS AS (a * 2) STORED, big text); ALTER TABLE g ALTER big SET STORAGE EXTERNAL; INSERT INTO g(id,a,big) SELECT i, i, repeat('y', 5000) FROM generate_series(1, 1000) i; GRANT ALL ON g TO app
-- expect: allow
-- check: SELECT count(*) = 100 AND bool_and(s = (id + 1) * 2 AND length(big) = 5001) FROM g WHERE a = id + 1
SET work_mem = '64kB';
UPDATE g SET a = a + 1, big = big || 'z' WHERE id <= 100;

-- case: q-view-instead-of
-- group: rows
-- set: max_rows = 10
-- setup: CREATE VIEW iv AS SELECT * FROM events; CREATE FUNCTION io() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM churned WHERE account = OLD.id; RETURN OLD; END'; CREATE TRIGGER t INSTEAD OF DELETE ON iv FOR EACH ROW EXECUTE FUNCTION io(); GRANT ALL ON iv TO app
-- expect: refuse SD001
-- message: DELETE on table "iv"
DELETE FROM iv WHERE id <= 11;

-- case: q-before-trigger-null-counts
-- group: rows
-- set: max_rows = 10
-- setup: CREATE FUNCTION nope() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER t BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION nope();
-- expect: refuse SD001
DELETE FROM events WHERE id <= 11;

-- case: q-update-key-cascade-point
-- group: reach
-- set: max_rows = 4
-- expect: refuse SD001
-- message: UPDATE on table "orders"
UPDATE accounts SET id = 5000 WHERE id = 7;

-- case: q-two-fks-same-child
-- group: reach
-- set: max_rows = 100
-- setup: CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (a int REFERENCES p ON DELETE CASCADE, b int REFERENCES p ON DELETE CASCADE); INSERT INTO p SELECT generate_series(1,10); INSERT INTO c SELECT 1, 2 FROM generate_series(1,51); INSERT INTO c SELECT 2, 1 FROM generate_series(1,50); GRANT ALL ON p, c TO app
-- expect: refuse SD001
-- message: 101 rows
DELETE FROM p WHERE a = 1;

-- case: q-transaction-scope-point
-- group: reach
-- set: scope = transaction
-- set: max_rows = 10
-- expect: refuse SD001
-- message: transaction came to 11
BEGIN;
SELECT format('DELETE FROM order_items WHERE id = %s', g) FROM generate_series(1, 11) g \gexec
COMMIT;

-- case: q-transaction-scope-release
-- group: reach
-- set: scope = transaction
-- set: max_rows = 10
-- expect: refuse SD001
BEGIN;
SAVEPOINT a;
DELETE FROM order_items WHERE id <= 6;
RELEASE a;
DELETE FROM order_items WHERE id BETWEEN 7 AND 11;
COMMIT;

-- case: q-transaction-scope-nested-savepoints
-- group: reach
-- set: scope = transaction
-- set: max_rows = 10
-- expect: allow
BEGIN;
SAVEPOINT a;
DELETE FROM order_items WHERE id <= 6;
SAVEPOINT b;
DELETE FROM order_items WHERE id BETWEEN 7 AND 9;
RELEASE b;
ROLLBACK TO a;
DELETE FROM order_items WHERE id <= 10;
COMMIT;
BEGIN;
DELETE FROM order_items WHERE id <= 20;
COMMIT;

-- case: q-transaction-scope-commit-in-proc
-- group: reach
-- set: scope = transaction
-- set: max_rows = 10
-- expect: allow
DO $$ BEGIN FOR i IN 1..30 LOOP DELETE FROM order_items WHERE id = i; IF i % 10 = 0 THEN COMMIT; END IF; END LOOP; END $$;

-- case: q-fetch-loop-cursor
-- group: reach
-- set: max_rows = 10
-- setup: CREATE FUNCTION d1(i int) RETURNS int LANGUAGE sql AS 'DELETE FROM order_items WHERE id = i RETURNING id'
-- expect: refuse SD001
BEGIN;
DECLARE c CURSOR FOR SELECT d1(g) FROM generate_series(1, 100) g;
FETCH 11 FROM c;
COMMIT;

-- case: q-plpgsql-for-delete-returning
-- group: reach
-- set: max_rows = 10
-- expect: allow
-- check: SELECT count(*) = 9990 FROM order_items
DO $$ DECLARE r record; n int := 0; BEGIN FOR r IN DELETE FROM order_items WHERE id <= 10 RETURNING id LOOP n := n + 1; END LOOP; IF n <> 10 THEN RAISE 'n %', n; END IF; END $$;

-- case: q-delete-from-only
-- group: rows
-- why: of its own 300
-- expect: refuse SD001
-- message: exceeds the limit of 150 rows
DELETE FROM ONLY vehicles WHERE wheels = 4;

-- case: q-drop-table-multi
-- group: ddl
-- set: commands = 'drop'
-- expect: refuse SD001
-- message: tickets
DROP TABLE settings, tickets;

-- case: q-drop-foreign-table
-- group: ddl
-- set: commands = 'drop'
-- setup: CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE ft (a int) SERVER s; ALTER FOREIGN TABLE ft OWNER TO app
-- expect: allow
DROP FOREIGN TABLE ft;

-- case: q-drop-type-cascade
-- group: ddl
-- set: commands = 'drop'
-- setup: CREATE TYPE ty AS (a int); CREATE TABLE tt OF ty; INSERT INTO tt SELECT generate_series(1,500); ALTER TABLE tt OWNER TO app; ALTER TYPE ty OWNER TO app
-- expect: refuse SD001
-- message: tt
DROP TYPE ty CASCADE;

-- case: q-drop-with-budget
-- group: ddl
-- set: commands = 'drop'
-- expect: allow
SET safedelete.allow_rows = 2000;
DROP TABLE tickets;

-- case: q-drop-with-budget-short
-- group: ddl
-- set: commands = 'drop'
-- expect: refuse SD001
SET safedelete.allow_rows = 1999;
DROP TABLE tickets;

-- case: q-drop-many-small-parts
-- group: ddl
-- set: commands = 'drop'
-- setup: CREATE TABLE sp (a int) PARTITION BY RANGE (a); DO $$ BEGIN FOR i IN 0..19 LOOP EXECUTE format('CREATE TABLE sp%s PARTITION OF sp FOR VALUES FROM (%s) TO (%s)', i, i*10, i*10+10); END LOOP; END $$; INSERT INTO sp SELECT generate_series(0, 199); ALTER TABLE sp OWNER TO app
-- expect: refuse SD001
-- message: DROP on table "sp"
DROP TABLE sp;

-- case: q-drop-many-small-parts-fit
-- group: ddl
-- set: commands = 'drop'
-- setup: CREATE TABLE sp (a int) PARTITION BY RANGE (a); DO $$ BEGIN FOR i IN 0..9 LOOP EXECUTE format('CREATE TABLE sp%s PARTITION OF sp FOR VALUES FROM (%s) TO (%s)', i, i*10, i*10+10); END LOOP; END $$; INSERT INTO sp SELECT generate_series(0, 99); ALTER TABLE sp OWNER TO app
-- expect: allow
DROP TABLE sp;

-- case: q-create-drop-in-loop
-- group: ddl
-- set: commands = 'drop,truncate'
-- expect: allow
DO $$ BEGIN FOR i IN 1..5 LOOP CREATE TABLE lo AS SELECT generate_series(1,90) a; DROP TABLE lo; END LOOP; END $$;

-- case: q-truncate-refill-loop
-- group: ddl
-- why: what the statement itself has put there was not there when it began
-- set: max_rows = 400
-- expect: allow
DO $$ BEGIN FOR i IN 1..5 LOOP TRUNCATE churned; INSERT INTO churned SELECT generate_series(1,90), now(); END LOOP; TRUNCATE churned; END $$;

-- case: q-delete-then-truncate-sum
-- group: ddl
-- set: max_rows = 39
-- set: max_fraction = 1
-- expect: refuse SD001
DO $$ BEGIN DELETE FROM settings WHERE name = 's1'; TRUNCATE settings; END $$;

-- case: q-truncate-foreign-key-set-multi
-- group: ddl
-- set: max_rows = 10
-- expect: refuse SD001
TRUNCATE accounts, orders, order_items, tickets;

-- case: q-insert-trigger-loop
-- group: reach
-- set: max_rows = 2
-- setup: CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM order_items WHERE id = NEW.account; RETURN NULL; END'; CREATE TRIGGER t AFTER INSERT ON churned FOR EACH ROW EXECUTE FUNCTION tr();
-- expect: refuse SD001
INSERT INTO churned VALUES (1), (2), (3);

-- case: q-wcte-two-same-table
-- group: reach
-- why: two CTEs of one statement, 60 + 60 of one table
-- set: max_rows = 100
-- expect: refuse SD001
WITH a AS (DELETE FROM events WHERE id <= 60 RETURNING 1), b AS (DELETE FROM events WHERE id BETWEEN 101 AND 160 RETURNING 1) SELECT count(*) FROM a;

-- case: q-wcte-point-plus
-- group: reach
-- set: max_rows = 100
-- expect: refuse SD001
WITH a AS (DELETE FROM order_items WHERE id = 1 RETURNING 1) DELETE FROM order_items WHERE id BETWEEN 101 AND 200;

-- case: q-unqualified-sql-fn-loop-budget
-- group: override
-- expect: refuse SD001
SET safedelete.allow_rows = 10000;
DO $$ BEGIN DELETE FROM events WHERE id <= 6000; DELETE FROM events; END $$;

-- case: q-override-loop-sum
-- group: override
-- why: the budget is the limit of the sum
-- set: max_rows = 10
-- expect: refuse SD001
-- message: allow_rows
SET safedelete.allow_rows = 20;
DO $$ BEGIN FOR i IN 1..21 LOOP DELETE FROM order_items WHERE id = i; END LOOP; END $$;

-- case: q-override-loop-sum-at
-- group: override
-- set: max_rows = 10
-- expect: allow
SET safedelete.allow_rows = 20;
DO $$ BEGIN FOR i IN 1..20 LOOP DELETE FROM order_items WHERE id = i; END LOOP; END $$;

-- case: q-unqualified-loop-budget-sum
-- group: override
-- why: a budget of 50 for 40 rows that were there; the 40 others the statement has inserted itself
-- expect: allow
SET safedelete.allow_rows = 50;
DO $$ BEGIN DELETE FROM settings; INSERT INTO settings SELECT generate_series(1, 40)::text; DELETE FROM settings; END $$;

-- case: q-explain-analyze-refused
-- group: reach
-- expect: refuse SD001
EXPLAIN (ANALYZE, FORMAT json) DELETE FROM events WHERE id > 0;

-- case: q-explain-analyze-update-allowed
-- group: reach
-- expect: allow
EXPLAIN (ANALYZE, FORMAT xml) UPDATE events SET payload = 'x' WHERE id < 100;

-- case: q-partial-unique-index
-- group: rows
-- set: max_rows = 1
-- setup: CREATE TABLE pi (a int, b int); CREATE UNIQUE INDEX ON pi (a) WHERE b = 1; INSERT INTO pi SELECT g, 1 FROM generate_series(1, 5000) g; ANALYZE pi; GRANT ALL ON pi TO app
-- expect: allow
DELETE FROM pi WHERE a = 5 AND b = 1;

-- case: q-nulls-not-distinct
-- group: rows
-- set: max_rows = 1
-- setup: CREATE TABLE nd (a int UNIQUE, b int); INSERT INTO nd SELECT NULL, g FROM generate_series(1, 5) g; INSERT INTO nd SELECT g, g FROM generate_series(6, 5000) g;ANALYZE nd; GRANT ALL ON nd TO app
-- expect: refuse SD001
SET enable_seqscan = off;
DELETE FROM nd WHERE a IS NULL;

-- case: q-unique-any
-- group: rows
-- set: max_rows = 1
-- expect: refuse SD001
DELETE FROM order_items WHERE id = ANY ('{1,2}');

-- case: q-unique-inheritance
-- group: rows
-- why: one key in parent and child is two rows
-- set: max_rows = 1
-- setup: CREATE TABLE ip (a int PRIMARY KEY); CREATE TABLE ic (PRIMARY KEY (a)) INHERITS (ip); INSERT INTO ip SELECT generate_series(1,1000); INSERT INTO ic SELECT generate_series(1,1000); ANALYZE ip, ic; GRANT ALL ON ip, ic TO app
-- expect: refuse SD001
DELETE FROM ip WHERE a = 5;

-- case: r-point-min-rows-0
-- group: rows
-- set: max_fraction = 0
-- set: min_rows = 0
-- expect: refuse SD001
-- message: DELETE on table "order_items" exceeds the limit of 0 rows
DELETE FROM order_items WHERE id = 3;

-- case: r-point-min-rows-0-fraction
-- group: rows
-- set: max_fraction = 0.00001
-- set: min_rows = 0
-- expect: refuse SD001
UPDATE order_items SET sku = 'x' WHERE id = 3;

-- case: r-current-of-max-rows-0
-- group: rows
-- set: max_rows = 0
-- expect: refuse SD001
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM events;
FETCH c;
DELETE FROM events WHERE CURRENT OF c;
COMMIT;

-- case: r-drop-partitioned-names-the-table
-- group: ddl
-- set: commands = 'drop'
-- expect: refuse SD001
-- message: table "measures" exceeds
DROP TABLE measures;

-- case: r-drop-partition-itself
-- group: ddl
-- set: commands = 'drop'
-- expect: refuse SD001
-- message: table "measures_q2" exceeds
DROP TABLE measures_q2;

-- case: r-drop-partitioned-budget
-- group: ddl
-- set: commands = 'drop'
-- expect: allow
SET safedelete.allow_rows = 3660;
DROP TABLE measures;

-- case: r-drop-partitioned-budget-over
-- group: ddl
-- set: commands = 'drop'
-- expect: refuse SD001
-- message: table "measures" exceeds the limit of 3659 rows
SET safedelete.allow_rows = 3659;
DROP TABLE measures;

-- case: r-truncate-budget-bloated
-- group: ddl
-- why: 3000 rows are left, whatever the pages say
-- setup: SET safedelete.mode = off; DELETE FROM events WHERE id > 3000; ALTER TABLE events SET (autovacuum_enabled = off)
-- expect: allow
SET safedelete.allow_rows = 3000;
TRUNCATE events;

-- case: r-truncate-max-rows-bloated
-- group: ddl
-- set: max_rows = 3000
-- set: max_fraction = 1
-- setup: SET safedelete.mode = off; DELETE FROM events WHERE id > 3000; ALTER TABLE events SET (autovacuum_enabled = off)
-- expect: allow
TRUNCATE events;

-- case: r-truncate-budget-exact
-- group: ddl
-- expect: allow
SET safedelete.allow_rows = 20000;
TRUNCATE events;

-- case: r-truncate-budget-exact-never-analysed
-- group: ddl
-- expect: allow
SET safedelete.allow_rows = 20000;
TRUNCATE raw_import;

-- case: r-truncate-budget-over-never-analysed
-- group: ddl
-- expect: refuse SD001
SET safedelete.allow_rows = 19999;
TRUNCATE raw_import;

-- case: r-truncate-underestimated
-- group: ddl
-- why: statistics say few rows a page, there are many
-- set: max_rows = 15000
-- set: max_fraction = 1
-- setup: SET safedelete.mode=off; DELETE FROM raw_import WHERE v > 1000; VACUUM (TRUNCATE off) raw_import; ANALYZE raw_import; INSERT INTO raw_import SELECT g, g FROM generate_series(1001, 20000) g;
-- expect: refuse SD001
TRUNCATE raw_import;

-- case: r-bypassed-rows-do-not-refuse-others
-- group: override
-- why: the door's rows are not checked, the caller's one row is within the limits
-- set: bypass_role = dba
-- setup: CREATE FUNCTION door() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM public.events WHERE id > 1000'; ALTER FUNCTION door() OWNER TO dba
-- expect: allow
DO $$ BEGIN PERFORM door(); DELETE FROM events WHERE id = 1; END $$;

-- case: r-definer-cascade-inherits
-- group: override
-- set: bypass_role = dba
-- set: max_rows = 3
-- setup: CREATE FUNCTION door() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN DELETE FROM public.accounts WHERE id = 1; END'; ALTER FUNCTION door() OWNER TO dba
-- expect: allow
-- check: SELECT count(*) = 999 FROM accounts
SELECT door();

-- case: r-definer-cascade-not-bypassed
-- group: override
-- set: bypass_role = dba
-- set: max_rows = 3
-- setup: CREATE FUNCTION nodoor() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN DELETE FROM public.accounts WHERE id = 1; END'; ALTER FUNCTION nodoor() OWNER TO app
-- as: dba
-- expect: refuse SD001
SELECT nodoor();

-- case: r-upsert-cte
-- group: rows
-- set: commands = 'upsert'
-- set: max_rows = 5
-- expect: refuse SD001
WITH u AS (INSERT INTO settings SELECT 's' || g FROM generate_series(1, 6) g ON CONFLICT (name) DO UPDATE SET value = 'u' RETURNING *) SELECT count(*) FROM u;

-- case: r-upsert-cte-unreferenced
-- group: rows
-- set: commands = 'upsert'
-- set: max_rows = 5
-- expect: refuse SD001
WITH u AS (INSERT INTO settings SELECT 's' || g FROM generate_series(1, 6) g ON CONFLICT (name) DO UPDATE SET value = 'u') SELECT 1;

-- case: r-upsert-explain-analyze-at
-- group: rows
-- set: commands = 'upsert'
-- set: max_rows = 6
-- expect: allow
EXPLAIN (ANALYZE, BUFFERS) INSERT INTO settings SELECT 's' || g FROM generate_series(1, 6) g ON CONFLICT (name) DO UPDATE SET value = 'u';

-- case: r-upsert-and-delete-sum
-- group: rows
-- set: commands = 'upsert, delete'
-- set: max_rows = 10
-- expect: refuse SD001
DO $$ BEGIN DELETE FROM settings WHERE name IN ('s11','s12','s13','s14','s15','s16'); INSERT INTO settings SELECT 's' || g FROM generate_series(1, 6) g ON CONFLICT (name) DO UPDATE SET value = 'u'; END $$;

-- case: r-merge-cte
-- group: rows
-- min-pg: 17
-- set: max_rows = 5
-- expect: refuse SD001
WITH u AS (MERGE INTO settings t USING (SELECT 's' || generate_series(1, 6) AS n) s ON t.name = s.n WHEN MATCHED THEN UPDATE SET value = 'm' RETURNING t.name) SELECT count(*) FROM u;

-- case: r-merge-insert-only-max-0
-- group: rows
-- set: max_rows = 0
-- expect: allow
MERGE INTO settings t USING (SELECT 'x' || generate_series(1, 6) AS n) s ON t.name = s.n WHEN NOT MATCHED THEN INSERT VALUES (s.n, 'v');

-- case: r-merge-point-max-0
-- group: rows
-- set: max_rows = 0
-- expect: refuse SD001
-- message: exceeds the limit of 0 rows
MERGE INTO settings t USING (SELECT 's1' AS n) s ON t.name = s.n WHEN MATCHED THEN DELETE;

-- case: r-commands-filter-cascade
-- group: reach
-- set: commands = 'delete'
-- set: max_rows = 10
-- expect: allow
-- why: 40 tickets updated by SET NULL, updates are not guarded
DELETE FROM accounts WHERE id = 1;

-- case: r-rule-instead
-- group: reach
-- set: max_rows = 10
-- setup: CREATE RULE r AS ON DELETE TO settings DO INSTEAD DELETE FROM events WHERE id <= 11;
-- expect: refuse SD001
-- message: DELETE on table "events"
DELETE FROM settings WHERE name = 's1';

-- case: r-rule-also-loop
-- group: reach
-- set: max_rows = 10
-- setup: CREATE RULE r AS ON DELETE TO churned DO ALSO DELETE FROM settings WHERE name = 's' || OLD.account;
-- expect: refuse SD001
-- message: settings
DELETE FROM churned WHERE account <= 11;

-- case: r-exempt-child-cascade
-- group: reach
-- set: max_rows = 15
-- set: exempt_tables = 'tickets'
-- expect: allow
DELETE FROM accounts WHERE id = 1;

-- case: r-update-point-trigger-same-table
-- group: reach
-- set: max_rows = 100
-- setup: CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF pg_trigger_depth() = 1 THEN UPDATE order_items SET sku = NULL WHERE id BETWEEN 101 AND 200; END IF; RETURN NEW; END'; CREATE TRIGGER t BEFORE UPDATE ON order_items FOR EACH ROW EXECUTE FUNCTION more();
-- expect: refuse SD001
UPDATE order_items SET sku = 'y' WHERE id = 1;

-- case: r-truncate-temp-and-matview
-- group: ddl
-- set: max_rows = 0
-- expect: allow
CREATE TEMP TABLE tt AS SELECT generate_series(1, 10);
TRUNCATE tt; REFRESH MATERIALIZED VIEW plan_counts;

-- case: r-truncate-unlogged
-- group: ddl
-- expect: refuse SD001
CREATE UNLOGGED TABLE ul AS SELECT generate_series(1, 1000);
TRUNCATE ul;

-- case: r-drop-temp-schema-cascade
-- group: ddl
-- set: commands = 'drop'
-- expect: allow
CREATE TEMP TABLE tt AS SELECT generate_series(1, 1000);
DISCARD TEMP;

-- case: r-on-commit-drop
-- group: ddl
-- set: commands = 'drop, truncate'
-- expect: allow
BEGIN;
CREATE TEMP TABLE tt ON COMMIT DROP AS SELECT generate_series(1, 1000);
CREATE TEMP TABLE t2 (a int) ON COMMIT DELETE ROWS; INSERT INTO t2 SELECT generate_series(1, 1000);
COMMIT;

-- case: r-alter-rewrite-drop
-- group: ddl
-- set: commands = 'drop, truncate'
-- expect: allow
ALTER TABLE events ADD COLUMN z float DEFAULT random();
ALTER TABLE accounts DROP CONSTRAINT accounts_pkey CASCADE;
CREATE TABLE copy1 AS SELECT * FROM events;
ALTER TABLE copy1 SET UNLOGGED;
REINDEX TABLE events;

-- case: r-drop-if-exists-missing
-- group: ddl
-- set: commands = 'drop'
-- expect: allow
DROP TABLE IF EXISTS nope;

-- case: r-truncate-read-only
-- group: ddl
-- expect: error 25006
BEGIN READ ONLY;
TRUNCATE events;

-- case: r-delete-read-only
-- group: rows
-- expect: error 25006
BEGIN READ ONLY;
DELETE FROM events;

-- case: r-truncate-trigger-not-fired
-- group: ddl
-- setup: CREATE SEQUENCE fired; GRANT ALL ON fired TO app; CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nextval(''fired''); RETURN NULL; END'; CREATE TRIGGER t BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION tell();
-- expect: refuse SD001
-- check: SELECT NOT is_called FROM fired
TRUNCATE events;

-- case: r-warn-mode-loop-goes-through
-- group: rows
-- set: mode = warn
-- set: max_rows = 3
-- expect: allow
-- check: SELECT count(*) = 9990 FROM order_items
DO $$ BEGIN FOR i IN 1..10 LOOP DELETE FROM order_items WHERE id = i; END LOOP; END $$;

-- case: r-lateral-function-in-from
-- group: rows
-- set: max_rows = 10
-- expect: refuse SD001
DELETE FROM events e USING generate_series(1, 11) g, LATERAL (SELECT g AS k FROM generate_series(1, 5)) l WHERE e.id = l.k;

-- case: r-update-subselect-set
-- group: rows
-- set: max_rows = 10
-- expect: allow
UPDATE accounts a SET (plan, active) = (SELECT 'q' || count(*), false FROM orders o WHERE o.account_id = a.id) WHERE a.id <= 10;

-- case: s-stale-size-after-rollback-to
-- group: reach
-- why: (a swallowed first refusal is the session's, so the check tells): the size read by a refused statement must not serve the next
-- setup: SET safedelete.mode = off; CREATE TABLE ri AS SELECT g AS id FROM generate_series(1, 20000) g; ALTER TABLE ri OWNER TO app; CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''boom''; END'
-- expect: refuse SD001
-- check: SELECT count(*) = 70000 FROM ri
BEGIN;
SAVEPOINT s;
\set ON_ERROR_STOP 0
DELETE FROM ri WHERE id > 0;
ROLLBACK TO s;
DO $$ BEGIN INSERT INTO ri SELECT generate_series(20001, 100000); END $$;
DELETE FROM ri WHERE id <= 30000;
COMMIT;

-- case: a-list-of-keys-within-what-is-free
-- group: rows
-- set: min_rows = 3
-- set: max_fraction = 0
-- expect: allow
-- check: SELECT count(*) = 3 FROM accounts WHERE plan = 'x'
UPDATE accounts SET plan = 'x' WHERE id IN (1, 2, 3);

-- case: a-list-of-keys-over-it
-- group: rows
-- set: min_rows = 2
-- set: max_fraction = 0
-- expect: refuse SD001
-- message: selected 3 rows
UPDATE accounts SET plan = 'x' WHERE id IN (1, 2, 3);

-- case: a-list-of-keys-prepared-before-the-limit
-- group: rows
-- why: the plan that was made for three free rows has no guard
-- as: postgres
-- expect: refuse SD001
PREPARE p AS UPDATE accounts SET plan = 'x' WHERE id IN (1, 2, 3);
BEGIN;
EXECUTE p;
SET LOCAL safedelete.max_rows = 2;
EXECUTE p;
ROLLBACK;

-- case: lists-of-keys-by-a-rule
-- group: rows
-- why: a rule's queries are one statement
-- setup: CREATE TABLE k (id int PRIMARY KEY); INSERT INTO k SELECT generate_series(1, 20); CREATE TABLE j (id int); INSERT INTO j VALUES (1); ANALYZE k, j; CREATE RULE r AS ON DELETE TO j DO ALSO (DELETE FROM k WHERE id IN (1, 2, 3); DELETE FROM k WHERE id IN (4, 5, 6)); ALTER TABLE k OWNER TO app; ALTER TABLE j OWNER TO app
-- set: min_rows = 4
-- set: max_fraction = 0.1
-- expect: refuse SD001
DELETE FROM j WHERE id = 1;

-- case: lists-of-keys-by-a-rule-prepared
-- group: rows
-- setup: CREATE TABLE k (id int PRIMARY KEY); INSERT INTO k SELECT generate_series(1, 20); CREATE TABLE j (id int); INSERT INTO j VALUES (1); ANALYZE k, j; CREATE RULE r AS ON DELETE TO j DO ALSO (DELETE FROM k WHERE id IN (1, 2, 3); DELETE FROM k WHERE id IN (4, 5, 6)); ALTER TABLE k OWNER TO app; ALTER TABLE j OWNER TO app
-- set: min_rows = 4
-- set: max_fraction = 0.1
-- expect: refuse SD001
PREPARE p AS DELETE FROM j WHERE id = 1;
EXECUTE p;

-- case: lists-of-keys-in-a-loop
-- group: rows
-- set: min_rows = 4
-- set: max_fraction = 0
-- expect: refuse SD001
DO $$ BEGIN FOR i IN 1..4 LOOP UPDATE accounts SET plan = 'x' WHERE id IN (i * 3, i * 3 + 1, i * 3 + 2); END LOOP; END $$;

-- case: a-list-of-half-a-key
-- group: rows
-- why: many rows have the same first column of the key
-- setup: CREATE TABLE k (a int, b int, PRIMARY KEY (a, b)); INSERT INTO k SELECT i % 2, i FROM generate_series(1, 100) i; ANALYZE k; ALTER TABLE k OWNER TO app
-- set: min_rows = 10
-- set: max_fraction = 0.1
-- expect: refuse SD001
SET enable_seqscan = off;
DELETE FROM k WHERE a IN (0, 1);

-- case: a-list-of-each-of-two-columns
-- group: rows
-- setup: CREATE TABLE k (a int, b int, PRIMARY KEY (a, b)); INSERT INTO k SELECT i / 10, i % 10 FROM generate_series(0, 99) i; ANALYZE k; ALTER TABLE k OWNER TO app
-- set: min_rows = 8
-- set: max_fraction = 0
-- expect: refuse SD001
SET enable_seqscan = off;
DELETE FROM k WHERE a IN (0, 1, 2) AND b IN (1, 2, 3);

-- case: an-update-of-wide-rows-that-overflows-its-spool
-- group: rows
-- setup: CREATE TABLE k (id int PRIMARY KEY, t text, n numeric, a int[], gone int, j jsonb, c char(3)); ALTER TABLE k DROP COLUMN gone; INSERT INTO k SELECT i, CASE WHEN i % 7 > 0 THEN repeat(md5(i::text), i % 5 * 100) END, i / 3.0, ARRAY[i, NULL], jsonb_build_object('i', i), 'ab' FROM generate_series(1, 3000) i; ANALYZE k; CREATE TABLE l AS SELECT id, t || 'x' AS t, n * 2 AS n, a || 5 AS a, j || '{"k": 1}' AS j, upper(c)::char(3) AS c FROM k WHERE id <= 1400; ALTER TABLE k OWNER TO app
-- expect: allow
-- check: SELECT count(*) = 1400 FROM k NATURAL JOIN (SELECT id FROM l) i JOIN l USING (id) WHERE (k.t, k.n, k.a, k.j, k.c) IS NOT DISTINCT FROM (l.t, l.n, l.a, l.j, l.c)
SET work_mem = '64kB';
UPDATE k SET t = t || 'x', n = n * 2, a = a || 5, j = j || '{"k": 1}', c = upper(c) WHERE id <= 1400;

-- case: trigger-of-a-partition-that-is-routed-to
-- group: reach
-- why: the trigger is on the partition, the statement on its parent
-- setup: CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000); ANALYZE t; CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..900 LOOP DELETE FROM t WHERE id = i; END LOOP; RETURN NULL; END $$; CREATE TRIGGER r AFTER INSERT ON p1 FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t OWNER TO app; ALTER TABLE p OWNER TO app; ALTER TABLE p1 OWNER TO app
-- expect: refuse SD001
INSERT INTO p VALUES (7);

-- case: statement-trigger-of-a-partitioned-table
-- group: reach
-- setup: CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000); ANALYZE t; CREATE TABLE p (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); INSERT INTO p VALUES (7); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..900 LOOP DELETE FROM t WHERE id = i; END LOOP; RETURN NULL; END $$; CREATE TRIGGER r AFTER UPDATE ON p FOR EACH STATEMENT EXECUTE FUNCTION f(); ALTER TABLE t OWNER TO app; ALTER TABLE p OWNER TO app; ALTER TABLE p1 OWNER TO app
-- expect: refuse SD001
UPDATE p SET v = 1 WHERE id = 7;

-- case: trigger-of-a-partition-that-a-row-moves-to
-- group: reach
-- setup: CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000); ANALYZE t; CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200); INSERT INTO p VALUES (7); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..900 LOOP DELETE FROM t WHERE id = i; END LOOP; RETURN NULL; END $$; CREATE TRIGGER r AFTER INSERT ON p2 FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t OWNER TO app; ALTER TABLE p OWNER TO app; ALTER TABLE p1 OWNER TO app; ALTER TABLE p2 OWNER TO app
-- expect: refuse SD001
UPDATE p SET id = 107 WHERE id = 7;

-- case: a-key-without-overlaps
-- group: rows
-- why: a GiST index that calls itself unique finds many rows by &&
-- min-pg: 18
-- setup: CREATE TABLE w (id int4range, valid_at daterange, PRIMARY KEY (id, valid_at WITHOUT OVERLAPS)); INSERT INTO w SELECT int4range(i, i + 1), daterange('2020-01-01', '2020-01-02') FROM generate_series(1, 1000) i; ANALYZE w; ALTER TABLE w OWNER TO app
-- expect: refuse SD001
SET enable_seqscan = off;
SET enable_bitmapscan = off;
DELETE FROM w WHERE id && '[1,10000)' AND valid_at && '[2020-01-01,2020-02-01)';

-- case: one-roles-budget-is-not-anothers
-- group: override
-- setup: CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000); ANALYZE t; CREATE FUNCTION del_dba(a int, b int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN FOR i IN a..b LOOP DELETE FROM t WHERE id = i; END LOOP; RETURN b; END $$; ALTER TABLE t OWNER TO app; GRANT ALL ON t TO dba; ALTER FUNCTION del_dba OWNER TO dba; CREATE FUNCTION del(a int, b int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN FOR i IN a..b LOOP DELETE FROM t WHERE id = i; END LOOP; RETURN b; END $$
-- set: override_role = dba
-- set: max_rows = 5
-- expect: refuse SD001
SET safedelete.allow_rows = 500;
SELECT del_dba(1, 6), del(7, 300);

-- case: a-rules-last-query-counts-too
-- group: rows
-- setup: CREATE TABLE k (id int PRIMARY KEY); INSERT INTO k SELECT generate_series(1, 1000); ANALYZE k; CREATE VIEW v AS SELECT * FROM k; CREATE RULE r AS ON DELETE TO v DO INSTEAD (DELETE FROM k WHERE id IN (1, 2); DELETE FROM k WHERE id = 3); ALTER TABLE k OWNER TO app; ALTER VIEW v OWNER TO app
-- set: max_rows = 2
-- expect: refuse SD001
DELETE FROM v WHERE id = 900;

-- case: counting-for-truncate-is-not-in-the-statistics
-- group: harmless
-- setup: CREATE TABLE k (id int); INSERT INTO k SELECT generate_series(1, 10); ALTER TABLE k OWNER TO app
-- expect: allow
-- check: SELECT pg_stat_get_numscans('k'::regclass) = 0 AND pg_stat_get_tuples_returned('k'::regclass) = 0
TRUNCATE k;
SELECT pg_stat_force_next_flush();
