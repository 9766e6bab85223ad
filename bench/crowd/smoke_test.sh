#!/bin/bash
# Every program and every way of using it still runs, briefly. They check what
# they receive; here it is checked that every figure is there and above zero.
set -euo pipefail

name="$1" program="$2"
source bench/processes/smoke_run.sh

case "$name" in
  fan_out)
    for peer in zcb seqpacket; do
      run send_p50_ns -- --peer "$peer" --wait attached --receivers 5 --rounds 3
      run messages_per_s send_cpu_ns -- --peer "$peer" --wait busy \
        --receivers 1 --messages 2000
      run first_p50_us last_p50_us messages_per_s -- --peer "$peer" \
        --wait sleep --receivers 3 --rounds 5 --messages 500
    done
    ;;
  fan_out_iceoryx)
    run send_p50_ns -- --wait attached --receivers 5 --rounds 3
    run messages_per_s send_cpu_ns -- --wait busy --receivers 1 --messages 2000
    run first_p50_us last_p50_us messages_per_s -- --wait sleep --receivers 3 \
      --rounds 5 --messages 500
    ;;
  many_senders)
    for senders in 1 5; do
      run messages_per_s least_share most_share -- --senders "$senders" \
        --duration-ms 20
    done
    ;;
  many_groups)
    for groups in 1 9; do
      run send_p50_ns receive_p50_ns one_group_p50_ns idle_dispatch_p50_ns \
        by_epoll_p50_us -- --groups "$groups" --rounds 3
    done
    ;;
  burst)
    run send_p50_ns until_read_p50_us -- --burst 1 --rounds 5
    run send_p50_ns drain_p50_ns -- --burst 3584 --rounds 3
    run messages_per_s refused_share wait_p50_us -- --messages 10000
    run messages_per_s refused_share wait_p50_us -- --messages 10000 --wait
    ;;
  wake)
    run floor_futex_until_p50_ns floor_eventfd_send_p50_ns \
      floor_pipe_send_p50_ns zcb_futex_send_p50_ns \
      zcb_descriptor_until_p50_ns zcb_awake_until_p50_ns -- --wakes 20
    ;;
  *) echo "what is $name?"; exit 1 ;;
esac
