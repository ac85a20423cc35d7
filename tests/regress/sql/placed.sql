-- The guard is in no plan: it stands by one while it runs, however the plan was kept, and whatever takes its rows.
CREATE TABLE t (id int PRIMARY KEY, kind int, pad text);
INSERT INTO t SELECT g, g % 10, repeat('p', g % 50) FROM generate_series(1, 1000) g;
CREATE INDEX ON t (kind);
CREATE TABLE u (id int, kind int, note text);
INSERT INTO u SELECT g, g % 10, repeat('n', 200) || g FROM generate_series(1, 1000) g;
ANALYZE t, u;
-- A cached plan, made for its values and for any.
SET enable_bitmapscan = off;
SET enable_seqscan = off;
PREPARE gone(int) AS DELETE FROM t WHERE kind = $1;
SET plan_cache_mode = force_custom_plan;
EXPLAIN (COSTS OFF) EXECUTE gone(11);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE gone(11);
SET safedelete.max_rows = 50;
EXECUTE gone(1);
EXPLAIN (COSTS OFF) EXECUTE gone(11);
RESET plan_cache_mode;
RESET enable_bitmapscan;
RESET enable_seqscan;
RESET safedelete.max_rows;
-- What is handed on from memory and from disk, to RETURNING and to what is written.
SET work_mem = '64kB';
BEGIN;
SET LOCAL safedelete.max_fraction = 1;
WITH d AS (DELETE FROM t USING u WHERE t.id = u.id RETURNING t.id, t.pad, u.note)
SELECT count(*), sum(id), bool_and(pad = repeat('p', id % 50)), bool_and(note = repeat('n', 200) || id) FROM d;
ROLLBACK;
BEGIN;
SET LOCAL safedelete.max_fraction = 1;
SET LOCAL safedelete.max_rows = 999;
WITH d AS (UPDATE t SET pad = u.note FROM u WHERE t.id = u.id AND t.id > 1 RETURNING t.id, t.pad, u.note)
SELECT count(*), sum(id), bool_and(pad = note), bool_and(note = repeat('n', 200) || id) FROM d;
SELECT count(*) FROM t WHERE pad = repeat('n', 200) || id;
UPDATE t SET pad = u.note FROM u WHERE t.id = u.id;
ROLLBACK;
RESET work_mem;
-- Several writes of one statement, each with a guard.
SET safedelete.max_rows = 150;
WITH a AS (DELETE FROM t WHERE kind = 1 RETURNING id), b AS (UPDATE u SET note = '' WHERE kind = 2 RETURNING id)
UPDATE t SET pad = '' FROM a, b WHERE t.id = a.id + 1 AND b.id = t.id;
WITH a AS (DELETE FROM t WHERE kind = 3), b AS (UPDATE u SET note = '' WHERE kind IN (3, 4) RETURNING id)
SELECT count(*) FROM b;
-- A caller that wants no more of the rows, and asks again.
CREATE FUNCTION first_of() RETURNS int LANGUAGE sql AS 'DELETE FROM t WHERE kind = 5 RETURNING kind';
SELECT first_of(), first_of();
SELECT count(*) FROM t WHERE kind = 5;
DO $$
DECLARE r record;
BEGIN
  FOR r IN DELETE FROM t WHERE kind = 6 RETURNING id LOOP
    EXIT WHEN r.id > 20;
    UPDATE t SET pad = 'next' WHERE kind = 7 AND id = r.id + 1;
  END LOOP;
END $$;
SELECT count(*) FILTER (WHERE kind = 6), count(*) FILTER (WHERE pad = 'next') FROM t;
-- Writes of few rows go on in the sum where the last left off; what a subtransaction has counted goes with it.
RESET safedelete.max_rows;
SET safedelete.min_rows = 10;
BEGIN;
DO $$ BEGIN FOR i IN 1..400 LOOP UPDATE u SET note = i WHERE id = i; END LOOP; END $$;
ROLLBACK;
CREATE INDEX ON u (id);
DO $$ BEGIN FOR i IN 1..501 LOOP UPDATE u SET note = i WHERE id = i; END LOOP; END $$;
DO $$ BEGIN
  FOR i IN 1..300 LOOP UPDATE u SET note = i WHERE id = i; END LOOP;
  BEGIN
    FOR i IN 301..500 LOOP UPDATE u SET note = i WHERE id = i; END LOOP;
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN NULL;
  END;
  FOR i IN 501..700 LOOP UPDATE u SET note = i WHERE id = i; END LOOP;
  UPDATE u SET note = 'one too many' WHERE id = 701;
END $$;
DROP FUNCTION first_of();
DROP TABLE t, u;
