-- What tests/long/faults/memory.sh uses. Tables whose rows come and go stay small; none of the shapes writes more rows than
-- its limits let it, but those that are meant to be refused.
SET client_min_messages = warning;
CREATE SCHEMA memory;
SET search_path = memory;
CREATE TABLE small (id int NOT NULL, k int NOT NULL, v int NOT NULL DEFAULT 0) WITH (fillfactor = 40);
INSERT INTO small (id, k) SELECT g, g % 10 FROM generate_series(1, 50) g;
CREATE TABLE wide (id int NOT NULL, k int NOT NULL, pad text) WITH (fillfactor = 30);
ALTER TABLE wide ALTER pad SET STORAGE PLAIN;
INSERT INTO wide SELECT g, g % 2, repeat('x', 1000) FROM generate_series(1, 200) g;
CREATE TABLE dad (id int PRIMARY KEY, grp int NOT NULL) WITH (fillfactor = 40);
CREATE TABLE kid (id int NOT NULL, dad int NOT NULL REFERENCES dad ON UPDATE CASCADE) WITH (fillfactor = 40);
CREATE INDEX ON kid (dad);
INSERT INTO dad SELECT g, g % 5 FROM generate_series(1, 20) g;
INSERT INTO kid SELECT g, 1 + g % 20 FROM generate_series(1, 60) g;
CREATE TABLE keyed (id int PRIMARY KEY, v int NOT NULL DEFAULT 0) WITH (fillfactor = 40);
INSERT INTO keyed SELECT generate_series(1, 200);
CREATE TABLE parted (id int NOT NULL, k int NOT NULL, v int NOT NULL DEFAULT 0) PARTITION BY LIST (k);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1) WITH (fillfactor = 40);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2) WITH (fillfactor = 40);
INSERT INTO parted SELECT g, 1 + g % 2 FROM generate_series(1, 20) g;
SELECT FROM safedelete.set_policy('parted_1', '{"max_rows": 15}');
CREATE TABLE many AS SELECT g AS id, g AS k FROM generate_series(1, 300) g;
CREATE TABLE sealed (id int PRIMARY KEY);
INSERT INTO sealed VALUES (1);
-- Rolled back overrides leave dead rows, and a table full of them looks larger: its limit is a number of rows.
SELECT FROM safedelete.set_policy('many', '{"max_rows": 100}');
SELECT FROM safedelete.set_policy('sealed', '{"max_rows": 0}');
ANALYZE;

-- What a backend holds: bytes of each memory context's name, its own resident and data memory, its files.
CREATE TABLE held (shape text, at text, what text, bytes bigint);
CREATE FUNCTION hold(shape text, at text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE status text;
BEGIN
  INSERT INTO memory.held SELECT shape, at, name, sum(total_bytes) FROM pg_backend_memory_contexts
    GROUP BY name;
  status := pg_read_file('/proc/self/status', 0, 10000);
  INSERT INTO memory.held VALUES
    (shape, at, '/RssAnon', substring(status FROM 'RssAnon:\s+(\d+)')::bigint * 1024),
    (shape, at, '/VmRSS', substring(status FROM 'VmRSS:\s+(\d+)')::bigint * 1024),
    (shape, at, '/VmData', substring(status FROM 'VmData:\s+(\d+)')::bigint * 1024),
    (shape, at, '/files', (SELECT count(*) FROM pg_ls_dir('/proc/self/fd'))),
    (shape, at, '/temporary', (SELECT count(*) FROM pg_ls_tmpdir()));
END $$;
-- What has grown, the largest first.
CREATE FUNCTION growth(OUT shape text, OUT contexts bigint, OUT rss bigint, OUT data bigint, OUT files bigint, OUT temporary bigint, OUT which text)
RETURNS SETOF record LANGUAGE sql AS $$
  WITH grown AS (
    SELECT shape, what, coalesce(sum(bytes) FILTER (WHERE at = 'after'), 0) - coalesce(sum(bytes) FILTER (WHERE at = 'before'), 0) AS by
    FROM memory.held GROUP BY shape, what
  )
  SELECT shape, coalesce(sum(by) FILTER (WHERE what !~ '^/'), 0)::bigint, max(by) FILTER (WHERE what = '/RssAnon')::bigint,
    max(by) FILTER (WHERE what = '/VmData')::bigint, max(by) FILTER (WHERE what = '/files')::bigint, max(by) FILTER (WHERE what = '/temporary')::bigint,
    coalesce(string_agg(what || ' ' || by, ', ' ORDER BY by DESC) FILTER (WHERE what !~ '^/' AND by <> 0), '')
  FROM grown GROUP BY shape
$$;

-- Does something so many times, in transactions of a hundred, so that the rows' old versions can go.
CREATE PROCEDURE repeat(times int, what text) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..times LOOP
    EXECUTE what;
    IF i % 100 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
-- The same statement, planned once by PL/pgSQL.
CREATE PROCEDURE loop_small(times int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..times LOOP
    UPDATE memory.small SET v = v + 1 WHERE k = i % 10;
    IF i % 20 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
CREATE PROCEDURE loop_undone(times int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..times LOOP
    BEGIN
      DELETE FROM memory.small WHERE k = i % 10;
      RAISE EXCEPTION 'undo';
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
    IF i % 100 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
-- Refusals of all kinds, each caught; one transaction, unless told to commit.
CREATE PROCEDURE loop_refused(times int, commits bool) LANGUAGE plpgsql AS $$
DECLARE caught int := 0;
BEGIN
  FOR i IN 1..times LOOP
    BEGIN
      CASE i % 10
        WHEN 0 THEN DELETE FROM memory.small;
        WHEN 1 THEN DELETE FROM memory.many WHERE id > 0;
        WHEN 2 THEN UPDATE memory.many SET k = 0 WHERE id > 0;
        WHEN 3 THEN DELETE FROM memory.sealed WHERE id = 1;
        WHEN 4 THEN TRUNCATE memory.many;
        WHEN 5 THEN UPDATE memory.small SET v = 0 WHERE i IS NULL OR true;
        WHEN 6 THEN MERGE INTO memory.sealed USING (VALUES (1)) s (id) ON sealed.id = s.id WHEN MATCHED THEN DELETE;
        WHEN 7 THEN EXECUTE 'DELETE FROM memory.small WHERE k IN (SELECT k FROM memory.sealed)';
        WHEN 8 THEN DELETE FROM memory.many USING memory.small s WHERE many.id > s.id;
        -- A DROP that fails takes memory until the transaction's end, with the guard or without.
        WHEN 9 THEN IF commits THEN DROP TABLE memory.many; ELSE DELETE FROM memory.small; END IF;
      END CASE;
    EXCEPTION WHEN cardinality_violation OR SQLSTATE 'SD001' THEN caught := caught + 1;
    END;
    IF commits AND i % 100 = 0 THEN COMMIT; END IF;
  END LOOP;
  IF caught <> times THEN RAISE EXCEPTION '% of % were refused', caught, times; END IF;
END $$;
-- As many errors of PL/pgSQL's own, for comparison.
CREATE PROCEDURE loop_raised(times int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..times LOOP
    BEGIN
      RAISE EXCEPTION 'no';
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
END $$;

-- In one transaction: what it holds before its end.
CREATE PROCEDURE within(shape text, what text, warm_up int, times int) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format(what, warm_up);
  PERFORM memory.hold(shape, 'before');
  PERFORM memory.hold(shape, 'warm');
  DELETE FROM memory.held WHERE held.shape = within.shape;
  PERFORM memory.hold(shape, 'before');
  EXECUTE format(what, times);
  PERFORM memory.hold(shape, 'after');
END $$;
