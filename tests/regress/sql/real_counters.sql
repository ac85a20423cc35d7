-- Retold from public reports: rows that are written again and again, and what to declare of tables whose large writes
-- are normal. The tests' min_rows is 100.
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE SCHEMA real_counters;
SET search_path = real_counters, public;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS safedelete;
RESET client_min_messages;
CREATE TABLE shop (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, touched timestamptz);
INSERT INTO shop SELECT g FROM generate_series(1, 5) g;
CREATE TABLE sale (id serial PRIMARY KEY, shop_id int NOT NULL REFERENCES shop, amount int NOT NULL DEFAULT 1);
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN UPDATE shop SET n = n + 1, touched = now() WHERE id = NEW.shop_id; RETURN NULL; END $$;
CREATE TRIGGER bump AFTER INSERT ON sale FOR EACH ROW EXECUTE FUNCTION bump();
-- A bulk insert, an ORM's many values, a load: each row of a shop's counts it up, and it is one row.
INSERT INTO sale (shop_id) SELECT 1 FROM generate_series(1, 101);
\set ECHO none
SELECT 'INSERT INTO sale (shop_id) VALUES ' || string_agg('(2)', ',') FROM generate_series(1, 150) \gexec
\set ECHO all
COPY sale (shop_id) FROM PROGRAM 'yes 3 | head -n 150';
INSERT INTO sale (shop_id) SELECT 1 + g % 5 FROM generate_series(1, 2000) g;
SELECT id, n FROM shop ORDER BY id;
-- Gapless numbers, progress.
CREATE TABLE number_range (name text PRIMARY KEY, last int NOT NULL);
INSERT INTO number_range VALUES ('invoice', 0);
CREATE FUNCTION next_no(text) RETURNS int LANGUAGE sql AS
  'UPDATE number_range SET last = last + 1 WHERE name = $1 RETURNING last';
CREATE TABLE invoice (no int PRIMARY KEY);
INSERT INTO invoice SELECT next_no('invoice') FROM generate_series(1, 150);
SELECT count(*), max(no) FROM invoice;
CREATE TABLE progress (job int PRIMARY KEY, done int NOT NULL);
INSERT INTO progress VALUES (1, 0);
DO $$ BEGIN FOR i IN 1..150 LOOP UPDATE progress SET done = i WHERE job = 1; END LOOP; END $$;
SET safedelete.scope = transaction;
BEGIN;
\set ECHO none
SELECT 'UPDATE progress SET done = ' || g || ' WHERE job = 1' FROM generate_series(1, 102) g \gexec
\set ECHO all
COMMIT;
RESET safedelete.scope;
-- Two hundred sales of one of 300 shops write one shop, of all of them all.
INSERT INTO shop SELECT g FROM generate_series(6, 300) g;
INSERT INTO sale (shop_id) SELECT 7 FROM generate_series(1, 200);
SELECT relation, command, rows, table_rows, by, verdict
  FROM safedelete.dry_run('INSERT INTO sale (shop_id) SELECT 7 FROM generate_series(1, 200)') ORDER BY 1, 2;
INSERT INTO sale (shop_id) SELECT g FROM generate_series(1, 151) g;
-- A statement trigger over a transition table.
CREATE FUNCTION bump_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  UPDATE shop s SET n = n + x.c FROM (SELECT shop_id, count(*) c FROM new_rows GROUP BY 1) x WHERE x.shop_id = s.id;
  RETURN NULL; END $$;
DROP TRIGGER bump ON sale;
CREATE TRIGGER bump_all AFTER INSERT ON sale REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION bump_all();
INSERT INTO sale (shop_id) SELECT 7 FROM generate_series(1, 2000);
-- Each shop joined to many sales counts once, and the seven that have any are few.
UPDATE shop SET n = 1 FROM sale WHERE sale.shop_id = shop.id;

-- A policy for what is often written whole; its rule where stays.
CREATE TABLE job_entry (id int PRIMARY KEY, done bool);
INSERT INTO job_entry SELECT g, g > 40 FROM generate_series(1, 5040) g;
SELECT FROM safedelete.set_policy('job_entry', '{"max_fraction": 1}');
DELETE FROM job_entry WHERE done;
DELETE FROM job_entry;
SELECT count(*) FROM job_entry;
SELECT FROM safedelete.set_policy('shop', '{"max_rows": 5}');
INSERT INTO sale (shop_id) SELECT 1 + g % 5 FROM generate_series(1, 100) g;
INSERT INTO sale (shop_id) SELECT 1 + g % 6 FROM generate_series(1, 100) g;
UPDATE shop SET n = 0;
-- A migration in the transaction that made the table; emptied and loaded in one.
BEGIN;
CREATE TABLE tag (id int, slug text);
INSERT INTO tag SELECT g, ' S' || g FROM generate_series(1, 500) g;
UPDATE tag SET slug = lower(trim(slug));
UPDATE tag SET slug = trim(slug) WHERE slug <> trim(slug);
DELETE FROM tag WHERE id > 1;
COMMIT;
SELECT count(*) FROM tag;
SET client_min_messages = warning;
DROP SCHEMA real_counters CASCADE;
