-- Rows of a view with INSTEAD OF triggers are told apart by their values where the statement joins it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS safedelete;
\set VERBOSITY default
SET safedelete.max_rows = 100;
CREATE TABLE base (id int PRIMARY KEY, note text);
INSERT INTO base SELECT g, repeat('n', g % 500) FROM generate_series(1, 101) g;
CREATE SEQUENCE fired;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM nextval('fired'); IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$;
CREATE VIEW v AS SELECT * FROM base;
CREATE TRIGGER i INSTEAD OF UPDATE OR DELETE ON v FOR EACH ROW EXECUTE FUNCTION instead();
CREATE TABLE j AS SELECT g AS n FROM generate_series(1, 5) g;
-- 60 rows, each five times; so from each kind of join, and sorted on its way.
DELETE FROM v USING j WHERE v.id <= 60 AND j.n > 0;
UPDATE v SET note = 'u' FROM j WHERE v.id <= 60 AND j.n < v.id + 10;
SET enable_nestloop = off; SET enable_hashjoin = off;
DELETE FROM v USING j WHERE v.id <= 60 AND v.id % 1 = j.n % 1;
SET enable_mergejoin = off; RESET enable_hashjoin;
DELETE FROM v USING j WHERE v.id <= 60 AND v.id % 1 = j.n % 1;
RESET enable_nestloop; RESET enable_mergejoin;
-- 101 rows.
SELECT setval('fired', 1);
DELETE FROM v USING j WHERE v.id > 0 AND j.n > 0;
UPDATE v SET note = 'u' FROM j WHERE v.id > j.n - 5;
SELECT last_value FROM fired;
-- In more memory than there is, the rest in a sort.
SET work_mem = 64;
SET safedelete.max_rows = 6000;
INSERT INTO base SELECT g, 'more' FROM generate_series(102, 6000) g;
DELETE FROM v USING j WHERE v.id > 0 AND j.n > 3;
INSERT INTO base VALUES (6001, 'one too many');
DELETE FROM v USING j WHERE v.id > 0 AND j.n > 3;
RESET work_mem;
-- Equal rows are told apart by nothing: alone each counts, joined they are one.
SET safedelete.max_rows = 100;
CREATE VIEW w AS SELECT 'same' AS note FROM base WHERE id <= 101;
CREATE TRIGGER i INSTEAD OF DELETE ON w FOR EACH ROW EXECUTE FUNCTION instead();
DELETE FROM w WHERE note = 'same';
DELETE FROM w USING j WHERE note = 'same' AND length(note) < j.n;
DROP TABLE base, j CASCADE;
DROP FUNCTION instead() CASCADE;
DROP SEQUENCE fired;
