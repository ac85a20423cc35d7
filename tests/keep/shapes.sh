# Part of tests/keep/run: tables with constraints that are checked later, with names that a format
# reads, with no columns.

database shapes
# comes_back WHAT COLUMNS ROWS WRITE: a table t of these columns and rows is written and restored.
comes_back() {
  run "DROP TABLE IF EXISTS t" "CREATE TABLE t ($2)" "INSERT INTO t $3" >/dev/null
  keep t 2>/dev/null
  before=$(sums t)
  allowed "$4" >/dev/null
  check "$1: the write has done something" t "$([ "$(sums t)" != "$before" ] && echo t)"
  restore >/dev/null
  check "$1: comes back" "$before" "$(sums t)"
}
rows="SELECT g, g FROM generate_series(1, 300) g"
for when in "DEFERRABLE" "DEFERRABLE INITIALLY DEFERRED"; do
  comes_back "a key that is $when, deleted" "id int PRIMARY KEY $when, v int" "$rows" "DELETE FROM t WHERE id <= 200"
  comes_back "a key that is $when, updated" "id int PRIMARY KEY $when, v int" "$rows" \
    "UPDATE t SET v = 0 WHERE id <= 200"
  comes_back "a unique column that is $when" "id int PRIMARY KEY, v int UNIQUE $when" "$rows" \
    "DELETE FROM t WHERE id <= 200"
done
comes_back "an exclusion constraint that is checked later" \
  "id int PRIMARY KEY, v int4range, EXCLUDE USING gist (v WITH &&) DEFERRABLE" \
  "SELECT g, int4range(g, g + 1) FROM generate_series(1, 300) g" "DELETE FROM t WHERE id <= 200"
run "DROP TABLE t" "CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE DEFERRABLE)" "INSERT INTO t $rows" >/dev/null
keep t
allowed "DELETE FROM t WHERE id <= 200" >/dev/null
run "INSERT INTO t VALUES (1, 1), (1002, 2)" >/dev/null
check "what is taken since stays, by the key or by the other" "t 198 1 1" "$(restore "$(newest)" skip)"
name='"i%1$s"'
comes_back "a key whose name a format reads, deleted" "$name int PRIMARY KEY, \"v%\" int" "$rows" \
  "DELETE FROM t WHERE $name <= 200"
comes_back "a key whose name a format reads, updated" "$name int PRIMARY KEY, \"v%\" int" "$rows" \
  "UPDATE t SET \"v%\" = 0 WHERE $name <= 200"
run "DROP TABLE t" "CREATE TABLE t ()" "ALTER TABLE t ADD g int GENERATED ALWAYS AS (1) STORED" \
  "INSERT INTO t SELECT FROM generate_series(1, 300)" >/dev/null
keep t 2>/dev/null
allowed "DELETE FROM t WHERE g = 1" >/dev/null
check "rows without a stored column: as many" "t 300 0 0 300" "$(restore) $(sql -c "SELECT count(*) FROM t")"

# Rules on INSERT and UPDATE are passed, as COPY passes them: rows go where they were. Triggers fire.
ruled() { run "DROP TABLE IF EXISTS t, log CASCADE" "CREATE TABLE log (id int)" \
  "CREATE TABLE t (id int PRIMARY KEY, v int)" \
  "INSERT INTO t $rows" "CREATE OR REPLACE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO log VALUES (new.id); RETURN NULL; END'" "$@" >/dev/null; keep t; before=$(sums t log); }
logs() { sql -c "SELECT count(*) FROM log"; }
for rule in "INSERT TO t DO INSTEAD NOTHING" "INSERT TO t DO ALSO INSERT INTO log VALUES (new.id)" \
  "INSERT TO t WHERE new.id > 100 DO INSTEAD INSERT INTO log VALUES (new.id)" "UPDATE TO t DO INSTEAD NOTHING" \
  "UPDATE TO t WHERE new.id > 100 DO ALSO DELETE FROM t WHERE id = old.id + 1"; do
  ruled "CREATE RULE r AS ON $rule"
  allowed "DELETE FROM t WHERE id <= 200" >/dev/null
  check "a rule on $rule: deleted rows come back" "t 200 0 0 $before" "$(restore) $(sums t log)"
  ruled
  allowed "UPDATE t SET v = -v WHERE id <= 200" >/dev/null
  run "CREATE RULE r AS ON $rule" >/dev/null
  check "a rule on $rule: updated rows go back" "t 200 0 0 $before" "$(restore) $(sums t log)"
done
ruled "CREATE RULE r AS ON UPDATE TO t DO INSTEAD NOTHING" \
  "CREATE TRIGGER f AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION fired()"
allowed "DELETE FROM t WHERE id <= 200" >/dev/null
run "INSERT INTO t VALUES (7, 0)" "TRUNCATE log" >/dev/null
check "beside rules what is taken since stays, and triggers fire" "t 199 0 1 199" "$(restore "$(newest)" skip) $(logs)"
ruled "CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (new.id)" "ALTER TABLE t ENABLE ALWAYS RULE r"
allowed "DELETE FROM t WHERE id <= 200" >/dev/null
check "a rule that holds in replicas, too, is not passed" 0A000 \
  "$(sql -c "SELECT safedelete.restore($(newest))" | state)"
check "and nobody has become one" origin \
  "$(run "SELECT safedelete.restore($(newest))" "SHOW session_replication_role" 2>&1 | tail -1)"
ruled "CREATE TABLE others (id int)" "CREATE RULE no AS ON INSERT TO others DO INSTEAD NOTHING" \
  "CREATE FUNCTION passes() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN
       PERFORM safedelete.put_back(''INSERT INTO others VALUES (1) RETURNING 1::bigint, 1::bigint, NULL::bigint[]'',
         true, true, NULL, 1, 1, NULL, NULL, NULL);
       RETURN NULL;
     END'" \
  "CREATE TRIGGER passes AFTER UPDATE ON t EXECUTE FUNCTION passes()" \
  "CREATE TABLE refers (id int REFERENCES t ON UPDATE CASCADE)" "ALTER TABLE t DISABLE TRIGGER passes"
allowed "UPDATE t SET id = -id WHERE id <= 200" >/dev/null
run "ALTER TABLE t ENABLE TRIGGER passes" >/dev/null
check "a trigger passes nobody's rules" "55000 0" "$(sql -c "SELECT safedelete.restore($(newest))" | state) $(
  sql -c "SELECT count(*) FROM others")"
