-- Sums over everything that one statement of the client runs.
CREATE TABLE items (id int PRIMARY KEY, n int);
CREATE TABLE seen (id int, n int);
INSERT INTO items SELECT g, g FROM generate_series(1, 1000) g;
ANALYZE items;
SET safedelete.max_rows = 100;
-- Point writes carry no guard, and count all the same.
DO $$ BEGIN FOR i IN 1..101 LOOP DELETE FROM items WHERE id = i; END LOOP; END $$;
DO $$ BEGIN FOR i IN 1..100 LOOP DELETE FROM items WHERE id = i; END LOOP; END $$;
SELECT count(*) FROM items;
-- What an EXCEPTION block undid is given back.
DO $$
BEGIN
  FOR i IN 1..5 LOOP
    BEGIN
      DELETE FROM items WHERE id BETWEEN 101 AND 180;
      RAISE EXCEPTION 'undo';
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
  DELETE FROM items WHERE id BETWEEN 101 AND 200;
END $$;
SELECT count(*) FROM items;
-- A function that fails after half its loop leaves no count behind.
CREATE FUNCTION half() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 201..290 LOOP
    UPDATE items SET n = 0 WHERE id = i;
  END LOOP;
  PERFORM 1 / 0;
END $$;
SELECT half();
UPDATE items SET n = 0 WHERE id BETWEEN 201 AND 300;
-- A procedure's COMMIT starts a new sum; its ROLLBACK too.
CREATE PROCEDURE purge() LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM items WHERE id BETWEEN 201 AND 260;
  COMMIT;
  DELETE FROM items WHERE id BETWEEN 261 AND 320;
  ROLLBACK;
  DELETE FROM items WHERE id BETWEEN 261 AND 340;
END $$;
CALL purge();
SELECT count(*) FROM items;
-- A trigger that deletes from its own table.
CREATE FUNCTION with_neighbour() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM items WHERE id = OLD.id + 100;
  RETURN OLD;
END $$;
CREATE TRIGGER t BEFORE DELETE ON items FOR EACH ROW EXECUTE FUNCTION with_neighbour();
DELETE FROM items WHERE id BETWEEN 341 AND 401;
SELECT count(*) FROM items;
DROP TRIGGER t ON items;
-- A query that calls a function for each row.
CREATE FUNCTION drop_item(i int) RETURNS int LANGUAGE sql AS 'DELETE FROM items WHERE id = i RETURNING id';
SELECT count(drop_item(g)) FROM generate_series(401, 501) g;
SELECT count(drop_item(g)) FROM generate_series(401, 500) g;
-- The transaction's sum: savepoints give back.
SET safedelete.scope = transaction;
BEGIN;
DELETE FROM items WHERE id = 501;
SAVEPOINT a;
DELETE FROM items WHERE id BETWEEN 502 AND 590;
ROLLBACK TO a;
SAVEPOINT b;
DELETE FROM items WHERE id BETWEEN 502 AND 560;
RELEASE b;
DELETE FROM items WHERE id BETWEEN 561 AND 600;
SELECT count(*) FROM items;
DELETE FROM items WHERE id = 601;
ROLLBACK;
RESET safedelete.scope;
-- Several statements of a string are several statements.
DELETE FROM items WHERE id BETWEEN 501 AND 560\; DELETE FROM items WHERE id BETWEEN 561 AND 620;
SELECT count(*) FROM items;
-- FETCH runs what the cursor's query calls.
BEGIN;
DECLARE c CURSOR FOR SELECT drop_item(g) FROM generate_series(621, 1000) g;
MOVE 60 FROM c;
MOVE 60 FROM c;
MOVE 101 FROM c;
ROLLBACK;
RESET safedelete.max_rows;
DROP FUNCTION half(), drop_item(int), with_neighbour();
DROP PROCEDURE purge();
DROP TABLE items, seen;
