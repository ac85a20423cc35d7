# Part of tests/long/faults/run: no memory left, at one level after the other. Each statement runs in a session whose
# address space may grow by so many kB more, so that it is another allocation each time that finds nothing. It ends as
# it should or with 53200, never takes the server with it, and leaves a session that goes on and counts exactly.

command -v prlimit >/dev/null || { skip exhausted "prlimit is missing; on Debian: apt-get install util-linux";
  return 0; }
exhausted_levels=${FAULTS_LEVELS:-$(seq 0 24 240) $(seq 300 100 900)}

# More of a backend's address space than it has: limit SESSION KB; and an end of that.
limit() {
  local has
  has=$(awk '/^VmSize/ { print $2 }' "/proc/${backend[$1]}/status") || return
  as_owner prlimit --pid "${backend[$1]}" "--as=$(((has + $2) * 1024)):"
}
lift() { as_owner prlimit --pid "${backend[$1]}" --as=unlimited: 2>/dev/null; }

# exhausts NAME STATES STATEMENT: STATES are those it ends in where there is memory, - for none.
exhausts() {
  local name=$1 states=$2 statement=$3 level got wrong= want=0
  for level in $exhausted_levels; do
    session_open s
    # Cold, at every other level.
    [ $((level % 48)) = 0 ] || ask s "BEGIN; DELETE FROM probe WHERE id = -1; ROLLBACK;" >/dev/null
    limit s "$level"
    got=$(ask s "BEGIN; $statement; " | states)
    lift s
    case ${got:--} in
      "$states") ;;
      # What comes after it in the transaction is 25P02.
      53200*) want=$((want + 1)) ;;
      *) wrong+=" at $level kB: $got;" ;;
    esac
    got=$(ask s "ROLLBACK; SELECT 'goes on';")
    [ "$got" = "goes on" ] || wrong+=" after $level kB: $got;"
    [ "$level" != 96 ] || clean "exhausted, $name" s
    session_close s
  done
  check "exhausted, $name: ends as it should or with 53200" "" "$wrong"
  check "exhausted, $name: was in want" t "$([ $want -gt 0 ] && echo t)"
}

sql -v ON_ERROR_STOP=1 <<'SQL' || exit 1
CREATE TABLE filled (id int PRIMARY KEY, v text);
INSERT INTO filled SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g;
CREATE TABLE short AS SELECT id FROM filled;
ANALYZE filled, short;
-- What check reads, of all kinds.
CREATE FUNCTION script(times int) RETURNS text LANGUAGE sql AS $f$
  SELECT repeat(E'DELETE FROM filled WHERE id = 5;\nDELETE FROM missing WHERE id = 5;\n'
    'SAVEPOINT s; SET LOCAL safedelete.allow_rows = 5;\n'
    'DO $$ BEGIN DELETE FROM filled WHERE id > 3; PERFORM missing(); END $$;\nTRUNCATE filled;\n'
    'CREATE FUNCTION f() RETURNS void LANGUAGE sql AS ''DELETE FROM missing; DELETE FROM filled'';\n', times)
$f$;
SQL
exhausts "check" - "SELECT FROM safedelete.check(script(60)) OFFSET 1000000"
exhausts "check of one statement" - "SELECT FROM safedelete.check('DELETE FROM filled') OFFSET 1"
exhausts "check of a long statement" \
  - "SELECT FROM safedelete.check('UPDATE filled SET v = ''' || repeat('x', 200000) || ''' WHERE id = 1') OFFSET 1"
exhausts "dry_run that fails" 22012 \
  "SELECT * FROM safedelete.dry_run('DELETE FROM filled WHERE id < 9000; SELECT 1 / 0')"
exhausts "dry_run" - "SELECT FROM safedelete.dry_run('SELECT pg_advisory_lock(5); PREPARE p AS SELECT 1;
    DELETE FROM filled WHERE id < 20; TRUNCATE short') OFFSET 2"
exhausts "settings_for" - "SELECT FROM safedelete.settings_for('filled') OFFSET 1000"
exhausts "a list of conditions" 21000 "DELETE FROM filled WHERE id = 1 OR id = 2 OR true OR $(seq -s ' OR id = ' 1000 \
  1400 | sed 's/^/id = /')"
exhausts "settings that are lists" SD001 \
  "SET LOCAL safedelete.exempt_tables = 'a, b, c, d, e'; SET LOCAL safedelete.bypass_role = 'x, y';
    DELETE FROM filled WHERE id > 0"
