-- The new values of an UPDATE are computed when a row is written, as without the guard, though all rows
-- are collected before. Each statement runs with mode off and with the guard, from the same start.
CREATE SEQUENCE ticket;
CREATE TABLE written (n int);
CREATE TABLE items (id int PRIMARY KEY, a int, b int, gone text, c text DEFAULT 'c', twice int GENERATED ALWAYS AS (a * 2) STORED);
ALTER TABLE items DROP COLUMN gone;
CREATE TABLE pairs (id int, k int, wide text);
CREATE TABLE parts (id int, k int, a int, b text) PARTITION BY LIST (k);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES IN (0);
CREATE TABLE parts_1 (b text, gone int, a int, k int, id int);
ALTER TABLE parts_1 DROP COLUMN gone;
ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES IN (1);
CREATE TABLE parts_more PARTITION OF parts DEFAULT PARTITION BY RANGE (id);
CREATE TABLE parts_more_0 PARTITION OF parts_more FOR VALUES FROM (0) TO (20);
CREATE TABLE parts_more_1 PARTITION OF parts_more DEFAULT;
CREATE TABLE tree (id int, a int, b text);
CREATE TABLE tree_1 (extra int) INHERITS (tree);
CREATE TABLE tree_2 () INHERITS (tree_1);
CREATE VIEW some_items AS SELECT id, a, b FROM items WHERE a < 100000 WITH CHECK OPTION;
CREATE FUNCTION written() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT count(*)::int FROM written';
CREATE FUNCTION sum_of_items() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT sum(a)::int FROM items';
CREATE FUNCTION sum_of_parts() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT sum(a)::int FROM parts';
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO written VALUES (1); RETURN NEW; END $$;
CREATE TRIGGER note BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note BEFORE UPDATE ON parts FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note AFTER UPDATE ON tree FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note BEFORE UPDATE ON tree_1 FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION outcome(statement text, mode text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text := '';
  row record;
BEGIN
  PERFORM set_config('safedelete.mode', 'off', true);
  TRUNCATE items, pairs, parts, tree, written;
  PERFORM setval('ticket', 1, false), setseed(0.5);
  INSERT INTO items SELECT g, g, 0 FROM generate_series(1, 12) g;
  INSERT INTO pairs SELECT g % 8, g, repeat('w', g * 400) FROM generate_series(1, 16) g;
  INSERT INTO parts SELECT g, g % 4, g, 'x' FROM generate_series(1, 30) g;
  INSERT INTO tree SELECT g, g, 'h' FROM generate_series(1, 5) g;
  INSERT INTO tree_1 SELECT g, g, 'h', 1 FROM generate_series(6, 9) g;
  INSERT INTO tree_2 SELECT g, g, 'h', 1 FROM generate_series(10, 12) g;
  ANALYZE items, pairs, parts, tree;
  PERFORM set_config('safedelete.mode', mode, true);
  BEGIN
    FOR row IN EXECUTE statement LOOP result := result || row::text; END LOOP;
  EXCEPTION WHEN OTHERS THEN
    result := SQLSTATE || ' ' || SQLERRM;
  END;
  PERFORM set_config('safedelete.mode', 'off', true);
  SELECT result || coalesce(string_agg(i::text, '' ORDER BY id), '') INTO result FROM items i;
  SELECT result || coalesce(string_agg(p::text || p.tableoid::regclass, '' ORDER BY id), '') INTO result FROM parts p;
  SELECT result || coalesce(string_agg(t::text || t.tableoid::regclass, '' ORDER BY id), '') INTO result FROM tree t;
  RETURN result || (SELECT count(*) FROM written) || ' ' || (SELECT last_value FROM ticket);
END $$;
CREATE TABLE cases (n serial, statement text);
COPY cases (statement) FROM stdin;
UPDATE items SET a = nextval('ticket') WHERE id > 0 RETURNING a, currval('ticket')
UPDATE items SET a = a + nextval('ticket'), b = nextval('ticket') + 5, c = c || id WHERE id > 0 RETURNING *, currval('ticket')
UPDATE items SET a = written() WHERE id > 0 RETURNING *
UPDATE items SET a = sum_of_items() WHERE id > 3 RETURNING a
UPDATE items SET a = sum_of_items() + (SELECT count(*) FROM written) WHERE id > 3 RETURNING a
UPDATE items SET a = (SELECT nextval('ticket')) WHERE id > 3 RETURNING a, currval('ticket')
UPDATE items SET a = (SELECT nextval('ticket') + pairs.k FROM pairs WHERE pairs.k = items.id) WHERE id > 3 RETURNING a, currval('ticket')
UPDATE items SET (a, b) = (SELECT nextval('ticket'), pairs.k + written() FROM pairs WHERE pairs.k = items.id) WHERE id > 3 RETURNING a, b, currval('ticket')
UPDATE items SET (a, b) = (SELECT pairs.k, pairs.k FROM pairs WHERE pairs.k = items.id), c = nextval('ticket') WHERE id > 3 RETURNING a, b, c, currval('ticket')
UPDATE items SET (a, b) = ROW(nextval('ticket'), id) WHERE id > 3 RETURNING a, b, c, currval('ticket')
UPDATE items SET a = pairs.k + nextval('ticket'), c = pairs.wide FROM pairs WHERE pairs.id = items.id RETURNING items.a, left(items.c, 5), pairs.k, currval('ticket')
UPDATE items SET a = length(pairs::text) + written(), c = left(items::text, 3) || written() FROM pairs WHERE pairs.id = items.id AND pairs.k < 9 RETURNING items.*, pairs.k
UPDATE items SET c = random() WHERE id > 2 RETURNING *
UPDATE items SET a = x.k + written() FROM (SELECT id, max(k) k FROM pairs GROUP BY id) x WHERE x.id = items.id RETURNING items.*, x.k
UPDATE items SET a = CASE WHEN id IN (SELECT k FROM pairs WHERE k > written()) THEN written() ELSE -written() END WHERE id > 1 RETURNING *
UPDATE items SET a = coalesce((SELECT max(n) FROM written), 0) + written() WHERE id > 1 RETURNING *
UPDATE some_items SET a = a + nextval('ticket') WHERE id > 1 RETURNING *, currval('ticket')
UPDATE some_items SET a = a + nextval('ticket') + 99990 WHERE id > 1 RETURNING *, currval('ticket')
UPDATE parts SET a = a + nextval('ticket') WHERE id > 0 RETURNING *, tableoid::regclass, currval('ticket')
UPDATE parts SET a = written(), b = b || nextval('ticket') WHERE id > 4 RETURNING *, tableoid::regclass
UPDATE parts SET k = (k + written()) % 5 WHERE id > 4 RETURNING *, tableoid::regclass
UPDATE parts SET a = sum_of_parts() WHERE id > 20 RETURNING *, tableoid::regclass
UPDATE parts SET b = left(parts::text, 5) || written() WHERE id > 20 RETURNING *, tableoid::regclass
UPDATE parts SET (a, b) = (SELECT nextval('ticket'), max(wide) FROM pairs WHERE pairs.id = parts.k) WHERE id > 20 RETURNING id, a, left(b, 4), currval('ticket')
UPDATE parts SET a = pairs.k + written(), b = left(pairs.wide, 7) FROM pairs WHERE pairs.id = parts.k AND parts.id < 25 RETURNING parts.id, a, left(b, 4), pairs.k
UPDATE parts SET a = written() WHERE k = 1 AND id > 2 RETURNING *
UPDATE parts SET a = written() WHERE k = (SELECT 1) AND id > 2 RETURNING *
UPDATE tree SET a = a + nextval('ticket') WHERE id > 0 RETURNING *, tableoid::regclass, currval('ticket')
UPDATE tree SET a = written(), b = left(tree::text, 5) || written() WHERE id > 0 RETURNING *, tableoid::regclass
UPDATE tree SET (a, b) = (SELECT written(), left(max(wide), 4) FROM pairs WHERE pairs.k = tree.id) WHERE id > 0 RETURNING *, tableoid::regclass
UPDATE tree SET a = pairs.k + written() FROM pairs WHERE pairs.id = tree.id RETURNING tree.*, pairs.k
UPDATE items SET a = written() WHERE id > 0 AND current_setting('work_mem') <> '' RETURNING *
UPDATE items SET a = written() WHERE id > 0 AND current_setting('work_mem') = '' RETURNING *
UPDATE items SET a = written() WHERE id > 3 AND id < 1 RETURNING *
UPDATE items SET a = written() WHERE id IN (3, 4, 5) RETURNING *
UPDATE items SET a = written() WHERE ctid = ANY (ARRAY['(0,1)', '(0,1)', '(0,3)']::tid[]) RETURNING *
UPDATE items SET a = written() WHERE id IN (SELECT k FROM pairs) RETURNING *
UPDATE items SET a = written() WHERE NOT EXISTS (SELECT FROM pairs WHERE pairs.k = items.id + 8) RETURNING *
UPDATE items SET a = x.n + written() FROM generate_series(1, 3) x(n) WHERE x.n = items.id RETURNING *
UPDATE items SET a = x.n + written() FROM (VALUES (1), (2)) x(n) WHERE x.n = items.id RETURNING *
WITH w AS (UPDATE items SET a = written() WHERE id > 2 RETURNING id, a) SELECT * FROM w
WITH w AS (SELECT nextval('ticket') n) UPDATE items SET a = (SELECT n FROM w) + written() WHERE id > 2 RETURNING id, a
UPDATE items SET a = 10 / (4 - written()) WHERE id > 2 RETURNING *
\.
CREATE FUNCTION differences() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  c record;
  compared int := 0;
BEGIN
  FOR c IN SELECT * FROM cases ORDER BY n LOOP
    compared := compared + 1;
    IF outcome(c.statement, 'off') <> outcome(c.statement, 'enforce') THEN RETURN NEXT c.statement; END IF;
  END LOOP;
  RETURN NEXT compared || ' statements compared';
END $$;
SET safedelete.min_rows = 1000000;
SELECT differences();
-- Over work_mem; by other plans; from a cached plan.
SET work_mem = 64;
SELECT differences();
RESET work_mem;
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT differences();
SET enable_nestloop = on;
SET enable_mergejoin = off;
SET enable_seqscan = off;
SET plan_cache_mode = force_generic_plan;
SELECT differences();
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_seqscan;
RESET plan_cache_mode;
-- Where any number is allowed, rows are collected up to where that is known.
SET safedelete.min_rows = 2;
SET safedelete.max_fraction = 0.99;
SET safedelete.allow_rows = 100000;
SELECT differences();
RESET safedelete.allow_rows;
RESET safedelete.max_fraction;
RESET safedelete.min_rows;
-- What the guard runs earlier than PostgreSQL would, EXPLAIN says: conditions, and what is joined.
EXPLAIN (VERBOSE, COSTS OFF) UPDATE items SET a = a + nextval('ticket'), b = b + 1 WHERE id > 0;
EXPLAIN (COSTS OFF) UPDATE parts SET a = written() WHERE id > 0;
EXPLAIN (COSTS OFF) UPDATE items SET a = 1 WHERE id > 0 AND random() < 2;
EXPLAIN (COSTS OFF) DELETE FROM items WHERE id > written();
EXPLAIN (COSTS OFF) DELETE FROM items USING (SELECT id, nextval('ticket') n FROM pairs) p WHERE p.id = items.id;
EXPLAIN (COSTS OFF) DELETE FROM items WHERE id > 0;
DROP VIEW some_items;
DROP TABLE items, pairs, parts, tree, written, cases CASCADE;
DROP FUNCTION written(), sum_of_items(), sum_of_parts(), note(), outcome(text, text), differences();
DROP SEQUENCE ticket;
