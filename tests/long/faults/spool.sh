# Part of tests/long/faults/run: no room for what is collected. PostgreSQL's own error comes through as it does without
# the guard, nothing is written, and the session goes on.

# no_room NAME STATE STATEMENT SETTINGS: what a guarded write meets is what a tuplestore of PostgreSQL's own meets.
no_room() {
  local name=$1 before out reference
  before=$(rows_now)
  session_open s
  reference=$(ask s "SET work_mem = '64kB'; SET jit = off; $4; WITH m AS MATERIALIZED (SELECT * FROM t)
      SELECT count(*) FROM m;" | comparable)
  check "$name: the server's own tuplestore meets it" "$2" "$(states <<<"$reference")"
  value "SELECT setval('fired', 1, false)" >/dev/null
  ask s "BEGIN; DELETE FROM probe WHERE id <= 3; SAVEPOINT s; SET LOCAL safedelete.allow_rows = 77;
      SET LOCAL safedelete.scope = transaction;" >/dev/null
  out=$(ask s "$3;")
  check "$name: the guard's meets it with the same words" "$reference" "$(comparable <<<"$out")"
  check "$name: no row was handed on to be written" 0 "$(handed_on)"
  ask s "ROLLBACK TO s;" >/dev/null
  check "$name: no temporary file stays, in the open transaction" 0 "$(temporary_files)"
  check "$name: the next statements of the transaction are refused, and counted" \
    "21000 The statement selected 11 rows;" "$(
    ask s "SAVEPOINT s; DELETE FROM probe; ROLLBACK TO s; DELETE FROM probe WHERE id > 29; ROLLBACK TO s;" |
      sed -nE 's/.*ERROR:  (21000).*/\1/p; s/^DETAIL: +(The statement selected [0-9]+ rows;).*/\1/p' | xargs)"
  clean "$name" s
  check "$name: with room again the statement runs" "" \
    "$(ask s "RESET temp_file_limit; RESET temp_tablespaces; BEGIN; $3; ROLLBACK;")"
  session_close s
  check "$name: no row has changed" "$before" "$(rows_now)"
}

for statement in "UPDATE t SET v = v + 1 WHERE id > 0" "DELETE FROM t USING one WHERE id > 0" \
  "UPDATE t SET v = v + g FROM generate_series(1, 2) g WHERE id > g"; do
  no_room "temp_file_limit, ${statement%% WHERE*}" 53400 "$statement" "SET temp_file_limit = '100kB'"
done

mkdir "$SERVER_DIR/full"
if [ "$(id -u)" != 0 ] || ! mount -t tmpfs -o size=128k tmpfs "$SERVER_DIR/full" 2>/dev/null; then
  skip "a full disk" \
    "mounting a tmpfs is not permitted here; run it as root, outside of a container or in a privileged one"
else
  chown postgres: "$SERVER_DIR/full"
  chmod 700 "$SERVER_DIR/full"
  sql -c "CREATE TABLESPACE full_up LOCATION '$SERVER_DIR/full'"
  for statement in "UPDATE t SET v = v + 1 WHERE id > 0" "DELETE FROM t USING one WHERE id > 0"; do
    no_room "a full disk, ${statement%% *}" 53100 "$statement" "SET temp_tablespaces = full_up"
  done
  session_open s
  stall_at s collect "SELECT pg_sleep(60)"
  send s "SET temp_tablespaces = full_up; UPDATE t SET pad = pad || repeat('y', 60) WHERE stall(id, 'collect')
      AND id > 14000;"
  until_true 20 has_stalled
  check "a disk with room enough: it is there that rows are collected" t "$(find "$SERVER_DIR/full" -name 'pgsql_tmp*' \
    -type f | grep -q . && echo t)"
  value "SELECT pg_cancel_backend(${backend[s]})" >/dev/null
  check "a disk with room enough: and from there they go when the statement is cancelled" "57014 0" \
    "$(answer s | states) $(find "$SERVER_DIR/full" -name 'pgsql_tmp*' -type f | wc -l)"
  session_close s
  sql -c "DROP TABLESPACE full_up"
  umount "$SERVER_DIR/full"
fi

# Memory. A backend that may not grow: what it asks of PostgreSQL for the rows is refused. Two bytes a row have to be
# more than what it has free.
sql -c "CREATE TABLE many (id int NOT NULL)" -c "INSERT INTO many SELECT generate_series(1, 1000000)" \
  -c "CREATE TRIGGER stall BEFORE UPDATE OR DELETE ON many FOR EACH ROW EXECUTE FUNCTION stall_row()" \
  -c "SELECT safedelete.set_policy('many', '{\"max_fraction\": 1, \"max_rows\": 2000000}')" \
  -c "VACUUM ANALYZE many" >/dev/null
session_open s
value "SELECT setval('fired', 1, false)" >/dev/null
before=$(rows_now)
ask s "SET work_mem = '64MB'; SET jit = off; BEGIN; UPDATE many SET id = -id WHERE id < 100;
    DELETE FROM many WHERE id < -50; ROLLBACK;" >/dev/null
value "SELECT setval('fired', 1, false)" >/dev/null
kb=$(awk '/^VmSize/ { print $2 }' "/proc/${backend[s]}/status")
if as_owner prlimit --pid "${backend[s]}" --as=$((kb * 1024)):unlimited 2>"$SERVER_DIR/prlimit.out"; then
  out=$(ask s "DELETE FROM many WHERE id > 0;")
  as_owner prlimit --pid "${backend[s]}" --as=unlimited:unlimited
  check "out of memory: PostgreSQL's error, of the array of identities" "53200" "$(states <<<"$out")"
  check_match "out of memory: its size is the array's" \
    'Failed on request of size [0-9]+ in memory context "ExecutorState"' "$out"
  check "out of memory: no row was handed on to be written" 0 "$(handed_on)"
  clean "out of memory" s
else
  skip "out of memory" "prlimit is missing or not permitted: $(head -1 \
    "$SERVER_DIR/prlimit.out"); on Debian: apt-get install util-linux"
fi
session_close s
check "out of memory: no row has changed" "$before 1000000" \
  "$(rows_now) $(value "SELECT count(*) FROM many WHERE id > 0")"

# The set of distinct rows of a join, Rust's memory and PostgreSQL's. Where it runs out hangs on the machine, so the
# room is made larger step by step; whoever asks, the error is 53200 and the backend lives.
sql -c "CREATE TABLE wide (id int, pad text) WITH (fillfactor = 10)" -c "ALTER TABLE wide ALTER pad SET STORAGE plain" \
  -c "INSERT INTO wide SELECT g, repeat('x', 3000) FROM generate_series(1, 60000) g" -c "ANALYZE wide" >/dev/null
for room in 0 96 160 224 288 352; do
  session_open s
  ask s "SET safedelete.max_rows = 1000000; SET safedelete.max_fraction = 1; SET work_mem = '64kB';
      SET enable_hashjoin = off;
    SET enable_mergejoin = off; SET jit = off; UPDATE wide SET id = wide.id FROM generate_series(1, 2) g
        WHERE wide.id < g;" >/dev/null
  kb=$(awk '/^VmSize/ { print $2 }' "/proc/${backend[s]}/status")
  as_owner prlimit --pid "${backend[s]}" --as=$(((kb + room) * 1024)):unlimited 2>/dev/null || { session_close s;
    break; }
  out=$(ask s "UPDATE wide SET id = wide.id + 1 FROM generate_series(1, 2) g WHERE wide.id > g;")
  as_owner prlimit --pid "${backend[s]}" --as=unlimited:unlimited
  check "out of memory with $room kB left: the error" "53200" "$(states <<<"$out")"
  check "out of memory with $room kB left: the session goes on" "1" "$(ask s "SELECT 1;")"
  session_close s
done
