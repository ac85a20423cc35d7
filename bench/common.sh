# What the benchmarks that run servers have in common. Source it in a benchmark; PG_CONFIG chooses the PostgreSQL.
#
#   LIBRARIES                 what is measured: plain, control, safedelete, and the peers that bench/peers has built
#   servers [setting ...]     one server for each, all alike but for the library, from copies of one data directory;
#                             the function setup, which the benchmark defines, prints the SQL that fills it
#   on LIBRARY COMMAND...     runs a client of that server (tests/lib/server.sh)
#   figures NAME SETTINGS     begins target/bench/pgMAJOR/NAME.csv
#   figure CASE LIBRARY ROUND VALUE
#                             adds a line to it; the function cases prints 'CASE|LABEL|UNIT|BAR' of each
#   finish                    closes it and prints its table
#
# plain is the server without the library, which everything is compared with. control is a second one without
# it: what it differs by is what the machine does, and nothing that is smaller has been measured.
#
#   BENCH_LIBRARY  the safedelete.so to measure; the installed one by default
#   BENCH_PEERS    the peers to measure beside it, by name (safeupdate pg_savior); all that are built by default
set -euo pipefail
BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PG_CONFIG=${PG_CONFIG:-pg_config}
. "$BENCH/../tests/lib/server.sh"
BENCH_NAME=bench/$(basename "$0")
BENCH_LIBRARY=${BENCH_LIBRARY:-$("$PG_CONFIG" --pkglibdir)/safedelete.so}
PEERS=$BENCH/../target/peers/pg$PG_MAJOR
FIGURES=$BENCH/../target/bench/pg$PG_MAJOR
: "${BENCH_PEERS=$(cd "$PEERS" 2>/dev/null && ls -- *.so 2>/dev/null | sed 's/\.so$//' | sort -r | xargs)}"
for peer in $BENCH_PEERS; do
  [ -r "$PEERS/$peer.so" ] || { echo "$BENCH_NAME: there is no $peer.so; bench/peers builds it" >&2; exit 1; }
done
LIBRARIES="plain control safedelete $BENCH_PEERS"

need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || [ -r "$1" ] || { echo "$BENCH_NAME: $1 is missing: $2" >&2; exit 1; }
}
need python3 "apt-get install python3"
need "$BENCH_LIBRARY" "make install"

# The same for all servers. Nothing waits for a disk and nothing runs beside, so that what the library costs is
# as large a part of the whole as it can be, and the machine's part small.
SETTINGS=(
  "shared_buffers = '1GB'" "fsync = off" "synchronous_commit = off" "full_page_writes = off" "autovacuum = off"
  "jit = off" "max_parallel_workers_per_gather = 0" "max_parallel_maintenance_workers = 0" "bgwriter_lru_maxpages = 0"
  "checkpoint_timeout = '1d'" "max_wal_size = '16GB'" "min_wal_size = '1GB'" "max_connections = 50")

sql() { psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

server_node() { # LIBRARY [setting ...]
  local dir=$SERVER_DIR/$1 preload= library=$1
  shift
  case $library in
    plain | control) ;;
    # A copy, so that an installation meanwhile does not change what is measured.
    safedelete) preload=$dir/safedelete.so && install -m 755 "$BENCH_LIBRARY" "$preload" ;;
    *) preload=$dir/$library.so && install -m 755 "$PEERS/$library.so" "$preload" ;;
  esac
  configure "$dir" "shared_preload_libraries = '$preload'" "${SETTINGS[@]}" "$@"
  node_start "$library"
}

servers() { # [setting ...]
  local library dir refused
  server_dir
  clients
  for library in $LIBRARIES; do
    node_directory "$library" >/dev/null
  done
  dir=$SERVER_DIR/plain
  node_init plain
  as_owner cp "$dir/data/postgresql.conf" "$dir/postgresql.conf"
  server_node plain "$@"
  { echo "CREATE TABLE guarded (id int);"; setup; } | on plain sql >"$dir/setup.log" 2>&1 ||
    { cat "$dir/setup.log" >&2; return 1; }
  for library in $(on plain sql -c "SELECT datname FROM pg_database WHERE datallowconn"); do
    on plain sql -d "$library" -c "VACUUM (FREEZE, ANALYZE)"
  done
  node_stop plain
  as_owner cp "$dir/postgresql.conf" "$dir/data/postgresql.conf"
  for library in $LIBRARIES; do
    [ "$library" = plain ] || as_owner cp -a "$dir/data" "$SERVER_DIR/$library/data"
  done
  for library in $LIBRARIES; do
    server_node "$library" "$@"
    # What is measured is a guard that guards, and a server without one.
    refused=no
    on "$library" sql -c "DELETE FROM guarded" >/dev/null 2>&1 || refused=yes
    case $library:$refused in
      plain:no | control:no | [!pc]*:yes | pg_savior:yes) ;;
      *) echo "$BENCH_NAME: $library: an unqualified DELETE is refused: $refused" >&2; return 1 ;;
    esac
  done
}

# Waits until every session but the asking one has ended: backends hand their counters over then, and psql does not
# wait for it.
ended() { # LIBRARY
  local i
  for ((i = 0; i < 100; i++)); do
    [ "$(on "$1" sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")" != 1 ] ||
      return 0
    sleep 0.1
  done
  echo "$BENCH_NAME: sessions of $1 do not end" >&2
  return 1
}

# key: value of what is measured on.
machine() {
  local cpu cores memory virtual= commit version
  cpu=$(LC_ALL=C lscpu 2>/dev/null | sed -nE 's/^Model name: +//p' | head -1)
  cores=$(nproc)
  memory=$(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo)
  ! grep -qw hypervisor /proc/cpuinfo || virtual=" (virtual machine)"
  commit=$(git -C "$BENCH" rev-parse --short HEAD 2>/dev/null || true)
  echo "machine: ${cpu:-$(uname -m)}, $cores cores, $memory of memory$virtual"
  echo "system: Linux $(uname -r | sed 's/-.*//') $(uname -m)"
  echo "PostgreSQL: $("$PG_CONFIG" --version | sed -E 's/^PostgreSQL ([0-9.]+).*/\1/')"
  version=$(sed -nE "s/^default_version *= *'(.*)'/\1/p" "$BENCH/../safedelete.control")
  echo "safedelete: $version${commit:+, commit $commit}"
  echo "date: $(date -u +%Y-%m-%d)"
}

figures() { # NAME HOW [SETTINGS]
  mkdir -p "$FIGURES"
  FIGURES_FILE=$FIGURES/$1.csv FIGURES_NEW=$SERVER_DIR/$1.new
  declare -gA LABELS=()
  local name rest
  while IFS='|' read -r name rest; do
    LABELS[$name]=$rest
  done < <(cases)
  { machine; echo "how: $2"; echo "settings: $3"; } | sed 's/^/# /' >"$FIGURES_NEW"
  echo "case,label,unit,bar,library,round,value" >>"$FIGURES_NEW"
}

figure() { # CASE LIBRARY ROUND VALUE
  local label unit bar _
  IFS='|' read -r label unit bar _ <<<"${LABELS[$1]}"
  [[ $4 =~ ^-?[0-9]+(\.[0-9]+)?$ ]] || { echo "$BENCH_NAME: $1 ($2) gives no figure: '$4'" >&2; return 1; }
  echo "$1,\"$label\",$unit,$bar,$2,$3,$4" >>"$FIGURES_NEW"
}

# Only a whole run leaves figures.
finish() { # [option of summary.py]
  mv "$FIGURES_NEW" "$FIGURES_FILE"
  python3 "$BENCH/summary.py" "$@" "$FIGURES_FILE"
}

thousands() { sed -E ':a; s/([0-9])([0-9]{3})\b/\1,\2/; ta' <<<"$1"; }
settings_named() { local joined; printf -v joined '%s, ' "$@"; echo "${joined%, }" | tr -d "'" | sed 's/ = /=/g'; }
