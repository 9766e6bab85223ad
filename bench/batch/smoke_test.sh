#!/bin/bash
# Both programs still run in each of their ways.
set -euo pipefail

name="$1" program="$2"
source bench/processes/smoke_run.sh

case "$name" in
  batch)
    for sizes in "0 0" "1 1" "16 0" "0 16" "64 64"; do
      read -r send receive <<<"$sizes"
      run messages_per_s -- --count 2000 --send "$send" --receive "$receive"
    done
    ;;
  reuse)
    for order in lifo fifo zcb; do
      run write_p50_ns write_p90_ns messages_per_s -- --count 100 \
        --bytes 4096 --order "$order"
    done
    ;;
  *) echo "what is $name?"; exit 1 ;;
esac
