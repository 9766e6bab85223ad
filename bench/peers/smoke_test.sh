#!/bin/bash
# Every variant of a peer still runs: a few messages of two sizes, touched and
# not, and each line of its answer is one of figures.
set -euo pipefail

program="$1"
if (($(nproc) < 2)); then
  echo "skipped: the two sides need a CPU each"
  exit 0
fi
unset ZCB_DIR ZCB_REGION
export LD_LIBRARY_PATH=cpg # ours, for the program that takes the system's
questions="latency stream"
[[ "$program" != *memcpy ]] || questions=copy

field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$2"; }

variants=0
while read -r variant; do
  variants=$((variants + 1))
  for question in $questions; do
    # Two sizes, unless the larger one is too large; touched and not.
    largest="$(sed -n 's/.*"largest_bytes":\([0-9]*\).*/\1/p' <<<"$variant")"
    wanted=$((${largest:-65536} < 65536 ? 2 : 4))
    answer="$("$program" "$question" --peer "$(field peer "$variant")" \
      --wait "$(field wait "$variant")" --bytes 64,65536 --touch both \
      --count 100 --duration-ms 10 --json)"
    echo "$answer"
    (($(grep -c '"repetitions":\[{' <<<"$answer") == wanted))
  done
done < <("$program" list)
((variants > 0))
