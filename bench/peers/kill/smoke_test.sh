#!/bin/sh
# The program still runs at all, and zcb's survivors go on.
set -eu
for peer in zcb_group zcb_memory; do
    bench/peers/kill/kills --kills 5 --only $peer --patience-s 60 --json |
        grep -F '"blocked":0,"kills_counted":5,"leaked_buffers":0'
done
for peer in boost_queue boost_memory; do
    bench/peers/kill/kills --kills 2 --only $peer --patience-s 2
done
# Its daemon is one for the machine, and may be somebody else's.
bench/peers/kill/kills --kills 1 --only iceoryx --patience-s 3
