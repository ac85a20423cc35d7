-- Retold from public reports: the HINT is followed to the letter, by who it is told to. The tests' min_rows is 100.
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE SCHEMA real_hints;
GRANT CREATE, USAGE ON SCHEMA real_hints TO public;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS safedelete;
RESET client_min_messages;
CREATE ROLE regress_app;
CREATE ROLE regress_dba;
SET ROLE regress_app;
SET search_path = real_hints;
-- A queue that was vacuumed when it was nearly empty, and then a burst: estimates say five rows.
CREATE TABLE outbox (id bigserial PRIMARY KEY, body text) WITH (autovacuum_enabled = off);
INSERT INTO outbox (body) SELECT repeat('x', 100) FROM generate_series(1, 20000);
ANALYZE outbox;
BEGIN; SET LOCAL safedelete.allow_rows = -1; DELETE FROM outbox WHERE id <= 19995; COMMIT;
VACUUM ANALYZE outbox;
SELECT reltuples FROM pg_class WHERE oid = 'outbox'::regclass;
INSERT INTO outbox (body) SELECT repeat('x', 100) FROM generate_series(1, 15000);
-- A worker takes 200 of 15,005.
BEGIN;
DELETE FROM outbox WHERE id <= 20195;
WITH t AS (SELECT id FROM outbox ORDER BY id LIMIT 200 FOR UPDATE SKIP LOCKED)
  DELETE FROM outbox o USING t WHERE o.id = t.id;
ROLLBACK;
SELECT rows, table_rows, verdict, message FROM safedelete.dry_run('DELETE FROM outbox WHERE id <= 20195');
-- TRUNCATE: the number in the HINT lets it through, a smaller one does not.
TRUNCATE outbox;
BEGIN; SET LOCAL safedelete.allow_rows = 101; SET LOCAL safedelete.reason = 'why'; TRUNCATE outbox; ROLLBACK;
BEGIN; SET LOCAL safedelete.allow_rows = 15005; SET LOCAL safedelete.reason = 'why'; TRUNCATE outbox; ROLLBACK;
SELECT rows, table_rows, verdict FROM safedelete.dry_run('TRUNCATE outbox');
-- Most of it: what is proposed is the table's size.
DELETE FROM outbox WHERE id <= 34000;
BEGIN; SET LOCAL safedelete.allow_rows = 15005; SET LOCAL safedelete.reason = 'why'; DELETE FROM outbox WHERE id <= 34000; ROLLBACK;
-- A trigger's loop over two rows.
CREATE TABLE usage_count (dataset int PRIMARY KEY, n int NOT NULL);
INSERT INTO usage_count VALUES (1, 0), (2, 0);
CREATE TABLE chunk (id serial PRIMARY KEY, dataset int NOT NULL);
CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN UPDATE usage_count SET n = n + 1 WHERE dataset = NEW.dataset; RETURN NEW; END $$;
CREATE TRIGGER count_it AFTER INSERT ON chunk FOR EACH ROW EXECUTE FUNCTION count_it();
BEGIN; INSERT INTO chunk (dataset) SELECT 1 FROM generate_series(1, 1000); ROLLBACK;
SELECT verdict, rule, message FROM safedelete.check('INSERT INTO chunk (dataset) SELECT 1 FROM generate_series(1, 1000)');
SELECT relation, rows, table_rows, verdict FROM safedelete.dry_run('INSERT INTO chunk (dataset) SELECT 1 FROM generate_series(1, 1000)') ORDER BY 1;

-- The HINT where the override does not count for this role, and that no budget is offered to it.
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t SELECT generate_series(1, 1000);
RESET ROLE;
SET safedelete.override_role = 'regress_dba';
SET ROLE regress_app;
DELETE FROM t WHERE id <= 600;
DELETE FROM t;
TRUNCATE t;
BEGIN; SET LOCAL safedelete.allow_rows = 1000; SET LOCAL safedelete.reason = 'why'; DELETE FROM t WHERE id <= 600; ROLLBACK;
RESET ROLE;
RESET safedelete.override_role;
SET safedelete.require_reason = on;
SET ROLE regress_app;
BEGIN; SET LOCAL safedelete.allow_rows = 1000; DELETE FROM t WHERE id <= 600; ROLLBACK;
BEGIN; SET LOCAL safedelete.allow_rows = 1000; SET LOCAL safedelete.reason = 'why'; DELETE FROM t WHERE id <= 600; ROLLBACK;
RESET ROLE;
RESET safedelete.require_reason;
SELECT FROM safedelete.set_policy('real_hints.t', '{"override": false}');
SET ROLE regress_app;
DELETE FROM t WHERE id <= 600;
DELETE FROM t;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA real_hints CASCADE;
DROP ROLE regress_app, regress_dba;
