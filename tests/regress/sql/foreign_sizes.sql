-- The size of a foreign table is counted by its server: never analysed, analysed long ago, or while it deletes.
\set VERBOSITY default
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS safedelete;
RESET client_min_messages;
CREATE EXTENSION postgres_fdw;
CREATE DATABASE regress_sizes;
SELECT current_database() AS home \gset
\c regress_sizes
SET safedelete.mode = off;
ALTER DATABASE regress_sizes SET safedelete.mode = off;
CREATE TABLE large (id int PRIMARY KEY, v int);
INSERT INTO large SELECT g, 0 FROM generate_series(1, 15000) g;
CREATE TABLE small (id int PRIMARY KEY, v int);
INSERT INTO small SELECT g, 0 FROM generate_series(1, 400) g;
CREATE TABLE huge (id int PRIMARY KEY, v int);
INSERT INTO huge SELECT g, 0 FROM generate_series(1, 50000) g;
\c :home
DO $$ BEGIN
  EXECUTE format('CREATE SERVER regress_sizes FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
                 split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), 'regress_sizes');
END $$;
CREATE USER MAPPING FOR CURRENT_USER SERVER regress_sizes OPTIONS (user 'postgres');
CREATE FOREIGN TABLE large (id int, v int) SERVER regress_sizes;
CREATE FOREIGN TABLE small (id int, v int) SERVER regress_sizes;
CREATE FOREIGN TABLE huge (id int, v int) SERVER regress_sizes;
SET safedelete.min_rows = 100;
-- Never analysed: a small share of many, a large one of few.
BEGIN;
UPDATE large SET v = 1 WHERE id <= 7500;
ROLLBACK;
UPDATE large SET v = 1 WHERE id <= 7501;
UPDATE small SET v = 1 WHERE id <= 201;
UPDATE small SET v = 1 WHERE id <= 200;
DELETE FROM huge WHERE id <= 30000;
-- Deleted over there before it is counted; row by row, counted before the first goes; with rows that come by.
BEGIN;
DELETE FROM small WHERE id <= 200;
ROLLBACK;
DELETE FROM small WHERE id <= 201;
DELETE FROM small WHERE id <= 201 AND random() < 2;
BEGIN;
WITH d AS (DELETE FROM small WHERE id <= 200 RETURNING id) SELECT count(*) FROM d;
ROLLBACK;
WITH d AS (DELETE FROM small WHERE id <= 201 RETURNING id) SELECT count(*) FROM d;
-- Held against the size from the first row on.
SET safedelete.min_rows = 0;
BEGIN;
WITH d AS (DELETE FROM small WHERE id <= 200 RETURNING id) SELECT count(*) FROM d;
ROLLBACK;
WITH d AS (DELETE FROM small WHERE id <= 201 RETURNING id) SELECT count(*) FROM d;
SET safedelete.min_rows = 100;
-- A sum of a loop, and of a transaction.
BEGIN;
DO $$ BEGIN FOR i IN 0..3 LOOP DELETE FROM small WHERE id BETWEEN 50 * i + 1 AND 50 * i + 50; END LOOP; END $$;
ROLLBACK;
DO $$ BEGIN FOR i IN 0..4 LOOP DELETE FROM small WHERE id BETWEEN 50 * i + 1 AND 50 * i + 50; END LOOP; END $$;
BEGIN;
SET LOCAL safedelete.scope = transaction;
DELETE FROM small WHERE id <= 150;
DELETE FROM small WHERE id BETWEEN 151 AND 200 AND random() < 2;
DELETE FROM small WHERE id = 201;
ROLLBACK;
-- Analysed when it was larger: what has gone since does not count.
ANALYZE huge;
SET safedelete.allow_rows = -1;
DELETE FROM huge WHERE id > 300;
RESET safedelete.allow_rows;
UPDATE huge SET v = 1 WHERE id <= 151;
UPDATE huge SET v = 1 WHERE id <= 150;
-- A tree with a foreign part.
CREATE TABLE whole (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE whole_near PARTITION OF whole FOR VALUES FROM (1000) TO (2000);
CREATE FOREIGN TABLE whole_far PARTITION OF whole FOR VALUES FROM (0) TO (1000) SERVER regress_sizes OPTIONS (table_name 'small');
INSERT INTO whole SELECT g, 0 FROM generate_series(1000, 1599) g;
BEGIN;
DELETE FROM whole WHERE id BETWEEN 1 AND 400 OR id BETWEEN 1000 AND 1099;
ROLLBACK;
DELETE FROM whole WHERE id BETWEEN 1 AND 400 OR id BETWEEN 1000 AND 1100;
-- The foreign part has a policy of its own: it is counted when its server has deleted, and its rows may come by.
SECURITY LABEL FOR safedelete ON FOREIGN TABLE whole_far IS '{"min_rows": 0}';
BEGIN;
DELETE FROM whole WHERE id BETWEEN 1 AND 200;
ROLLBACK;
DELETE FROM whole WHERE id BETWEEN 1 AND 201;
BEGIN;
WITH d AS (DELETE FROM whole WHERE id BETWEEN 1 AND 200 RETURNING id) SELECT count(*) FROM d;
ROLLBACK;
WITH d AS (DELETE FROM whole WHERE id BETWEEN 1 AND 201 RETURNING id) SELECT count(*) FROM d;
BEGIN;
DO $$ BEGIN FOR i IN 0..3 LOOP DELETE FROM whole WHERE id BETWEEN 50 * i + 1 AND 50 * i + 50; END LOOP; END $$;
ROLLBACK;
DO $$ BEGIN FOR i IN 0..4 LOOP DELETE FROM whole WHERE id BETWEEN 50 * i + 1 AND 50 * i + 50; END LOOP; END $$;
SECURITY LABEL FOR safedelete ON FOREIGN TABLE whole_far IS NULL;
-- The foreign part goes when its server has been asked and the near one is counted in part.
CREATE TABLE later (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE later_near PARTITION OF later FOR VALUES FROM (-1000) TO (1);
CREATE FOREIGN TABLE later_far PARTITION OF later FOR VALUES FROM (1) TO (1000) SERVER regress_sizes OPTIONS (table_name 'small');
INSERT INTO later SELECT -g, 0 FROM generate_series(1, 600) g;
DELETE FROM later WHERE id <= -300 OR id >= 100;
DELETE FROM later WHERE id <= -400 OR id > 100;
BEGIN;
DELETE FROM later WHERE id < -400 OR id > 100;
ROLLBACK;
DELETE FROM later WHERE id <> 0;
UPDATE later SET v = 3 WHERE id <= -400 OR id > 100;
-- Through a view: as its owner, whose mapping it is; the caller has none.
CREATE ROLE regress_caller;
CREATE VIEW through AS SELECT * FROM small;
GRANT SELECT, UPDATE ON through TO regress_caller;
SET ROLE regress_caller;
UPDATE through SET v = 2 WHERE id <= 201;
UPDATE through SET v = 2 WHERE id <= 200;
RESET ROLE;
DROP VIEW through;
DROP ROLE regress_caller;
-- What check and EXPLAIN say is an estimate, for they ask nobody.
SELECT verdict FROM safedelete.check('UPDATE small SET v = 1 WHERE id <= 10'::text);
-- TRUNCATE goes by the count as well, and by the estimate where the server does not let the role read.
TRUNCATE large;
TRUNCATE small;
DROP TABLE whole;
DROP EXTENSION postgres_fdw CASCADE;
DROP DATABASE regress_sizes;
