-- exactly and at_most where they are not enforced are an error, whether or not a row would come to them.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS safedelete;
RESET client_min_messages;
CREATE SCHEMA not_enforced;
SET search_path = not_enforced;
CREATE TABLE t (id int PRIMARY KEY, k int, v text);
INSERT INTO t SELECT g, g % 10, 'x' FROM generate_series(1, 1000) g;
ANALYZE t;
-- AND binds more closely than OR: no row has the other id.
DELETE FROM t WHERE id = 5 OR id = 60000 AND safedelete.at_most(1);
DELETE FROM t WHERE id = 5 AND (k = 5 OR safedelete.exactly(7));
DELETE FROM t WHERE id = 5 AND CASE WHEN k = 5 THEN true ELSE safedelete.exactly(7) END;
DELETE FROM t WHERE id = 5 AND COALESCE(k = 5, safedelete.exactly(7));
DELETE FROM t WHERE id = 5 AND (safedelete.exactly(7) OR true);
DELETE FROM t WHERE id = 5 AND NOT (k = 4 AND safedelete.exactly(7));
DELETE FROM t WHERE id IN (SELECT 5 WHERE safedelete.exactly(7) OR true);
DELETE FROM t WHERE id = 5 RETURNING k = 5 OR safedelete.exactly(7);
UPDATE t SET v = CASE WHEN k = 5 THEN 'y' ELSE safedelete.exactly(7)::text END WHERE id = 5;
MERGE INTO t USING (VALUES (5)) s (id) ON t.id = s.id WHEN MATCHED AND (k = 5 OR safedelete.exactly(1)) THEN DELETE;
INSERT INTO t SELECT 5, 5 WHERE true OR safedelete.exactly(1) ON CONFLICT (id) DO UPDATE
  SET v = 'y' WHERE t.k = 5 OR safedelete.exactly(7);
INSERT INTO t SELECT 2000 FROM t WHERE id = 1 AND (k = 1 OR safedelete.exactly(1));
SELECT id FROM t WHERE id = 5 AND (k = 5 OR safedelete.at_most(1));
SELECT count(*) FROM t HAVING count(*) > 0 OR safedelete.at_most(1);
COPY t FROM PROGRAM 'true' WHERE id > 0 OR safedelete.at_most(1);
CREATE TABLE c (id int CHECK (id > 0 OR safedelete.at_most(1)));
INSERT INTO c VALUES (1);
CREATE TABLE d (id int);
INSERT INTO d VALUES (1);
CREATE FUNCTION passes() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER passes BEFORE UPDATE ON d FOR EACH ROW WHEN (NEW.id > 0 OR safedelete.at_most(1)) EXECUTE FUNCTION passes();
UPDATE d SET id = 2 WHERE id = 1;
DO $$ BEGIN IF safedelete.exactly(1) OR 1 = 1 THEN RAISE NOTICE 'passed'; END IF; END $$;
-- A parameter that leaves it out of the condition.
PREPARE optional (bigint) AS DELETE FROM t WHERE id = 5 AND ($1 IS NULL OR safedelete.exactly($1));
EXECUTE optional (7);
EXPLAIN (COSTS OFF) EXECUTE optional (NULL);
-- Plain EXPLAIN plans, so it says so.
EXPLAIN (COSTS OFF) DELETE FROM t WHERE id = 5 OR id = 60000 AND safedelete.at_most(1);
SET safedelete.mode = off;
DELETE FROM t WHERE id = 5 AND k = 4 AND safedelete.at_most(1);
DELETE FROM t WHERE id = 5 OR safedelete.at_most(1);
RESET safedelete.mode;
SELECT statement AS n, verdict, sqlstate, message FROM safedelete.check($$
  DELETE FROM not_enforced.t WHERE id = 5 OR id = 60000 AND safedelete.at_most(1);
  DELETE FROM not_enforced.t WHERE id = 5 AND safedelete.at_most(1);
  MERGE INTO not_enforced.t USING (VALUES (5)) s (id) ON t.id = s.id WHEN MATCHED AND (k = 5 OR safedelete.exactly(1)) THEN DELETE$$);

-- An argument by its name; an overload of somebody's.
BEGIN;
DELETE FROM t WHERE id = 5 AND safedelete.exactly(n => 2);
ROLLBACK;
BEGIN;
DELETE FROM t WHERE id = 5 AND safedelete.exactly(n => 1);
CREATE FUNCTION safedelete.exactly(n text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION safedelete.at_most(n bigint, m int DEFAULT 0) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
DELETE FROM t WHERE id = 6 AND safedelete.exactly('7'::text);
DELETE FROM t WHERE id = 7 AND safedelete.at_most(0, 1);
ROLLBACK;

-- What a rule does besides is not the statement's own.
CREATE TABLE ruled (id int PRIMARY KEY, v text);
CREATE TABLE noted (id int, v text);
CREATE TABLE beside (id int PRIMARY KEY, v text);
INSERT INTO ruled SELECT g, 'x' FROM generate_series(1, 10) g;
INSERT INTO beside SELECT g, 'x' FROM generate_series(1, 3) g;
CREATE RULE noted AS ON DELETE TO ruled DO ALSO INSERT INTO noted VALUES (OLD.id, OLD.v);
CREATE RULE beside AS ON UPDATE TO ruled DO ALSO UPDATE beside SET v = NEW.v WHERE beside.id = OLD.id;
DELETE FROM ruled WHERE id < 3 AND safedelete.exactly(3);
UPDATE ruled SET v = 'y' WHERE id < 6 AND safedelete.exactly(3);
BEGIN;
DELETE FROM ruled WHERE id < 3 AND safedelete.exactly(2);
UPDATE ruled SET v = 'y' WHERE id < 6 AND safedelete.exactly(3);
SELECT (SELECT count(*) FROM noted) AS noted, (SELECT count(*) FROM beside WHERE v = 'y') AS beside;
ROLLBACK;
-- Where it is not run, nobody would hold it to its word.
CREATE RULE nothing AS ON DELETE TO ruled DO INSTEAD NOTHING;
DELETE FROM ruled WHERE id < 3 AND safedelete.exactly(2);
DROP RULE nothing ON ruled;
CREATE RULE elsewhere AS ON DELETE TO ruled DO INSTEAD INSERT INTO noted VALUES (OLD.id, 'asked for');
DELETE FROM ruled WHERE id < 3 AND safedelete.exactly(2);
SELECT count(*) AS "none" FROM noted;

-- BEFORE triggers have their will: what they pass over was selected.
CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keeps BEFORE DELETE ON t FOR EACH ROW WHEN (OLD.id < 10) EXECUTE FUNCTION keeps();
BEGIN;
DELETE FROM t WHERE id BETWEEN 8 AND 12 AND safedelete.exactly(5);
ROLLBACK;
DROP TRIGGER keeps ON t;
-- A row that the same command has deleted already is not this part's.
WITH first AS (DELETE FROM t WHERE id = 20 RETURNING id)
  DELETE FROM t USING first WHERE t.id IN (20, 21) AND safedelete.exactly(2);
SELECT count(*) AS "all are there" FROM t WHERE v = 'x';
SET client_min_messages = error;
DROP SCHEMA not_enforced CASCADE;
