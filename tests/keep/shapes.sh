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
