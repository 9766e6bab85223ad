#!/bin/bash
# A search, however short, ends with a recommendation; a recording of a group
# that is not there does not.
set -euo pipefail

program="$1"
unset ZCB_DIR ZCB_REGION
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

# run RUNS OPTIONS: within so many runs.
run() { "$program" --quiet --window 0.05 --minutes 60 --runs "$@"; }

run 90 --size 64,4096:0.25 --rate 2000 --knobs ZCB_SPIN_NS |
  tee "$scratch/text"
grep -q '^  ZCB_SPIN_NS=0 ' "$scratch/text"
grep -q '^Recommended' "$scratch/text"
run 2 --size 64 --senders 2 --receivers 2 --goal throughput \
  --knobs ZCB_RING_SLOTS --json >"$scratch/json"
grep -q '"recommended"' "$scratch/json"

cat >"$scratch/workload" <<'JSON'
{"zcb_workload": 1, "rate_per_s": 1000, "senders": 1, "receivers": 1,
 "sizes": [{"length_bytes": 100, "share": 1}]}
JSON
run 2 --workload "$scratch/workload" --goal throughput --knobs ZCB_PAGES |
  grep '^Workload: 100 B (100 %); 1000 messages/s; 1 sender, 1 receiver'

export ZCB_DIR="$scratch"
if "$program" --record nobody --seconds 0.1 2>"$scratch/error"; then
  echo "a group that is not there was recorded"
  exit 1
fi
grep "no group 'nobody'" "$scratch/error"
if "$program" --size 0 2>"$scratch/error"; then
  echo "a size of 0 was taken"
  exit 1
fi
