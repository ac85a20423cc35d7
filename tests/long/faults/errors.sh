# Part of tests/long/faults/run: errors in triggers, functions, cursors, procedures and at COMMIT, errors inside errors,
# and recursion until the stack is used up.
sql -v ON_ERROR_STOP=1 -f tests/long/faults/errors.sql || exit 1
before=$(rows_now)
session_open s

# same NAME STATE SQL [BEFORE]: an error of PostgreSQL's or of the user's is the same with the guard and with mode off,
# word for word, and leaves the session counting from zero.
same() {
  local with without
  ask s "DEALLOCATE ALL; ${4:-}" >/dev/null
  with=$(ask s "SET safedelete.mode = enforce; BEGIN; $3 ROLLBACK;" | comparable)
  ask s "DEALLOCATE ALL;" >/dev/null
  without=$(ask s "SET safedelete.mode = off; BEGIN; $3 ROLLBACK; SET safedelete.mode = enforce;" | comparable)
  check "$1: it is $2, word for word" "$2 $without" "$(states <<<"$with") $with"
  ask s "RESET faults.before; RESET faults.after; RESET faults.late; RESET faults.place;" >/dev/null
  clean "$1" s
}

same "an error in WHERE" 22012 "UPDATE host SET id = id WHERE 1 / (id - 15) < 5 AND id > 0;"
same "an error in SET" 22012 "UPDATE host SET id = 1 / (id - 15) WHERE id > 0;"
same "an error in a BEFORE trigger" 22012 \
  "SET faults.before = 'SELECT 1 / (count(*) - 40) FROM probe'; UPDATE host SET id = id WHERE id > 4;"
same "an error in an AFTER trigger" 22012 "SET faults.after = 'SELECT 1 / 0'; DELETE FROM host WHERE id < 9;"
same "an error in a deferred trigger" 22012 "SET faults.late = 'SELECT 1 / 0'; DELETE FROM host WHERE id < 9; COMMIT;"
same "an error in a function below" P0001 \
  "SELECT swallow('DELETE FROM probe WHERE id < 5'); SELECT blocks(5, false);
    DO 'BEGIN DELETE FROM probe WHERE id < 4; RAISE EXCEPTION ''mine'' USING HINT = ''none''; END';"
same "a CHECK constraint" 23514 "UPDATE strict SET v = v + 950 WHERE id > 20;"
same "a unique index" 23505 "UPDATE strict SET id = id + 1 WHERE id < 30;"
same "a NOT NULL column" 23502 "UPDATE strict SET v = nullif(v, 40) WHERE id > 30;"
same "a foreign key" 23503 "UPDATE strict SET r = id WHERE id > 40; UPDATE strict SET r = 1000 WHERE id < 30;"
same "a foreign key at COMMIT" 23503 "SET CONSTRAINTS ALL DEFERRED; UPDATE strict SET r = 1000 WHERE id < 30; COMMIT;"
same "a row without a partition" 23514 "UPDATE parted SET id = id + 40 WHERE id > 5;"
same "a row that does not fit RETURNING" 22012 "DELETE FROM host WHERE id > 5 RETURNING 1 / (id - 12);"
same "a cascade's trigger" 22012 \
  "DELETE FROM dad WHERE id < 99;" "SET faults.place = 'replay'; SET faults.what = 'SELECT 1 / 0';"
same "MERGE that meets a row twice" 21000 \
  "MERGE INTO host USING (VALUES (1), (2), (2)) s (id) ON host.id = s.id WHEN MATCHED THEN UPDATE SET id = 99;"
same "an error while conditions are folded" 22012 "DELETE FROM host WHERE id > 1 / 0;"
same "an error while bound parameters are folded" 22012 \
  "PREPARE p (int) AS DELETE FROM host WHERE \$1 IS NULL OR id > 10 / \$1; EXECUTE p (0);"

# Errors inside errors.
check "refusals in handlers of handlers, 20 deep, are caught" 20 "$(ask s "SELECT deep(20);")"
clean "refusals in handlers of handlers" s
check "20 blocks in blocks give back what they deleted, so 10 more rows go" "10" \
  "$(ask s "BEGIN; DO 'BEGIN PERFORM blocks(10, true); DELETE FROM probe WHERE id > 30; END';
    SELECT 40 - count(*) FROM probe; ROLLBACK;")"
check "and where they fail not, they are counted" "SD001" \
  "$(ask s "DO 'BEGIN PERFORM blocks(10, false); DELETE FROM probe WHERE id > 39; END';" | states)"
check "20 blocks in blocks with refusals at the bottom" "20,40" \
  "$(ask s "CREATE FUNCTION pg_temp.down(n int) RETURNS int
    LANGUAGE plpgsql AS 'BEGIN IF n = 0 THEN DELETE FROM probe; END IF; RETURN pg_temp.down(n - 1);
    EXCEPTION WHEN OTHERS THEN IF n = 20 THEN RETURN n; END IF; RAISE; END';
  SELECT pg_temp.down(20) || ',' || (SELECT count(*) FROM probe);")"
clean "20 blocks in blocks" s
check "an error in an AFTER trigger after a refusal was caught" "22012" \
  "$(ask s "SET faults.before = 'INSERT INTO log (told) SELECT swallow(''DELETE FROM probe'')';
    SET faults.after = 'SELECT 1 / 0'; DELETE FROM host WHERE id < 5;" | states)"
clean "an error in an AFTER trigger after a refusal was caught" s
check "refusals caught by a trigger for each of 5 rows, and the rows go" "5 21000 15" \
  "$(ask s "SET faults.after = 'INSERT INTO log (told) SELECT swallow(''DELETE FROM probe'')'; SET faults.before = '';
  BEGIN; DELETE FROM host WHERE id <= 5; SELECT count(*), told FROM log GROUP BY told; SELECT count(*) FROM host;
      ROLLBACK;" | tr '|' '\n' | xargs)"
check "a refusal in a row trigger undoes the rows before it" "21000 20" \
  "$(ask s "SET faults.after = ''; SET faults.before = 'DELETE FROM probe';" >/dev/null;
  out=$(ask s "DELETE FROM host WHERE id < 9;"); echo "$(states <<<"$out") $(value "SELECT count(*) FROM host")")"
check "what the rows of a statement's triggers delete is one sum" "The statement came to 11" \
  "$(ask s "SET faults.before = 'DELETE FROM probe WHERE id IN (SELECT id FROM probe LIMIT 1)';" >/dev/null
  ask s "BEGIN; DELETE FROM host WHERE id <= 10; ROLLBACK; BEGIN; DELETE FROM host WHERE id <= 11;" |
    sed -nE 's/^DETAIL: .*, the (statement came to [0-9]+) .*/The \1/p')"
ask s "ROLLBACK; SET faults.before = '';" >/dev/null
clean "triggers that write" s

# At COMMIT.
for what in "DELETE FROM probe" "DELETE FROM probe WHERE id > 20"; do
  check "a refusal in a deferred trigger at COMMIT: $what" "$([ "$what" = "DELETE FROM probe" ] && echo 21000 ||
    echo SD001) 20" "$(
    ask s "SET faults.late = '$what';" >/dev/null
    out=$(ask s "BEGIN; DELETE FROM host WHERE id <= 3; COMMIT;")
    echo "$(states <<<"$out") $(value "SELECT count(*) FROM host")")"
  ask s "SET faults.late = '';" >/dev/null
  clean "after it" s
done
check "a refusal that a deferred trigger catches, and COMMIT commits" "21000 17" "$(
  ask s "SET faults.late = 'INSERT INTO log (told) SELECT swallow(''DELETE FROM probe'')';" >/dev/null
  ask s "BEGIN; DELETE FROM host WHERE id <= 3; COMMIT; SET faults.late = ''; SELECT DISTINCT told FROM log;
      SELECT count(*) FROM host; DELETE FROM log WHERE id > 0; INSERT INTO host VALUES (1), (2), (3);" | xargs)"
clean "after it" s
check "deferred triggers of two COMMITs are two sums" "" "$(
  ask s "SET faults.late = 'DELETE FROM probe WHERE id IN (SELECT id FROM probe ORDER BY id LIMIT 1)';" >/dev/null
  ask s "BEGIN; DELETE FROM host WHERE id <= 8; COMMIT; BEGIN; DELETE FROM host WHERE id <= 16; COMMIT;")"
check "and 11 rows of one are not one's too many" "The statement came to 11" "$(
  value "INSERT INTO host SELECT generate_series(1, 16)" >/dev/null
  ask s "BEGIN; DELETE FROM host WHERE id <= 11; COMMIT;" |
    sed -nE 's/^DETAIL: .*, the (statement came to [0-9]+) .*/The \1/p')"
ask s "SET faults.late = ''; INSERT INTO probe SELECT generate_series(1, 16);" >/dev/null
check "the probe is whole again" "40 820" "$(value "SELECT count(*) || ' ' || sum(id) FROM probe")"
clean "deferred triggers" s

# Cursors and portals.
check "a refusal in a cursor fails its FETCH; to go on is PostgreSQL's 55000, and its rows are given back" \
  "3 SD001 55000 3" "$(
  ask s "BEGIN; DECLARE c CURSOR FOR SELECT purge(g * 3 - 2, CASE WHEN g = 2 THEN 40 ELSE g * 3 END)
      FROM generate_series(1, 3) g;
    FETCH c; SAVEPOINT s; FETCH c; ROLLBACK TO s; FETCH c; ROLLBACK TO s; CLOSE c; SELECT 40 - count(*) FROM probe;
        ROLLBACK;" |
    sed -E 's/.*ERROR: +([0-9A-Z]{5}):.*/\1/' | grep -xE '[0-9]+|SD001' | xargs)"
clean "a refusal in a cursor" s
check "a cursor that is closed before its end leaves no sum, nor does another of its name" "5 5 5 5 5" "$(
  ask s "BEGIN; DECLARE c CURSOR FOR SELECT purge(1 + 5 * g, 5 + 5 * g) FROM generate_series(0, 9) g; FETCH c; CLOSE c;
    DECLARE c CURSOR FOR SELECT purge(6 + 5 * g, 10 + 5 * g) FROM generate_series(0, 9) g; FETCH c; FETCH c; CLOSE c;
    SELECT purge(16, 20); SELECT purge(21, 25); SELECT count(*) - 10 FROM probe WHERE id > 25 AND false; ROLLBACK;" |
      grep -xE '[0-9]+' | xargs)"
clean "a cursor that is closed" s
check "a holdable cursor runs at COMMIT, and is refused there" "SD001 34000" "$(
  ask s "BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT purge(1, 4 + g) FROM generate_series(1, 9) g; COMMIT;
      FETCH h;" | states)"
clean "a holdable cursor" s
check "one within the limits keeps its rows" "4 0 36" \
  "$(ask s "BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT purge(1, 4) FROM generate_series(1, 2); COMMIT; FETCH ALL h;
    CLOSE h; SELECT count(*) FROM probe; INSERT INTO probe SELECT generate_series(1, 4);" | xargs)"
check "DELETE … RETURNING that a PL/pgSQL loop leaves early" "40" \
  "$(ask s "BEGIN; DO 'DECLARE r record;
    BEGIN FOR i IN 1..2 LOOP FOR r IN DELETE FROM probe WHERE id BETWEEN i * 5 - 4 AND i * 5 RETURNING id LOOP EXIT;
    END LOOP; END LOOP; END'; ROLLBACK; SELECT count(*) FROM probe;")"
check "and its rows are counted" "SD001" \
  "$(ask s "DO 'DECLARE r record;
    BEGIN FOR i IN 1..3 LOOP FOR r IN DELETE FROM probe WHERE id BETWEEN i * 5 - 4 AND i * 5 RETURNING id LOOP EXIT;
    END LOOP; END LOOP; END';" | states)"
clean "a loop that is left early" s

# Functions that may run in parallel.
parallel=$([ "$PG_MAJOR" -ge 16 ] && echo debug_parallel_query || echo force_parallel_mode)
check "a refusal in a parallel-safe function" SD001 "$(ask s "SELECT purge_safely(1, 11);" | states)"
ask s "SET $parallel = on; SET parallel_setup_cost = 0;" >/dev/null
same "a parallel-safe function that writes in a parallel operation" 25000 "SELECT purge_safely(1, 11);"
ask s "SET max_parallel_workers = 0;" >/dev/null
same "the same without a worker" 25000 "SELECT purge_safely(1, 11);"
ask s "RESET $parallel; RESET max_parallel_workers;" >/dev/null

# Procedures that end transactions.
value "DELETE FROM log WHERE id > 0" >/dev/null
check "a procedure: what it committed stays, a ROLLBACK gives back, the rest is refused" "SD001 34" "$(
  out=$(ask s "CALL purge_in_parts(false);")
  echo "$(states <<<"$out") $(value "SELECT count(*) FROM probe")")"
clean_probe() {
  value "SET safedelete.mode = off; DELETE FROM probe; INSERT INTO probe SELECT generate_series(1, 40)" >/dev/null
}
clean_probe
clean "a procedure" s
check "one that catches a refusal and commits goes on" "SD001 refused 26" "$(
  out=$(ask s "CALL purge_in_parts(true);")
  echo "$(states <<<"$out") $(value "SELECT told FROM log") $(value "SELECT count(*) FROM probe")")"
clean_probe
clean "a procedure that catches" s

# The stack. Whatever of it is set, PostgreSQL's own limit is met, and no backend dies.
for depth in 100kB 2MB "$(($(ulimit -s | sed 's/unlimited/8192/') - 600))kB"; do
  out=$(ask s "SET max_stack_depth = '$depth'; SELECT dive(1);")
  check "recursion of guarded statements, max_stack_depth $depth" "54001" "$(states <<<"$out")"
  check "recursion, caught, and refusals after it: $depth" "54001 21000" \
    "$(ask s "BEGIN; SELECT swallow('SELECT dive(1)'); SELECT swallow('DELETE FROM probe'); ROLLBACK;" | xargs)"
  clean "recursion, max_stack_depth $depth" s
done
deep="id"
for _ in {1..2500}; do deep+=" + 1"; done
nested="id = 0"
for i in {1..800}; do nested="(id = $i OR (id > $i AND $nested))"; done
ask s "SET max_stack_depth = '100kB';" >/dev/null
same "a deep expression, with little stack" 54001 "DELETE FROM host WHERE id = $deep;"
ask s "RESET max_stack_depth;" >/dev/null
check "a deep expression, with enough" "" \
  "$(ask s "BEGIN; DELETE FROM host WHERE id < 0 AND id = $deep; DELETE FROM host WHERE id < 0 AND $nested; ROLLBACK;")"
clean "a deep expression" s

session_close s
check "errors: no row has changed, no file is left" "$before 20 0" \
  "$(rows_now) $(value "SELECT count(*) FROM host") $(temporary_files)"
