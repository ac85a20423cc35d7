-- What PostgreSQL refuses, it refuses itself, in its own words, whatever else stands in the list: each
-- statement is run with the guard off and on, and its errors are compared. Each list begins with a
-- table that the guard would refuse.
SET client_min_messages = warning;
CREATE SCHEMA regress_refused;
SET search_path = regress_refused;
CREATE ROLE regress_truncate;
CREATE TABLE large (id int PRIMARY KEY);
INSERT INTO large SELECT generate_series(1, 1000);
CREATE TABLE empty (id int);
CREATE VIEW v AS SELECT 1 AS x;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS x;
CREATE SEQUENCE s;
CREATE INDEX i ON large (id);
CREATE TYPE composite AS (x int);
CREATE TABLE hers (id int);
CREATE TABLE hers_serial (id serial);
CREATE SCHEMA hidden;
CREATE TABLE hidden.t (id int);
CREATE TABLE whole (id int) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (1000);
INSERT INTO whole SELECT generate_series(0, 999);
CREATE TABLE referenced (id int PRIMARY KEY);
CREATE TABLE referring (id int REFERENCES referenced);
CREATE TABLE referenced_whole (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE referenced_part PARTITION OF referenced_whole FOR VALUES FROM (0) TO (1000);
CREATE TABLE referring_whole (id int REFERENCES referenced_whole);
CREATE TABLE target (id int PRIMARY KEY);
INSERT INTO target SELECT generate_series(1, 1000);
CREATE TABLE deferred (id int PRIMARY KEY, other int REFERENCES target DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE parent (id int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child SELECT generate_series(1, 1000);
CREATE FOREIGN DATA WRAPPER regress_none;
CREATE SERVER regress_none FOREIGN DATA WRAPPER regress_none;
CREATE FOREIGN TABLE foreign_none (id int) SERVER regress_none;
GRANT USAGE ON SCHEMA regress_refused TO regress_truncate;
GRANT TRUNCATE ON large, parent, hers_serial, target TO regress_truncate;
GRANT INSERT ON ALL TABLES IN SCHEMA regress_refused TO regress_truncate;

-- The error that a statement ends in, all fields of it.
CREATE FUNCTION ends_in(statement text, mode text, role text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text; c text; s text; t text; n text;
BEGIN
  PERFORM set_config('safedelete.mode', mode, true);
  PERFORM set_config('role', role, true);
  EXECUTE statement;
  RAISE EXCEPTION USING ERRCODE = 'P0099';
EXCEPTION
  WHEN SQLSTATE 'P0099' THEN RETURN 'runs';
  WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
      c = PG_EXCEPTION_CONTEXT, s = SCHEMA_NAME, t = TABLE_NAME, n = CONSTRAINT_NAME;
    RETURN concat_ws(' / ', SQLSTATE, message, nullif(detail, ''), nullif(hint, ''), nullif(s, ''), nullif(t, ''),
      nullif(n, ''), regexp_replace(c, 'PL/pgSQL function compare.*$', ''));
END $$;
CREATE PROCEDURE compare(statement text, role text DEFAULT 'none') LANGUAGE plpgsql AS $$
DECLARE
  without text := ends_in(statement, 'off', role);
  logged text := ends_in(statement, 'log', role);
  enforced text := ends_in(statement, 'enforce', role);
  words text[] := string_to_array(enforced, ' / ');
BEGIN
  RAISE WARNING '%: % %', statement, words[1], words[2];
  IF without IS DISTINCT FROM enforced OR without IS DISTINCT FROM logged THEN
    RAISE WARNING E'differs:\n%\n%\n%', without, logged, enforced;
  END IF;
END $$;
\set VERBOSITY terse
-- Without anything against it, the word is the guard's.
TRUNCATE large, empty;
CALL compare('TRUNCATE large, missing');
CALL compare('TRUNCATE missing, large');
CALL compare('TRUNCATE large, missing.missing');
CALL compare('TRUNCATE large, nowhere.public.large');
CALL compare('TRUNCATE large, v');
CALL compare('TRUNCATE large, m');
CALL compare('TRUNCATE large, s');
CALL compare('TRUNCATE large, i');
CALL compare('TRUNCATE large, composite');
CALL compare('TRUNCATE large, pg_class');
CALL compare('TRUNCATE large, foreign_none');
CALL compare('TRUNCATE whole, ONLY whole, v');
CALL compare('TRUNCATE large, ONLY whole');
CALL compare('TRUNCATE large, referenced');
CALL compare('TRUNCATE whole, referenced_whole');
CALL compare('TRUNCATE whole, referenced_part');
CALL compare('TRUNCATE referenced CASCADE');
CALL compare('TRUNCATE referenced_part CASCADE');
CALL compare('TRUNCATE referenced, referring');
CALL compare('TRUNCATE empty, empty, ONLY empty');
-- As a role that may not do all of it.
CALL compare('TRUNCATE whole, large', 'regress_truncate');
CALL compare('TRUNCATE large, hers', 'regress_truncate');
CALL compare('TRUNCATE large, hidden.t', 'regress_truncate');
CALL compare('TRUNCATE parent, hers_serial RESTART IDENTITY', 'regress_truncate');
CALL compare('TRUNCATE parent, child', 'regress_truncate');
CALL compare('TRUNCATE target CASCADE', 'regress_truncate');
-- What this session uses itself.
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM empty;
CALL compare('TRUNCATE parent, empty');
CALL compare('TRUNCATE empty, parent');
COMMIT;
BEGIN;
INSERT INTO deferred VALUES (1, 1);
CALL compare('TRUNCATE parent, deferred');
CALL compare('TRUNCATE target CASCADE');
COMMIT;
-- Where nothing may be written.
BEGIN READ ONLY;
CALL compare('TRUNCATE parent');
COMMIT;
CREATE FUNCTION stable() RETURNS void LANGUAGE plpgsql STABLE AS $$ BEGIN TRUNCATE parent; END $$;
CALL compare('SELECT stable()');
-- DROP, where it is guarded.
SET safedelete.commands = 'drop';
ALTER TABLE hidden.t OWNER TO regress_truncate;
CREATE TABLE hidden.large AS SELECT * FROM large;
CALL compare('DROP TABLE part, missing');
CALL compare('DROP TABLE part, v');
CALL compare('DROP TABLE parent');
CALL compare('DROP TABLE part, referenced');
CALL compare('DROP TABLE target');
CALL compare('DROP SCHEMA hidden');
CALL compare('DROP SCHEMA hidden, missing CASCADE');
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM empty;
CALL compare('DROP TABLE part, empty');
CALL compare('DROP TABLE empty, part');
DECLARE d CURSOR FOR SELECT * FROM hidden.t;
CALL compare('DROP SCHEMA hidden CASCADE');
COMMIT;
CALL compare('DROP TABLE hidden.t, part', 'regress_truncate');
CALL compare('DROP TABLE part, hidden.t', 'regress_truncate');
RESET safedelete.commands;
SET safedelete.mode = off;
DROP SCHEMA hidden CASCADE;
DROP SCHEMA regress_refused CASCADE;
DROP FOREIGN DATA WRAPPER regress_none CASCADE;
DROP OWNED BY regress_truncate;
DROP ROLE regress_truncate;
