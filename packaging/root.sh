# A clean Debian in a directory of its own, by debootstrap from the mirror that this machine's apt uses. Source it in
# the checkout, and have root_remove called when the script ends; needs root.
#
#   root_new RELEASE        makes one, of bookworm or trixie, in $root
#   root_suite SUITE MAJOR  has its apt take that PostgreSQL of that suite, where the release has none of the name
#   root_remove             takes it away
#   inside COMMAND...       runs one there, with nothing of this machine's environment
#   quietly COMMAND...      runs a step that has to work; shows what it said where it does not
#   wanted_major            the PostgreSQL major that PG_CONFIG means: one that is not installed here may be there
. tests/lib/debian.sh
[ "$(id -u)" = 0 ] || { echo "needs root: debootstrap and chroot do" >&2; exit 1; }
command -v debootstrap >/dev/null ||
  { apt-get update -qq && apt-get install -yqq --no-install-recommends debootstrap; } >/dev/null 2>&1 ||
  { echo "debootstrap is missing, and could not be installed: apt-get install debootstrap" >&2; exit 1; }
mirror=$(debian_mirror debian)
[ -n "$mirror" ] || { echo "apt's sources name no mirror of Debian's" >&2; exit 1; }
# A suite's packages may go upon those of the ones before it.
suites=(bookworm trixie sid experimental)
root=

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
quietly() { "$@" >"$root.log" 2>&1 || { tail -60 "$root.log"; echo "failed: $*" >&2; exit 1; }; }

root_new() { # RELEASE
  root=$(mktemp -d /var/tmp/safedelete-root.XXXXXX)
  chmod 755 "$root"
  release=$1
  quietly debootstrap --variant=minbase "$release" "$root" "$mirror"
  apt-config dump Acquire >"$root/etc/apt/apt.conf.d/machine"
  # It lives for minutes: nothing has to outlive a crash.
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/fast"
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  # Debian's way to say that a package may start no service.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  mount -t proc proc "$root/proc"
  mkdir -p "$root/dev/shm"
  mount -t tmpfs tmpfs "$root/dev/shm"
  quietly inside apt-get update
}

wanted_major() {
  if [[ $PG_CONFIG =~ ^/usr/lib/postgresql/([0-9]+)/bin/pg_config$ ]]; then
    echo "${BASH_REMATCH[1]}"
  else
    [ -x "$PG_CONFIG" ] || { echo "there is no $PG_CONFIG: name a major by PG_MAJOR" >&2; return 1; }
    "$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'
  fi
}

place_of() { # SUITE: its number in suites
  local i
  for i in "${!suites[@]}"; do [ "${suites[i]}" != "$1" ] || echo "$i"; done
}

# What of a newer suite is installed is to come from there with all that it wants: newer[@] are apt's options for that.
# An older suite has only what the release has dropped. Experimental is no whole suite but an addition to sid: from
# there comes what is built of PostgreSQL's source, and the rest from sid.
root_suite() { # SUITE MAJOR
  local suite
  newer=()
  [ "$1" != "$release" ] || return 0
  for suite in "$1" $([ "$1" = experimental ] && echo sid); do
    echo "deb $mirror $suite main" >>"$root/etc/apt/sources.list"
  done
  [ "$(place_of "$1")" -lt "$(place_of "$release")" ] || newer=(-t "$suite")
  if [ "$1" = experimental ]; then
    printf '%s\n' "Package: src:postgresql-$2" "Pin: release a=experimental" "Pin-Priority: 995" \
      >"$root/etc/apt/preferences.d/postgresql"
  fi
  quietly inside apt-get update
}

root_remove() {
  local mounted
  [ -n "$root" ] || return 0
  for mounted in "$root/dev/shm" "$root/proc"; do
    if mountpoint -q "$mounted"; then umount "$mounted" || umount -l "$mounted"; fi
  done
  rm -rf --one-file-system "$root" "$root.log"
  root=
}
