-- What the parts of tests/long/faults/run use.
SET client_min_messages = warning;
CREATE EXTENSION safedelete;

-- Writes of `t` are guarded and may take all of it, so they are collected first, and what is collected goes to disk
-- (work_mem is 64 kB). A write of `probe` may take 10 rows: it shows what the guard has counted.
CREATE TABLE t (id int NOT NULL, v int NOT NULL, pad text);
INSERT INTO t SELECT g, 0, repeat('x', 20) FROM generate_series(1, 20000) g;
-- Of a table alone a DELETE keeps two bytes a row; beside another one it keeps more.
CREATE TABLE one (x int);
INSERT INTO one VALUES (1);
CREATE TABLE probe (id int NOT NULL);
INSERT INTO probe SELECT generate_series(1, 40);
CREATE TABLE dad (id int PRIMARY KEY, grp int NOT NULL);
CREATE TABLE kid (id int NOT NULL, dad int NOT NULL REFERENCES dad ON DELETE CASCADE ON UPDATE CASCADE);
CREATE INDEX ON kid (dad);
INSERT INTO dad SELECT g, g % 10 FROM generate_series(1, 100) g;
INSERT INTO kid SELECT g, 1 + g % 100 FROM generate_series(1, 20000) g;
CREATE TABLE held (id int);
CREATE TABLE locked (id int);
VACUUM ANALYZE;
SELECT FROM safedelete.set_policy('t', '{"max_fraction": 1, "max_rows": 1000000}');
SELECT FROM safedelete.set_policy('kid', '{"max_fraction": 1, "max_rows": 1000000}');
SELECT FROM safedelete.set_policy('dad', '{"max_fraction": 1, "max_rows": 1000000}');
SELECT FROM safedelete.set_policy('probe', '{"max_rows": 10}');

-- Sequences count whatever becomes of the transaction: rows that were handed on to be written, and whether a
-- statement has come to where it stalls.
CREATE SEQUENCE fired;
CREATE SEQUENCE stalled;

-- At row 15,000, in one of two places (the WHERE clause, "collect"; the row trigger, "replay"), does what
-- faults.what says.
CREATE FUNCTION stall(row_id int, place text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
  IF row_id = 15000 AND place = current_setting('faults.place', true) THEN
    PERFORM nextval('stalled');
    EXECUTE current_setting('faults.what');
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION stall_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM nextval('fired');
  PERFORM stall(OLD.id, 'replay');
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER stall BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION stall_row();
CREATE TRIGGER stall BEFORE UPDATE OR DELETE ON kid FOR EACH ROW EXECUTE FUNCTION stall_row();

-- Never waits, so it does not notice that the postmaster is gone.
CREATE FUNCTION spin(seconds int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE til timestamptz := clock_timestamp() + make_interval(secs => seconds);
BEGIN
  WHILE clock_timestamp() < til LOOP NULL; END LOOP;
END $$;

-- Statements for a fault in the middle of them.
CREATE FUNCTION update_t() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM probe WHERE id > 36;
  UPDATE t SET v = v + 1 WHERE stall(id, 'collect');
END $$;

-- What nothing may have changed.
CREATE FUNCTION rows_now() RETURNS text LANGUAGE sql AS $$
  SELECT format('t %s %s, kid %s, dad %s, probe %s', (SELECT count(*) FROM t), (SELECT sum(v) FROM t),
    (SELECT count(*) FROM kid), (SELECT count(*) FROM dad), (SELECT count(*) FROM probe))
$$;
-- Temporary files of any backend.
CREATE FUNCTION temporary() RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM pg_ls_tmpdir()
$$;
