-- Policy of partitions and children, of what foreign keys reach, and labels that cannot be read.
CREATE EXTENSION safedelete;
\set VERBOSITY default
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off
-- Partitions: the nearest label wins, key by key; attached and detached.
CREATE TABLE m (id int, day int) PARTITION BY RANGE (day);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (100);
CREATE TABLE m2 PARTITION OF m FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
CREATE TABLE m2a PARTITION OF m2 FOR VALUES FROM (0) TO (500);
CREATE TABLE m2b PARTITION OF m2 FOR VALUES FROM (500) TO (1000);
INSERT INTO m SELECT g, g % 200 FROM generate_series(0, 999) g;
ANALYZE m;
SELECT safedelete.set_policy('m', '{"max_rows": 20, "min_rows": 7}');
SELECT safedelete.set_policy('m2', '{"max_rows": 5}');
DELETE FROM m1 WHERE id <= 30;
DELETE FROM m2a WHERE id <= 105;
SELECT setting, value, source FROM safedelete.settings_for('m2a') WHERE source ~ 'policy';
-- A part with a policy of its own is counted by itself when the whole is named.
DELETE FROM m WHERE id BETWEEN 95 AND 105;
DELETE FROM m WHERE id BETWEEN 95 AND 104;
DELETE FROM m WHERE id BETWEEN 0 AND 20;
SELECT count(*) FROM m;
UPDATE m SET id = id WHERE id BETWEEN 99 AND 120;
MERGE INTO m USING generate_series(110, 116) g ON m.id = g WHEN MATCHED THEN UPDATE SET id = m.id;
MERGE INTO m USING generate_series(110, 114) g ON m.id = g WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING;
SELECT safedelete.set_policy('m2a', '{"max_rows": 0}');
DELETE FROM m WHERE id = 120;
DELETE FROM m WHERE id = 120 AND day = 120;
DELETE FROM m WHERE id = 5 AND day = 5;
DELETE FROM m WHERE id = 720 AND day = 120;
DO $$ BEGIN FOR i IN 300..330 LOOP DELETE FROM m WHERE id = i AND day = i % 200; END LOOP; END $$;
TRUNCATE m;
SET safedelete.mode = off;
DELETE FROM m WHERE id = 121;
SELECT safedelete.set_policy('m2a', '{"max_rows": 0, "mode": "enforce"}');
DELETE FROM m WHERE id = 121;
DELETE FROM m;
RESET safedelete.mode;
ALTER TABLE m2 DETACH PARTITION m2a;
DELETE FROM m WHERE id = 721;
SELECT setting, value, source FROM safedelete.settings_for('m2a') WHERE source ~ 'policy';
SELECT safedelete.clear_policy('m2a');
DELETE FROM m2a WHERE id <= 190;
ALTER TABLE m2 ATTACH PARTITION m2a FOR VALUES FROM (0) TO (500);
DELETE FROM m2a WHERE id BETWEEN 300 AND 390;
PREPARE part(int) AS DELETE FROM m2a WHERE id = $1;
EXECUTE part(391);
SELECT safedelete.set_policy('m', '{"max_rows": 0}');
SELECT safedelete.clear_policy('m2');
EXECUTE part(392);
-- Not guarded at all is not guarded as a part either; mode off attaches nothing.
SELECT safedelete.set_policy('m1', '{"max_rows": 0}');
SELECT safedelete.clear_policy('m');
SET safedelete.exempt_tables = m1, other;
DELETE FROM m WHERE id = 40;
RESET safedelete.exempt_tables;
DELETE FROM m WHERE id = 41;
SET safedelete.mode = off;
EXPLAIN (COSTS OFF) DELETE FROM m WHERE id = 41 AND day < 100;
RESET safedelete.mode;
-- An upsert's rows find their partition while it runs.
CREATE TABLE stock (id int, k int, v int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE stock_1 PARTITION OF stock FOR VALUES IN (1);
CREATE TABLE stock_2 PARTITION OF stock FOR VALUES IN (2);
INSERT INTO stock SELECT g, 1 + g % 2, 0 FROM generate_series(1, 100) g;
VACUUM ANALYZE stock;
SET safedelete.commands = 'delete, upsert';
SELECT safedelete.set_policy('stock_1', '{"max_rows": 2}');
INSERT INTO stock SELECT g, 1 + g % 2, 1 FROM generate_series(1, 6) g ON CONFLICT (id, k) DO UPDATE SET v = 1;
INSERT INTO stock SELECT g, 1 + g % 2, 1 FROM generate_series(1, 5) g ON CONFLICT (id, k) DO UPDATE SET v = 1;
INSERT INTO stock SELECT g, 1, 1 FROM generate_series(1001, 1010) g ON CONFLICT (id, k) DO UPDATE SET v = 1;
INSERT INTO stock VALUES (1, 3, 1) ON CONFLICT (id, k) DO UPDATE SET v = 1;
SELECT sum(v) FROM stock WHERE id <= 100;
DROP TABLE stock;
RESET safedelete.commands;
-- Children of ordinary inheritance have their own label alone.
CREATE TABLE parent (id int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent SELECT generate_series(1, 100);
INSERT INTO child SELECT generate_series(101, 200);
SELECT safedelete.set_policy('parent', '{"max_rows": 10}');
SELECT count(*) FROM safedelete.settings_for('child') WHERE source ~ 'policy';
DELETE FROM child WHERE id <= 150;
SELECT safedelete.set_policy('parent', '{"max_rows": 1000}');
SELECT safedelete.set_policy('child', '{"max_rows": 3}');
DELETE FROM parent WHERE id BETWEEN 95 AND 155;
DELETE FROM parent WHERE id BETWEEN 60 AND 153;
-- Foreign keys count against the policy of their own table, whoever names the parent.
CREATE TABLE customer (id int PRIMARY KEY);
CREATE TABLE invoice (id int, customer int REFERENCES customer ON DELETE CASCADE);
INSERT INTO customer SELECT generate_series(1, 10);
INSERT INTO invoice SELECT g, 1 + g % 10 FROM generate_series(1, 100) g;
SELECT safedelete.set_policy('invoice', '{"max_rows": 5, "override": false}');
DELETE FROM customer WHERE id = 1;
SET safedelete.allow_rows = 100;
DELETE FROM customer WHERE id = 1;
TRUNCATE customer CASCADE;
RESET safedelete.allow_rows;
SELECT safedelete.set_policy('invoice', '{"mode": "off"}');
DELETE FROM customer WHERE id = 1;
-- A part's size has the rows that the sum first updated and then deleted: 21 of 42 rows may go.
CREATE TABLE ledger (id int, half int, v int) PARTITION BY LIST (half);
CREATE TABLE ledger_0 PARTITION OF ledger FOR VALUES IN (0);
CREATE TABLE ledger_1 PARTITION OF ledger FOR VALUES IN (1);
INSERT INTO ledger SELECT g, g / 43, 0 FROM generate_series(1, 84) g;
SELECT safedelete.set_policy('ledger_0', '{"min_rows": 10, "max_fraction": 0.5}');
BEGIN;
DO $$ BEGIN
  UPDATE ledger SET v = 1 WHERE id <= 11; DELETE FROM ledger WHERE id <= 11; UPDATE ledger SET v = 1 WHERE id <= 21;
END $$;
DO $$ BEGIN DELETE FROM ledger WHERE id BETWEEN 12 AND 27; UPDATE ledger SET v = 1 WHERE id <= 28; END $$;
ROLLBACK;
DO $$ BEGIN UPDATE ledger SET v = 1 WHERE id <= 11; DELETE FROM ledger WHERE id <= 11; UPDATE ledger SET v = 1 WHERE id <= 22; END $$;
DROP TABLE ledger;

-- A label that cannot be read opens nothing.
UPDATE pg_seclabel SET label = '{"max_rows": 5, "max_bytes": 10}' WHERE objoid = 'invoice'::regclass;
SELECT object, policy, label FROM safedelete.policies WHERE object ~ 'invoice';
\c -
DELETE FROM invoice WHERE id = 1;
DELETE FROM invoice WHERE id = 1;
SET safedelete.allow_rows = 100;
DELETE FROM invoice WHERE id = 1;
RESET safedelete.allow_rows;
SELECT safedelete.clear_policy('invoice');
DELETE FROM invoice WHERE id = 1;
DROP EXTENSION safedelete;
