# shellcheck shell=bash
# Sourced by tools/dev: "check order", the long runs of the order checker.

readonly kOrderMinutes=3
# A run takes a second or so; one that takes this long hangs. Its seed is that
# of its line, plus the dots behind it.
readonly kOrderHangMinutes=10

# Options of this step: --minutes N, and --seed S to repeat one run.
check_order() {
  local minutes="$kOrderMinutes" previous='' word code=0
  for word in "$@"; do
    [[ "$previous" != --minutes ]] || minutes="$word"
    previous="$word"
  done
  run_bazel build --config=opt //tests/order:soak || return 1
  # The signal goes to the group that timeout(1) makes: to the run's processes.
  timeout "$((10#0${minutes%%.*} + kOrderHangMinutes))m" \
    "$(run_bazel info --config=opt bazel-bin)/tests/order/soak" \
    --minutes "$minutes" "$@" || code=$?
  ((code != 124)) || note "the last run hangs"
  return "$code"
}
