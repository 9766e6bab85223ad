# shellcheck shell=bash
# Sourced by tools/dev: the step that needs a real Corosync. Its
# tests are tagged "manual", so that nothing else runs them.

check_conformance() {
  local code=0
  "$ROOT/tests/conformance/with_corosync.sh" true || code=$?
  ((code != kNoNamespaces)) || return "$kNotRun"
  ((code == 0)) || return 1
  run_tests --config=opt --cache_test_results=no \
    //tests/conformance:corosync_test //tests/conformance:cpgtool_test
}

# with_corosync.sh's, when it cannot make namespaces.
readonly kNoNamespaces=77
