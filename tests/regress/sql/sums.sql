-- What belongs to a sum and what does not.
\set VERBOSITY terse
\set SHOW_CONTEXT never
CREATE SCHEMA sums;
SET search_path = sums;
CREATE TABLE t (id int PRIMARY KEY, v int);
INSERT INTO t SELECT g, 0 FROM generate_series(1, 1000) g;
ANALYZE t;
CREATE FUNCTION touch(a int, b int) RETURNS void LANGUAGE plpgsql AS
  $$ BEGIN UPDATE t SET v = v + 1 WHERE id BETWEEN a AND b; END $$;

-- Writes by a command that is not guarded count for nothing, whichever comes first.
SET safedelete.max_rows = 100;
SET safedelete.commands = 'delete';
BEGIN;
DO $$ BEGIN
  DELETE FROM t WHERE id = 1;
  FOR i IN 2..150 LOOP UPDATE t SET v = 1 WHERE id = i; END LOOP;
  DELETE FROM t WHERE id = 200;
END $$;
DO $$ BEGIN
  FOR i IN 2..150 LOOP UPDATE t SET v = 1 WHERE id = i; END LOOP;
  FOR i IN 301..401 LOOP DELETE FROM t WHERE id = i; END LOOP;
END $$;
ROLLBACK;
SET safedelete.commands = 'update';
DO $$ BEGIN
  UPDATE t SET v = 1 WHERE id = 1;
  FOR i IN 2..150 LOOP DELETE FROM t WHERE id = i; END LOOP;
  RAISE EXCEPTION 'undone';
END $$;
RESET safedelete.commands;

-- A rule's NOTIFY makes the first or the last of a portal's statements a utility command.
CREATE RULE told AS ON DELETE TO t DO ALSO NOTIFY cache;
BEGIN;
SELECT touch(1, 60);
DELETE FROM t WHERE id BETWEEN 200 AND 259;
SELECT touch(101, 160);
DELETE FROM t WHERE id BETWEEN 300 AND 401;
ROLLBACK;
DROP RULE told ON t;
-- Both queries of a rule are one statement, with a NOTIFY among them as without.
CREATE RULE more AS ON DELETE TO t DO ALSO (NOTIFY cache; UPDATE t SET v = 1 WHERE id = 500 + OLD.id; NOTIFY cache);
BEGIN;
DELETE FROM t WHERE id BETWEEN 200 AND 249;
DELETE FROM t WHERE id BETWEEN 300 AND 350;
ROLLBACK;
DROP RULE more ON t;

-- A statement that reaches no row is refused for nothing that went before.
DO $$ BEGIN
  FOR i IN 1..100 LOOP UPDATE t SET v = 1 WHERE id = i; END LOOP;
  SET LOCAL safedelete.max_rows = 50;
  UPDATE t SET v = 2 WHERE id > 5000;
  DELETE FROM t WHERE id = 5000;
  DELETE FROM t WHERE v = 77 AND id > 0;
  RAISE EXCEPTION 'not refused';
END $$;
RESET safedelete.max_rows;

-- A tree and its root alone have sums of their own.
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 10);
CREATE TABLE tree (id int, ref int REFERENCES parent ON DELETE CASCADE);
CREATE TABLE leaf () INHERITS (tree);
INSERT INTO leaf SELECT g FROM generate_series(1, 1000) g;
ANALYZE tree, leaf;
SET safedelete.min_rows = 100;
BEGIN;
DO $$ BEGIN DELETE FROM tree WHERE id <= 400; DELETE FROM parent WHERE id = 1; END $$;
ROLLBACK;
INSERT INTO tree SELECT g, 1 FROM generate_series(1, 120) g;
ANALYZE tree;
BEGIN;
DO $$ BEGIN DELETE FROM tree WHERE id BETWEEN 500 AND 900; DELETE FROM ONLY tree WHERE id <= 100; END $$;
ROLLBACK;
DO $$ BEGIN DELETE FROM ONLY tree WHERE id <= 100; DELETE FROM ONLY tree WHERE id <= 101; END $$;
-- Without children it is one sum, however it is named.
SET safedelete.max_rows = 100;
DO $$ BEGIN DELETE FROM ONLY t WHERE id <= 50; DELETE FROM t WHERE id BETWEEN 51 AND 101; END $$;
DO $$ BEGIN
  FOR i IN 1..50 LOOP DELETE FROM t WHERE id = i; END LOOP;
  FOR i IN 51..101 LOOP DELETE FROM ONLY t WHERE id = i; END LOOP;
END $$;
RESET safedelete.max_rows;
RESET safedelete.min_rows;

-- A view with INSTEAD OF triggers has no size, but a budget bounds it before a trigger fires.
CREATE VIEW seen AS SELECT * FROM t;
CREATE SEQUENCE fired;
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('fired'); RETURN OLD; END $$;
CREATE TRIGGER fire INSTEAD OF DELETE ON seen FOR EACH ROW EXECUTE FUNCTION fire();
BEGIN;
SET LOCAL safedelete.allow_rows = 200;
SAVEPOINT s;
DELETE FROM seen;
ROLLBACK TO s;
SELECT is_called FROM fired;
SET LOCAL safedelete.allow_rows = 1000;
DELETE FROM seen;
SELECT last_value FROM fired;
ROLLBACK;

-- A budget counts where both who declared it and who writes may use one.
VACUUM ANALYZE t;
CREATE ROLE regress_may;
CREATE ROLE regress_may_not;
CREATE ROLE regress_marked;
GRANT USAGE, CREATE ON SCHEMA sums TO regress_may, regress_may_not;
ALTER TABLE t OWNER TO regress_may;
SET ROLE regress_may;
CREATE FUNCTION purge() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = sums AS
  $$ DECLARE n bigint; BEGIN DELETE FROM t WHERE id > 0; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
CREATE FUNCTION purge_by_its_own() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = sums SET safedelete.allow_rows = 1000 AS
  $$ DECLARE n bigint; BEGIN DELETE FROM t WHERE id > 0; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
CREATE FUNCTION purge_by_callers() RETURNS bigint LANGUAGE plpgsql
  SET search_path = sums SET safedelete.allow_rows = 1000 AS
  $$ DECLARE n bigint; BEGIN DELETE FROM t WHERE id > 0; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
CREATE FUNCTION purge_declaring() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = sums AS
  $$ BEGIN SET LOCAL safedelete.allow_rows = 1000; RETURN purge(); END $$;
GRANT DELETE, SELECT ON t TO regress_may_not;
RESET ROLE;
SET safedelete.override_role = regress_may;
SET safedelete.max_rows = 100;
\set VERBOSITY default
SET ROLE regress_may_not;
BEGIN;
SET LOCAL safedelete.allow_rows = 1000;
SELECT purge();
ROLLBACK;
BEGIN; SELECT purge_by_its_own(); ROLLBACK;
BEGIN; SELECT purge_by_callers(); ROLLBACK;
BEGIN; SELECT purge_declaring(); ROLLBACK;
-- The end of a transaction, a savepoint or a function brings back who had declared it.
SET safedelete.allow_rows = 900;
RESET ROLE;
BEGIN;
SET LOCAL ROLE regress_may;
SAVEPOINT s;
SET LOCAL safedelete.allow_rows = 1000;
DELETE FROM t WHERE id > 0;
ROLLBACK TO s;
DELETE FROM t WHERE id > 100;
ROLLBACK;
RESET safedelete.allow_rows;
-- Nor does a reason count of a role that may not.
SET safedelete.require_reason = on;
SET ROLE regress_may_not;
SET safedelete.reason = 'mine';
BEGIN; SELECT purge_by_its_own(); ROLLBACK;
RESET ROLE;
BEGIN;
SET LOCAL ROLE regress_may;
SET LOCAL safedelete.reason = 'ours';
SET LOCAL ROLE regress_may_not;
SELECT purge_by_its_own();
ROLLBACK;
RESET safedelete.reason;
RESET safedelete.require_reason;
RESET safedelete.override_role;
RESET safedelete.max_rows;
\set VERBOSITY terse

-- Membership of membership counts; as soon as it is granted and no longer than that.
CREATE ROLE regress_between;
SET safedelete.bypass_role = regress_marked;
GRANT DELETE ON t TO regress_may_not;
BEGIN; SET LOCAL ROLE regress_may_not; DELETE FROM t; ROLLBACK;
GRANT regress_marked TO regress_between;
GRANT regress_between TO regress_may_not;
BEGIN; SET LOCAL ROLE regress_may_not; DELETE FROM t; ROLLBACK;
REVOKE regress_marked FROM regress_between;
BEGIN; SET LOCAL ROLE regress_may_not; DELETE FROM t; ROLLBACK;
-- A role with CREATEROLE has ADMIN of those that it makes (from 16 on), and is no member for it.
CREATE ROLE regress_creator CREATEROLE;
GRANT regress_may_not TO regress_creator;
SET ROLE regress_creator;
CREATE ROLE regress_made;
RESET ROLE;
SET safedelete.bypass_role = regress_made;
BEGIN; SET LOCAL ROLE regress_creator; DELETE FROM t; ROLLBACK;
SET client_min_messages = error;
REVOKE regress_made FROM regress_creator;
RESET client_min_messages;
GRANT regress_made TO regress_creator;
BEGIN; SET LOCAL ROLE regress_creator; DELETE FROM t; ROLLBACK;
RESET safedelete.bypass_role;

-- What the arguments of EXECUTE call runs below it, and is one statement with it.
CREATE TABLE keyed (id int PRIMARY KEY, v int);
INSERT INTO keyed SELECT i, 0 FROM generate_series(1, 40) i;
CREATE FUNCTION take_each(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..n LOOP DELETE FROM sums.keyed WHERE id = i; END LOOP;
  RETURN n;
END $$;
CREATE FUNCTION take_each_by_sql(n int) RETURNS int LANGUAGE sql AS 'SELECT sums.take_each(n)';
CREATE FUNCTION update_each(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..n LOOP EXECUTE 'UPDATE sums.keyed SET v = 1 WHERE id = $1' USING i; END LOOP;
  RETURN n;
END $$;
SET safedelete.max_rows = 10;
PREPARE answers(int) AS SELECT $1 AS answer;
PREPARE takes_one(int) AS DELETE FROM keyed WHERE id = $1 + 10;
EXECUTE answers(take_each(11));
EXECUTE answers(take_each_by_sql(11));
EXECUTE answers(update_each(11));
EXECUTE takes_one(take_each(10));
BEGIN; EXECUTE answers(take_each(10)); EXECUTE takes_one(0); EXECUTE takes_one(1); ROLLBACK;
RESET safedelete.max_rows;
DEALLOCATE ALL;

-- What is in pg_catalog is PostgreSQL's or an extension's own.
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.regress_catalog AS SELECT 1 AS id;
DELETE FROM pg_catalog.regress_catalog;
TRUNCATE pg_catalog.regress_catalog;
DROP TABLE pg_catalog.regress_catalog;
RESET allow_system_table_mods;
BEGIN; DELETE FROM information_schema.sql_features; ROLLBACK;
CREATE TABLE public.regress_not_catalog AS SELECT 1 AS id;
DELETE FROM public.regress_not_catalog;
DROP TABLE public.regress_not_catalog;

-- What runs below ALTER TABLE, an index build, ANALYZE or REFRESH is guarded.
CREATE FUNCTION takes(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM sums.takes_all(); RETURN $1; END $$;
CREATE FUNCTION takes_all() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DELETE FROM sums.t; END $$;
CREATE TABLE bait (x int);
INSERT INTO bait VALUES (1);
CREATE INDEX ON bait (takes(x));
ALTER TABLE bait ALTER x TYPE bigint USING takes(x);
CREATE MATERIALIZED VIEW kept AS SELECT takes(x) FROM bait WITH NO DATA;
REFRESH MATERIALIZED VIEW kept;
\set VERBOSITY default
SET client_min_messages = warning;
DROP SCHEMA sums CASCADE;
DROP ROLE regress_may, regress_may_not, regress_marked, regress_between, regress_creator, regress_made;
