# What happens on the nodes between the count and the write, and while shards move.
shard=$(said w2 "SELECT 'dist_' || shardid FROM citus_shards WHERE table_name = 'dist'::regclass
  AND nodeport = ${ports[w2]} ORDER BY 1 LIMIT 1")
# holds SQL: a session of w2's that lets a shard be read, but not written, and runs SQL before it lets go; until it has
# the lock.
holds() {
  said w2 "SET citus.enable_manual_changes_to_shards = on" BEGIN "LOCK TABLE $shard IN EXCLUSIVE MODE" \
    "SELECT pg_sleep(2)" "$1" COMMIT >/dev/null &
  until_equal 10 1 said w2 "SELECT count(*) FROM pg_locks WHERE relation = '$shard'::regclass
    AND mode = 'ExclusiveLock' AND granted" || fail "$shard is locked" <<<"not in time"
}
holds "UPDATE $shard SET v = 1 WHERE v BETWEEN 5001 AND 6000"
check_match "rows that come between the count and the write" "exceeds the limit of 300 rows" \
  "$(said c "SET safedelete.max_rows = 300" "UPDATE dist SET v = -1 WHERE v <= 300")"
wait
check "rows that come between the count and the write: nothing is written on any node" 0 \
  "$(said c "SELECT count(*) FROM dist WHERE v < 0")"
said c "SET safedelete.allow_rows = -1" "UPDATE dist SET v = id WHERE true" >/dev/null
holds "SELECT 1"
said c "DELETE FROM dist WHERE v <= 3000" >"$SERVER_DIR/down" &
writer=$!
until_equal 10 1 said w2 "SELECT least(count(*), 1) FROM pg_locks WHERE relation = '$shard'::regclass AND NOT granted"
node_stop w2
wait $writer
check_match "a worker that goes down between the count and the write" "^(WARNING|ERROR): " "$(cat "$SERVER_DIR/down")"
wait
node_start w2
check "a worker that goes down between the count and the write: nothing is gone" 10000 \
  "$(said c "SELECT count(*) FROM dist")"
refuses "a worker that is back: judged" "exceeds the limit of 5000 rows" "DELETE FROM dist WHERE v <= 6000"
said w2 "DROP EXTENSION safedelete" "CREATE EXTENSION safedelete VERSION '0.2.0'" >/dev/null
refuses "a worker whose extension is older" "exceeds the limit of 5000 rows" "DELETE FROM dist WHERE v <= 6000"
said w2 "ALTER EXTENSION safedelete UPDATE" >/dev/null

# Shards move while their table is written.
move() { said c "SELECT citus_move_shard_placement(shardid, '127.0.0.1', ${ports[$1]}, '127.0.0.1', ${ports[$2]},
  'block_writes') FROM (SELECT shardid FROM citus_shards WHERE table_name = 'dist'::regclass
  AND nodeport = ${ports[$1]} ORDER BY 1 LIMIT 1) s"; }
{ move w1 w2; move w1 w2; } >"$SERVER_DIR/moves" 2>&1 &
mover=$!
wrong=
while kill -0 $mover 2>/dev/null; do
  got=$(said c BEGIN "UPDATE dist SET note = 'm' WHERE v <= 4000" ROLLBACK)
  [ -z "$got" ] || wrong+="$got"$'\n'
  got=$(said c BEGIN "UPDATE dist SET note = 'm' WHERE v <= 6000" ROLLBACK)
  [[ $got =~ "exceeds the limit of 5000 rows" ]] || wrong+="$got"$'\n'
done
wait $mover
check "while shards move: what is within the limit passes, what is beyond it does not" "" "$wrong"
check "while shards move: they do" "" "$(grep -E 'ERROR|FATAL' "$SERVER_DIR/moves")"
