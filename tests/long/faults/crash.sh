# Part of tests/long/faults/run: kill -9 of a backend while it collects and while it hands on what it collected, of
# backends that write events, and of the postmaster.

events() { value "SELECT count(*) FROM safedelete.events"; }

# guards NAME: after a crash the guard refuses, and what it keeps in shared memory is new and works.
guards() {
  check "$1: events and counters begin anew" "0 0" "$(events) $(value "SELECT count(*) FROM safedelete.stats")"
  check "$1: the guard refuses by both rules" "21000 SD001" \
    "$(sql -c "DELETE FROM probe" -c "DELETE FROM probe WHERE id < 20" | states)"
  check "$1: it keeps both events" "where refused DELETE FROM probe,rows refused DELETE FROM probe WHERE id < 20" \
    "$(value "SELECT string_agg(concat_ws(' ', rule, verdict, query), ',') FROM safedelete.events")"
  check "$1: and counts them" "2|1|1" "$(value "SELECT guarded, refused_where, refused_rows FROM safedelete.stats
      WHERE database = current_database()")"
  check "$1: it collects and spools" "20000 rows, more than 0 bytes" "$(
    sql -c "SELECT safedelete.reset_stats()" -c "SET work_mem = '64kB'" -c "BEGIN" \
      -c "UPDATE t SET v = v + 1 WHERE id > 0" -c "ROLLBACK" >/dev/null
    value "SELECT format('%s rows, more than %s bytes', rows_spooled, least(spool_bytes, 0)) FROM safedelete.stats
        WHERE database = current_database() AND spool_bytes > 0")"
}

for crash in "collect UPDATE t SET v = v + 1 WHERE stall(id, 'collect')" "replay UPDATE t SET v = v + 1 WHERE id > 0" \
  "collect DELETE FROM t USING one WHERE stall(id, 'collect')" "replay DELETE FROM t USING one WHERE id > 0"; do
  place=${crash%% *} statement=${crash#* }
  name="${statement%% *} killed in $place"
  before=$(rows_now)
  session_open bystander
  session_open victim
  ask bystander "DELETE FROM probe;" >/dev/null
  ask bystander "BEGIN; DELETE FROM probe WHERE id <= 5;" >/dev/null
  stall_at victim "$place" "SELECT pg_sleep(60)"
  send victim "$statement;"
  until_true 20 has_stalled
  check "$name: before, so many rows have been handed on to be written" \
    "$([ "$place" = collect ] && echo 0 || echo 15000)" "$(handed_on)"
  check "$name: what was collected is in a file" t "$([ "$(temporary_files)" -gt 0 ] && echo t)"
  from=$(log_size)
  kill -KILL "${backend[victim]}"
  killed=$((killed + 1))
  check_match "$name: its client is told" 'server closed the connection unexpectedly' "$(answer victim)"
  until_true 30 is_ready_after "$from"
  check "$name: PostgreSQL restarts, once" "1 1" \
    "$(last_log "$from" | grep -c 'terminated by signal 9') $(last_log "$from" |
    grep -c 'all server processes terminated; reinitializing')"
  check "$name: the other sessions end as after any crash" 57P02 "$(ask bystander "SELECT 1;" | grep -oE '57P0[0-9]')"
  check "$name: no row has changed" "$before" "$(rows_now)"
  check "$name: no temporary file is left" 0 "$(temporary_files)"
  guards "$name"
  session_close victim
  session_close bystander
done

# Backends that write events at full speed, one of them killed wherever it is, three times. A writer that dies leaves a
# slot half written; the memory is made anew.
cat >"$SERVER_DIR/refusals.sql" <<'SQL'
DO $$ BEGIN FOR i IN 1..100 LOOP BEGIN DELETE FROM probe; EXCEPTION WHEN cardinality_violation THEN NULL; END; END LOOP;
  END $$;
SQL
for round in 1 2 3; do
  from=$(log_size)
  PGAPPNAME=storm "$PG_BIN/pgbench" -n -c 4 -j 1 -T 30 -f "$SERVER_DIR/refusals.sql" >"$SERVER_DIR/storm.out" 2>&1 &
  storm=$!
  full() { [ "$(value "SELECT count(*) FROM safedelete.events WHERE application = 'storm'")" = 1000 ]; }
  until_true 20 full
  check "killed writer of events $round: the ring was full" 0 $?
  kill -KILL "$(value "SELECT pid FROM pg_stat_activity WHERE application_name = 'storm' ORDER BY random() LIMIT 1")"
  killed=$((killed + 1))
  wait "$storm"
  until_true 30 is_ready_after "$from"
  check "killed writer of events $round: afterwards it is empty, and takes 1000 events again" "0 1000 1000" \
    "$(events) $(sql -c "DO \$\$ BEGIN FOR i IN 1..1200 LOOP BEGIN DELETE FROM probe;
        EXCEPTION WHEN cardinality_violation THEN NULL; END; END LOOP; END \$\$" \
      -c "SELECT count(*) || ' ' || count(*) FILTER (WHERE verdict = 'refused' AND rule = 'where'
          AND relation = 'public.probe' AND query LIKE 'DO %') FROM safedelete.events")"
done

# The postmaster. A backend that waits sees that it is gone and ends; one that works goes on, and holds the shared
# memory, so that no second server starts beside it.
for crash in "collect UPDATE t SET v = v + 1 WHERE stall(id, 'collect')" \
  "replay DELETE FROM t USING one WHERE id > 0"; do
  place=${crash%% *} statement=${crash#* }
  name="${statement%% *} orphaned in $place"
  before=$(rows_now)
  session_open bystander
  session_open victim
  ask bystander "DELETE FROM probe;" >/dev/null
  stall_at victim "$place" "SELECT spin(60)"
  send victim "$statement;"
  until_true 20 has_stalled
  check "$name: what was collected is in a file" t "$([ "$(temporary_files)" -gt 0 ] && echo t)"
  from=$(log_size)
  postmaster=$(head -1 "$SERVER_DIR/data/postmaster.pid")
  bystander=${backend[bystander]} victim=${backend[victim]}
  kill -KILL "$postmaster"
  bystander_is_gone() { ! kill -0 "$bystander" 2>/dev/null; }
  until_true 20 bystander_is_gone
  check "$name: a backend that waits ends" 0 $?
  check "$name: the one that collected goes on" 0 "$(kill -0 "$victim"; echo $?)"
  ctl start
  check_match "$name: no server starts beside it" 'pre-existing shared memory block .* is still in use' \
    "$(last_log "$from")"
  kill -KILL "$victim"
  until_true 20 ctl start
  check "$name: when it is gone, one does" 0 $?
  check "$name: after recovery" 1 \
    "$(last_log "$from" | grep -c 'database system was not properly shut down; automatic recovery in progress')"
  check "$name: no row has changed" "$before" "$(rows_now)"
  check "$name: no temporary file is left" 0 "$(temporary_files)"
  guards "$name"
  session_close victim
  session_close bystander
done
