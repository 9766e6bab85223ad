# shellcheck shell=bash
# Sourced by tools/dev: the steps of "check" that find more the longer they run.
# Each takes --minutes N and hands its other options on to its program.

readonly kSoaks=(order models steps storm fuzz)

# Minutes of each in a plain "check".
readonly kOrderMinutes=1
readonly kStepsMinutes=2
readonly kStormMinutes=1
readonly kFuzzMinutes=1  # of each of its programs
readonly kModelsMinutes=0  # beyond the plain bounds
# One run of a soak takes seconds; when this is over, it hangs.
readonly kHangMinutes=10

# Where steps and storm keep what they have done, so that the next run goes on
# from there; tools/dev says so in its help.
check_state() {
  local directory="${ZCB_CHECK_STATE:-$ROOT/check-state}"
  mkdir -p "$directory"
  echo "$directory"
}

is_soak() {
  local soak
  for soak in "${kSoaks[@]}"; do [[ "$soak" != "$1" ]] || return 0; done
  return 1
}

# minutes_of DEFAULT [OPTION ...]: what --minutes says.
minutes_of() {
  local minutes="$1" previous='' word
  shift
  for word in "$@"; do
    [[ "$previous" != --minutes ]] || minutes="$word"
    previous="$word"
  done
  echo "$minutes"
}

# run_soak [--config=NAME] TARGET MINUTES [OPTION ...]: builds TARGET, with
# --config=opt if not said otherwise, and runs it with --minutes (an option's, if
# there is one) and the options.
run_soak() {
  local config=--config=opt minutes code=0
  [[ "$1" != --config=* ]] || { config="$1"; shift; }
  local target="$1"
  minutes="$(minutes_of "${@:2}")"
  shift 2
  run_bazel build "$config" "$target" || return 1
  local program="${target#//}"
  # The signal goes to the group that timeout(1) makes: to the run's processes.
  timeout "$((10#0${minutes%%.*} + kHangMinutes))m" \
    "$(run_bazel info "$config" bazel-bin)/${program/://}" \
    --minutes "$minutes" "$@" || code=$?
  ((code != 124)) || note "the last run hangs"
  return "$code"
}

# A dot is a run. One that hangs has the seed of its line plus the dots behind.
check_order() { run_soak //tests/order:soak "$kOrderMinutes" "$@"; }

# Goes on where the last one ended. With --all it takes as long as it takes.
check_steps() {
  local minutes="$kStepsMinutes" word
  for word in "$@"; do [[ "$word" != --all ]] || minutes=600; done
  run_soak //tests/process:steps "$minutes" --state "$(check_state)" "$@"
}

# A line is a round. One that hangs says so by itself, with the stacks. Kills
# are counted over all runs of a build; asked for so many, it takes its time.
check_storm() {
  local minutes="$kStormMinutes"
  [[ " $* " != *" --kills "* ]] || minutes=1440
  run_soak //tests/storm:storm "$minutes" \
    --state "$(check_state)/storm" "$@"
}

# A dot is a round, as above; then the targets of libFuzzer, unless one round is
# to be repeated.
check_fuzz() {
  run_soak --config=asan //tests/hostile:soak "$kFuzzMinutes" "$@" || return 1
  [[ " $* " == *" --seed "* ]] ||
    run_fuzz_targets "$(minutes_of "$kFuzzMinutes" "$@")"
}

# The plain bounds take what they take; larger ones until the minutes are over.
check_models() {
  python3 "$ROOT/tests/model/check.py" --minutes "$kModelsMinutes" "$@"
}
