# Sessions that stay open, each a psql of its own, for tests that need a backend in the middle of something.
#
#   session_open NAME [psql option ...]   opens one; its backend's process id is ${backend[NAME]}
#   send NAME SQL                         sends, and does not wait
#   answer NAME                           waits for the end of what was sent, and prints what came
#   ask NAME SQL                          both
#   session_close NAME                    closes it

declare -A backend input client

session_open() { # NAME [psql option ...]
  local name=$1
  shift
  rm -f "$SERVER_DIR/$name.in" "$SERVER_DIR/$name.out"
  mkfifo "$SERVER_DIR/$name.in"
  # A line at a time, or answers would wait in psql's buffer.
  stdbuf -oL psql -X -q -At -v VERBOSITY=verbose "$@" <"$SERVER_DIR/$name.in" >"$SERVER_DIR/$name.out" 2>&1 &
  client[$name]=$!
  exec {input[$name]}>"$SERVER_DIR/$name.in"
  backend[$name]=$(ask "$name" "SELECT pg_backend_pid();")
}

send() { # NAME SQL
  # A subshell (as in a command substitution) may count too: the number is kept in a file.
  local number
  number=$(($(cat "$SERVER_DIR/$1.number" 2>/dev/null || echo 0) + 1))
  echo "$number" >"$SERVER_DIR/$1.number"
  stat -c %s "$SERVER_DIR/$1.out" >"$SERVER_DIR/$1.from" 2>/dev/null || echo 0 >"$SERVER_DIR/$1.from"
  # A client that has gone, or goes at the first line, is no reason to end by SIGPIPE.
  (trap '' PIPE; printf '%s\n\\echo end-of-answer-%s\n' "$2" "$number" >&"${input[$1]}") 2>/dev/null
  return 0
}

answer() { # NAME
  local number end=$((SECONDS + 120))
  number=$(cat "$SERVER_DIR/$1.number")
  # The client ends where its connection does.
  until tail -c +$(($(cat "$SERVER_DIR/$1.from") + 1)) "$SERVER_DIR/$1.out" | grep -q "^end-of-answer-$number$"; do
    if ! kill -0 "${client[$1]}" 2>/dev/null; then break; fi
    if [ $SECONDS -gt $end ]; then echo "no answer within two minutes"; break; fi
    sleep 0.02
  done
  tail -c +$(($(cat "$SERVER_DIR/$1.from") + 1)) "$SERVER_DIR/$1.out" | grep -v '^end-of-answer-'
}

ask() { # NAME SQL
  send "$1" "$2"
  answer "$1"
}

session_close() { # NAME
  local fd=${input[$1]}
  (trap '' PIPE; echo '\q' >&"$fd") 2>/dev/null
  exec {fd}>&-
  wait "${client[$1]}" 2>/dev/null
  rm -f "$SERVER_DIR/$1".{in,out,number,from}
  unset "backend[$1]" "input[$1]" "client[$1]"
}

# Runs a command that is not to hold the sessions' inputs open: a server, which outlives them.
without_sessions() {
  (
    for fd in "${input[@]}"; do exec {fd}>&-; done
    "$@"
  )
}
