# Tests by PostgreSQL's pg_regress and pg_isolation_regress. Needs server.sh and checks.sh, and a server that runs.

pgxs=$(cd "$(dirname "$("$PG_CONFIG" --pgxs)")/../.." && pwd)
PG_REGRESS=$pgxs/src/test/regress/pg_regress
PG_ISOLATION_REGRESS=$pgxs/src/test/isolation/pg_isolation_regress

# The names of a folder's files, without their endings.
names() { (cd "$1" && ls | sed -E 's/\.[a-z]+$//' | sort -u); }

# regress RUNNER FOLDER NAME...: runs those tests of tests/FOLDER, in a copy that the server's owner can write to, and
# counts each. What the runner makes stays in $SERVER_DIR/FOLDER.
regress() {
  local runner=$1 folder=$2 to=$SERVER_DIR/$2 status=0 ok bad
  shift 2
  rm -rf "$to"
  cp -r "tests/$folder" "$to"
  give "$to"
  as_owner env PGHOST="$PGHOST" PGPORT="$PGPORT" PGUSER=postgres PGISOLATIONTIMEOUT=900 "$runner" --bindir="$PG_BIN" \
    --host="$PGHOST" --port="$PGPORT" --user=postgres --inputdir="$to" --outputdir="$to" \
    --dbname="regress_$folder" "$@" >"$to/out" 2>&1 || status=$?
  # 15's runner says "test name ... ok", later ones TAP's "ok 1 - name".
  grep -E '^(not )?ok |^test .* (ok|FAILED)' "$to/out" || true
  ok=$(grep -cE '^ok |^test .* ok +[0-9]' "$to/out" || true)
  bad=$(grep -cE '^not ok |^test .* FAILED' "$to/out" || true)
  if [ $status != 0 ]; then
    [ "$bad" -gt 0 ] || { bad=1; tail -20 "$to/out"; }
    head -200 "$to/regression.diffs" 2>/dev/null || true
  fi
  passed=$((passed + ok)) failed=$((failed + bad))
}

# What tests/FOLDER/run does: all of its tests; their results stay in tests/results/MAJOR/FOLDER for tools/accept.
regress_folder() { # RUNNER FOLDER NAME...
  # Autovacuum would change what the expected outputs tell of sizes.
  server_start "shared_preload_libraries = 'safedelete'" "autovacuum = off" || exit 1
  regress "$@"
  rm -rf "tests/results/$PG_MAJOR/$2"
  mkdir -p "tests/results/$PG_MAJOR"
  cp -r "$SERVER_DIR/$2" "tests/results/$PG_MAJOR/$2"
  closing
}
