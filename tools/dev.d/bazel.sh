# shellcheck shell=bash
# Sourced by tools/dev: how Bazel is started and its tests are counted.

# Long soaks and benchmark smoke tests are for "check".
# shellcheck disable=SC2034  # used by tools/dev
readonly kEverydayTests="-bench,-stress-long"

# Bazel refuses to start without a home it can write to.
prepare_environment() {
  if [[ -z "${HOME:-}" ]]; then
    HOME="$(getent passwd "$EUID" | cut -d: -f6)"
  fi
  if [[ -z "$HOME" || ! -d "$HOME" || ! -w "$HOME" ]]; then
    HOME="${TMPDIR:-/tmp}/zcb-home-$EUID"
    mkdir -p "$HOME"
  fi
  USER="${USER:-$(id -un 2>/dev/null || echo "uid$EUID")}"
  export HOME USER
}

run_bazel() {
  local -a startup=()
  [[ -z "${ZCB_OUTPUT_BASE:-}" ]] || startup=("--output_base=$ZCB_OUTPUT_BASE")
  (cd "$ROOT" && bazel ${startup[@]+"${startup[@]}"} "$@")
}

has_targets() {
  local argument
  for argument in "$@"; do
    case "$argument" in //* | :* | @*) return 0 ;; esac
  done
  return 1
}

# Runs tests and counts their cases; the last line is "N passed, N failed".
run_tests() {
  local events code=0
  has_targets "$@" || set -- "$@" //...
  events="$(mktemp)"
  run_bazel test --keep_going "--build_event_json_file=$events" "$@" || code=$?
  # Bazel's 3 is "a test failed", which the count tells more precisely; what
  # fails without a test (a build, a bad option) must fail the count too.
  local status=0
  python3 "$ROOT/tools/dev.d/count_tests.py" "$events" "$code" || status=$?
  rm -f "$events"
  return "$status"
}
