-- What tests/long/faults/errors.sh uses.
SET client_min_messages = warning;

-- A handler that meets refusals itself, and so does the handler's handler.
CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM probe;
  RETURN -1;
EXCEPTION WHEN cardinality_violation THEN
  IF n = 0 THEN RETURN 0; END IF;
  BEGIN
    DELETE FROM probe WHERE id > 10 + n % 10;
    RETURN -2;
  EXCEPTION WHEN SQLSTATE 'SD001' THEN
    RETURN 1 + deep(n - 1);
  END;
END $$;

-- Blocks in blocks, each of which has deleted a row before the innermost fails: each gives back its own.
CREATE FUNCTION blocks(n int, fails bool) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    DELETE FROM probe WHERE id = 20 + n;
    IF n > 1 THEN PERFORM blocks(n - 1, fails); END IF;
    IF fails THEN RAISE EXCEPTION 'undo'; END IF;
  EXCEPTION WHEN raise_exception THEN
    IF n < 10 THEN RAISE EXCEPTION 'undo'; END IF;
  END;
END $$;

-- Triggers. They do what faults.before, faults.after and faults.late say.
CREATE TABLE log (id serial, told text);
CREATE TABLE host (id int NOT NULL);
INSERT INTO host SELECT generate_series(1, 20);
CREATE FUNCTION does() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE what text := current_setting(TG_ARGV[0], true);
BEGIN
  IF what <> '' THEN EXECUTE what; END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER before BEFORE UPDATE OR DELETE ON host FOR EACH ROW EXECUTE FUNCTION does('faults.before');
CREATE TRIGGER after AFTER UPDATE OR DELETE ON host FOR EACH ROW EXECUTE FUNCTION does('faults.after');
CREATE CONSTRAINT TRIGGER late AFTER UPDATE OR DELETE ON host DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION does('faults.late');
-- Catches what `what` raises.
CREATE FUNCTION swallow(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE what;
  RETURN 'done';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;

-- What fails by PostgreSQL's rules, with rows before it.
CREATE TABLE strict (id int PRIMARY KEY, v int NOT NULL CHECK (v < 1000), r int REFERENCES dad DEFERRABLE);
INSERT INTO strict SELECT g, g, 1 FROM generate_series(1, 60) g;
CREATE TABLE parted (id int NOT NULL, v int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (50);
INSERT INTO parted SELECT g, g FROM generate_series(1, 49) g;

CREATE FUNCTION purge(first int, last int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE n int;
BEGIN
  DELETE FROM probe WHERE id BETWEEN first AND last;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
CREATE FUNCTION purge_safely(first int, last int) RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS $$
BEGIN
  RETURN purge(first, last);
END $$;
CREATE PROCEDURE purge_in_parts(caught bool) LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM probe WHERE id BETWEEN 1 AND 6;
  COMMIT;
  DELETE FROM probe WHERE id BETWEEN 7 AND 12;
  ROLLBACK;
  DELETE FROM probe WHERE id BETWEEN 7 AND 14;
  IF caught THEN
    BEGIN
      DELETE FROM probe WHERE id BETWEEN 15 AND 25;
    EXCEPTION WHEN SQLSTATE 'SD001' THEN
      INSERT INTO log (told) VALUES ('refused');
    END;
    COMMIT;
    DELETE FROM probe WHERE id BETWEEN 15 AND 18;
  END IF;
  DELETE FROM probe WHERE id > 18;
END $$;
CREATE FUNCTION dive(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  UPDATE host SET id = id WHERE id = n;
  RETURN dive(n + 1);
END $$;
ANALYZE;
