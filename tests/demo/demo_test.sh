#!/bin/bash
# The demo holds on a small file; it fails when one byte is wrong at one
# receiver, which proves that it checks; and it leaves nothing behind.
set -euo pipefail

demo="$1"
work="$(mktemp -d /dev/shm/zcb-test-XXXXXX)"
trap 'rm -rf "$work"' EXIT
unset ZCB_DIR ZCB_REGION ZCB_KEEP

fail() {
  echo "FAILED: $*" >&2
  cat "$work/output" >&2
  exit 1
}

head -c 4000000 /dev/urandom >"$work/file"

"$demo" "$work/file" >"$work/output" 2>&1 || fail "it should hold"
grep -q "All of it held" "$work/output" || fail "no verdict"
grep -q "PROCDOWN" "$work/output" || fail "nobody saw the kill"
grep -q $'\033' "$work/output" && fail "colour without a terminal"
directory="$(sed -n 's|.* in \(/dev/shm/zcb-demo-[^ ]*\)$|\1|p' "$work/output")"
[[ -n "$directory" ]] || fail "it does not say where its region is"
[[ ! -e "$directory" ]] || fail "$directory is left"

if "$demo" --corrupt-one-byte "$work/file" >"$work/output" 2>&1; then
  fail "a wrong byte at one receiver was not noticed"
fi
grep -q "FAILED  every survivor's SHA-256" "$work/output" ||
  fail "it failed for another reason"
directory="$(sed -n 's|.* in \(/dev/shm/zcb-demo-[^ ]*\)$|\1|p' "$work/output")"
[[ ! -e "$directory" ]] || fail "$directory is left after a failure"

# The user's own directory is used, and only the demo's files are removed.
mkdir "$work/own"
ZCB_DIR="$work/own" "$demo" "$work/file" >"$work/output" 2>&1 ||
  fail "it should hold in a directory of the user's"
[[ -d "$work/own" ]] || fail "it removed the user's directory"
[[ -z "$(find "$work/own" -type f)" ]] || fail "it left files"

# A signal ends it, and everything that it started. (A file of its own: what an
# earlier run wrote must not be taken for a sign that this one has begun.)
rm "$work/output"
"$demo" "$work/file" >"$work/output" 2>&1 &
pid=$!
until grep -qs "pages" "$work/output" || ! kill -0 "$pid" 2>/dev/null; do :; done
kill -TERM "$pid" 2>/dev/null || true
if wait "$pid"; then
  grep -q "All of it held" "$work/output" || fail "interrupted, but content"
else
  grep -q "interrupted" "$work/output" || fail "not ended by the signal"
fi
directory="$(sed -n 's|.* in \(/dev/shm/zcb-demo-[^ ]*\)$|\1|p' "$work/output")"
[[ ! -e "$directory" ]] || fail "$directory is left after a signal"
echo "passed"
