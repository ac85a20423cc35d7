-- Long scripts: check reads them part by part, and says what it would say of the whole.
SET client_min_messages = warning;
CREATE EXTENSION safedelete;
CREATE TABLE items (id int PRIMARY KEY, note text);
INSERT INTO items SELECT generate_series(1, 10);
ANALYZE items;
-- Statements that hold what looks like their end, at every place of a part.
CREATE FUNCTION tricky(padding int) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
  SELECT repeat(' ', padding) || $x$
-- a comment; DELETE FROM items;
/* one; /* inside; */ another; */
DELETE FROM items WHERE note = 'a;
b' OR note = E'\';
' OR note = $q$;
$q$ OR note = $$;
$$ OR id = 1;
CREATE RULE r AS ON INSERT TO items DO ALSO (SELECT 1;
SELECT 2);
CREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC DELETE FROM items;
DELETE FROM items WHERE id = 1;
END;
UPDATE "items" SET note = '' WHERE "id" = 1;
$x$ $f$;
SELECT count(DISTINCT found), min(found) FROM (
  SELECT padding, string_agg(format('%s %s %s', statement - 200, command, verdict), ', ' ORDER BY statement) AS found
  FROM generate_series(0, 400, 3) padding,
    LATERAL safedelete.check(repeat(E'DELETE FROM items WHERE id = 1;\n', 200) || tricky(padding) || repeat(E'SELECT 1;\n', 400))
  WHERE statement > 200 AND command <> 'SELECT'
  GROUP BY padding
) each;
-- Numbers and lines go on; statements without an end of their own.
SELECT min(statement), max(statement), count(DISTINCT statement), bool_and(line = statement * 2 - 1)
  FROM safedelete.check(repeat(E'DELETE FROM items WHERE id = 1;\n\n', 5000));
SELECT statement, line, verdict, message FROM safedelete.check(repeat(E'SELECT 1;\n', 5000) || 'DELETE FROM items') WHERE verdict <> 'ok';
SELECT statement, line, command FROM safedelete.check(repeat(E';\n', 10000) || E'-- no more;\nSELECT 1 -- ;') ;
SELECT count(*) FROM safedelete.check(repeat(E'-- nothing;\n', 5000));
SELECT count(*), min(line), max(line) FROM safedelete.check('DO $b$ BEGIN ' || repeat(E'DELETE FROM items WHERE id = 1;\n', 2000) || 'END $b$');
-- A syntax error behind the first part, with its line; a line of psql's; one that is never closed.
DO $$
DECLARE
  script text;
  told text;
  details text;
BEGIN
  FOREACH script IN ARRAY ARRAY[
    repeat(E'SELECT 1;\n', 5000) || E'SELEKT 2;\n' || repeat(E'SELECT 3;\n', 5000),
    repeat(E'SELECT ''ä'';\n', 5000) || E'SELECT 2;\n\\i other.sql\n',
    repeat(E'SELECT 1;\n', 5000) || 'SELECT ''open',
    repeat(E'SELECT 1;\n', 5000) || '/* open',
    repeat(E'SELECT 1;\n', 5000) || 'SELECT (1',
    repeat(E'SELECT 1;\n', 5000) || repeat('x', 1000) || ' ü'
  ] LOOP
    BEGIN
      PERFORM count(*) FROM safedelete.check(script);
    EXCEPTION WHEN syntax_error THEN
      GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, details = PG_EXCEPTION_DETAIL;
      RAISE WARNING '% | %', left(told, 60), details;
    END;
  END LOOP;
END $$;
-- What a script sets, prepares and makes is known in its later parts, and for as long as PostgreSQL knows it.
SELECT statement - 5000 AS statement, command, verdict FROM safedelete.check(
  'BEGIN; SET LOCAL safedelete.allow_rows = -1; PREPARE d AS DELETE FROM items; CREATE TEMP TABLE passing (a int);' || repeat(E'SELECT 1;\n', 5000) ||
  'DELETE FROM items; EXECUTE d; UPDATE passing SET a = 1; DEALLOCATE d; EXECUTE d; COMMIT; DELETE FROM items')
  WHERE statement > 5004;
SELECT statement, command, verdict FROM safedelete.check($$
  BEGIN; SAVEPOINT a; SET safedelete.allow_rows = 5; SET safedelete.allow_rows = -1; DELETE FROM items; RELEASE a; DELETE FROM items;
  SAVEPOINT b; SET LOCAL safedelete.allow_rows = 0; DELETE FROM items; ROLLBACK TO b; DELETE FROM items;
  SAVEPOINT c; SET LOCAL safedelete.allow_rows = 0; SAVEPOINT d; SET safedelete.allow_rows = -1; RELEASE c; DELETE FROM items; COMMIT; DELETE FROM items;
  RESET safedelete.allow_rows; DELETE FROM items
$$) WHERE command = 'DELETE';
-- Statements that fail, savepoints and blocks by the thousand: nothing is kept of each. How much is held while the last
-- statement is planned is what a function says that planning folds; a sequence is not rolled back.
CREATE SEQUENCE held;
CREATE FUNCTION hold() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  PERFORM setval('held', (SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts));
  RETURN 1;
END $$;
SET work_mem = '64kB';
DO $$
DECLARE
  shape text;
  few bigint;
  many bigint;
BEGIN
  FOREACH shape IN ARRAY ARRAY[
    'DELETE FROM missing WHERE id = 1;', 'DELETE FROM items WHERE id = 1;', 'SET LOCAL safedelete.allow_rows = 5;',
    'SAVEPOINT a; SET safedelete.allow_rows = 5; RELEASE a;', 'DO $b$ BEGIN DELETE FROM items WHERE id = 1; PERFORM missing(); END $b$;',
    'PREPARE a AS DELETE FROM items; EXECUTE a; DEALLOCATE a;', 'TRUNCATE items;',
    'CREATE FUNCTION f() RETURNS void LANGUAGE sql AS ''DELETE FROM missing; DELETE FROM items WHERE id = 1'';'
  ] LOOP
    FOR times IN 1..2 LOOP
      PERFORM count(*) FROM safedelete.check('BEGIN;' || repeat(shape, 10) || 'DELETE FROM items WHERE id = hold()');
      SELECT last_value INTO few FROM held;
    END LOOP;
    PERFORM count(*) FROM safedelete.check('BEGIN;' || repeat(shape, 3000) || 'DELETE FROM items WHERE id = hold()');
    SELECT last_value INTO many FROM held;
    -- Three copies of the script, and what contexts grow by at a time.
    IF many - few > 1000000 + 9000 * length(shape) THEN
      RAISE WARNING '%: % bytes with 10 of them, % with 3000', shape, few, many;
    END IF;
  END LOOP;
END $$;
RESET work_mem;
DROP FUNCTION hold, tricky;
DROP SEQUENCE held;
DROP TABLE items;
DROP EXTENSION safedelete;
