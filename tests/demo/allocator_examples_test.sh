#!/bin/bash
# The examples of the allocator alone do what their first lines say, each in
# two processes, and leave nothing behind.
set -euo pipefail

allocator="$1"
shared_map="$2"
region="$(mktemp -d /dev/shm/zcb-test-XXXXXX)"
trap 'rm -rf "$region"' EXIT
export ZCB_DIR="$region"
unset ZCB_REGION ZCB_KEEP

fail() {
  echo "$1" >&2
  exit 1
}

said="$("$allocator")"
[[ "$said" == "took 1000 buffers of 100000 bytes; damage in the region: 0" ]] ||
  fail "allocator said: $said"

said="$("$shared_map")"
[[ "$said" == *"found all 1000 words"* ]] || fail "shared_map said: $said"
pattern='the walker has the region at (0x[0-9a-f]+), the builder at (0x[0-9a-f]+)'
[[ "$said" =~ $pattern ]] || fail "shared_map said: $said"
[[ "${BASH_REMATCH[1]}" != "${BASH_REMATCH[2]}" ]] ||
  fail "both have the region at ${BASH_REMATCH[1]}"

[[ -z "$(find "$region" -type f)" ]] || fail "left: $(find "$region")"
echo "passed"
