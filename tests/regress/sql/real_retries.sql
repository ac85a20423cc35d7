-- Retold from public reports: a write that was refused is tried again, at once and after autovacuum has come by. What it
-- wrote before the refusal stays as dead rows, and they are not rows. The tests' min_rows is 100.
\set VERBOSITY terse
\set SHOW_CONTEXT never
CREATE SCHEMA real_retries;
SET search_path = real_retries;
CREATE TABLE stage (id int PRIMARY KEY, price int NOT NULL);
INSERT INTO stage SELECT g, g + 1 FROM generate_series(1, 3000) g;
CREATE TABLE product (id int PRIMARY KEY, price int NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO product SELECT g, g FROM generate_series(1, 3000) g;
ANALYZE product, stage;
MERGE INTO product p USING stage s ON p.id = s.id WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING stage s ON p.id = s.id WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING stage s ON p.id = s.id WHEN MATCHED THEN UPDATE SET price = 0;
-- As autovacuum does a minute later.
VACUUM ANALYZE product;
MERGE INTO product p USING stage s ON p.id = s.id WHEN MATCHED THEN UPDATE SET price = 0;
ANALYZE product;
MERGE INTO product p USING stage s ON p.id = s.id WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING stage s ON p.id = s.id AND s.id <= 1800 WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING stage s ON p.id = s.id AND s.id <= 1800 WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING stage s ON p.id = s.id WHEN MATCHED THEN DELETE;
MERGE INTO product p USING stage s ON p.id = s.id WHEN MATCHED THEN DELETE;
UPDATE product SET price = 0 WHERE id > 0;
UPDATE product SET price = 0 WHERE id > 0;
-- A larger one.
CREATE TABLE large (id int PRIMARY KEY, price int NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO large SELECT g, g FROM generate_series(1, 50000) g;
ANALYZE large;
MERGE INTO large USING generate_series(1, 50000) s ON large.id = s WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO large USING generate_series(1, 50000) s ON large.id = s WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO large USING generate_series(1, 50000) s ON large.id = s WHEN MATCHED THEN UPDATE SET price = 0;
-- A loop, a foreign key, an upsert, an import that failed, an UPDATE that was undone.
CREATE PROCEDURE wipe() LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN
  FOR r IN SELECT id FROM real_retries.product LOOP UPDATE real_retries.product SET price = -1 WHERE id = r.id; END LOOP;
END $$;
CALL wipe();
CALL wipe();
CALL wipe();
CREATE TABLE team (id int PRIMARY KEY);
INSERT INTO team VALUES (1), (2);
CREATE TABLE person (id int PRIMARY KEY, team_id int REFERENCES team ON DELETE SET NULL) WITH (autovacuum_enabled = off);
INSERT INTO person SELECT g, CASE WHEN g <= 1400 THEN 1 END FROM generate_series(1, 1500) g;
DELETE FROM team WHERE id = 1;
DELETE FROM team WHERE id = 1;
ANALYZE person;
DELETE FROM team WHERE id = 1;
SET safedelete.commands = 'delete, update, merge, upsert';
INSERT INTO product SELECT id, 0 FROM stage ON CONFLICT (id) DO UPDATE SET price = 0;
INSERT INTO product SELECT id, 0 FROM stage ON CONFLICT (id) DO UPDATE SET price = 0;
INSERT INTO product SELECT id, 0 FROM stage ON CONFLICT (id) DO UPDATE SET price = 0;
RESET safedelete.commands;
INSERT INTO product SELECT g, g FROM generate_series(10000, 14000) g UNION ALL SELECT 5, 5;
DELETE FROM product WHERE id > 0;
BEGIN; SET LOCAL safedelete.allow_rows = 3000; UPDATE product SET price = 1; ROLLBACK;
DELETE FROM product WHERE id > 2;
BEGIN; SET LOCAL safedelete.allow_rows = 3000; UPDATE product SET price = 1; ROLLBACK;
DELETE FROM product WHERE id > 2;
-- An ORM's steps of a thousand in a transaction.
SET safedelete.scope = transaction;
BEGIN;
UPDATE product SET price = 1 WHERE id BETWEEN 1 AND 1000;
UPDATE product SET price = 1 WHERE id BETWEEN 1001 AND 2000;
ROLLBACK;
BEGIN;
UPDATE product SET price = 1 WHERE id BETWEEN 1 AND 1000;
UPDATE product SET price = 1 WHERE id BETWEEN 1001 AND 2000;
COMMIT;
BEGIN;
UPDATE product SET price = 1 WHERE id BETWEEN 1 AND 1000;
UPDATE product SET price = 1 WHERE id BETWEEN 1001 AND 1500;
COMMIT;
RESET safedelete.scope;
SELECT count(*), count(*) FILTER (WHERE price = 0) AS zero, count(*) FILTER (WHERE price = 1) AS one FROM product;
SELECT count(team_id), count(*) FROM person;
-- max_rows does not wear off either.
SET safedelete.max_rows = 1500;
MERGE INTO product p USING stage s ON p.id = s.id WHEN MATCHED THEN UPDATE SET price = 0;
MERGE INTO product p USING stage s ON p.id = s.id WHEN MATCHED THEN UPDATE SET price = 0;
RESET safedelete.max_rows;
SET client_min_messages = warning;
DROP SCHEMA real_retries CASCADE;
