# Part of tests/keep/run: what others do to kept tables: replication, row security, generated columns, tables that have
# become others since.

database publisher
run "CREATE TABLE t (id int PRIMARY KEY, v text)" "CREATE TABLE fed (id int PRIMARY KEY)" \
  "CREATE PUBLICATION p FOR TABLE t, fed" "SELECT pg_create_logical_replication_slot('s', 'pgoutput')" >/dev/null
database subscriber
run "CREATE TABLE t (id int PRIMARY KEY, v text)" "CREATE TABLE fed (id int PRIMARY KEY)" \
  "CREATE TABLE own (id int PRIMARY KEY)" "INSERT INTO own SELECT generate_series(1, 400)" \
  "CREATE FUNCTION fed() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN DELETE FROM public.own WHERE id <= 300; RETURN NULL; END'" \
  "CREATE TRIGGER fed AFTER INSERT ON fed FOR EACH ROW EXECUTE FUNCTION fed()" \
  "ALTER TABLE fed ENABLE ALWAYS TRIGGER fed"
for table in t own; do
  sql -c "SELECT safedelete.set_policy('$table', '{\"keep\": \"7 days\", \"keep_from\": 1}')" >/dev/null
done
run "ALTER DATABASE subscriber SET safedelete.mode = log" \
  "CREATE SUBSCRIPTION sub CONNECTION 'host=$PGHOST port=${PGPORT:-5432} dbname=publisher user=postgres'
    PUBLICATION p WITH (create_slot = false, slot_name = 's', copy_data = false)" >/dev/null 2>&1
sql -d publisher -c "SET safedelete.mode = off; INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 400) g;
  UPDATE t SET v = 'w' WHERE id <= 200; DELETE FROM t WHERE id > 100; INSERT INTO fed VALUES (1)"
until_equal 60 "100 1" sql -F' ' -c "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM fed)"
check "rows that replication applies are not kept, nor stop it" "100 0" "$(sql -F' ' -c "SELECT count(*),
  (SELECT count(*) FROM safedelete.kept WHERE relation = 'public.t') FROM t")"
check "what a trigger below it takes is" "public.own 300" "$(sql -F' ' -c "SELECT relation, rows FROM safedelete.kept")"
sql -d publisher -c "SET safedelete.mode = off; TRUNCATE t"
until_equal 60 0 sql -c "SELECT count(*) FROM t"
check "nor its TRUNCATE" 1 "$(kept)"
check "here it comes back" "own 300 0 0" "$(restore)"
run "ALTER SUBSCRIPTION sub DISABLE" "ALTER SUBSCRIPTION sub SET (slot_name = NONE)" "DROP SUBSCRIPTION sub"
sql -d publisher -c "SELECT pg_drop_replication_slot('s')" >/dev/null

check "nor is a session that replays a way around it" 400 "$(run "SET session_replication_role = replica" \
  "DELETE FROM own" "SELECT max(rows) FROM safedelete.kept WHERE relation = 'public.own' AND restored_at IS NULL")"
run "INSERT INTO own SELECT generate_series(1, 400)" "ALTER TABLE own DISABLE TRIGGER ALL" >/dev/null
allowed "DELETE FROM own" >/dev/null
check "DISABLE TRIGGER ALL does not reach what keeps rows" "own 400 0 0" "$(restore)"

database tenants
run "CREATE TABLE t (id int PRIMARY KEY, tenant text, v int)" "CREATE ROLE landlord" "CREATE ROLE tenant_a" \
  "GRANT landlord TO tenant_a" "ALTER TABLE t OWNER TO landlord" "ALTER TABLE t ENABLE ROW LEVEL SECURITY" \
  "ALTER TABLE t FORCE ROW LEVEL SECURITY" "GRANT ALL ON t TO tenant_a" \
  "CREATE POLICY own ON t USING (tenant = current_user)" \
  "INSERT INTO t SELECT g, CASE WHEN g <= 300 THEN 'tenant_a' ELSE 'tenant_b' END, g FROM generate_series(1, 400) g"
keep t
before=$(sums t)
allowed "SET LOCAL ROLE tenant_a" "DELETE FROM t" >/dev/null
check "row security: what a role has deleted is kept" "DELETE 300" \
  "$(sql -F' ' -c "SELECT command, rows FROM safedelete.kept")"
check "and given back by it" "t|300|0|0" "$(run "SET ROLE tenant_a" \
  "SELECT relation, restored, already_there, changed_since FROM safedelete.restore($(newest))")"
check "as it was" "$before" "$(sums t)"
allowed "UPDATE t SET v = -v" >/dev/null
check "rows that it may not see are not there for it" "t|300|0|100" "$(run "SET ROLE tenant_a" \
  "SELECT relation, restored, already_there, changed_since FROM safedelete.restore($(newest), 'skip')")"
check "and can be given back by who may" "t 100 0 0" "$(restore "$(sql -c "SELECT max(event) FROM safedelete.kept
  WHERE rows = 100")")"
check "as it was" "$before" "$(sums t)"
allowed "DELETE FROM t WHERE id > 100" >/dev/null
check "nor does it give back what it may not write" 42501 "$(run "SET ROLE tenant_a" \
  "SELECT * FROM safedelete.restore($(newest), 'skip')" | state)"

database uniques
run "CREATE TABLE t (id int PRIMARY KEY, e text, n int, v int, UNIQUE (e, n))" \
  "INSERT INTO t SELECT g, 'e' || g, 1, g FROM generate_series(1, 400) g"
keep t
allowed "UPDATE t SET e = 'x' || id, v = -v" >/dev/null
event=$(newest)
run "INSERT INTO t VALUES (1007, 'e7', 1, 0), (1008, 'e8', 2, 0)"
check "what another unique index allows once is taken" 55000 "$(sql -c "SELECT safedelete.restore($event)" | state)"
check "and left, or not" "t 399 0 1" "$(restore $event skip)"
check "others' rows stay" "7 x7 -7,1007 e7 0,1008 e8 0" "$(sql -c "SELECT string_agg(concat_ws(' ', id, e, v), ','
  ORDER BY id) FROM t WHERE id IN (7, 1007, 1008)")"
run "CREATE TABLE g (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
    b int GENERATED ALWAYS AS (a * 2) STORED)" \
  "INSERT INTO g (a) SELECT generate_series(1, 400)"
keep g
before=$(sums g)
allowed "UPDATE g SET a = -a" >/dev/null
check "generated columns are computed anew" "g 400 0 0" "$(restore)"
check "as it was" "$before" "$(sums g)"
allowed "DELETE FROM g" >/dev/null
run "ALTER TABLE g DROP COLUMN b" "ALTER TABLE g ADD COLUMN b int GENERATED ALWAYS AS (a * 3) STORED"
check "those that are others now, too" "g 400 0 0 t" "$(restore) $(sql -c "SELECT bool_and(b = a * 3) FROM g")"

database became
for table in t u; do
  run "CREATE TABLE $table (id int PRIMARY KEY, v text)" \
    "INSERT INTO $table SELECT g, 'v' || g FROM generate_series(1, 400) g"
  keep $table
  before=$(sums $table)
  allowed "DELETE FROM $table WHERE id > 100" >/dev/null
  run "ALTER TABLE $table RENAME TO ${table}_0" \
    "CREATE TABLE $table (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id)"
done
sql -c "ALTER TABLE t ATTACH PARTITION t_0 DEFAULT"
check "a table that is a partition now" "t_0 300 0 0" \
  "$(restore "$(sql -c "SELECT event FROM safedelete.kept WHERE relation = 'public.t_0'")")"
event=$(newest)
run "CREATE TABLE u_1 PARTITION OF u DEFAULT" "INSERT INTO u SELECT * FROM u_0" "DROP TABLE u_0"
check "one that was replaced by a partitioned one is gone" 42P01 \
  "$(sql -c "SELECT * FROM safedelete.restore($event)" | state)"
check "its rows can be put there by hand" "$before" "$(sql -c "INSERT INTO u SELECT (safedelete.row_of(NULL::u, columns,
  old_texts)).* FROM safedelete.kept_rows WHERE event = $event"; sums u)"
