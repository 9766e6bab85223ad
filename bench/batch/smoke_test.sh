#!/bin/bash
# Batches and reuse still run, in each of their ways.
set -euo pipefail

batch="$1"
reuse="$2"
if (($(nproc) < 2)); then
  echo "skipped: the two sides need a CPU each"
  exit 0
fi
unset ZCB_DIR ZCB_REGION
for sizes in "0 0" "1 1" "16 0" "0 16" "64 64"; do
  read -r send receive <<<"$sizes"
  "$batch" --count 2000 --send "$send" --receive "$receive"
done
for order in lifo fifo zcb; do
  "$reuse" --count 100 --bytes 4096 --order "$order"
done
