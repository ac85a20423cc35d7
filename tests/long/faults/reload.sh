# Part of tests/long/faults/run: SIGHUP with other settings, and pg_ctl stop, while a guarded statement collects or
# hands on.

# A running statement keeps the limits that it began with; the next one has the new.
session_open s
before=$(rows_now)
sql -c "SELECT safedelete.clear_policy('t')" >/dev/null
for place in collect replay; do
  [ $place = collect ] && where="stall(id, 'collect')" || where="id > 0"
  name="reload in $place"
  sql -c "ALTER SYSTEM SET safedelete.max_fraction = 1" -c "ALTER SYSTEM SET safedelete.max_rows = 20000" \
    -c "SELECT pg_reload_conf()" >/dev/null
  # An advisory lock is what the statement waits for, and is let go by.
  session_open other
  ask other "SELECT pg_advisory_lock(1);" >/dev/null
  stall_at s $place "SELECT pg_advisory_xact_lock_shared(1)"
  is_reloaded() { [ "$(sql -c "SHOW safedelete.max_rows")" = "$1" ]; }
  until_true 10 is_reloaded 20000
  ask s "SELECT 1;" >/dev/null
  send s "UPDATE t SET v = v + 1 WHERE $where;"
  until_true 20 has_stalled
  waits() { [ "$(value "SELECT wait_event FROM pg_stat_activity WHERE pid = ${backend[s]}")" = advisory ]; }
  until_true 10 waits
  check "$name: the statement waits" 0 $?
  sql -c "ALTER SYSTEM SET safedelete.max_rows = 200" -c "SELECT pg_reload_conf()" >/dev/null
  until_true 10 is_reloaded 200
  ask other "SELECT pg_advisory_unlock(1);" >/dev/null
  check "$name: the statement that ran ends as it began" "" "$(answer s)"
  check "$name: its rows are written" "20000" "$(value "SELECT count(*) FROM t WHERE v = 1")"
  ask s "SET faults.place = '';" >/dev/null
  out=$(ask s "UPDATE t SET v = 0 WHERE id > 0;")
  check_match "$name: the session's next statement has the new limit" 'selected 201 rows; safedelete.max_rows is 200' \
    "$out"
  clean "$name" s
  # The other way round: what a session would have been refused, it may do after a reload, in the same plan.
  ask s "PREPARE back AS UPDATE t SET v = 0 WHERE id > 0;" >/dev/null
  check "$name: a prepared statement is refused" SD001 "$(ask s "EXECUTE back;" | states)"
  sql -c "ALTER SYSTEM SET safedelete.mode = off" -c "SELECT pg_reload_conf()" >/dev/null
  is_off() { [ "$(sql -c "SHOW safedelete.mode")" = off ]; }
  until_true 10 is_off
  check "$name: and goes when a reload turns the guard off" "" "$(sleep 0.2; ask s "EXECUTE back; DEALLOCATE back;")"
  sql -c "ALTER SYSTEM RESET safedelete.mode" -c "ALTER SYSTEM RESET safedelete.max_fraction" \
    -c "ALTER SYSTEM RESET safedelete.max_rows" -c "SELECT pg_reload_conf()" >/dev/null
  until_true 10 is_reloaded -1
  check "$name: the rows are as before" "$before" "$(rows_now)"
  session_close other
done
# Reloads all the time while statements run.
refused=0
sql -c "ALTER SYSTEM SET safedelete.max_rows = 15000" -c "SELECT pg_reload_conf()" >/dev/null
until_true 10 is_reloaded 15000
ask s "SET work_mem = '64kB';" >/dev/null
for i in {1..30}; do
  send s "UPDATE t SET v = v + 1 WHERE id > 0;"
  for _ in 1 2 3 4; do kill -HUP "$(head -1 "$SERVER_DIR/data/postmaster.pid")"; sleep 0.01; done
  [ "$(answer s | states)" = SD001 ] && refused=$((refused + 1))
done
check "reloads all the time: every statement is refused" 30 $refused
clean "reloads all the time" s
sql -c "ALTER SYSTEM RESET safedelete.max_rows" \
  -c "SELECT safedelete.set_policy('t', '{\"max_fraction\": 1, \"max_rows\": 1000000}')" \
  -c "SELECT pg_reload_conf()" >/dev/null
session_close s

# The rows lie in order again: what stalls at row 15,000 has collected those before it.
sql -c "SET safedelete.mode = off" -c "TRUNCATE t" \
  -c "INSERT INTO t SELECT g, 0, repeat('x', 20) FROM generate_series(1, 20000) g" -c "VACUUM ANALYZE t"

# A stop. PostgreSQL ends the sessions, and keeps the events.
for place in collect replay; do
  [ $place = collect ] && where="stall(id, 'collect')" || where="id > 0"
  name="pg_ctl stop in $place"
  sql -c "DELETE FROM probe -- before the stop" >/dev/null
  events=$(value "SELECT count(*) FROM safedelete.events")
  session_open s
  stall_at s $place "SELECT pg_sleep(60)"
  send s "UPDATE t SET v = v + 1 WHERE $where;"
  until_true 20 has_stalled
  check "$name: what was collected is in a file" t "$([ "$(temporary_files)" -gt 0 ] && echo t)"
  started=$SECONDS
  ctl -m fast stop
  check "$name: the server stops, at once" "0 t" "$? $([ $((SECONDS - started)) -lt 10 ] && echo t)"
  check "$name: the client is told as ever" 57P01 "$(answer s | states)"
  check "$name: no temporary file is left" 0 "$(temporary_files)"
  session_close s
  ctl start
  check "$name: no row has changed" "$before" "$(rows_now)"
  check "$name: every event is there, the last of them" "$events DELETE FROM probe -- before the stop" \
    "$(value "SELECT count(*) FROM safedelete.events") $(value "SELECT query
        FROM safedelete.events OFFSET $events - 1")"
  check "$name: the guard refuses" 21000 "$(sql -c "DELETE FROM t" | states)"
done
