# shellcheck shell=bash
# Sourced by tools/dev: which settings suit a workload (docs/tuning.md).

cmd_tune() {
  need_packages build
  run_bazel build --config=opt //bench/tune:zcb-tune >&2
  # Not run by Bazel and not from the root: files are relative to the caller.
  exec "$(run_bazel info --config=opt bazel-bin)/bench/tune/zcb-tune" "$@"
}
