#!/bin/bash
# Both programs still run, where they may mount and reserve huge pages.
set -euo pipefail

if ((EUID != 0 || $(nproc) < 2)); then
  echo "skipped: needs root and two CPUs"
  exit 0
fi
unset ZCB_DIR ZCB_REGION ZCB_REGION_BYTES ZCB_PAGES
code=0
bench/pages/pages --json 1 | tee "$TEST_TMPDIR/pages.json" || code=$?
if ((code == 75)); then
  echo "skipped: no huge pages to be had"
  exit 0
fi
((code == 0))
grep -q '"huge=always":\[{"commit_us":[0-9.]*[1-9]' "$TEST_TMPDIR/pages.json"
for pages in small huge; do
  bench/pages/page_stream --json --pages "$pages" --messages 200 |
    tee "$TEST_TMPDIR/stream.json"
  grep -q '"MB_per_s":[0-9.]*[1-9]' "$TEST_TMPDIR/stream.json"
done
