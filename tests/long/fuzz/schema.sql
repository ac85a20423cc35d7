-- The tables of tests/long/fuzz, twice: `filled`, where conditions are evaluated, and `bare`, for a verdict may not depend on
-- data. Every target has the same columns. Run with search_path set to the one or the other.
CREATE TABLE t (
  a int CHECK (a < 10),                       -- nullable: NULL passes the CHECK, and no comparison
  b int NOT NULL CHECK (b >= 0 AND b <= 5),
  h int NOT NULL,                             -- its CHECK is not valid: old rows break it
  m int NOT NULL,
  x text,
  u text NOT NULL CHECK (u IN ('x', 'y', 'z')),
  w varchar(9) NOT NULL,
  f boolean,
  g boolean NOT NULL,
  d date,
  e date NOT NULL CHECK (e >= '2020-01-01'),
  CHECK (m >= b),
  CHECK (a > 0 OR g)
);
CREATE TABLE tp (LIKE t INCLUDING CONSTRAINTS) PARTITION BY LIST (g);
CREATE TABLE tp_yes PARTITION OF tp FOR VALUES IN (true) PARTITION BY RANGE (b);
CREATE TABLE tp_low PARTITION OF tp_yes FOR VALUES FROM (0) TO (3);
CREATE TABLE tp_high PARTITION OF tp_yes DEFAULT;
CREATE TABLE tp_no PARTITION OF tp DEFAULT;
-- A parent's CHECK that its child does not have.
CREATE TABLE ti (LIKE t INCLUDING CONSTRAINTS, CHECK (h < 5) NO INHERIT);
CREATE TABLE ti_child () INHERITS (ti);
CREATE VIEW tv AS SELECT * FROM t WHERE a > 2;
CREATE VIEW tw AS SELECT * FROM t;
CREATE TABLE s (k int, v int NOT NULL, r text);      -- no column of the targets
CREATE TABLE c (ck int, cv int NOT NULL, cr text);   -- for USING and MERGE

CREATE FUNCTION fill(n int, seed float8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM setseed(seed);
  INSERT INTO t
  SELECT * FROM (
    SELECT (ARRAY[NULL, -2, -1, 0, 1, 2, 3, 4, 5, 6, 9])[1 + floor(random() * 11)] AS a,
           floor(random() * 6)::int AS b, (ARRAY[-3, -1, 0, 1, 2, 3, 4, 6, 12])[1 + floor(random() * 9)] AS h,
           floor(random() * 12)::int AS m, (ARRAY[NULL, '', 'x', 'y', 'abc', '%'])[1 + floor(random() * 6)] AS x,
           (ARRAY['x', 'y', 'z'])[1 + floor(random() * 3)] AS u, (ARRAY['', 'x', 'y', 'w'])[1 + floor(random() * 4)] AS w,
           (ARRAY[NULL, true, false])[1 + floor(random() * 3)] AS f, random() < 0.5 AS g,
           (ARRAY[NULL, date '1999-01-01', '2020-01-01', '2021-06-01'])[1 + floor(random() * 4)] AS d,
           (ARRAY[date '2020-01-01', '2021-06-01', '2030-01-01'])[1 + floor(random() * 3)] AS e
    FROM generate_series(1, n)) row
  WHERE m >= b AND coalesce(a > 0 OR g, true);
  INSERT INTO tp SELECT * FROM t;
  INSERT INTO ti SELECT * FROM t WHERE h < 5;
  INSERT INTO ti_child SELECT * FROM t;
  INSERT INTO s SELECT k, v, (ARRAY['x', 'q', NULL])[1 + floor(random() * 3)] FROM unnest(ARRAY[NULL, -3, 0, 2, 5, 20]) k, unnest(ARRAY[-3, 4, 20]) v;
  INSERT INTO c SELECT * FROM s;
END $$;
