#!/bin/bash
# Both programs still run, and their figures are there and above zero.
set -euo pipefail

name="$1" program="$2"
source bench/processes/smoke_run.sh

case "$name" in
  footprint)
    run region_meta_bytes region_data_bytes group_meta_bytes member_files \
      idle_own_bytes idle_resident_meta_bytes message_data_bytes -- --members 4
    ;;
  growth)
    for arguments in "--region-mib 64 --members 1" "--region-mib 2048 --members 5"; do
      # shellcheck disable=SC2086  # words
      run attach_p50_us join_p50_us leave_p50_us alloc_free_p50_ns \
        alloc_free_1mib_p50_ns send_p50_ns receive_p50_ns -- $arguments \
        --samples 3
    done
    ;;
  *) echo "what is $name?"; exit 1 ;;
esac
