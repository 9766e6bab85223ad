# shellcheck shell=bash
# Sourced by tools/dev: "check order", the long runs of the order checker.

readonly kOrderMinutes=3

# Options of this step: --minutes N, and --seed S to repeat one run.
check_order() {
  local -a arguments=("$@")
  [[ " $* " == *" --minutes "* ]] || arguments+=(--minutes "$kOrderMinutes")
  run_bazel build --config=opt //tests/order:soak || return 1
  "$(run_bazel info --config=opt bazel-bin)/tests/order/soak" "${arguments[@]}"
}
