# Part of tests/keep/run: an ordinary role goes for the kept rows of others, in its own sessions and in those of others.

database attacks
run "CREATE ROLE mallory" "GRANT CREATE ON SCHEMA public TO mallory" \
  "CREATE TABLE t (id int PRIMARY KEY, secret text)" \
  "INSERT INTO t SELECT g, 'secret ' || g FROM generate_series(1, 400) g"
keep t
allowed "DELETE FROM t" >/dev/null
event=$(newest)
as_mallory() { run "SET ROLE mallory" "$@"; }
check "another's rows are neither held, given back nor forgotten" "42501 42501 42501" "$(as_mallory \
  "SELECT safedelete.hold_kept($event)" "SELECT safedelete.give_back_together($event, 'skip', true)" \
  "SELECT safedelete.forget('t', '{\"id\": 1}')" | states)"
check "nor by saying to be somebody else" "42501 42501 42501" "$(as_mallory \
  "SELECT safedelete.hold_kept_for($event, 'postgres')" "SELECT safedelete.settle_kept_for($event, '{}', 'postgres')" \
  "SELECT safedelete.forget_for('t', '{\"id\": 1}', 'postgres')" | states)"
as_mallory "CREATE FUNCTION mine() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
    'SELECT safedelete.forget(''t'', ''{\"id\": 1}'')'" \
  "CREATE FUNCTION holds() RETURNS void LANGUAGE sql SECURITY DEFINER AS
    'SELECT safedelete.hold_kept($event)'" \
  "CREATE FUNCTION seemingly(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM safedelete.forget(''t'', ''{\"id\": 1}''); RETURN 1; EXCEPTION WHEN others THEN RETURN 1; END'" \
  "CREATE TABLE bait (id int)" "INSERT INTO bait VALUES (1)" "CREATE INDEX ON bait (seemingly(id))"
check "nor by a function of its own in a superuser's session" "42501 42501" \
  "$(run "SELECT mine()" "SELECT holds()" | states)"
check "nor by an index that a superuser builds" 400 \
  "$(run "REINDEX TABLE bait" "ANALYZE bait" "SELECT count(*) FROM safedelete.kept_rows WHERE event = $event")"
as_mallory "CREATE FUNCTION leak(text[]) RETURNS boolean LANGUAGE plpgsql COST 0.000001 AS
  'BEGIN RAISE NOTICE ''%'', \$1; RETURN true; END'"
check "nor are they read by a function that is cheaper than the check" "" \
  "$(as_mallory "SELECT * FROM safedelete.kept_rows WHERE leak(old_texts)")"
check "nor restored, into its own table of that name" 42501 "$(as_mallory \
  "CREATE TEMP TABLE t (id int PRIMARY KEY, secret text)" "SELECT * FROM safedelete.restore($event)" | states)"
# Operators and functions that fit better than PostgreSQL's own, on the path of whoever restores: each that PostgreSQL
# has for arrays of any type, for arrays of the types that there are, and some beside.
as_mallory "DO \$do\$
DECLARE of record;
BEGIN
  FOR of IN
    SELECT DISTINCT o.oprname AS name, l.t AS l, r.t AS r,
      CASE WHEN o.oprname = '||' THEN CASE WHEN l.t ~ 'a\$' THEN r.t ELSE l.t END ELSE 'boolean' END AS gives
    FROM pg_operator o, (VALUES ('text'), ('bigint'), ('integer'), ('oid'), ('regclass')) e(element),
      LATERAL (VALUES (CASE WHEN o.oprleft::regtype::text ~ 'array' THEN element || '[]' ELSE element END)) l(t),
      LATERAL (VALUES (CASE WHEN o.oprright::regtype::text ~ 'array' THEN element || '[]' ELSE element END)) r(t)
    WHERE o.oprnamespace = 'pg_catalog'::regnamespace
      AND (o.oprleft::regtype::text || o.oprright::regtype::text) ~ 'array'
    UNION VALUES ('=', 'oid', 'regclass', 'boolean'), ('||', 'text', 'bigint', 'text')
  LOOP
    EXECUTE format('CREATE OR REPLACE FUNCTION captured_%s(%s, %s) RETURNS %4\$s LANGUAGE plpgsql AS
      \$\$ BEGIN RAISE EXCEPTION ''captured''; END \$\$', CASE of.gives WHEN 'boolean' THEN 'if' ELSE 'as' END,
      of.l, of.r, of.gives);
    EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = captured_%4\$s)',
      of.name, of.l, of.r,
      CASE of.gives WHEN 'boolean' THEN 'if' ELSE 'as' END);
  END LOOP;
END \$do\$" \
  "CREATE FUNCTION array_agg(bigint[]) RETURNS bigint[] LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''captured''; END'"
check "there are such operators" t "$(run "SELECT count(*) > 50 FROM pg_operator WHERE oprcode::text ~ 'captured'")"
sql -c "INSERT INTO t VALUES (9, 'new')"
check "nor does a restore run what is on the path" "t 399 0 1" "$(restore "$event" skip)"
allowed "UPDATE t SET secret = 'x'" >/dev/null
check "of updates neither" "t 400 0 0" "$(restore)"
# Its own triggers.
as_mallory "CREATE TABLE own (id int PRIMARY KEY)" "INSERT INTO own SELECT generate_series(1, 400)" \
  "CREATE TRIGGER a BEFORE DELETE ON own FOR EACH ROW EXECUTE FUNCTION safedelete.keep_rows()" \
  "CREATE TRIGGER b AFTER UPDATE ON own REFERENCING OLD TABLE AS o FOR EACH STATEMENT
    EXECUTE FUNCTION safedelete.keep_rows()"
keep own
check "a trigger of its own keeps nothing" "39P01 39P01" "$(as_mallory "DELETE FROM own WHERE id = 1" \
  "UPDATE own SET id = -id WHERE id = 1" | states)"
# Its own types, whose checks are its functions.
as_mallory "CREATE TABLE told (who text)" \
  "CREATE FUNCTION tells(text) RETURNS boolean LANGUAGE sql AS
    'INSERT INTO public.told VALUES (current_user); SELECT true'" \
  "CREATE DOMAIN telling AS text CHECK (public.tells(VALUE))" "CREATE TYPE holding AS (inner_one telling)" \
  "CREATE TABLE lure (id telling, other holding)" \
  "SELECT safedelete.forget('lure', '{\"id\": \"x\"}')" "SELECT safedelete.forget('lure', '{\"other\": \"(x)\"}')"
check "forget runs what a type checks as who calls" "mallory mallory 2" \
  "$(sql -F' ' -c "SELECT min(who), max(who), count(*) FROM told")"
run "CREATE ROLE oscar" "GRANT INSERT ON told TO oscar" >/dev/null
check "and not as one who may not forget" "42501 2" \
  "$(run "SET ROLE oscar" "SELECT safedelete.forget('lure', '{\"id\": \"x\"}')" | states) $(
    run "SELECT count(*) FROM told")"
