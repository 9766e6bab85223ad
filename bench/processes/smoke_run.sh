# shellcheck shell=bash
# Sourced by smoke tests of programs that print a line of JSON.

if (($(nproc) < 2)); then
  echo "skipped: the sides, and the floor, need a CPU each"
  exit 0
fi
unset ZCB_DIR ZCB_REGION ZCB_REGION_BYTES ZCB_PAGES

# run FIGURE ... -- ARGUMENT ...: of $program; each figure is there, above zero.
run() {
  local -a figures=()
  local line figure
  while [[ "$1" != -- ]]; do figures+=("$1"); shift; done
  shift
  # shellcheck disable=SC2154  # the test's
  line="$("$program" --json "$@")"
  echo "$* $line"
  for figure in "${figures[@]}"; do
    grep -Eq "\"$figure\":[0-9.e+]*[1-9]" <<<"$line" ||
      { echo "no $figure"; exit 1; }
  done
}
