#!/bin/bash
# The examples do what their first lines say.
set -euo pipefail

file_multicast="$1"
hello_group="$2"
work="$(mktemp -d)"
region="$(mktemp -d /dev/shm/zcb-test-XXXXXX)"
receivers=()
cleanup() {
  local pid
  for pid in "${receivers[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work" "$region"
}
trap cleanup EXIT
export ZCB_DIR="$region"
unset ZCB_REGION ZCB_KEEP

head -c 5000000 /dev/urandom >"$work/file"
"$file_multicast" receive test >"$work/copy" &
receivers+=($!)
"$file_multicast" send "$work/file" test
wait "${receivers[0]}"
receivers=()
cmp "$work/file" "$work/copy"

said="$(printf 'hello\n' | "$hello_group" test)"
[[ "$said" == *"1 here"*": hello"*"out, 0 here"* ]] || {
  echo "hello_group said: $said" >&2
  exit 1
}
[[ -z "$(find "$region" -type f)" ]] || {
  echo "left: $(find "$region")" >&2
  exit 1
}
echo "passed"
