#!/bin/bash
# Debian's corosync-cpgtool, next to a real Corosync that answers its questions
# about nodes, lists the groups and members of ours once it gets our libcpg; and
# with Debian's libcpg it lists none of them.
#
# usage: cpgtool_test.sh WITH_COROSYNC CLIENT OUR_LIBCPG
#        cpgtool_test.sh --inside CLIENT OUR_LIBCPG
set -euo pipefail

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# want EXPECTED COMMAND ...: the command prints exactly this, on either stream.
want() {
  local expected="$1" printed
  shift
  printed="$("$@" 2>&1)" || fail "exit code $?: $*"
  [[ "$printed" == "$expected" ]] ||
    fail "$*"$'\nprinted:\n'"$printed"$'\nexpected:\n'"$expected"
}

inside() {
  local client="$1" libraries work
  libraries="$(cd "$(dirname "$2")" && pwd)"
  # On the namespace's own tmpfs; gone with it.
  work="$(mktemp -d /run/zcb-cpgtool-XXXXXX)"
  mkdir "$work/zcb"
  export ZCB_DIR="$work/zcb"

  mkfifo "$work/end" "$work/ready"
  LD_LIBRARY_PATH="$libraries" "$client" --hold first second \
    <"$work/end" >"$work/ready" &
  local holder=$!
  exec 3>"$work/end"
  local pid node
  read -r pid node <"$work/ready"

  local header=$'Group Name\t       PID\t   Node ID'
  local member
  # The address is the real Corosync's answer, by way of libcfg.
  member="$(printf '\n\t\t%10s\t%10s (127.0.0.1)' "$pid" "$node")"
  local -a with_ours=(env "LD_LIBRARY_PATH=$libraries" LD_BIND_NOW=1)
  want "$header"$'\nfirst'"$member"$'\nsecond'"$member" \
    "${with_ours[@]}" corosync-cpgtool
  want $'first\nsecond' "${with_ours[@]}" corosync-cpgtool -n
  want "$header" corosync-cpgtool

  exec 3>&-
  wait "$holder"
  want "$header" "${with_ours[@]}" corosync-cpgtool
  echo "corosync-cpgtool lists our groups"
}

if [[ "$1" == --inside ]]; then
  inside "$2" "$3"
else
  "$1" "$0" --inside "$2" "$3"
fi
