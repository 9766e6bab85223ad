#!/bin/bash
# tools/edges accepts a whole edge and refuses each kind of broken one.
set -euo pipefail

edges="$PWD/tools/edges"
tree="$(mktemp -d)"
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/allocator"
failures=0

# expect EXIT_CODE WHAT, with the source text on stdin.
expect() {
  local code=0
  cat >"$tree/allocator/probe.cc"
  python3 "$edges" --root "$tree" allocator >"$tree/log" || code=$?
  if ((code != $1)); then
    echo "FAILED: $2: exit code $code, not $1"
    cat "$tree/log"
    failures=$((failures + 1))
  fi
}

expect 0 "both ends named" <<'CC'
// release -> ring.publish: the slot is whole
tail_.store(1, std::memory_order_release);
// acquire <- ring.publish: so we see it
tail_.load(std::memory_order_acquire);
CC
expect 0 "an order two lines down, a tag that wraps" <<'CC'
// seq_cst <-> bell.dekker, release ->
// ring.publish: why
word_->compare_exchange_strong(
    expected, Next(expected),
    std::memory_order_seq_cst, std::memory_order_relaxed);
// seq_cst <-> bell.dekker: why; acquire <- ring.publish
word_->load(std::memory_order_seq_cst);
CC
expect 0 "code in comments and strings is no code" <<'CC'
// it's like x.load() but
const char* text = "x.store(1) // release -> no.edge";
CC
expect 1 "no acquire end" <<'CC'
tail_.store(1, std::memory_order_release);  // release -> ring.publish
CC
expect 1 "no release end" <<'CC'
tail_.load(std::memory_order_acquire);  // acquire <- ring.publish
CC
expect 1 "one mention of a two-sided edge" <<'CC'
tail_.load(std::memory_order_seq_cst);  // seq_cst <-> bell.dekker
CC
expect 1 "an arrow against its order" <<'CC'
// release <- ring.publish
// acquire <- ring.publish, release -> ring.publish
CC
expect 1 "a default order" <<'CC'
return tail_.load();
CC
expect 1 "a compare-exchange without its failure order" <<'CC'
word_.compare_exchange_weak(old, next, std::memory_order_release);
CC
expect 1 "a C operation without _explicit" <<'CC'
atomic_store(&word, 1);
CC

exit $((failures != 0))
