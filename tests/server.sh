# The way in from before: see tests/lib/server.sh.
. "$(dirname "${BASH_SOURCE[0]}")/lib/server.sh"
