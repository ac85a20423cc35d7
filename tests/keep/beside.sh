# Part of tests/keep/run: two at work on what is kept of one event.

. tests/lib/sessions.sh
database beside
run "CREATE TABLE t (id int PRIMARY KEY, v int, extra int)" \
  "INSERT INTO t SELECT g, 0, 0 FROM generate_series(1, 400) g"
keep t
# Waits for a lock that the other session has.
waits() {
  until_equal 20 1 sql -c \
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = ${backend[$1]}"
}
# behind ONE OTHER: the second session's statement waits for the first's transaction, which commits.
behind() {
  ask first "$1" >/dev/null
  send second "$2"
  waits second
  ask first "COMMIT;"
}
kept_of() { sql -c "SELECT count(*) FROM safedelete.kept_rows WHERE old ->> 'id' IN ($1)"; }
session_open first
session_open second

allowed "DELETE FROM t" >/dev/null
event=$(newest)
behind "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT safedelete.forget('t', '{\"id\": 19}');" \
  "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT safedelete.forget('t', '{\"id\": 20}');"
check "who forgets beside another that forgets fails where it may not see what that has made of a piece" 40001 \
  "$(answer second | state)"
ask second "ROLLBACK;"

restore "$event" >/dev/null
allowed "DELETE FROM t" >/dev/null
event=$(newest)
behind "BEGIN; SELECT safedelete.forget('t', '{\"id\": 17}');" \
  "SELECT safedelete.forget('t', '{\"id\": 18}');"
check "and finds the row otherwise" 1 "$(answer second)"
check "which is kept no more" 0 "$(kept_of "'17', '18'")"

sql -c "INSERT INTO t VALUES (30, 5, 5)"
behind "BEGIN; SELECT FROM safedelete.restore($event, 'skip');" \
  "SELECT safedelete.forget('t', '{\"id\": 30}');"
check "what a restore leaves is forgotten beside it" "1 0" "$(answer second) $(kept_of "'30'")"

there=$(($(sql -c "SELECT count(*) FROM t") - 1))
allowed "DELETE FROM t" >/dev/null
event=$(newest)
behind "BEGIN; SELECT safedelete.forget('t', '{\"id\": 40}');" \
  "SELECT sum(restored) FROM safedelete.restore($event);"
check "a restore beside who forgets brings the others" "$there t" \
  "$(answer second) $(sql -c "SELECT count(*) > 0 AND NOT bool_or(id = 40) FROM t")"
check "which are kept no more, and its event says how many" "0 $there" "$(sql -F' ' -c "SELECT
  (SELECT count(*) FROM safedelete.kept_rows WHERE event = $event),
  (SELECT rows FROM safedelete.events WHERE verdict = 'restored' ORDER BY id DESC LIMIT 1)")"

# What is out of time is left to who gives it back.
allowed "DELETE FROM t" >/dev/null
event=$(newest)
sql -c "UPDATE safedelete.kept_writes SET until = now() - interval '1 day' WHERE event = $event"
ask first "BEGIN; SELECT safedelete.hold_kept($event);" >/dev/null
check "nobody takes out what is being given back" "0 $there" \
  "$(sql -c "SELECT safedelete.purge_kept()") $(ask first "SELECT sum(restored) FROM safedelete.restore($event);")"
ask first "COMMIT;"

# Columns go while a restore waits for its table.
allowed "DELETE FROM t" >/dev/null
behind "BEGIN; ALTER TABLE t DROP COLUMN extra;" \
  "SELECT restored, note FROM safedelete.restore($(newest));"
check "a restore knows the columns that its table has" "$there|columns that are gone: extra" "$(answer second)"
allowed "DELETE FROM t" >/dev/null
behind "BEGIN; DROP TABLE t;" \
  "SELECT restored, note FROM safedelete.restore($(newest));"
check "or that there is none any more" "ERROR:  42P01: table public.t does not exist any more" \
  "$(answer second | head -1)"

# Triggers follow policy while others are at work on the table.
run "CREATE SCHEMA s" "CREATE TABLE s.a (id int PRIMARY KEY)" "CREATE TABLE s.b (id int PRIMARY KEY)" \
  "SELECT safedelete.set_schema_policy('s', '{\"keep\": \"7 days\"}')" >/dev/null
triggers_of() { sql -c "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '!safe%' AND tgrelid = '$1'::regclass"; }
ask first "BEGIN; LOCK TABLE s.a IN ROW EXCLUSIVE MODE;"
send second "SECURITY LABEL FOR safedelete ON SCHEMA s IS NULL;"
waits second
ask first "ALTER TABLE s.a DISABLE TRIGGER ALL; COMMIT;"
check "triggers that another session has made anew meanwhile go, too" " 0 0" \
  "$(answer second) $(triggers_of s.a) $(triggers_of s.b)"
behind "BEGIN; DROP TABLE s.a;" \
  "SECURITY LABEL FOR safedelete ON SCHEMA s IS '{\"keep\": \"7 days\"}';"
check "a table that has gone meanwhile is none of the schema's" " 3" "$(answer second) $(triggers_of s.b)"
behind "BEGIN; ALTER TABLE s.b SET SCHEMA public;" \
  "SECURITY LABEL FOR safedelete ON SCHEMA s IS '{\"max_rows\": 7}';"
check "nor is one that has moved" " 0" "$(answer second) $(triggers_of b)"
session_close first
session_close second
