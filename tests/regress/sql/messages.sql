-- What a refused user sees: primary message, DETAIL, HINT, SQLSTATE, fields.
\set VERBOSITY default
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, note text, CHECK (id > 0));
INSERT INTO orders SELECT g, g % 50, NULL FROM generate_series(1, 5000) g;
CREATE TABLE gone (customer int);
INSERT INTO gone VALUES (1), (2);
ANALYZE orders, gone;
DELETE FROM orders;
\echo :LAST_ERROR_SQLSTATE
UPDATE orders SET note = 'x' WHERE true;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM orders WHERE id > 0;
DELETE FROM orders WHERE customer_id IN (SELECT customer_id FROM gone);
DELETE FROM orders WHERE id > 10;
\echo :LAST_ERROR_SQLSTATE
SET safedelete.max_rows = 500;
DELETE FROM orders WHERE id > 10;
RESET safedelete.max_rows;
DELETE FROM gone WHERE customer < 10;
SET safedelete.allow_rows = 100;
DELETE FROM orders WHERE id > 10;
DELETE FROM orders;
RESET safedelete.allow_rows;
-- The fields, and CONTEXT is PostgreSQL's own.
DO $$
DECLARE
  s text; t text; m text; d text;
BEGIN
  DELETE FROM orders;
EXCEPTION WHEN cardinality_violation THEN
  GET STACKED DIAGNOSTICS s = SCHEMA_NAME, t = TABLE_NAME, m = MESSAGE_TEXT, d = PG_EXCEPTION_CONTEXT;
  RAISE NOTICE '% | % | % | %', s, t, m, d;
END $$;
-- A small table is free of the fraction, not of max_rows.
CREATE TABLE tiny AS SELECT generate_series(1, 40) AS id;
ANALYZE tiny;
SET safedelete.min_rows = 10;
DELETE FROM tiny WHERE id > 0;
SET safedelete.max_rows = 0;
DELETE FROM tiny WHERE id = 1;
DELETE FROM orders WHERE id = 1;
RESET safedelete.max_rows;
RESET safedelete.min_rows;
-- Names in other scripts, and quotes.
CREATE TABLE "Überweisung ""Ä""" ("Größe" int NOT NULL, "数" int);
DELETE FROM "Überweisung ""Ä""" WHERE "Größe" = "Größe";
DELETE FROM "Überweisung ""Ä""" WHERE "数" = 1;
-- No columns, no statistics.
CREATE TABLE nothing ();
DELETE FROM nothing;
DELETE FROM nothing WHERE ctid = '(0,1)';
DROP TABLE orders, gone, tiny, "Überweisung ""Ä""", nothing;
