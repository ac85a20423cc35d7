# What every package puts where. Source it in the checkout, with PG_CONFIG set.
#
#   stage TREE LIB SHARE BIN DOC   lays the files out below TREE: the library (stripped; its debug information below
#                                  TREE.debug, by build-id), scripts, safedelete-check, documents and licenses
#   stage_library TREE LIB SHARE   the library and the scripts alone
#
#   LIBRARY, PROGRAM               what is packed, by default what packaging/build has built
: "${PG_CONFIG:?set PG_CONFIG}"
major=$("$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
version=$(sed -nE "s/^default_version *= *'(.*)'/\1/p" safedelete.control)
library=$(realpath -m "${LIBRARY:-target/package/pg$major/release/libsafedelete.so}")
program=$(realpath -m "${PROGRAM:-target/package/cli/release/safedelete-check}")
# The oldest minor release that it may be loaded into.
minor=$(awk -v major="$major" '$1 == major { print $2 }' packaging/minors)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.lock)
export SOURCE_DATE_EPOCH
[ -n "$minor" ] || { echo "packaging/minors does not know PostgreSQL $major" >&2; exit 1; }
# Installs what a command comes with, on Debian and its kin, where that is allowed; elsewhere the name is told.
require() { # COMMAND PACKAGE [its name elsewhere]
  command -v "$1" >/dev/null || { [ "$(id -u)" = 0 ] && apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "$2"; } >/dev/null 2>&1 ||
    { echo "$1 is missing: install $2${3:+ ($3)}" >&2; exit 1; }
}
is_built() { [ -f "$1" ] || { echo "$1 is missing: run packaging/build first (make package does)" >&2; exit 1; }; }
is_built "$library"
for tool in "strip binutils" "objcopy binutils" "readelf binutils" "cargo cargo"; do require $tool; done

# install_stripped FILE TO MODE DEBUG: without what only a debugger reads, which goes below DEBUG, if that is given.
install_stripped() {
  local id
  install -D -m "$3" "$1" "$2"
  if [ -n "$4" ]; then
    id=$(readelf -n "$2" | sed -nE 's/.*Build ID: ([0-9a-f]+)/\1/p')
    [ -n "$id" ] || { echo "$1 has no build-id" >&2; exit 1; }
    install -d "$4/usr/lib/debug/.build-id/${id::2}"
    objcopy --only-keep-debug --compress-debug-sections "$2" "$4/usr/lib/debug/.build-id/${id::2}/${id:2}.debug"
    chmod 644 "$4/usr/lib/debug/.build-id/${id::2}/${id:2}.debug"
  fi
  strip --strip-unneeded --remove-section=.comment "$2"
}

stage_library() {
  install_stripped "$library" "$1$2/safedelete.so" 644 "${4:-}"
  install -d "$1$3"
  install -m 644 safedelete.control sql/safedelete--*.sql "$1$3"
}

stage() {
  is_built "$program"
  stage_library "$1" "$2" "$3" "$1.debug"
  install_stripped "$program" "$1$4/safedelete-check" 755 "$1.debug"
  install -d "$1$5"
  install -m 644 README.md docs/*.md "$1$5"
  # The licenses of all that the two are linked with belong in here.
  packaging/notices --features "pg$major" --library "$library" --program "safedelete-check=$program" >"$1$5/copyright"
}

# No file is newer than the commit that it comes from, and modes hang on nobody's umask.
settle() { # TREE...
  local tree
  for tree; do
    chmod -R u=rwX,go=rX "$tree"
    find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  done
}
