# Throw-away PostgreSQL servers for tests, the demo and benchmarks. Source it with PG_CONFIG set.
#
#   server_start [setting ...]    makes and starts one; sets PGHOST, PGPORT, PGUSER
#   server_restart [setting ...]  restarts it with more settings
#   server_ctl ARGUMENT...        pg_ctl of it
#   server_stop                   stops and removes it, and every node (also on exit)
#
#   node_directory NAME           makes the directory of another one, $SERVER_DIR/NAME, and prints it
#   node_init NODE [setting ...]  makes its data
#   node_start NODE [BINDIR]      starts it; its log is the directory's file log
#   node_stop NODE [BINDIR]
#   on NODE COMMAND...            runs a client of it
#
# A NODE is a directory's name, or the whole path. PostgreSQL refuses to run as root, so everything runs as the user
# postgres then, in a directory that user owns. A server listens on a socket in its directory only, so no port is
# taken.

: "${PG_CONFIG:?names the pg_config of the PostgreSQL to test}"
export PG_CONFIG
PG_BIN=$("$PG_CONFIG" --bindir)
PG_MAJOR=$("$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
SERVER_DIR=
# The tests' tables are small; what shows the defaults sets this to nothing.
: "${SERVER_DEFAULTS=safedelete.min_rows = 100}"

# Runs a command as the user that owns the server.
as_owner() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && runuser -u postgres -- env -u RUST_BACKTRACE "$@")
  else
    (cd / && env -u RUST_BACKTRACE "$@")
  fi
}

# Gives a file or a directory to that user.
give() { [ "$(id -u)" != 0 ] || chown -R postgres: "$@"; }

server_dir() {
  [ -z "$SERVER_DIR" ] || return 0
  if [ "$(id -u)" = 0 ] && ! id postgres >/dev/null 2>&1; then
    useradd --system --home-dir /var/lib/postgresql --shell /bin/bash postgres
  fi
  SERVER_DIR=$(mktemp -d /tmp/safedelete.XXXXXX)
  give "$SERVER_DIR"
  chmod 755 "$SERVER_DIR"
  trap server_stop EXIT
  trap 'exit 130' INT TERM
}

node_path() { case $1 in /*) echo "$1" ;; *) echo "$SERVER_DIR/$1" ;; esac; }

node_directory() {
  mkdir -p "$SERVER_DIR/$1" && chmod 755 "$SERVER_DIR/$1" && give "$SERVER_DIR/$1" && echo "$SERVER_DIR/$1"
}

# init DIRECTORY: its data, on a socket of its own; more options of initdb in INITDB.
init() {
  as_owner "${INITDB_BIN:-$PG_BIN}/initdb" -D "$1/data" -U postgres -A trust --encoding=UTF8 --locale=C --no-sync \
    ${INITDB:-} >"$1/initdb.log" 2>&1 || { cat "$1/initdb.log"; return 1; }
  configure "$1" "listen_addresses = ''" "unix_socket_directories = '$1'" "fsync = off"
}

configure() { # DIRECTORY setting...
  local directory=$1
  shift
  [ $# = 0 ] || printf '%s\n' "$@" | as_owner sh -c "cat >>'$directory/data/postgresql.conf'"
}

run_ctl() { # DIRECTORY LOG BINDIR ARGUMENT...
  as_owner "$3/pg_ctl" -D "$1/data" -l "$2" -w -t 60 "${@:4}" >"$1/ctl.log" 2>&1
}

# Of a server that did not start: what it said.
complain() { # DIRECTORY LOG
  cat "$1/ctl.log" "$2" >&2
  return 1
}

node_init() {
  local directory
  directory=$(node_path "$1")
  init "$directory" && configure "$directory" "${@:2}"
}

node_start() {
  local directory
  directory=$(node_path "$1")
  # A copy of another's data has that one's socket.
  configure "$directory" "unix_socket_directories = '$directory'"
  run_ctl "$directory" "$directory/log" "${2:-$PG_BIN}" start || complain "$directory" "$directory/log"
}

node_stop() {
  local directory
  directory=$(node_path "$1")
  run_ctl "$directory" "$directory/log" "${2:-$PG_BIN}" -m fast stop
}

on() { PGHOST=$(node_path "$1") "${@:2}"; }

# A client's environment.
clients() {
  export PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
  unset PGOPTIONS PGSERVICE PGPASSWORD 2>/dev/null || true
  PATH=$PG_BIN:$PATH
}

server_ctl() { run_ctl "$SERVER_DIR" "$SERVER_DIR/server.log" "$PG_BIN" "$@"; }

server_configure() { configure "$SERVER_DIR" "$@"; }

server_start() {
  server_dir
  init "$SERVER_DIR" || return
  server_configure "log_min_messages = warning" "max_prepared_transactions = 10" "max_connections = 50" \
    "$SERVER_DEFAULTS" "$@"
  export PGHOST=$SERVER_DIR
  clients
  server_ctl start || complain "$SERVER_DIR" "$SERVER_DIR/server.log"
}

server_restart() {
  server_configure "$@"
  server_ctl -m fast restart || complain "$SERVER_DIR" "$SERVER_DIR/server.log"
}

server_stop() {
  [ -n "$SERVER_DIR" ] || return 0
  local pid
  # Nodes may be of another major: the way of pg_ctl's immediate stop is the same for all.
  for pid in "$SERVER_DIR"/{,*/,*/*/}data/postmaster.pid; do
    [ ! -e "$pid" ] || as_owner "$PG_BIN/pg_ctl" -D "${pid%/postmaster.pid}" -m immediate stop >/dev/null 2>&1 || true
  done
  rm -rf "$SERVER_DIR"
  SERVER_DIR=
}
