# What runners in shell say: a line 'ok - NAME' or 'not ok - NAME' for each check, with what is wrong below it, and at
# the end, by `closing`, 'N passed, N failed'. Where a server of tests/lib/server.sh has run, `closing` looks for
# crashes, too.
passed=0 failed=0 skipped=0
# How many processes of the server a runner has killed itself.
killed=0

pass() {
  echo "ok - $1"
  passed=$((passed + 1))
}

fail() { # NAME, and what is wrong on its input
  echo "not ok - $1"
  sed 's/^/  /' | head -60
  failed=$((failed + 1))
}

# check NAME EXPECTED ACTUAL: both texts are equal.
check() {
  if [ "$2" = "$3" ]; then
    pass "$1"
  elif [[ $2$3 == *$'\n'* ]]; then
    fail "$1" < <(diff --label expected --label got -U3 <(echo "$2") <(echo "$3"))
  else
    fail "$1" <<<"expected: $2
got:      $3"
  fi
}

# check_match NAME REGEX ACTUAL
check_match() {
  if [[ $3 =~ $2 ]]; then
    pass "$1"
  else
    fail "$1" <<<"expected: /$2/
got:      $3"
  fi
}

skip() { # NAME REASON
  echo "skip - $1: $2"
  skipped=$((skipped + 1))
}

# What servers' logs tell of backends that did not end by themselves. A server of PostgreSQL's that finds memory wrong
# says TRAP; panicked is Rust's word.
crashes() {
  find "$SERVER_DIR" -maxdepth 3 \( -name server.log -o -name log -o -name tap.log \) -type f -print0 2>/dev/null |
    xargs -0r grep -ahE 'PANIC:|TRAP:|terminated by signal|panicked|memory allocation of' || true
}

check_crashes() {
  local found but=
  found=$(crashes)
  [ "$killed" = 0 ] || but=" but the $killed that were killed"
  check "no backend crashed or panicked$but" "$killed and no other" \
    "$(grep -c 'terminated by signal 9' <<<"$found") and $(grep -v 'terminated by signal 9' <<<"$found" | grep . ||
      echo no other)"
}

# The runner's closing lines, and its exit status.
closing() {
  [ -z "${SERVER_DIR:-}" ] || check_crashes
  [ "$skipped" = 0 ] || echo "$skipped skipped"
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

sql() { psql -X -q -At -v VERBOSITY=verbose "$@" 2>&1; }
# Of psql's output: the SQLSTATEs of errors, as words, in order; the first of them.
states() { sed -nE 's/.*(ERROR|FATAL): +([0-9A-Z]{5}):.*/\2/p' | xargs; }
state() { states | cut -d' ' -f1; }

log_size() { stat -c %s "$SERVER_DIR/server.log"; }
# What the server's log tells since it was of that size.
last_log() { tail -c +$(($1 + 1)) "$SERVER_DIR/server.log"; }

# until_true SECONDS COMMAND...: waits until a command succeeds.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -le $end ] || return 1
    sleep 0.05
  done
}

# until_equal SECONDS EXPECTED COMMAND...: waits until a command prints this.
until_equal() { until_true "$1" prints "$2" "${@:3}"; }
prints() { [ "$("${@:2}")" = "$1" ]; }

# adopt COMMAND...: runs a program that says what runners say, and counts what it counts.
adopt() {
  local line out
  out=$(mktemp)
  PYTHONPATH=tests/lib "$@" 2>&1 | tee "$out" |
    grep --line-buffered -vE '^[0-9]+ (passed, [0-9]+ failed|skipped)$'
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$out" | tail -1)
  if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
  else
    fail "$* has come to its end" <<<"it has no closing line"
  fi
  line=$(sed -nE 's/^([0-9]+) skipped$/\1/p' "$out" | tail -1)
  skipped=$((skipped + ${line:-0}))
  rm -f "$out"
}
