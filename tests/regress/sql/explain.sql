-- EXPLAIN shows the guard, its limit, where that comes from, and with ANALYZE what it counted.
CREATE TABLE parent (id int PRIMARY KEY, kind int);
CREATE TABLE child (id int, parent int REFERENCES parent ON DELETE CASCADE);
CREATE TABLE grandchild (id int);
INSERT INTO parent SELECT g, g % 10 FROM generate_series(1, 1000) g;
INSERT INTO child SELECT g, 1 + g % 1000 FROM generate_series(1, 4000) g;
CREATE INDEX ON child (parent);
ANALYZE parent, child;
EXPLAIN (COSTS OFF) DELETE FROM parent WHERE kind = 1;
-- A point write that cascades carries a guard for EXPLAIN ANALYZE only.
EXPLAIN (COSTS OFF) DELETE FROM parent WHERE id = 7;
-- A point write runs the plan that PostgreSQL made.
EXPLAIN (COSTS OFF) UPDATE parent SET kind = 2 WHERE id = 7;
-- Never refused, but told.
EXPLAIN (COSTS OFF) DELETE FROM parent;
SET safedelete.max_rows = 50;
EXPLAIN (COSTS OFF) DELETE FROM parent WHERE kind = 1;
SET safedelete.allow_rows = 300;
EXPLAIN (COSTS OFF) DELETE FROM parent WHERE kind = 1;
SET safedelete.allow_rows = -1;
EXPLAIN (COSTS OFF) DELETE FROM parent WHERE kind = 1;
RESET safedelete.allow_rows;
RESET safedelete.max_rows;
-- The structured formats; 18 tells of each node whether it is disabled.
CREATE FUNCTION explain_lines(options text, statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('EXPLAIN (COSTS OFF, %s) %s', options, statement) INTO result;
  RETURN QUERY SELECT l FROM regexp_split_to_table(result, '\n') l WHERE l !~ 'Disabled';
END $$;
SELECT * FROM explain_lines('FORMAT YAML', 'DELETE FROM parent WHERE kind = 1');
SELECT * FROM explain_lines('FORMAT XML', 'DELETE FROM parent WHERE true');
DROP FUNCTION explain_lines(text, text);
-- Costs, times and memory vary; what the guard says does not.
CREATE FUNCTION explain_json(statement text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  result jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) ' || statement INTO result;
  RETURN jsonb_path_query_array(result, 'strict $.**.Plans[*] ? (@."Custom Plan Provider" == "SafeDelete")', '{}', true);
END $$;
SELECT g ->> 'Limit' AS "limit", g ->> 'Limit Source' AS source, g ->> 'Rows Counted' AS counted,
       g -> 'Rows Reached by Foreign Keys' AS reached
FROM jsonb_path_query(explain_json('DELETE FROM parent WHERE kind = 1'), '$[*]') g;
SELECT g ->> 'Rows Counted' AS counted, g -> 'Rows Reached by Foreign Keys' AS reached
FROM jsonb_path_query(explain_json('WITH d AS (DELETE FROM parent WHERE kind = 2 RETURNING *) UPDATE parent p SET kind = 0 FROM d WHERE p.id = d.id + 1'), '$[*]') g;
-- A point write that cascades shows a guard here, so that the cascades are seen.
SELECT g ->> 'Rows Counted' AS counted, g -> 'Rows Reached by Foreign Keys' AS reached
FROM jsonb_path_query(explain_json('DELETE FROM parent WHERE id = 5'), '$[*]') g;
DROP FUNCTION explain_json(text);
DROP TABLE child, grandchild, parent;
