#!/bin/bash
# Every byte arrives although a reader is stopped meanwhile; and a sender whose
# patience is over says so. The third argument is the region's size.
set -euo pipefail

paced_sender="$1"
hello_group="$2"
work="$(mktemp -d)"
region="$(mktemp -d /dev/shm/zcb-test-XXXXXX)"
started=()
cleanup() {
  local pid
  for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  rm -rf "$work" "$region"
}
trap cleanup EXIT
export ZCB_DIR="$region"
[[ -z "${3:-}" ]] || export ZCB_REGION_BYTES="$3"
unset ZCB_REGION ZCB_KEEP

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# FILE, once it holds TEXT
holds() { until grep -qs "$2" "$1"; do :; done; }
stop() {
  kill -STOP "$1"
  until grep -q '^State:.T' "/proc/$1/status"; do :; done
}

# 24 MB: more pieces than a ring has places. And 8 bytes per line, so no piece
# of 4096 ends within one.
seq 1000000 4000000 >"$work/numbers"
mkfifo "$work/keyboard"
"$hello_group" test <"$work/keyboard" >"$work/read" &
reader=$!
started+=("$reader")
exec 3>"$work/keyboard"
holds "$work/read" "$reader in"
stop "$reader"

"$paced_sender" test <"$work/numbers" >"$work/said" 2>"$work/moaned" 3>&- &
sender=$!
started+=("$sender")
holds "$work/moaned" "no room"

said="$("$paced_sender" test 1 <"$work/numbers" 2>&1)" &&
  fail "the reader has not read, and it says: $said"
[[ "$said" == *"out of patience"* ]] || fail "impatient, it said: $said"

kill -CONT "$reader"
wait "$sender" || fail "the sender said: $(cat "$work/moaned")"
grep -qx "sent [0-9]* messages, some late" "$work/said" ||
  fail "it said: $(cat "$work/said")"
exec 3>&- # the end of the reader's input: it leaves
wait "$reader" || fail "the reader ended badly"
started=()
# Each piece begins with who has sent it; other lines say who came and went.
sed -e '/ in, /d; / out, /d' -e "s/^$sender: //" "$work/read" >"$work/heard"
cmp "$work/numbers" "$work/heard" || fail "that is not what was sent"
[[ -z "$(find "$region" -type f)" ]] || fail "left: $(find "$region")"
echo "passed"
