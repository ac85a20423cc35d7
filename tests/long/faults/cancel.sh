# Part of tests/long/faults/run: timeouts, cancels, terminations, lock timeouts and deadlocks while rows are collected
# and while they are handed on. What the client sees is what it sees with the guard off; the session's counts stay
# exact.

# fault_NAME SESSION: makes it happen to the session's backend, which has stalled.
fault_cancel() { value "SELECT pg_cancel_backend(${backend[$1]})" >/dev/null; }
fault_terminate() { value "SELECT pg_terminate_backend(${backend[$1]})" >/dev/null; }
fault_statement_timeout() { :; }
fault_transaction_timeout() { :; }
fault_lock_timeout() { :; }
fault_deadlock() { :; }

# scenario FAULT STATE PLACE STATEMENT: with the guard, and with mode off, in a session of its own. The rows that the
# transaction had counted before stay counted, what the fault undid is given back.
scenario() {
  local fault=$1 state=$2 place=$3 statement=$4 name mode out words= what="SELECT pg_sleep(60)" before rest on_disk
  name="$fault, ${statement:0:24}, $place"
  before=$(rows_now)
  for mode in enforce off; do
    session_open s
    session_open other
    case $fault in
      lock_timeout) what="LOCK TABLE locked"; ask other "BEGIN; LOCK TABLE locked;" >/dev/null ;;
      deadlock) what="LOCK TABLE locked"; ask other "SET deadlock_timeout = '10min'; BEGIN;
          LOCK TABLE locked;" >/dev/null ;;
    esac
    stall_at s "$place" "$what"
    ask s "SET safedelete.mode = $mode;" >/dev/null
    case $fault in
      statement_timeout) ask s "SET statement_timeout = '1s';" ;;
      transaction_timeout) ask s "SET transaction_timeout = '1500ms';" ;;
      lock_timeout) ask s "SET lock_timeout = '300ms';" ;;
      deadlock) ask s "SET deadlock_timeout = '200ms';" ;;
    esac
    ask s "BEGIN; SET LOCAL safedelete.scope = transaction; LOCK TABLE held; DELETE FROM probe WHERE id <= 4;
        SAVEPOINT s;
      SET LOCAL safedelete.allow_rows = 777; DELETE FROM probe WHERE id BETWEEN 5 AND 9;" >/dev/null
    [ "$fault" != deadlock ] || send other "LOCK TABLE held;"
    send s "$statement;"
    until_true 20 has_stalled
    on_disk=$(temporary_files)
    if [ $mode = enforce ] && [ "$place" = collect ]; then
      check "$name: no row had been handed on, and there is a file" "0 t" \
        "$(handed_on) $([ "$on_disk" -gt 0 ] && echo t)"
    elif [ $mode = enforce ]; then
      check_match "$name: rows had been handed on" '^[1-9][0-9]+$' "$(handed_on)"
    fi
    "fault_$fault" s
    out=$(answer s | comparable)
    if [ $mode = enforce ]; then words=$out; else check "$name: the error is $state, word for word" "$state $out" \
      "$(states <<<"$words") $words"; fi
    if [ $mode = enforce ] && kill -0 "${client[s]}" 2>/dev/null; then
      rest=$(ask s "RESET statement_timeout; ROLLBACK TO s; SET statement_timeout = 0; SHOW safedelete.allow_rows;
          SET faults.place = ''; SET client_min_messages = error;
        WITH gone AS (DELETE FROM probe WHERE id BETWEEN 5 AND 10 RETURNING 1) SELECT count(*) FROM gone;
        SAVEPOINT s; DELETE FROM probe WHERE id = 11; ROLLBACK TO s; RESET client_min_messages;")
      check "$name: after ROLLBACK TO, the transaction has 4 rows, and no override" \
        "0 6 the transaction came to 11 rows of the table" \
        "$(sed -nE '/^[0-9]+$/p; s/^DETAIL: .*(the transaction came to [0-9]+ rows of the table).*/\1/p' <<<"$rest" |
          xargs)"
      check "$name: no file is left, in the open transaction" 0 "$(temporary_files)"
      clean "$name" s
    fi
    session_close s
    session_close other
    no_file() { [ "$(temporary_files)" = 0 ]; }
    until_true 10 no_file
    check "$name, mode $mode: no row has changed, no file is left" "$before 0" "$(rows_now) $(temporary_files)"
  done
}

collect="UPDATE t SET v = v + 1 WHERE stall(id, 'collect')"
replay="UPDATE t SET v = v + 1 WHERE id > 0"
scenario statement_timeout 57014 collect "$collect"
scenario statement_timeout 57014 replay "$replay"
scenario lock_timeout 55P03 collect "$collect"
scenario lock_timeout 55P03 replay "$replay"
scenario deadlock 40P01 collect "$collect"
scenario deadlock 40P01 replay "$replay"
scenario terminate 57P01 collect "$collect"
scenario terminate 57P01 replay "$replay"
if [ "$PG_MAJOR" -ge 17 ]; then
  scenario transaction_timeout 25P04 collect "$collect"
  scenario transaction_timeout 25P04 replay "$replay"
else
  skip "transaction_timeout" "PostgreSQL $PG_MAJOR has none; 17 does"
fi

# A cancel, of every kind of statement.
scenario cancel 57014 collect "$collect"
scenario cancel 57014 replay "$replay"
scenario cancel 57014 collect "DELETE FROM t USING one WHERE stall(id, 'collect')"
scenario cancel 57014 replay "DELETE FROM t USING one WHERE id > 0"
scenario cancel 57014 collect \
  "UPDATE t SET v = v + g FROM generate_series(1, 2) g WHERE id > g AND stall(id, 'collect')"
scenario cancel 57014 collect "SELECT update_t()"
scenario cancel 57014 replay \
  "MERGE INTO t USING generate_series(1, 19000) g ON t.id = g WHEN MATCHED THEN UPDATE SET v = v + 1"
scenario cancel 57014 replay "DELETE FROM dad WHERE id > 0"
scenario cancel 57014 collect "EXPLAIN (ANALYZE, COSTS off) $collect"

# Waiting for a row that another session has locked: the rows before it are written, those after it not.
session_open s
session_open other
before=$(rows_now)
for mode in enforce off; do
  ask other "ROLLBACK; BEGIN; SELECT id FROM t WHERE id = 15000 FOR UPDATE;" >/dev/null
  value "SELECT setval('fired', 1, false)" >/dev/null
  out=$(ask s "SET safedelete.mode = $mode; SET work_mem = '64kB'; SET lock_timeout = '200ms'; SET faults.place = '';
      BEGIN; $replay;" | comparable)
  [ $mode = off ] || words=$out
  check "a locked row in mode $mode: rows handed on before it" 14999 "$(handed_on)"
  [ $mode = off ] || clean "a locked row" s
  ask s "ROLLBACK;" >/dev/null
done
check "a locked row: the error is 55P03, word for word" "55P03 $out" "$(states <<<"$words") $words"
check "a locked row: no row has changed, no file is left" "$before 0" "$(rows_now) $(temporary_files)"
session_close other

# A session that idles in its transaction too long.
out=$(ask s "SET safedelete.mode = enforce; SET idle_in_transaction_session_timeout = '200ms'; BEGIN; $replay;")
# Until its process has ended: to one that is about to, a query is sent in vain, and its last words are lost.
gone() { [ ! -d "/proc/${backend[s]}" ]; }
until_true 10 gone
check "idle in a transaction: the statement ran, and the session ends with 25P03" " 25P03" \
  "$out $(ask s "SELECT 1;" | states)"
check "idle in a transaction: no row has changed, no file is left" "$before 0" "$(rows_now) $(temporary_files)"
session_close s

# Cancelled again and again, at any moment: whatever the guard is doing, the session counts from zero afterwards.
session_open s
ask s "SET work_mem = '64kB'; SET faults.place = '';" >/dev/null
cancelled=0
for i in {1..40}; do
  send s "BEGIN; SET LOCAL safedelete.scope = transaction; SAVEPOINT s; $replay; DELETE FROM probe WHERE id < 9;
      ROLLBACK;"
  sleep "0.0$((RANDOM % 9))$((RANDOM % 10))"
  value "SELECT pg_cancel_backend(${backend[s]})" >/dev/null
  states=$(answer s | states)
  case $states in
    57014*) cancelled=$((cancelled + 1)) ;;
    "") ;;
    *) check "cancelled at random: nothing else is raised" 57014 "$states" ;;
  esac
done
check "cancelled at random: most of 40 times it hit the statement" t \
  "$([ $cancelled -ge 20 ] && echo t || echo "$cancelled times")"
clean "cancelled at random" s
session_close s
check "cancelled at random: no row has changed, no file is left" "$before 0" "$(rows_now) $(temporary_files)"
