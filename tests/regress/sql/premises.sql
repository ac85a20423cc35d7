-- Rule where evaluates nothing that PostgreSQL would not evaluate for the statement.
\set VERBOSITY default
SET client_min_messages = warning;
CREATE EXTENSION safedelete;
CREATE SCHEMA premises; SET search_path = premises;
SET safedelete.max_fraction = 1;
-- A CHECK constraint's function that the role may not execute, that raises an error, that does what it likes.
CREATE FUNCTION secret(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';
REVOKE EXECUTE ON FUNCTION secret FROM public;
CREATE FUNCTION broken(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';
CREATE FUNCTION loud() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 5; END';
CREATE TABLE t (id int NOT NULL, x int NOT NULL, y int NOT NULL CHECK (y > 0), CHECK (x > secret(-5)), CHECK (x > broken(-5)), CHECK (x > loud() - 10));
INSERT INTO t SELECT g, g, g FROM generate_series(1, 50) g;
CREATE OR REPLACE FUNCTION broken(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE ''broken''; END';
CREATE OR REPLACE FUNCTION loud() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE ''runs as %'', current_user; END';
CREATE ROLE regress_premises;
GRANT USAGE ON SCHEMA premises TO regress_premises;
GRANT SELECT, DELETE ON t TO regress_premises;
SET ROLE regress_premises;
BEGIN; DELETE FROM t WHERE x > 45; ROLLBACK;
BEGIN; DELETE FROM t WHERE x > 45 OR x < 3; ROLLBACK;
BEGIN; DELETE FROM t WHERE x > 45 AND y > 0; ROLLBACK;
DELETE FROM t WHERE y > 0;
RESET ROLE;
SELECT command, verdict, message FROM safedelete.check('DELETE FROM premises.t WHERE x > 45; DELETE FROM premises.t WHERE x > -5; DELETE FROM premises.t WHERE y > -1');
-- Somebody's operator, and somebody's type.
CREATE FUNCTION above(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 > $2; END';
CREATE OPERATOR >>> (LEFTARG = int, RIGHTARG = int, FUNCTION = above);
CREATE TABLE o (id int NOT NULL CHECK (id >>> 0), n int NOT NULL CHECK (n > 0 AND 2 >>> 1));
CREATE OR REPLACE FUNCTION above(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE ''broken''; END';
DELETE FROM o WHERE n > 5;
DELETE FROM o WHERE id = 3 AND n > 0;
-- A generic plan evaluates what has parameters at a row, if there is one.
CREATE TABLE e (id int NOT NULL, note text);
SET plan_cache_mode = force_generic_plan;
PREPARE divide(int, int) AS DELETE FROM e WHERE id > 10 / $1 OR $2 IS NULL;
EXECUTE divide(0, 1);
EXECUTE divide(5, 1);
EXECUTE divide(5, NULL);
EXECUTE divide(0, NULL);
PREPARE cast_of(text) AS DELETE FROM e WHERE id = COALESCE($1::int, id);
EXECUTE cast_of('x');
EXECUTE cast_of('3');
EXECUTE cast_of(NULL);
INSERT INTO e VALUES (1);
EXECUTE divide(0, 1);
EXECUTE cast_of('x');
RESET plan_cache_mode;
DROP SCHEMA premises CASCADE;
DROP EXTENSION safedelete;
DROP ROLE regress_premises;
