-- Rule where: a column compared with itself restricts nothing, in any shape; what is near to it does.
-- Each line: a condition or statement | what comes of it, rolled back | what check says of it.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS safedelete;
CREATE SCHEMA itself; SET search_path = itself;
CREATE FUNCTION try(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE n bigint; d text;
BEGIN
  EXECUTE sql; GET DIAGNOSTICS n = ROW_COUNT; RAISE EXCEPTION SQLSTATE 'XX001';
EXCEPTION
  WHEN SQLSTATE 'XX001' THEN RETURN n || ' rows';
  WHEN SQLSTATE '21000' THEN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL; RETURN regexp_replace(sqlerrm, '(matches|requires).*', '') || substring(d for 48);
  WHEN OTHERS THEN RETURN sqlstate || ' ' || sqlerrm;
END $$;
CREATE FUNCTION show(VARIADIC sql text[]) RETURNS TABLE (sql text, outcome text, verdict text) LANGUAGE sql AS $$
  SELECT w, try(w), (SELECT string_agg(verdict, ', ') FROM safedelete.check(w)) FROM unnest(sql) w $$;
SET safedelete.max_fraction = 1;
CREATE TABLE t (id int PRIMARY KEY, n int, m int NOT NULL, big bigint, price numeric, at timestamp, x text, v varchar(20), b bool, tags text[], p point);
INSERT INTO t SELECT g, nullif(g % 5, 0), g % 7, g, g + (g % 2) * 0.5, timestamp '2026-01-01' + g * interval '12 hours', 'x' || g, 'v' || g, g % 2 = 0, ARRAY['a'] FROM generate_series(1, 20) g;
CREATE TABLE gone (k int, e text); INSERT INTO gone VALUES (1, 'x1'), (2, 'x2');
-- Written out, nullable or not; NOT, AND and OR.
SELECT w, outcome, verdict FROM unnest(ARRAY['n = n', 'n <= n', 'n <> n', 'n < n', 'NOT (n = n)', 'NOT (n <> n)', 'n = n OR id = 1', 'n <> n OR id = 1', 'n = n AND id = 1', '(n = n) IS TRUE', '(n <> n) IS NOT TRUE', '(n = n) IS NULL']) w, show('DELETE FROM t WHERE ' || w);
-- Casts and collations that lose nothing.
SELECT w, outcome, verdict FROM unnest(ARRAY['n::bigint = n', 'n = n::bigint', 'big::int = big', 'n::numeric = n', 'n::text = n::text', 'n::bigint = big', 'x::varchar = x', 'v = v::text', 'x COLLATE "C" = x', 'x COLLATE "C" = x COLLATE "C"']) w, show('DELETE FROM t WHERE ' || w);
-- A cast that loses something is a condition; expressions.
SELECT w, outcome, verdict FROM unnest(ARRAY['price::int = price', 'at::date = at', 'at::date = at::date', 'x::varchar(2) = x', 'round(price) = price', 'lower(x) = x', 'lower(x) = lower(x)', 'upper(x) = lower(x)', 'n + 0 = n', 'n + m = n + m', 'n + m = m + n', 'abs(n) = abs(n)', 'random() = random()', 'n * random() = n * random()']) w, show('DELETE FROM t WHERE ' || w);
-- Rows, lists, BETWEEN.
SELECT w, outcome, verdict FROM unnest(ARRAY['(n, m) = (n, m)', '(n, m) <= (n, m)', '(n, m) < (n, m)', '(n, m) = (n, 3)', '(n, m) IN ((n, m))', 'n = ANY (ARRAY[n])', 'n = ANY (ARRAY[n, 5])', 'n = ALL (ARRAY[n, 5])', 'n = ALL (ARRAY[n, n])', 'n <> ALL (ARRAY[n, 3])', 'n <> ANY (ARRAY[n, 3])', 'n IN (n, 5)', 'n NOT IN (n, 5)', 'NOT (n NOT IN (n, 5))', 'n BETWEEN n AND n', 'm BETWEEN 1 AND m', 'n = ANY (ARRAY[n]::bigint[])']) w, show('DELETE FROM t WHERE ' || w);
-- NULL, what folds away, types without an order.
SELECT w, outcome, verdict FROM unnest(ARRAY['n IS NOT DISTINCT FROM n', 'n IS DISTINCT FROM n', 'n IS NOT NULL', 'id IS NOT NULL', 't = t', 't IS NOT DISTINCT FROM t', 'ctid = ctid', 'n = coalesce(NULL, n)', 'n = coalesce(n, 5)', 'n = CASE WHEN true THEN n ELSE 3 END', 'x LIKE x', 'tags = tags', 'p ~= p']) w, show('DELETE FROM t WHERE ' || w);
-- The scope trap: casts, collations, output columns of inner sub-selects.
SELECT w, outcome, verdict FROM unnest(ARRAY['id IN (SELECT id FROM gone)', 'id IN (SELECT id::bigint FROM gone)', 'id::bigint IN (SELECT id FROM gone)', 'id::numeric IN (SELECT id FROM gone)', 'id::text IN (SELECT id::text FROM gone)', 'id::text IN (SELECT id FROM (SELECT id::text FROM gone) s)', 'lower(x) IN (SELECT e FROM (SELECT lower(x) AS e FROM gone) s)', 'lower(x) IN (SELECT lower(x) FROM gone)', 'lower(x) IN (SELECT lower(e) FROM gone)', 'x COLLATE "C" IN (SELECT x FROM gone)', 'x IN (SELECT x COLLATE "C" FROM gone)', 'at::date IN (SELECT at::date FROM gone)', 'at IN (SELECT at::date FROM gone)', 'price IN (SELECT price::int FROM gone)']) w, show('DELETE FROM t WHERE ' || w);
-- Arrays, scalar sub-selects, rows.
SELECT w, outcome, verdict FROM unnest(ARRAY['id = ANY (ARRAY(SELECT id FROM gone))', 'id = ANY (ARRAY(SELECT id::bigint FROM gone))', 'lower(x) = ANY (ARRAY(SELECT lower(x) FROM gone))', 'id = ANY (ARRAY(SELECT k FROM gone))', 'id = (SELECT id FROM gone LIMIT 1)', 'id = (SELECT id::bigint FROM gone LIMIT 1)', 'lower(x) = (SELECT lower(x) FROM gone LIMIT 1)', 'id = (SELECT k FROM gone LIMIT 1)', 'id = (SELECT id FROM gone WHERE k = m LIMIT 1)', '(id, m) = (SELECT id, m FROM gone LIMIT 1)', '(id, m) = (SELECT id, k FROM gone LIMIT 1)', '(id, m) IN (SELECT id::bigint, m FROM gone)']) w, show('DELETE FROM t WHERE ' || w);
-- EXISTS whose only tie is such a comparison, beside those with another.
SELECT w, outcome, verdict FROM unnest(ARRAY['EXISTS (SELECT 1 FROM gone WHERE t.id::bigint = id)', 'EXISTS (SELECT 1 FROM gone WHERE t.id = id AND k = id)', 'EXISTS (SELECT 1 FROM gone WHERE t.id IS NOT DISTINCT FROM id)', 'EXISTS (SELECT 1 FROM gone GROUP BY k HAVING t.id = id)', 'EXISTS (SELECT 1 FROM gone GROUP BY k HAVING k = id)', 'EXISTS (SELECT 1 FROM gone WHERE id IN (SELECT id FROM gone g2))', 'EXISTS (WITH c AS (SELECT id AS i FROM gone) SELECT 1 FROM c WHERE c.i = t.id)', 'EXISTS (WITH c AS (SELECT k AS i FROM gone) SELECT 1 FROM c WHERE c.i = t.id)', 'id IN (WITH c AS (SELECT id::bigint AS i FROM gone) SELECT i FROM c)']) w, show('DELETE FROM t WHERE ' || w);
-- The same table under another name is another table.
SELECT w, outcome, verdict FROM unnest(ARRAY['id IN (SELECT t2.id FROM t t2 WHERE t2.m = 3)', 'm IN (SELECT t2.m FROM t t2 WHERE t2.id = 3)', 'EXISTS (SELECT 1 FROM t t2 WHERE t2.id::bigint = t.id)', 'EXISTS (SELECT 1 FROM t t2 WHERE lower(t2.x) = lower(t.x) AND t2.id < t.id)', 'm = (SELECT max(t2.m) FROM t t2)', 'id = (SELECT max(t2.id) FROM t t2 WHERE t2.m = t.m)']) w, show('DELETE FROM t WHERE ' || w);
-- Functions that return sets decide how many rows there are.
SELECT w, outcome, verdict FROM unnest(ARRAY['EXISTS (SELECT unnest(tags))', 'EXISTS (SELECT generate_series(1, n))', 'EXISTS (SELECT generate_series(1, 3))', '(SELECT count(*) FROM (SELECT unnest(tags)) s) > 0', '(SELECT 1 FROM (SELECT unnest(tags)) s LIMIT 1) = 1', 'EXISTS (SELECT count(*), generate_series(1, n) FROM gone)', 'EXISTS (SELECT count(*) FROM gone WHERE k = id)', 'EXISTS (SELECT id, k FROM gone)', 'EXISTS (SELECT generate_series(1, n) UNION ALL SELECT 1 FROM gone WHERE false)']) w, show('DELETE FROM t WHERE ' || w);
-- A NULL in a list, and tests of what is never true.
SELECT w, outcome, verdict FROM unnest(ARRAY['n NOT IN (1, NULL)', '(n NOT IN (1, NULL)) IS NOT TRUE', '(n IN (1, NULL)) IS NOT FALSE', '(n IN (1, NULL)) IS NOT TRUE', '(n = 1 AND NULL) IS NOT TRUE', '(m > 3) IS NOT TRUE', '(n > 3 AND n <> n) IS NOT TRUE', '(m IS NULL) IS NOT TRUE', '(n NOT IN (1, NULL)) IS FALSE', 'NOT ((n NOT IN (1, NULL)) IS TRUE)']) w, show('DELETE FROM t WHERE ' || w);
-- Parameters: an optional filter that is left out.
PREPARE filter(int) AS DELETE FROM t WHERE n = COALESCE($1, n);
PREPARE either(int, text) AS DELETE FROM t WHERE n = COALESCE($1, n) AND x = COALESCE($2, x);
SET plan_cache_mode = force_custom_plan;
SELECT w, try(w) FROM unnest(ARRAY['EXECUTE filter(NULL)', 'EXECUTE filter(3)', 'EXECUTE either(NULL, NULL)', 'EXECUTE either(NULL, ''x3'')']) w;
SET plan_cache_mode = force_generic_plan;
SELECT w, try(w) FROM unnest(ARRAY['EXECUTE filter(NULL)', 'EXECUTE filter(3)', 'EXECUTE either(NULL, NULL)', 'EXECUTE either(NULL, ''x3'')']) w;
RESET plan_cache_mode;
CREATE FUNCTION clear(n int) RETURNS void LANGUAGE plpgsql AS $$ #variable_conflict use_column
BEGIN DELETE FROM t WHERE n = n; END $$;
SELECT try('SELECT clear(3)');
-- VALUES gives columns as a sub-select does.
CREATE TABLE listed (id int PRIMARY KEY, b int);
INSERT INTO listed SELECT g, g FROM generate_series(1, 50) g;
DELETE FROM listed WHERE id IN (VALUES (listed.id));
DELETE FROM listed WHERE id IN (VALUES (1), (id));
DELETE FROM listed WHERE (id, b) IN (VALUES (id, b));
DELETE FROM listed WHERE id IN (SELECT x FROM (VALUES (listed.id)) v(x));
DELETE FROM listed WHERE id IN (VALUES (1), (2), (b - 47));
DELETE FROM listed WHERE EXISTS (SELECT FROM (VALUES (listed.id)) v(x) WHERE x = 3);
DELETE FROM listed WHERE id = (SELECT max(x) FROM (VALUES (4), (5)) v(x));
UPDATE listed SET b = 0 WHERE 7 IN (VALUES (6), (listed.id));
SELECT count(*), count(*) FILTER (WHERE b = 0) FROM listed;
-- What a sub-select gives is folded as a condition is.
DELETE FROM listed WHERE id IN (SELECT CASE WHEN true THEN id END FROM generate_series(1, 2));
DELETE FROM listed WHERE id = (SELECT coalesce(NULL, id));
DELETE FROM listed WHERE id IN (SELECT nullif(id, NULL) FROM generate_series(1, 2));
DELETE FROM listed WHERE id + (1 + 1) IN (SELECT id + (1 + 1) FROM generate_series(1, 2));
DELETE FROM listed WHERE id + (1 + 1) = ANY (ARRAY(SELECT id + (1 + 1) FROM generate_series(1, 2)));
DELETE FROM listed WHERE 5 IN (SELECT CASE WHEN false THEN id ELSE 5 END);
DELETE FROM listed WHERE id IN (SELECT CASE WHEN true THEN 6 ELSE id END);
DELETE FROM listed WHERE id IN (SELECT CASE WHEN b = 7 THEN id END);
SELECT count(*) FROM listed;
-- An array that is written out gives its values as VALUES does: how many rows there are is known.
SELECT w, outcome, verdict FROM unnest(ARRAY['id IN (SELECT unnest(ARRAY[t.id]))', 'id IN (SELECT unnest(ARRAY[3, t.id]))', 'id IN (SELECT i FROM unnest(ARRAY[t.id]) i)', 'id IN (SELECT i FROM unnest(ARRAY[t.id]) WITH ORDINALITY u(i, n))', 'id IN (SELECT i FROM unnest(ARRAY[1], ARRAY[t.id]) u(n, i))', 'x IN (SELECT unnest(ARRAY[x]::varchar[]))', 'id = ANY (ARRAY(SELECT unnest(ARRAY[t.id])))', '(id, m) IN (SELECT unnest(ARRAY[t.id]), t.m)', 'EXISTS (SELECT unnest(ARRAY[t.id]))', 'EXISTS (SELECT FROM unnest(ARRAY[t.id]) i WHERE i = t.id)']) w, show('DELETE FROM t WHERE ' || w);
SELECT w, outcome, verdict FROM unnest(ARRAY['id IN (SELECT unnest(ARRAY[3, m]))', 'id IN (SELECT i FROM unnest(ARRAY[t.id, m]) i WHERE i > 3)', '3 IN (SELECT i FROM unnest(ARRAY[id, m]) i)', 'id IN (SELECT n FROM unnest(ARRAY[1], ARRAY[t.id]) u(n, i))', 'id IN (SELECT unnest(ARRAY[t.id]) + 1)', 'x IN (SELECT unnest(tags))', 'EXISTS (SELECT unnest(tags))', 'EXISTS (SELECT FROM unnest(ARRAY[id, m]) i WHERE i = 3)', 'EXISTS (SELECT FROM unnest(ARRAY[id, m]) i, gone WHERE i = k)', 'id IN (SELECT unnest(ARRAY[ARRAY[3, m], ARRAY[4, 5]]))', '(id, m) IN (SELECT unnest(ARRAY[t.id]), 3)']) w, show('DELETE FROM t WHERE ' || w);
-- Of several rows one may be the same in one column, and another in the other.
SELECT w, outcome, verdict FROM unnest(ARRAY['(id, m) IN (VALUES (t.id, 3), (4, t.m))', '(id, m) IN (SELECT t.id, 3 UNION ALL SELECT 4, t.m)', '(id, m) NOT IN (VALUES (t.id, 3), (4, t.m))', '(id, m) IN (VALUES (t.id, t.m), (id, m))', '(id, m) IN (SELECT t.id, t.m UNION ALL SELECT id, m)']) w, show('DELETE FROM t WHERE ' || w);
-- Nor does one row settle ALL, or what a scalar sub-select gives.
SELECT w, outcome, verdict FROM unnest(ARRAY['id >= ALL (VALUES (t.id), (10))', 'id = ALL (SELECT unnest(ARRAY[t.id, 3]))', 'id <= ALL (ARRAY(VALUES (t.id), (3)))', 'id = (SELECT i FROM (VALUES (t.id), (3)) v(i) ORDER BY i LIMIT 1)', 'id = (SELECT t.id UNION ALL SELECT 3 ORDER BY 1 LIMIT 1)', 'id IN ((VALUES (3), (t.id)) LIMIT 1)', 'id >= ALL (VALUES (t.id), (id))', 'id IN (SELECT t.id UNION ALL SELECT id LIMIT 1)', 'id = ALL (SELECT unnest(ARRAY[t.id]))', 'id = ALL (ARRAY(SELECT id FROM gone))', 'id = (SELECT i FROM (VALUES (t.id)) v(i) LIMIT 1)']) w, show('DELETE FROM t WHERE ' || w);
-- A condition that a sub-select gives is read as it is written.
SELECT w, outcome, verdict FROM unnest(ARRAY['(SELECT t.id = t.id)', 'NOT (SELECT t.n = t.n)', '(SELECT t.id = id FROM gone LIMIT 1) IS NOT TRUE', '(SELECT t.id IN (SELECT id FROM gone))', '(SELECT k = 1 FROM gone LIMIT 1)', '(SELECT t.id = t.id UNION ALL SELECT true LIMIT 1)']) w, show('DELETE FROM t WHERE ' || w);
SELECT w, outcome, verdict FROM unnest(ARRAY['(SELECT b)', '(SELECT t.id = 3)', '(SELECT t.id <> t.id)', 'NOT (SELECT t.id <> t.id AND k = 1 FROM gone LIMIT 1)', '(SELECT c FROM (SELECT t.id = 3 AS c) s)', '(SELECT t.id = 3 UNION ALL SELECT true LIMIT 1)', '(SELECT t.id = k FROM gone LIMIT 1)', '(SELECT t.id = t.id WHERE m = 3)', '(SELECT m = 3 OR k = 7 FROM gone LIMIT 1)', '(SELECT CASE WHEN m = 3 THEN id = id END)', '(SELECT t.id IN (SELECT k FROM gone))', '(SELECT bool_or(k = t.id) FROM gone)', '(SELECT EXISTS (SELECT FROM gone WHERE k = t.id))', '(SELECT c FROM unnest(ARRAY[b]) c)']) w, show('DELETE FROM t WHERE ' || w);
DROP TABLE listed;
DROP SCHEMA itself CASCADE;
DROP EXTENSION safedelete;
