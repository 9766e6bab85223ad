#!/bin/bash
# Every value is read by another process, and no file is left; and a region that
# is too small is said to be.
set -euo pipefail

published_map="$1"
region="$(mktemp -d /dev/shm/zcb-test-XXXXXX)"
trap 'rm -rf "$region"' EXIT
export ZCB_DIR="$region"
unset ZCB_REGION ZCB_REGION_BYTES ZCB_KEEP

fail() {
  echo "FAILED: $*; it said:" >&2
  echo "$said" >&2
  exit 1
}

said="$("$published_map" 2>&1)" || fail "it should find its values"
[[ "$said" == *"wrote 1000 values"*"read 1000 of 1000 values"* ]] ||
  fail "not all values"
[[ -z "$(find "$region" -type f)" ]] || fail "left: $(find "$region")"

if said="$(ZCB_REGION_BYTES=8m "$published_map" 2>&1)"; then
  fail "30 MB of values in a region of 8"
fi
[[ "$said" == *"the region is full"* ]] || fail "it failed for another reason"
echo "passed"
