# Checks for scripts that source it; they close with `closing`.
passed=0 failed=0

# check NAME EXPECTED ACTUAL: both texts are equal.
check() {
  if [ "$2" = "$3" ]; then
    echo "ok $1"
    passed=$((passed + 1))
  else
    printf 'FAILED %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3"
    failed=$((failed + 1))
  fi
}

# check_match NAME REGEX ACTUAL
check_match() {
  if [[ $3 =~ $2 ]]; then check "$1" ok ok; else check "$1" "/$2/" "$3"; fi
}

# The runner's closing line, and its exit status.
closing() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}

sql() { psql -X -q -At -v VERBOSITY=verbose "$@" 2>&1; }
state() { sed -nE 's/.*(ERROR|FATAL): +([0-9A-Z]{5}):.*/\2/p' | head -1; }
last_log() { tail -c +$(($1 + 1)) "$SERVER_DIR/server.log"; }
log_size() { stat -c %s "$SERVER_DIR/server.log"; }
