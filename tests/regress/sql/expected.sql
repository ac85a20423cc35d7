-- A statement's own word: safedelete.exactly and safedelete.at_most.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS safedelete;
RESET client_min_messages;
CREATE SCHEMA expected;
SET search_path = expected;
CREATE TABLE t (id int PRIMARY KEY, k int, v text);
INSERT INTO t SELECT g, g % 10, 'x' FROM generate_series(1, 1000) g;
CREATE TABLE s AS SELECT g AS id FROM generate_series(1, 20) g;
ANALYZE t, s;
CREATE TABLE fired (what text);
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO fired VALUES (TG_WHEN || ' ' || TG_LEVEL); RETURN COALESCE(NEW, OLD); END $$;
CREATE TRIGGER before_row BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION fires();

-- Before a row is written: too many, too few, none.
\set VERBOSITY default
DELETE FROM t WHERE k = 3 AND safedelete.exactly(1);
DELETE FROM t WHERE k = 3 AND safedelete.at_most(99);
\set VERBOSITY terse
UPDATE t SET v = 'y' WHERE k = 3 AND safedelete.exactly(101);
DELETE FROM t WHERE id = 5000 AND safedelete.exactly(1);
UPDATE t SET v = 'y' WHERE id = 5000 AND safedelete.exactly(1);
DELETE FROM t WHERE id = 5 AND safedelete.at_most(0);
DELETE FROM t WHERE id = 5 AND safedelete.exactly(0);
SELECT count(*) AS "nothing fired" FROM fired;
BEGIN;
DELETE FROM t WHERE id = 5 AND safedelete.exactly(1);
DELETE FROM t WHERE id = 5 AND safedelete.exactly(0);
DELETE FROM t WHERE id = 5 AND safedelete.at_most(1);
DELETE FROM t WHERE k = 3 AND safedelete.exactly(100);
UPDATE t SET v = 'y' WHERE k = 4 AND safedelete.at_most(100);
SELECT count(*) FILTER (WHERE v = 'y') AS updated, count(*) AS left FROM t;
ROLLBACK;

-- Several of them, and where they stand.
DELETE FROM t WHERE safedelete.exactly(100) AND k = 3 AND safedelete.at_most(5);
DELETE FROM t WHERE safedelete.at_most(100) AND (k = 3 AND (id > 0 AND safedelete.exactly(99)));
DELETE FROM t WHERE k = 3 AND safedelete.exactly(100) AND safedelete.exactly(99);
-- They restrict nothing.
DELETE FROM t WHERE safedelete.at_most(5);
DELETE FROM t WHERE safedelete.at_most(5000) AND safedelete.exactly(1000);
UPDATE t SET v = 'y' WHERE id = id AND safedelete.at_most(5);
-- They widen nothing.
DELETE FROM t WHERE id <= 600 AND safedelete.exactly(600);

-- Whoever says it, and whatever the rules say.
SET safedelete.mode = log;
DELETE FROM t WHERE k = 3 AND safedelete.at_most(5);
SET safedelete.mode = warn;
DELETE FROM t WHERE k = 3 AND safedelete.at_most(5);
RESET safedelete.mode;
BEGIN;
SET LOCAL safedelete.allow_rows = -1;
DELETE FROM t WHERE safedelete.at_most(5);
ROLLBACK;
BEGIN;
SET LOCAL safedelete.allow_rows = -1;
DELETE FROM t WHERE safedelete.exactly(1000);
ROLLBACK;
CREATE ROLE expected_bypass;
GRANT ALL ON SCHEMA expected, safedelete TO expected_bypass;
GRANT ALL ON ALL TABLES IN SCHEMA expected TO expected_bypass;
SET safedelete.bypass_role = expected_bypass;
SET ROLE expected_bypass;
DELETE FROM t WHERE k = 3 AND safedelete.at_most(5);
DELETE FROM t WHERE safedelete.exactly(5);
RESET ROLE;
RESET safedelete.bypass_role;
SET safedelete.commands = 'truncate';
DELETE FROM t WHERE k = 3 AND safedelete.at_most(5);
DELETE FROM t WHERE id = 1000000 AND safedelete.at_most(5);
RESET safedelete.commands;
SET safedelete.exempt_tables = 'expected.t';
DELETE FROM t WHERE k = 3 AND safedelete.at_most(5);
RESET safedelete.exempt_tables;
SELECT safedelete.set_policy('t', '{"mode": "off"}');
DELETE FROM t WHERE k = 3 AND safedelete.at_most(5);
SELECT safedelete.clear_policy('t');
CREATE TEMP TABLE temporary AS SELECT * FROM t;
DELETE FROM temporary WHERE k = 3 AND safedelete.at_most(5);
SELECT count(*) AS "all are there" FROM t;
SELECT count(*) AS "nothing fired" FROM fired;

-- A point write keeps its plan.
EXPLAIN (COSTS OFF) UPDATE t SET v = 'y' WHERE id = 5 AND safedelete.at_most(1);
EXPLAIN (COSTS OFF) DELETE FROM t WHERE safedelete.at_most(10) AND id = 5;
EXPLAIN (COSTS OFF) DELETE FROM t WHERE id = 5 AND safedelete.exactly(1);
EXPLAIN (COSTS OFF) DELETE FROM t WHERE id = 5 AND safedelete.at_most(0);
EXPLAIN (COSTS OFF) DELETE FROM t WHERE id IN (5, 6) AND safedelete.at_most(1);
EXPLAIN (COSTS OFF) DELETE FROM t WHERE id IN (5, 6) AND safedelete.at_most(1) AND safedelete.exactly(1 + 1);
SET plan_cache_mode = force_generic_plan;
PREPARE shown (int) AS DELETE FROM t WHERE k = 5 AND safedelete.at_most($1);
EXPLAIN (COSTS OFF) EXECUTE shown (10);
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) EXECUTE shown (10);
RESET plan_cache_mode;

-- Each target row once.
UPDATE t SET v = 'y' FROM s, s s2 WHERE s.id = t.id AND safedelete.exactly(19);
BEGIN;
UPDATE t SET v = 'y' FROM s, s s2 WHERE s.id = t.id AND safedelete.exactly(20);
DELETE FROM t USING s, s s2 WHERE s.id = t.id AND safedelete.exactly(20) AND t.id > 0;
ROLLBACK;

-- Parameters, each time anew.
PREPARE p (int, bigint) AS DELETE FROM t WHERE id < $1 AND safedelete.exactly($2);
BEGIN;
EXECUTE p (10, 9);
EXECUTE p (10, 0);
ROLLBACK;
EXECUTE p (10, 8);
SET plan_cache_mode = force_generic_plan;
EXECUTE p (10, 8);
BEGIN;
EXECUTE p (10, 9);
ROLLBACK;
EXECUTE p (10, NULL);
EXECUTE p (10, -1);
PREPARE many (int[]) AS UPDATE t SET v = 'y' WHERE id = ANY ($1) AND safedelete.exactly(cardinality($1));
BEGIN;
EXECUTE many ('{1,2,3}');
EXECUTE many ('{1,2,2}');
ROLLBACK;
RESET plan_cache_mode;
CREATE FUNCTION remove(n int, most bigint) RETURNS bigint LANGUAGE plpgsql AS
  $$ DECLARE gone bigint; BEGIN DELETE FROM t WHERE id < n AND safedelete.at_most(most); GET DIAGNOSTICS gone = ROW_COUNT; RETURN gone; END $$;
SELECT remove(5, 3);
BEGIN;
SELECT remove(5, 4);
ROLLBACK;
CREATE FUNCTION remove_sql(n int, most bigint) RETURNS SETOF int LANGUAGE sql AS
  $$ DELETE FROM t WHERE id < n AND safedelete.at_most(most) RETURNING id $$;
SELECT remove_sql(5, 3);
BEGIN;
SELECT remove_sql(5, 4);
ROLLBACK;
-- What a function's statement says holds for that one: the next statement has a count of its own.
BEGIN;
DO $$ BEGIN
  FOR i IN 1..30 LOOP DELETE FROM t WHERE id = i AND safedelete.exactly(1); END LOOP;
  UPDATE t SET v = 'y' WHERE id BETWEEN 31 AND 40 AND safedelete.exactly(10);
  UPDATE t SET v = 'z' WHERE id BETWEEN 31 AND 40 AND safedelete.exactly(10);
END $$;
ROLLBACK;

-- MERGE, upserts, CTEs.
MERGE INTO t USING s ON t.id = s.id AND safedelete.at_most(3) WHEN MATCHED THEN DELETE;
MERGE INTO t USING s ON t.id = s.id AND safedelete.exactly(21) WHEN MATCHED THEN UPDATE SET v = 'm';
MERGE INTO t USING s ON t.id = s.id AND safedelete.exactly(1) WHEN NOT MATCHED THEN INSERT VALUES (s.id);
BEGIN;
MERGE INTO t USING s ON t.id = s.id AND safedelete.exactly(20)
  WHEN MATCHED AND t.id < 10 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'm';
ROLLBACK;
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND safedelete.at_most(3) THEN DELETE;
INSERT INTO t SELECT id, 0, 'u' FROM s ON CONFLICT (id) DO UPDATE SET v = 'u' WHERE safedelete.at_most(5);
INSERT INTO t SELECT id, 0, 'u' FROM s ON CONFLICT (id) DO UPDATE SET v = 'u' WHERE t.id > 3 AND safedelete.exactly(20);
BEGIN;
INSERT INTO t SELECT id, 0, 'u' FROM s ON CONFLICT (id) DO UPDATE SET v = 'u' WHERE t.id > 3 AND safedelete.exactly(17);
ROLLBACK;
WITH gone AS (DELETE FROM t WHERE id < 5 AND safedelete.exactly(2) RETURNING *) SELECT count(*) FROM gone;
BEGIN;
WITH gone AS (DELETE FROM t WHERE id < 5 AND safedelete.exactly(4) RETURNING *),
  changed AS (UPDATE t SET v = 'y' WHERE k = 9 AND safedelete.at_most(100) RETURNING *)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM changed);
ROLLBACK;

-- Views, row security, rules, partitions, children.
CREATE VIEW small AS SELECT * FROM t WHERE id < 100;
UPDATE small SET v = 'y' WHERE k = 3 AND safedelete.exactly(100);
BEGIN;
UPDATE small SET v = 'y' WHERE k = 3 AND safedelete.exactly(10);
ROLLBACK;
CREATE VIEW one_at_a_time AS SELECT * FROM t WHERE safedelete.at_most(1);
DELETE FROM one_at_a_time WHERE k = 3;
SELECT * FROM one_at_a_time;
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM t WHERE id < 100;
UPDATE barrier SET v = 'y' WHERE k = 3 AND safedelete.exactly(9);
CREATE VIEW instead AS SELECT * FROM t;
CREATE FUNCTION goes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t WHERE id = OLD.id; RETURN OLD; END $$;
CREATE TRIGGER instead INSTEAD OF DELETE ON instead FOR EACH ROW EXECUTE FUNCTION goes();
DELETE FROM instead WHERE k = 3 AND safedelete.at_most(99);
CREATE TABLE p (id int, k int) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
INSERT INTO p SELECT g, g % 2 + 1 FROM generate_series(1, 20) g;
DELETE FROM p WHERE id <= 10 AND safedelete.exactly(9);
UPDATE p SET k = 1 WHERE id <= 10 AND safedelete.exactly(11);
BEGIN;
UPDATE p SET k = 1 WHERE id <= 10 AND safedelete.exactly(10);
ROLLBACK;
CREATE TABLE ruled (id int, gone bool DEFAULT false);
INSERT INTO ruled SELECT generate_series(1, 10);
CREATE RULE kept AS ON DELETE TO ruled DO INSTEAD UPDATE ruled SET gone = true WHERE id = OLD.id;
DELETE FROM ruled WHERE id < 4 AND safedelete.exactly(2);
BEGIN;
DELETE FROM ruled WHERE id < 4 AND safedelete.exactly(3);
ROLLBACK;

-- Never silently true.
DELETE FROM t WHERE id = 5 AND safedelete.at_most(k);
DELETE FROM t WHERE id = 5 AND safedelete.at_most((SELECT count(*) FROM s));
DELETE FROM t WHERE id = 5 AND safedelete.exactly((random() * 10)::bigint);
DELETE FROM t WHERE id = 5 AND safedelete.at_most(NULL);
UPDATE t SET v = 'y' WHERE id = 5 AND safedelete.exactly(-1);
SELECT safedelete.exactly(1);
SELECT count(*) FROM t WHERE id = 5000 AND safedelete.at_most(1);
DELETE FROM t WHERE id = 5 AND NOT safedelete.at_most(1);
DELETE FROM t WHERE id = 5 OR (id = 6 AND safedelete.at_most(1));
DELETE FROM t WHERE id = 5 AND (SELECT safedelete.at_most(1));
UPDATE t SET v = safedelete.at_most(1)::text WHERE id = 5;
INSERT INTO t SELECT id FROM s WHERE safedelete.at_most(1);
DELETE FROM t WHERE id IN (SELECT id FROM s WHERE safedelete.at_most(1));
CREATE TABLE c (id int CHECK (safedelete.at_most(1)));
INSERT INTO c VALUES (1);
\set VERBOSITY sqlstate
CREATE INDEX ON t ((safedelete.at_most(1)));
\set VERBOSITY default
SET safedelete.mode = off;
DELETE FROM t WHERE id = 5000 AND safedelete.at_most(1);
EXECUTE p (10, 9);
RESET safedelete.mode;
\set VERBOSITY terse
BEGIN;
EXECUTE p (10, 9);
ROLLBACK;
SELECT count(*) AS "all are there" FROM t WHERE v = 'x';

-- What is kept of it, and what is said beforehand.
SELECT command, relation, rule, verdict, rows, "limit", limit_source FROM safedelete.events
WHERE rule IN ('exactly', 'at_most') AND relation = 'expected.p' ORDER BY "time";
SELECT relation, command, rows, by, verdict, message FROM safedelete.dry_run(
  'DELETE FROM expected.t WHERE k = 3 AND safedelete.at_most(5); DELETE FROM expected.t WHERE k = 4 AND safedelete.exactly(100)');
ANALYZE t;
SELECT statement AS n, command, verdict, rule, sqlstate, message, detail, estimated_rows FROM safedelete.check($$
  DELETE FROM expected.t WHERE id = 3 AND safedelete.exactly(1);
  DELETE FROM expected.t WHERE k = 3 AND safedelete.at_most(5);
  DELETE FROM expected.t WHERE k = 3 AND safedelete.at_most(100);
  DELETE FROM expected.t WHERE safedelete.at_most(5);
  INSERT INTO expected.t SELECT id FROM expected.s ON CONFLICT (id) DO UPDATE SET v = 'u' WHERE safedelete.exactly(5)$$);
SELECT message, hint FROM safedelete.check('DELETE FROM expected.t WHERE id = 3 AND safedelete.at_most(k)');
SET client_min_messages = error;
DROP SCHEMA expected CASCADE;
DROP OWNED BY expected_bypass;
DROP ROLE expected_bypass;
