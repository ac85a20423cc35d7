-- Foreign tables, on a second database of the same server.
\set VERBOSITY default
CREATE EXTENSION postgres_fdw;
CREATE DATABASE regress_remote;
SELECT current_database() AS home \gset
\c regress_remote
SET safedelete.mode = off;
ALTER DATABASE regress_remote SET safedelete.mode = off;
CREATE TABLE far (id int PRIMARY KEY, v int);
CREATE TABLE far_part (id int, v int);
INSERT INTO far SELECT g, g FROM generate_series(1, 1000) g;
INSERT INTO far_part SELECT g, g FROM generate_series(1000, 1999) g;
CREATE TABLE twice AS SELECT g AS id, n FROM generate_series(901, 3100) g, generate_series(1, 2) n WHERE g BETWEEN 901 AND 920 OR g > 3000;
\c :home
DO $$ BEGIN
  EXECUTE format('CREATE SERVER regress_far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
                 split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), 'regress_remote');
END $$;
CREATE USER MAPPING FOR CURRENT_USER SERVER regress_far OPTIONS (user 'postgres');
CREATE FOREIGN TABLE far (id int, v int) SERVER regress_far;
CREATE TABLE near (id int PRIMARY KEY);
INSERT INTO near SELECT generate_series(1, 1000);
ANALYZE far, near;
DELETE FROM far;
DELETE FROM far WHERE id IS NOT NULL;
EXPLAIN (COSTS OFF) DELETE FROM far WHERE v > 0;
-- Pushed down: counted when the server has answered.
DELETE FROM far WHERE v > 0;
DELETE FROM far WHERE v > 400 RETURNING id;
WITH d AS (DELETE FROM far WHERE v > 0) SELECT 1;
UPDATE far SET v = 0 WHERE v <= 500;
SELECT count(*), count(*) FILTER (WHERE v = 0) FROM far;
-- Row by row: counted before the first is written.
DELETE FROM far WHERE v > 0 OR random() > 2;
UPDATE far SET v = 1 WHERE (random() < 2 AND id <= 501);
UPDATE far SET v = 1 WHERE (random() < 2 AND id <= 500);
DELETE FROM far USING near WHERE far.id = near.id AND near.id <= 600;
DELETE FROM far USING near WHERE far.id = near.id AND near.id <= 10;
SELECT count(*) FROM far;
-- A partition that is foreign.
CREATE TABLE mixed (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE mixed_near PARTITION OF mixed FOR VALUES FROM (0) TO (1000);
CREATE FOREIGN TABLE mixed_far PARTITION OF mixed FOR VALUES FROM (1000) TO (2000) SERVER regress_far OPTIONS (table_name 'far_part');
INSERT INTO mixed_near SELECT g, g FROM generate_series(0, 999) g;
ANALYZE mixed_near, mixed_far;
DELETE FROM mixed WHERE v > 900;
DELETE FROM mixed WHERE v BETWEEN 500 AND 1499;
SELECT count(*) FROM mixed;
-- Parts with policies of their own: the foreign one, and a local one beside it.
SECURITY LABEL FOR safedelete ON FOREIGN TABLE mixed_far IS '{"max_rows": 3}';
DELETE FROM mixed WHERE v BETWEEN 1500 AND 1503;
DELETE FROM mixed WHERE v BETWEEN 1500 AND 1503 RETURNING id;
DELETE FROM mixed WHERE v BETWEEN 1500 AND 1502;
EXPLAIN (COSTS OFF) DELETE FROM mixed WHERE v > 900;
SECURITY LABEL FOR safedelete ON FOREIGN TABLE mixed_far IS NULL;
SECURITY LABEL FOR safedelete ON TABLE mixed_near IS '{"max_rows": 3}';
UPDATE mixed SET v = v WHERE v BETWEEN 10 AND 13;
DELETE FROM mixed WHERE v BETWEEN 10 AND 12 OR v > 1990;
SELECT count(*) FROM mixed;
-- Foreign children of a local parent: PostgreSQL puts a Result above the Append of an UPDATE.
CREATE TABLE tree (id int, v int);
CREATE TABLE tree_near () INHERITS (tree);
CREATE FOREIGN TABLE tree_far () INHERITS (tree) SERVER regress_far OPTIONS (table_name 'far');
CREATE TABLE tree_lower () INHERITS (tree);
CREATE FOREIGN TABLE tree_lower_far () INHERITS (tree_lower) SERVER regress_far OPTIONS (table_name 'far_part');
INSERT INTO tree_near SELECT g, g FROM generate_series(3001, 3100) g;
ANALYZE tree, tree_near, tree_far, tree_lower, tree_lower_far;
\set VERBOSITY terse
SET safedelete.max_rows = 450;
EXPLAIN (COSTS OFF) UPDATE tree SET v = v + 5 WHERE id > 500;
UPDATE tree SET v = v + 5 WHERE id > 500;
WITH w AS (UPDATE tree SET v = v + 5 WHERE id > 500) SELECT 1;
WITH w AS (UPDATE tree SET v = v + 5 WHERE id > 500 RETURNING id) SELECT count(*) FROM w;
UPDATE tree_lower SET v = v + 5 WHERE id > 1500;
UPDATE tree SET v = v + 5 WHERE id BETWEEN 901 AND 1300;
DELETE FROM tree WHERE id > 500;
-- A part of it by itself.
SECURITY LABEL FOR safedelete ON FOREIGN TABLE tree_lower_far IS '{"max_rows": 3}';
UPDATE tree SET v = v + 5 WHERE id BETWEEN 1500 AND 1503 OR id > 3050;
UPDATE tree SET v = v + 5 WHERE id BETWEEN 1500 AND 1502 OR id > 3050;
SECURITY LABEL FOR safedelete ON FOREIGN TABLE tree_lower_far IS NULL;
-- A join that finds each row twice.
CREATE FOREIGN TABLE twice (id int, n int) SERVER regress_far OPTIONS (table_name 'twice');
SET safedelete.max_rows = 110;
EXPLAIN (COSTS OFF) UPDATE tree SET v = 0 FROM twice WHERE tree.id = twice.id;
UPDATE tree SET v = 0 FROM twice WHERE tree.id = twice.id;
UPDATE tree SET v = 0 FROM twice WHERE tree.id = twice.id RETURNING tree.id % 10;
DELETE FROM tree USING twice WHERE tree.id = twice.id;
SET safedelete.max_rows = 120;
BEGIN;
UPDATE tree SET v = 0 FROM twice WHERE tree.id = twice.id;
ROLLBACK;
WITH w AS (UPDATE tree SET v = 0 FROM twice WHERE tree.id = twice.id RETURNING tree.id) SELECT count(*) FROM w;
DELETE FROM tree USING twice WHERE tree.id = twice.id;
RESET safedelete.max_rows;
\set VERBOSITY default
-- The size is what its server counts, and what the sum has deleted over there.
SET safedelete.min_rows = 100; SET safedelete.allow_rows = -1;
DELETE FROM far WHERE id > 400;
RESET safedelete.allow_rows;
ANALYZE far;
SELECT count(*) AS n FROM far \gset
SELECT :n > 201 AND :n <= 400 AS few;
BEGIN;
DO $$ BEGIN FOR i IN 1..400 LOOP DELETE FROM far WHERE id = i; END LOOP; END $$;
ROLLBACK;
BEGIN;
DO $$ BEGIN FOR i IN 0..9 LOOP DELETE FROM far WHERE id BETWEEN 40 * i + 1 AND 40 * i + 40; END LOOP; END $$;
ROLLBACK;
RESET safedelete.min_rows;
TRUNCATE far;
DROP TABLE tree CASCADE;
DROP TABLE mixed, near;
DROP EXTENSION postgres_fdw CASCADE;
DROP DATABASE regress_remote;
