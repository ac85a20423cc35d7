-- Policy in security labels: what can be written, who may, what is in force.
CREATE EXTENSION safedelete;
\set VERBOSITY default
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off
CREATE TABLE ledger (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO ledger SELECT g, g % 7 FROM generate_series(1, 1000) g;
CREATE VIEW ledger_view AS SELECT * FROM ledger;
ANALYZE ledger;
-- Bad input is an error when it is written.
\set VERBOSITY terse
SECURITY LABEL FOR safedelete ON TABLE ledger IS '';
SECURITY LABEL FOR safedelete ON TABLE ledger IS 'null';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '[1]';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_rows": 1';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_rows": 1} {}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"Max_Rows": 1}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_rows": 1, "max_rows": 1}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_rows": "1"}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_rows": -2}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_rows": 1.5}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_rows": 1e400}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_rows": null}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_rows": 2147483648}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_fraction": NaN}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_fraction": 1e400}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"min_rows": -1}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"mode": "\ud800"}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"\ud800": 1}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"commands": ["delete", 1]}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"commands": "delete, select"}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"override": "no"}';
\set VERBOSITY default
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_fraction": 1.5}';
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"max_rowz": 10}';
DO $$ BEGIN EXECUTE format('SECURITY LABEL FOR safedelete ON TABLE ledger IS %L', repeat(' ', 1000000) || '{}'); END $$;
DO $$ BEGIN EXECUTE format('SECURITY LABEL FOR safedelete ON TABLE ledger IS %L', '{"mode": ' || repeat('[', 4000) || repeat(']', 4000) || '}'); END $$;
SELECT safedelete.set_policy('ledger', '{"max_rows": 1e400}');
SELECT safedelete.set_policy('ledger', NULL);
SELECT safedelete.set_policy(NULL, '{}');
SELECT safedelete.set_policy(4294967290, '{}');
SELECT safedelete.set_schema_policy(NULL, '{}');
-- Only tables and schemas have policy.
SECURITY LABEL FOR safedelete ON VIEW ledger_view IS '{"max_rows": 1}';
SELECT safedelete.set_policy('ledger_view', '{"max_rows": 1}');
SECURITY LABEL FOR safedelete ON COLUMN ledger.v IS '{"max_rows": 1}';
SECURITY LABEL FOR safedelete ON ROLE postgres IS '{"max_rows": 1}';
CREATE TEMP TABLE scratch (id int);
SECURITY LABEL FOR safedelete ON TABLE scratch IS '{"max_rows": 1}';
SECURITY LABEL FOR safedelete ON TABLE pg_catalog.pg_class IS '{"max_rows": 1}';
SECURITY LABEL FOR safedelete ON TABLE ledger_pkey IS '{"max_rows": 1}';
SELECT * FROM safedelete.policies;
-- Who may.
CREATE ROLE regress_owner;
CREATE ROLE regress_policy;
CREATE ROLE regress_member IN ROLE regress_policy NOINHERIT;
ALTER TABLE ledger OWNER TO regress_owner;
SET safedelete.policy_role = 'regress_policy';
SET ROLE regress_owner;
SECURITY LABEL FOR safedelete ON TABLE ledger IS '{"mode": "off"}';
SELECT safedelete.set_policy('ledger', '{"mode": "off"}');
SELECT safedelete.clear_policy('ledger');
SET ROLE regress_member;
SELECT safedelete.set_policy('ledger', '{"mode": "off"}');
RESET ROLE;
GRANT regress_owner TO regress_policy;
ALTER ROLE regress_policy INHERIT;
SET ROLE regress_policy;
SELECT safedelete.set_policy('ledger', '{"max_rows": 50, "override": false}');
SELECT object_type, object, policy FROM safedelete.policies;
RESET ROLE;
-- What is in force, and what a refusal says of it.
DELETE FROM ledger WHERE id <= 51;
SET safedelete.allow_rows = -1;
DELETE FROM ledger WHERE id <= 51;
DELETE FROM ledger;
TRUNCATE ledger;
RESET safedelete.allow_rows;
SELECT * FROM safedelete.settings_for('ledger') WHERE setting NOT LIKE '%role';
EXPLAIN (COSTS OFF) DELETE FROM ledger WHERE id <= 51;
SELECT safedelete.set_policy('ledger', '{"max_fraction": 0.01, "min_rows": 3}');
DELETE FROM ledger WHERE id <= 11;
SELECT safedelete.set_policy('ledger', '{"max_fraction": 0.001}');
DELETE FROM ledger WHERE v = 6;
EXPLAIN (COSTS OFF) DELETE FROM ledger WHERE v = 6;
-- Append-only: a single row, a cached plan, TRUNCATE and DROP.
PREPARE one(int) AS DELETE FROM ledger WHERE id = $1;
EXECUTE one(1000);
SELECT safedelete.set_policy('ledger', '{"max_rows": 0}');
EXECUTE one(999);
DELETE FROM ledger WHERE id = 999;
UPDATE ledger SET v = 0 WHERE ctid = '(0,1)';
DO $$ BEGIN DELETE FROM ledger WHERE id = 999; END $$;
INSERT INTO ledger VALUES (1001, 1);
TRUNCATE ledger;
SELECT safedelete.set_policy('ledger', '{"max_rows": 0, "commands": ["drop", "upsert"]}');
DROP TABLE ledger CASCADE;
INSERT INTO ledger VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET v = 2;
DELETE FROM ledger WHERE id = 999;
SELECT safedelete.clear_policy('ledger');
EXECUTE one(998);
-- A label's mode counts either way.
SET safedelete.mode = off;
SELECT safedelete.set_policy('ledger', '{"mode": "enforce"}');
DELETE FROM ledger;
DO $$ BEGIN FOR i IN 1..600 LOOP DELETE FROM ledger WHERE id = i; END LOOP; END $$;
TRUNCATE ledger;
SELECT safedelete.set_policy('ledger', '{"mode": "warn"}');
BEGIN;
DELETE FROM ledger;
ROLLBACK;
RESET safedelete.mode;
SELECT safedelete.set_policy('ledger', '{"mode": "off"}');
BEGIN;
DELETE FROM ledger;
ROLLBACK;
BEGIN;
TRUNCATE ledger;
ROLLBACK;
-- Undone with the transaction, and with a savepoint.
SELECT safedelete.clear_policy('ledger');
BEGIN;
SAVEPOINT s;
SELECT safedelete.set_policy('ledger', '{"max_rows": 1}');
DELETE FROM ledger WHERE id <= 2;
ROLLBACK TO s;
DELETE FROM ledger WHERE id <= 2;
ROLLBACK;
DELETE FROM ledger WHERE id <= 2;
-- Schemas: key by key, and what comes into the schema or leaves it.
CREATE SCHEMA staging;
SELECT safedelete.set_schema_policy('staging', '{"require_where": false, "max_fraction": 1}');
CREATE TABLE staging.load AS SELECT generate_series(1, 1000) AS id;
DELETE FROM staging.load;
INSERT INTO staging.load SELECT generate_series(1, 1000);
VACUUM ANALYZE staging.load;
SELECT safedelete.set_policy('staging.load', '{"max_rows": 10}');
DELETE FROM staging.load;
SELECT safedelete.clear_policy('staging.load');
ALTER TABLE staging.load SET SCHEMA public;
DELETE FROM load;
ALTER TABLE load SET SCHEMA staging;
ALTER SCHEMA staging RENAME TO landing;
DELETE FROM landing.load;
INSERT INTO landing.load SELECT generate_series(1, 1000);
VACUUM ANALYZE landing.load;
SELECT object_type, object, policy FROM safedelete.policies;
SELECT safedelete.clear_schema_policy('landing');
DELETE FROM landing.load;
SELECT safedelete.set_policy('landing.load', '{"max_rows": 10}');
ALTER TABLE landing.load RENAME TO "Load 2";
DELETE FROM landing."Load 2" WHERE id < 100;
SELECT * FROM safedelete.settings_for('landing."Load 2"') WHERE source ~ 'policy';
DROP SCHEMA landing CASCADE;
SELECT count(*) FROM safedelete.policies;
CREATE TABLE audit AS SELECT 1 AS id;
SELECT safedelete.set_policy('audit', '{"max_rows": 0}');
-- The whole extension goes; the labels are PostgreSQL's and stay in force.
DROP EXTENSION safedelete;
DELETE FROM audit WHERE id = 1;
DROP OWNED BY regress_policy, regress_owner CASCADE;
DROP ROLE regress_member, regress_policy, regress_owner;
