# shellcheck shell=bash
# Sourced by tools/dev: the programs with libFuzzer, tests/fuzz. What one finds
# is kept below the state directory; put it into tests/fuzz/corpus/TARGET, where
# the everyday tests run it, with the mend.

readonly kFuzzTargets=(attach receive directory audit view options)

# run_fuzz_targets MINUTES: all of them, each for its share of the minutes and
# on a copy of its corpus. Fails if one of them finds something.
run_fuzz_targets() {
  local target programs scratch found code=0
  local -a labels=("${kFuzzTargets[@]/#///tests/fuzz:}")
  run_bazel build --config=fuzz --ui_event_filters=-info "${labels[@]/%/_fuzz}" \
    2> >(grep -v 'Cannot export local symbol' >&2) || return 1
  programs="$(run_bazel info --config=fuzz bazel-bin)/tests/fuzz"
  found="$(check_state)/fuzz"
  mkdir -p "$found"
  scratch="$(mktemp -d)"
  local seconds=$((10#$1 * 60 / ${#kFuzzTargets[@]}))
  for target in "${kFuzzTargets[@]}"; do
    cp -r "$ROOT/tests/fuzz/corpus/$target" "$scratch/"
    if "$programs/${target}_fuzz" "-max_total_time=$seconds" -timeout=30 \
        -rss_limit_mb=3000 -max_len=1000 -print_final_stats=1 \
        "-artifact_prefix=$found/$target-" "$scratch/$target" \
        >"$scratch/log" 2>&1; then
      echo "$target: $(awk '/number_of_executed_units/ { print $2 }' \
        "$scratch/log") inputs in $seconds s, nothing found"
    else
      code=1
      tail -40 "$scratch/log"
      note "$target: kept as $found/$target-*"
    fi
  done
  rm -rf "$scratch"
  return "$code"
}
