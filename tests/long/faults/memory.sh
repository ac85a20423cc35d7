# Part of tests/long/faults/run: one session, many guarded statements of many shapes and many refusals. After a warm-up
# its memory contexts, its resident memory and its files stay as they are.

times=${FAULTS_TIMES:-100000}
# Contexts grow by blocks, and a block more or less says nothing of a statement; malloc's arena likewise. A file or two
# may be PostgreSQL's: the next WAL segment, a table's map.
most_contexts=65536 most_rss=131072 most_files=4

sql -v ON_ERROR_STOP=1 -f tests/long/faults/memory.sql || exit 1
script=$SERVER_DIR/memory-run.sql
share() { echo $((times * $1 / 100)); }

# Each shape: a warm-up, a look, the run, a look. Looks are taken three times, for they warm up too.
looks() {
  for _ in 1 2 3; do echo "DELETE FROM memory.held WHERE shape = '$1' AND at = '$2'; SELECT memory.hold('$1', '$2');";
    done
}
# shape NAME PERCENT COMMAND: what prints the SQL for so many times.
shape() {
  local count
  count=$(share "$2")
  "$3" $((count < 1000 ? count / 5 + 1 : 1000))
  looks "$1" before
  "$3" "$count"
  looks "$1" after
}
lines() {
  awk -v n="$1" -v text="$2" 'BEGIN { for (i = 1; i <= n; i++) { line = text; gsub(/%/, i % 10, line); print line } }'
}
repeat() { printf "CALL memory.repeat(%s, \$what\$%s\$what\$);\n" "$1" "$2"; }

loop() { echo "CALL memory.loop_small($1);"; }
undone() { echo "CALL memory.loop_undone($1);"; }
prepared() { lines "$1" "EXECUTE small_by_k (%);"; }
custom() { lines "$1" "EXECUTE small_or_all (%);"; }
simple() { lines "$1" "UPDATE memory.small SET v = v + 1 WHERE k = %;"; }
returning() {
  lines "$1" \
    "WITH gone AS (DELETE FROM memory.small WHERE k = % RETURNING *) INSERT INTO memory.small SELECT * FROM gone;"
}
cascade() { repeat "$1" "UPDATE memory.dad SET id = -id WHERE grp = 3"; }
repeated() { repeat "$1" "UPDATE memory.small s SET v = s.v + 1 FROM generate_series(1, 3) g WHERE s.k >= g"; }
to_disk() { repeat "$1" "UPDATE memory.wide SET id = -id WHERE k = 1"; }
merge() {
  repeat "$1" \
    "MERGE INTO memory.small USING generate_series(1, 7) g ON small.id = g WHEN MATCHED THEN UPDATE SET v = v + 1"
}
upsert() {
  repeat "$1" "INSERT INTO memory.keyed SELECT generate_series(1, 5) ON CONFLICT (id) DO UPDATE SET v = keyed.v + 1"
}
parts() { repeat "$1" "UPDATE memory.parted SET v = v + 1 WHERE id <= 12"; }
point() { repeat "$1" "DO 'BEGIN FOR i IN 1..5 LOOP UPDATE memory.keyed SET v = v + 1 WHERE id = i; END LOOP; END'"; }
explained() { lines "$1" "EXPLAIN (ANALYZE, COSTS off) UPDATE memory.small SET v = v + 1 WHERE k = %;"; }
overridden() {
  lines "$1" "BEGIN; SET LOCAL safedelete.allow_rows = 1000; UPDATE memory.many SET k = k WHERE id > 0; ROLLBACK;"
}
checked() {
  lines "$1" \
    "SELECT count(*) FROM safedelete.check('DELETE FROM memory.many; UPDATE memory.small SET v = 1 WHERE k = %; \
DELETE FROM nothing');"
}
rehearsed() {
  lines "$1" \
    "SELECT count(*) FROM safedelete.dry_run('DELETE FROM memory.many; UPDATE memory.dad SET id = -id \
WHERE grp = %');"
}
policies() {
  lines "$1" \
    "SELECT safedelete.set_policy('memory.small', '{\"max_rows\": 5%}'); \
UPDATE memory.small SET v = v + 1 WHERE k = %; SELECT safedelete.clear_policy('memory.small');"
}
refused() {
  awk -v n="$1" 'BEGIN {
    split("DELETE FROM memory.small;|DELETE FROM memory.many WHERE id > 0;|" \
      "UPDATE memory.many SET k = 0 WHERE id > 0;|" \
      "EXECUTE small_or_all (NULL);|" \
      "TRUNCATE memory.many;|DELETE FROM memory.sealed WHERE id = 1;|" \
      "DELETE FROM memory.many USING memory.small s WHERE many.id > s.id;|" \
      "UPDATE memory.parted SET v = 0;|SELECT memory.refuse();|UPDATE memory.small SET v = 0 WHERE v = v;", kinds, "|")
    for (i = 0; i < n; i++) print kinds[1 + i % 10] }'
}
caught() { echo "CALL memory.loop_refused($1, true);"; }
# Not the guard's: statements that are prepared and kept, to see that growth is noticed.
kept() {
  awk -v n="$1" \
    'BEGIN { srand(); for (i = 0; i < n; i++) printf "PREPARE kept_%d_%d_%d AS SELECT 1;\n", n, i, rand() * 1e9 }'
}
other_errors() {
  lines "$1" \
    "UPDATE memory.small SET v = 1 / (k - k) WHERE k = %; DELETE FROM memory.small WHERE k > 1 / 0; \
DELETE FROM memory.nothing;"
}

{
  cat <<'SQL'
SET log_min_messages = fatal; SET work_mem = '64kB'; SET jit = off; SET client_min_messages = error;
SET safedelete.commands = 'delete, update, merge, truncate, upsert, drop';
PREPARE small_by_k (int) AS UPDATE memory.small SET v = v + 1 WHERE k = $1;
PREPARE small_or_all (int) AS UPDATE memory.small SET v = v + 1 WHERE $1 IS NULL OR k = $1;
CREATE FUNCTION memory.refuse() RETURNS void
  LANGUAGE plpgsql AS 'BEGIN BEGIN DELETE FROM memory.many;
    EXCEPTION WHEN OTHERS THEN DELETE FROM memory.many WHERE id > 0; END; END';
SELECT memory.hold('anything', 'before');
\echo begins
\o /dev/null
SQL
  # Guarded statements: the shares add up to 100.
  shape "a PL/pgSQL loop" 30 loop
  shape "a loop of subtransactions" 8 undone
  shape "prepared, its plan kept" 12 prepared
  shape "prepared, judged by its parameters" 8 custom
  shape "each planned by itself" 20 simple
  shape "in a WITH" 4 returning
  shape "foreign keys" 6 cascade
  shape "a join that repeats rows" 3 repeated
  shape "MERGE" 2 merge
  shape "upserts" 2 upsert
  shape "parts with a policy" 2 parts
  shape "point writes in a loop" 2 point
  shape "EXPLAIN ANALYZE" 1 explained
  # And those that cost more: a hundredth of that.
  times=$((times / 10))
  shape "collected rows that go to disk" 10 to_disk
  shape "an override" 10 overridden
  shape "check" 5 checked
  shape "dry_run" 3 rehearsed
  shape "policies that change" 5 policies
  shape "control" 5 kept
  times=$((times * 10))
  # Refusals.
  shape "refused, one by one" 60 refused
  shape "refused, caught by PL/pgSQL" 30 caught
  shape "errors of other kinds" 3 other_errors
  echo "CALL memory.within('refused, in one transaction', 'CALL memory.loop_refused(%s, false)', 1000, $(share 10));"
  echo "CALL memory.within('raised, in one transaction', 'CALL memory.loop_raised(%s)', 1000, $(share 10));"
  printf '\\o\nSELECT '"'ends'"';\n'
} >"$script"
guarded() {
  value "SELECT coalesce(sum(guarded), 0) || ' ' || coalesce(sum(refused_where + refused_rows), 0)
      FROM safedelete.stats"
}
sql -c "SELECT safedelete.reset_stats()" >/dev/null
sql -f "$script" >"$SERVER_DIR/memory.out" 2>&1
check "one session ran it all" "begins ends" "$(grep -E '^(begins|ends)$' "$SERVER_DIR/memory.out" | xargs)"
check "errors were refusals, and those that were meant" "21000 22012 42P01 SD001" \
  "$(sed -nE 's/.*(ERROR|FATAL): +([0-9A-Z]{5}):.*/\2/p' "$SERVER_DIR/memory.out" | sort -u | xargs)"
read -r ran refusals <<<"$(guarded)"
check "guarded statements: at least $times" t "$([ "$ran" -ge "$times" ] && echo t || echo "$ran")"
check "refusals: at least $times" t "$([ "$refusals" -ge "$times" ] && echo t || echo "$refusals")"

# pgbench speaks the extended protocol, with statements that the server keeps.
last=$(share 10)
cat >"$SERVER_DIR/extended.sql" <<SQL
\set i :i + 1
\set k :i % 10
UPDATE memory.small SET v = v + 1 WHERE k = :k;
\if :i = $((last / 10 - 1)) or :i = $((last / 10 - 2))
SELECT memory.hold('extended protocol', 'warm');
\elif :i = $((last / 10))
SELECT memory.hold('extended protocol', 'before');
\elif :i = $last
SELECT memory.hold('extended protocol', 'after');
\endif
SQL
check "pgbench runs to its end" 0 "$("$PG_BIN/pgbench" -n -M prepared -D i=0 -c 1 -t "$last" \
  -f "$SERVER_DIR/extended.sql" >"$SERVER_DIR/extended.out" 2>&1; echo $?)"

# What has grown. A transaction's own memory is compared with that of as many errors that are PL/pgSQL's.
reference=$(value "SELECT contexts FROM memory.growth() WHERE shape = 'raised, in one transaction'")
while IFS='|' read -r shape contexts rss data files temporary which; do
  echo "$shape: contexts $contexts, RssAnon $rss, VmData $data bytes, $files files${which:+ ($which)}"
  bound=$most_contexts
  [[ $shape == *"one transaction" ]] && bound=$((most_contexts + reference))
  if [ "$shape" = control ]; then
    check "control: memory that is kept is noticed" "t t" "$([ "$contexts" -gt "$bound" ] && echo t) $([ "$rss" \
      -gt $most_rss ] && echo t)"
    continue
  fi
  check "$shape: memory contexts have not grown" "" "$([ "$contexts" -le "$bound" ] || echo "$contexts bytes: $which")"
  check "$shape: nor resident memory, files, temporary files" "0" \
    "$([ "$rss" -le "$most_rss" ] || echo "$rss bytes ")$([ "$files" -le "$most_files" ] ||
      echo "$files files ")$temporary"
done < <(sql -c "DELETE FROM memory.held WHERE at = 'warm' OR shape = 'anything'" \
  -c "SELECT * FROM memory.growth() ORDER BY shape")
check "all shapes were looked at" 25 "$(value "SELECT count(*) FROM memory.growth()")"
check "no temporary file is left" 0 "$(temporary_files)"
