-- Rows that foreign keys reach.
CREATE TABLE a (id int PRIMARY KEY, v int);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE c (id int, b int REFERENCES b ON DELETE SET NULL);
CREATE INDEX ON b (a);
CREATE INDEX ON c (b);
INSERT INTO a SELECT g, g FROM generate_series(1, 1000) g;
INSERT INTO b SELECT g, 1 + g % 10 FROM generate_series(1, 1000) g;
INSERT INTO c SELECT g, 1 + g % 1000 FROM generate_series(1, 1000) g;
ANALYZE a, b, c;
DELETE FROM a WHERE id <= 6;
DELETE FROM a WHERE id <= 4;
SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b), (SELECT count(*) FROM c WHERE b IS NULL);
UPDATE a SET id = id + 1000 WHERE id BETWEEN 5 AND 10;
VACUUM ANALYZE b;
-- One by one they are the same statement.
DO $$ BEGIN FOR i IN 5..10 LOOP DELETE FROM a WHERE id = i; END LOOP; END $$;
-- The verdict is that of the statement that fired them.
CREATE ROLE regress_owner;
CREATE ROLE regress_bypass;
ALTER TABLE b OWNER TO regress_owner;
ALTER TABLE c OWNER TO regress_owner;
GRANT ALL ON a TO regress_owner, regress_bypass;
GRANT ALL ON b TO regress_bypass;
SET safedelete.bypass_role = regress_owner;
DELETE FROM a WHERE id <= 10;
SET safedelete.bypass_role = regress_bypass;
BEGIN;
SET LOCAL ROLE regress_bypass;
DELETE FROM a WHERE id <= 10;
ROLLBACK;
RESET safedelete.bypass_role;
BEGIN;
SET LOCAL safedelete.allow_rows = 600;
DELETE FROM a WHERE id <= 10;
ROLLBACK;
SET safedelete.mode = warn;
BEGIN;
DELETE FROM a WHERE id <= 10;
ROLLBACK;
RESET safedelete.mode;
-- A tree that refers to itself, and a cycle.
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE);
INSERT INTO tree SELECT g, nullif(g / 2, 0) FROM generate_series(1, 1023) g;
ANALYZE tree;
DELETE FROM tree WHERE id = 1;
DELETE FROM tree WHERE id = 2;
DELETE FROM tree WHERE id = 4;
SELECT count(*) FROM tree;
CREATE TABLE x (id int PRIMARY KEY, y int);
CREATE TABLE y (id int PRIMARY KEY, x int REFERENCES x ON DELETE CASCADE);
ALTER TABLE x ADD FOREIGN KEY (y) REFERENCES y ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO x SELECT g, g FROM generate_series(1, 300) g;
INSERT INTO y SELECT g, 1 + g % 300 FROM generate_series(1, 300) g;
COMMIT;
ANALYZE x, y;
DELETE FROM x WHERE id = 1;
SELECT (SELECT count(*) FROM x), (SELECT count(*) FROM y);
-- Replicas fire no foreign keys.
SET session_replication_role = replica;
DELETE FROM a WHERE id = 5;
SET session_replication_role = origin;
-- Many child tables.
CREATE TABLE hub (id int PRIMARY KEY);
INSERT INTO hub VALUES (1), (2);
DO $$ BEGIN FOR g IN 1..500 LOOP
  EXECUTE format('CREATE TABLE spoke_%s (id int, hub int REFERENCES hub ON DELETE CASCADE)', g);
  EXECUTE format('INSERT INTO spoke_%s VALUES (1, 1), (2, 2)', g);
END LOOP; END $$;
DELETE FROM hub WHERE id = 1;
INSERT INTO spoke_250 SELECT g, 2 FROM generate_series(3, 200) g;
ANALYZE spoke_250;
DELETE FROM hub WHERE id = 2;
SET client_min_messages = warning;
DO $$ BEGIN FOR g IN 1..500 LOOP EXECUTE format('DROP TABLE spoke_%s', g); END LOOP; END $$;
DROP TABLE hub, c, b, a, tree;
DROP TABLE x, y CASCADE;
DROP ROLE regress_owner, regress_bypass;
