#!/bin/bash
# Every peer still runs: a few messages of two sizes, touched and not.
set -euo pipefail

program="$1"
if (($(nproc) < 2)); then
  echo "skipped: the two sides need a CPU each"
  exit 0
fi
unset ZCB_DIR ZCB_REGION
for peer in $("$program" --help | awk '/^Peers:/ { on = 1; next } on { print $1 }'); do
  for bytes in 64 65536; do
    "$program" --peer "$peer" --bytes "$bytes" --count 100 --json
    "$program" --peer "$peer" --bytes "$bytes" --count 100 --json --touch
  done
done
