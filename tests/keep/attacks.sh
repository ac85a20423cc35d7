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
# Operators and functions that fit better than PostgreSQL's own, on the path of whoever restores.
as_mallory "CREATE FUNCTION captured(oid, regclass) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''captured''; END'" \
  "CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = captured)" \
  "CREATE FUNCTION captured(text, bigint) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''captured''; END'" \
  "CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = bigint, FUNCTION = captured)" \
  "CREATE FUNCTION captured(bigint[], bigint[]) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''captured''; END'" \
  "CREATE OPERATOR public.<> (LEFTARG = bigint[], RIGHTARG = bigint[], FUNCTION = captured)" \
  "CREATE FUNCTION captured(text[], text[]) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''captured''; END'" \
  "CREATE OPERATOR public.= (LEFTARG = text[], RIGHTARG = text[], FUNCTION = captured)" \
  "CREATE FUNCTION array_agg(bigint[]) RETURNS bigint[] LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''captured''; END'"
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
