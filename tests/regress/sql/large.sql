-- Large inputs: partitions, OR arms, spools that do not fit work_mem.
CREATE TABLE big (id int NOT NULL, v text) PARTITION BY RANGE (id);
DO $$ BEGIN FOR g IN 0..999 LOOP
  EXECUTE format('CREATE TABLE big_%s PARTITION OF big FOR VALUES FROM (%s) TO (%s)', g, g * 10, g * 10 + 10);
END LOOP; END $$;
INSERT INTO big SELECT g, 'v' FROM generate_series(0, 9999) g;
ANALYZE big;
DELETE FROM big WHERE v = 'v';
DELETE FROM big;
UPDATE big SET v = 'w' WHERE id < 4000;
SELECT count(*) FROM big WHERE v = 'w';
DELETE FROM big WHERE id < 4000 AND v = 'w';
SELECT count(*) FROM big;
-- 10,000 OR arms: neither a stack overflow nor quadratic time.
CREATE TABLE arms (id int NOT NULL, v int);
INSERT INTO arms SELECT g, g FROM generate_series(1, 1000) g;
ANALYZE arms;
DO $$ BEGIN EXECUTE (SELECT 'DELETE FROM arms WHERE ' || string_agg('id = ' || g, ' OR ') FROM generate_series(1001, 11000) g); END $$;
DO $$ BEGIN EXECUTE (SELECT 'DELETE FROM arms WHERE ' || string_agg('id < ' || -g || ' OR v > ' || 20000 + g, ' OR ') FROM generate_series(1, 5000) g); END $$;
\set SHOW_CONTEXT never
DO $$ BEGIN EXECUTE (SELECT 'DELETE FROM arms WHERE ' || string_agg('id = ' || g, ' OR ') || ' OR true' FROM generate_series(1, 10000) g); END $$;
SELECT count(*) FROM arms;
-- Spools beyond work_mem: identities and whole rows.
SET work_mem = '64kB';
CREATE TABLE wide (id int, v text);
INSERT INTO wide SELECT g, repeat('x', 200) FROM generate_series(1, 30000) g;
ANALYZE wide;
UPDATE wide SET v = v || id WHERE id <= 14000;
SELECT count(*), count(DISTINCT v) FROM wide WHERE length(v) > 200;
DELETE FROM wide WHERE id <= 14000;
VACUUM FULL ANALYZE wide;
UPDATE wide SET v = 'y' WHERE id > 0;
DELETE FROM wide WHERE id > 0;
SELECT count(*), min(length(v)) FROM wide;
-- A budget without bounds ends the collecting half-way.
SET safedelete.allow_rows = -1;
UPDATE wide SET v = 'y' || id WHERE id > 0;
SELECT count(DISTINCT v) FROM wide;
DELETE FROM wide WHERE id > 0;
SELECT count(*) FROM wide;
RESET safedelete.allow_rows;
RESET work_mem;
SELECT count(*) FROM pg_ls_tmpdir();
-- Tables with dropped columns.
CREATE TABLE dropped (a int, b int NOT NULL, c int, d int NOT NULL CHECK (d > 5));
ALTER TABLE dropped DROP COLUMN a, DROP COLUMN c;
INSERT INTO dropped SELECT g, g + 5 FROM generate_series(1, 50) g;
DELETE FROM dropped WHERE b = b;
DELETE FROM dropped WHERE d > 5;
DELETE FROM dropped WHERE d > 50;
UPDATE dropped SET b = d WHERE b < 10;
SELECT count(*) FROM dropped WHERE b = d;
DROP TABLE big, arms, wide, dropped;
-- Rows of a join that are told apart beyond work_mem, one a page.
CREATE TABLE spread (id int, part int, pad text) PARTITION BY LIST (part);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES IN (1) WITH (fillfactor = 10, autovacuum_enabled = off);
CREATE TABLE spread_2 PARTITION OF spread FOR VALUES IN (2) WITH (fillfactor = 10, autovacuum_enabled = off);
ALTER TABLE spread ALTER pad SET STORAGE PLAIN;
INSERT INTO spread SELECT g, 1 + g % 2, repeat('x', 700) FROM generate_series(1, 2000) g;
CREATE TABLE found AS SELECT g % 1500 + 1 AS id FROM generate_series(1, 4500) g;
ANALYZE spread, found;
SET work_mem = 64;
SET safedelete.max_rows = 1499;
DELETE FROM spread USING found WHERE spread.id = found.id;
UPDATE spread SET pad = 'y' FROM found WHERE spread.id = found.id;
DELETE FROM spread_1 USING found WHERE spread_1.id = found.id AND found.id <= 1400;
SET safedelete.max_rows = 100;
DELETE FROM spread USING found WHERE spread.id = found.id;
SET safedelete.max_rows = 1500;
SET safedelete.max_fraction = 1;
-- A part by itself.
SECURITY LABEL FOR safedelete ON TABLE spread_2 IS '{"max_rows": 749}';
DELETE FROM spread USING found WHERE spread.id = found.id;
SECURITY LABEL FOR safedelete ON TABLE spread_2 IS '{"max_rows": 750}';
BEGIN;
DELETE FROM spread USING found WHERE spread.id = found.id;
SELECT count(*) FROM spread;
ROLLBACK;
SECURITY LABEL FOR safedelete ON TABLE spread_2 IS NULL;
-- A warning tells the whole count.
SET safedelete.max_rows = 1400;
SET safedelete.mode = warn;
BEGIN;
UPDATE spread SET pad = 'y' FROM found WHERE spread.id = found.id;
ROLLBACK;
RESET safedelete.mode;
-- What fails on the way leaves nothing behind.
SET safedelete.max_rows = 1500;
SET temp_file_limit = 0;
\set VERBOSITY sqlstate
UPDATE spread SET pad = 'y' FROM found WHERE spread.id = found.id;
\set VERBOSITY default
RESET temp_file_limit;
SELECT count(*) FROM pg_ls_tmpdir();
-- Joins that repeat no row of the table tell none apart.
UPDATE spread SET pad = 'y' WHERE id IN (SELECT id FROM found) AND part = 1;
DELETE FROM spread WHERE NOT EXISTS (SELECT FROM found WHERE found.id = spread.id) AND id > 1400;
SELECT count(*), count(*) FILTER (WHERE pad = 'y') FROM spread;
RESET work_mem;
RESET safedelete.max_rows;
RESET safedelete.max_fraction;
DROP TABLE spread, found;
