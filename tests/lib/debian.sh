# Where Debian has PostgreSQL.

# The suite with this major's packages.
debian_suite() { # MAJOR
  case $1 in
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo sid ;;
    19) echo experimental ;;
    *) echo "no Debian suite has PostgreSQL $1" >&2; return 1 ;;
  esac
}

# An address in the machine's own apt sources, of either format: debian_mirror debian, debian_mirror debian-security.
debian_mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null | sed 's/#.*//' |
    grep -oE "https?://[^ ]+/$1/?( |\$)" | awk 'NR == 1 { print $1 }' || true
}
