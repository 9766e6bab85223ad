# shellcheck shell=bash
# Sourced by tools/dev: "check" and "format".

# A step is a word here, a line in describe() and a function check_STEP.
readonly kSteps=(format tidy layering edges asan tsan paranoid order models
  steps storm fuzz clang aarch64 conformance report ratios)
# The other halves of the matrix: run when they are named.
readonly kNamedSteps=(asan-gcc tsan-clang hardened)
readonly kLibrary=(allocator ipc cpg)

# Minutes on two cores with a cold build (measured, and a margin), and what the
# step does.
describe() {
  case "$1" in
    format) echo "0.5 clang-format on every .h, .cc and .c" ;;
    tidy) echo "5 clang-tidy on the library" ;;
    layering) echo "0.5 allocator <- ipc <- cpg <- everything else" ;;
    edges) echo "0.5 atomic operations and their named edges" ;;
    asan) echo "8.5 tests under clang's address and undefined-behaviour sanitizers" ;;
    asan-gcc) echo "9 the same under g++'s" ;;
    tsan) echo "8 tests under g++'s thread sanitizer" ;;
    tsan-clang) echo "9 the same under clang's" ;;
    hardened) echo "6 tests with hardened flags, by g++" ;;
    paranoid) echo "3.5 allocator and ipc, every private book checked" ;;
    order) echo "$((kOrderMinutes + 1)) order under kills, other seeds each time" \
      "(--minutes N, --seed S)" ;;
    steps) echo "$((kStepsMinutes + 1)) death, or a stop, at every instruction" \
      "(--minutes N, --all, --operation OP, --mode M)" ;;
    storm) echo "$((kStormMinutes + 1)) processes killed by the thousand, other" \
      "seeds each time (--minutes N, --kills N, --seed S)" ;;
    fuzz) echo "$((2 * kFuzzMinutes + 4)) sanitized processes while another changes" \
      "their region (--minutes N, --seed S)" ;;
    clang) echo "6.5 clang, hardened flags, strict header dependencies," \
      "benchmark smoke tests" ;;
    models) echo "5 models of the protocols, all their states, and without each rule" \
      "(--minutes N, --model NAME)" ;;
    aarch64) echo "5 allocator and ipc, cross-built, under qemu-user" ;;
    conformance) echo "2 CPG programs next to a real Corosync (root)" ;;
    report) echo "1 the report of the benchmarks, looked at by headless Chromium" ;;
    ratios) echo "1 zcb beside a few peers, quick, with generous limits" ;;
    *) return 1 ;;
  esac
}

# The exit code of a step that this machine cannot run, and why that can be.
readonly kNotRun=75
not_run_reason() {
  case "$1" in
    report) echo "no Chromium that starts" ;;
    ratios) echo "the two sides need a CPU each" ;;
    *) echo "needs root" ;;
  esac
}

# Versions matter to the formatter, so the one in tools/packages goes first.
pick() {
  local tool
  for tool in "$1-19" "$1" "$1-14"; do
    if command -v "$tool" >/dev/null; then
      echo "$tool"
      return
    fi
  done
  note "no $1 found"
  return 1
}

# NUL-separated sources below the named folders.
sources_in() {
  (cd "$ROOT" && find "$@" -name 'bazel-*' -prune -o -name .git -prune -o \
    -type f \( -name '*.h' -o -name '*.cc' -o -name '*.c' \) -print0)
}

run_format() {
  local tool
  tool="$(pick clang-format)"
  sources_in . | (cd "$ROOT" && xargs -0 -r "$tool" "$@")
}

cmd_format() {
  need_packages check
  run_format -i
}

check_format() { run_format --dry-run -Werror; }

check_tidy() {
  local tool
  tool="$(pick clang-tidy)"
  # A header is checked by itself too: it must compile alone. C is left out;
  # its headers are zcb_*.h and include/. xargs keeps all cores busy and answers
  # 123 when any run found something.
  # shellcheck disable=SC2016  # the inner shell expands them
  sources_in "${kLibrary[@]}" | (
    cd "$ROOT" && grep -zvE '\.c$|/zcb_[^/]*\.h$|/include/' |
      xargs -0 -r -P "$(nproc)" -n 4 sh -c '
        tool=$1; shift
        "$tool" --quiet "$@" -- -x c++ -std=c++20 -I. -Icpg/include \
          2>/dev/null' tidy "$tool"
  )
}

# Fails, with the path or the lines, when its input is not empty.
want_nothing() {
  local found
  found="$(cat)"
  [[ -z "$found" ]] && return 0
  printf '%s:\n%s\n' "$1" "$found"
  return 1
}

query_path() {
  run_bazel query --keep_going --noshow_progress --ui_event_filters=-info \
    "somepath($1, $2)" | want_nothing "$1 depends on $2"
}

check_layering() {
  local code=0
  query_path "//allocator/..." "//ipc/... + //cpg/..." || code=1
  query_path "//ipc/..." "//cpg/..." || code=1
  query_path "//allocator/... + //ipc/... + //cpg/..." \
    "//bench/... + //tests/... + //examples/..." || code=1
  # A header without a target escapes the queries.
  include_of allocator 'ipc|cpg|bench|tests|examples' || code=1
  include_of ipc 'cpg|bench|tests|examples' || code=1
  include_of cpg 'bench|tests|examples' || code=1
  return "$code"
}

include_of() {
  # shellcheck disable=SC2015  # no match is no failure
  { cd "$ROOT" && grep -rnE "^ *# *include *\"($2)/" "$1" || true; } |
    want_nothing "$1 includes what it must not"
}

check_edges() { "$ROOT/tools/edges"; }

# The newer sanitizer sees more; the older one is always there.
check_asan() {
  if command -v clang-19 >/dev/null; then
    run_tests --config=asan-clang
  else
    note "no clang-19: g++'s sanitizers"
    check_asan-gcc
  fi
}
check_asan-gcc() { run_tests --config=asan; }

check_tsan() { run_tests --config=tsan; }
check_tsan-clang() { run_tests --config=tsan-clang; }

check_hardened() {
  run_tests --config=hardened --test_tag_filters=-bench,-stress-long,-optonly,-model
}

check_paranoid() {
  run_tests --config=paranoid --test_tag_filters=-bench,-stress-long,-optonly \
    //tests/allocator/... //tests/ipc/...
}

check_clang() {
  local config=clang
  command -v clang-19 >/dev/null || config=clang14
  run_bazel build --keep_going "--config=$config" --config=hardened //... ||
    return 1
  run_tests "--config=$config" --config=hardened \
    --test_tag_filters=-stress-long,-optonly,-model
}

check_aarch64() {
  run_tests --config=aarch64 //tests/allocator/... //tests/ipc/...
}

# It must see that a good report is good, and what is wrong with broken ones.
check_report() { python3 "$ROOT/tests/bench/browser_check.py"; }

check_ratios() {
  (($(nproc) >= 2)) || return "$kNotRun"
  python3 "$ROOT/bench/run.py" ratios
}

cmd_check() {
  local -a steps=() failed=()
  local step started=$SECONDS
  while (($#)) && [[ "$1" != --* ]]; do
    steps+=("$1")
    shift
  done
  # What is left are options, which soaks have.
  if (($#)) && { ((${#steps[@]} != 1)) || ! is_soak "${steps[0]}"; }; then
    note "options belong to one of: ${kSoaks[*]}"
    exit 2
  fi
  [[ "${steps[*]:-all}" != all ]] || steps=("${kSteps[@]}")
  for step in "${steps[@]}"; do
    if ! describe "$step" >/dev/null; then
      note "no such check: $step (there are: ${kSteps[*]} all" \
        "${kNamedSteps[*]})"
      exit 2
    fi
  done
  echo "plan, in minutes on two cores with nothing built yet:"
  for step in "${steps[@]}"; do
    echo "$step $(describe "$step")"
  done | awk '{ sum += $2; printf "  %-11s%5s ", $1, $2; $1 = $2 = ""; print }
    END { printf "  %-11s%5s\n", "total", sum }'

  need_packages build test bench check
  for step in "${steps[@]}"; do
    echo "== check $step"
    local begun=$SECONDS result=good code
    # A subshell, not a function call in a condition: there -e would be off.
    set +e
    (set -e; "check_$step" "$@")
    code=$?
    set -e
    case "$code" in
      0) ;;
      "$kNotRun") result="not run: $(not_run_reason "$step")" ;;
      *) failed+=("$step"); result=FAILED ;;
    esac
    echo "== check $step: $result, $((SECONDS - begun)) s"
  done
  echo "check: $((SECONDS - started)) s; failed: ${failed[*]:-none}"
  ((${#failed[@]} == 0))
}
