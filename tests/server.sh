# A throw-away PostgreSQL for tests, the demo and benchmarks. Source it with PG_CONFIG set.
#
#   server_start [option=value ...]   makes and starts a server of its own; sets PGHOST, PGPORT, PGUSER
#   server_restart [option=value ...] restarts it with more settings
#   server_stop                       stops and removes it (also on exit)
#
# PostgreSQL refuses to run as root, so everything runs as the user postgres then, in a directory
# that user owns. The server listens on a socket in that directory only, so no port is taken.

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

server_dir() {
  [ -n "$SERVER_DIR" ] && return
  if [ "$(id -u)" = 0 ] && ! id postgres >/dev/null 2>&1; then
    useradd --system --home-dir /var/lib/postgresql --shell /bin/bash postgres
  fi
  SERVER_DIR=$(mktemp -d /tmp/safedelete.XXXXXX)
  [ "$(id -u)" = 0 ] && chown postgres: "$SERVER_DIR"
  chmod 755 "$SERVER_DIR"
  trap server_stop EXIT
  trap 'exit 130' INT TERM
}

server_start() {
  server_dir
  as_owner "$PG_BIN/initdb" -D "$SERVER_DIR/data" -U postgres -A trust --encoding=UTF8 --locale=C --no-sync >"$SERVER_DIR/initdb.log" 2>&1 ||
    { cat "$SERVER_DIR/initdb.log"; return 1; }
  as_owner sh -c "cat >>'$SERVER_DIR/data/postgresql.conf'" <<CONF
listen_addresses = ''
unix_socket_directories = '$SERVER_DIR'
fsync = off
log_min_messages = warning
max_prepared_transactions = 10
max_connections = 50
$SERVER_DEFAULTS
CONF
  export PGHOST=$SERVER_DIR PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
  unset PGOPTIONS PGSERVICE PGPASSWORD 2>/dev/null || true
  PATH=$PG_BIN:$PATH
  server_configure "$@"
  as_owner "$PG_BIN/pg_ctl" -D "$SERVER_DIR/data" -l "$SERVER_DIR/server.log" -w -t 60 start >"$SERVER_DIR/ctl.log" 2>&1 ||
    { cat "$SERVER_DIR/ctl.log" "$SERVER_DIR/server.log"; return 1; }
}

server_configure() {
  for option in "$@"; do
    as_owner sh -c "cat >>'$SERVER_DIR/data/postgresql.conf'" <<CONF
$option
CONF
  done
}

server_restart() {
  server_configure "$@"
  as_owner "$PG_BIN/pg_ctl" -D "$SERVER_DIR/data" -l "$SERVER_DIR/server.log" -w -t 60 -m fast restart >"$SERVER_DIR/ctl.log" 2>&1 ||
    { cat "$SERVER_DIR/ctl.log" "$SERVER_DIR/server.log"; return 1; }
}

server_stop() {
  [ -n "$SERVER_DIR" ] || return 0
  if [ -d "$SERVER_DIR/data" ]; then
    as_owner "$PG_BIN/pg_ctl" -D "$SERVER_DIR/data" -m immediate stop >/dev/null 2>&1 || true
  fi
  rm -rf "$SERVER_DIR"
  SERVER_DIR=
}
