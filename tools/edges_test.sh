#!/bin/bash
# tools/edges accepts a whole edge with a model and refuses each kind of broken
# one.
set -euo pipefail

edges="$PWD/tools/edges"
tree="$(mktemp -d)"
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/allocator" "$tree/tests/model"
failures=0

# model NAME, with the model's text on stdin. no_models: takes all away.
model() { cat >"$tree/tests/model/$1_model_test.cc"; }
no_models() { rm -f "$tree"/tests/model/*; }

ring_model() {
  model ring <<'CC'
// models: ring.publish
Order fill(parts, "release -> ring.publish", "TryPublish()");
Order read(parts, "acquire <- ring.publish", "ReadSlot()");
CC
}
bell_model() {
  model bell <<'CC'
// models: bell.dekker
Order say(parts, "seq_cst <-> bell.dekker", "Sleep()", Does::kStore);
CC
}

# expect EXIT_CODE WHAT [TEXT], with the source text on stdin; TEXT must be in
# what is printed.
expect() {
  local code=0
  cat >"$tree/allocator/probe.cc"
  python3 "$edges" --root "$tree" allocator >"$tree/log" || code=$?
  if ((code != $1)) || ! grep -qF -- "${3-}" "$tree/log"; then
    echo "FAILED: $2: exit code $code, not $1, or without: ${3-}"
    cat "$tree/log"
    failures=$((failures + 1))
  fi
}

# The whole of one edge, and of the other.
whole_ring() {
  cat <<'CC'
// release -> ring.publish: the slot is whole
tail_.store(1, std::memory_order_release);
// acquire <- ring.publish: so we see it
tail_.load(std::memory_order_acquire);
CC
}
whole_bell() {
  cat <<'CC'
// seq_cst <-> bell.dekker: said before we look
word_.store(1, std::memory_order_seq_cst);
// seq_cst <-> bell.dekker: looked at after
word_.load(std::memory_order_seq_cst);
CC
}

# --- the code ------------------------------------------------------------------

ring_model
expect 0 "both ends named" < <(whole_ring)
bell_model
expect 0 "an order two lines down, a tag that wraps" <<'CC'
// seq_cst <-> bell.dekker, release ->
// ring.publish: why
word_->compare_exchange_strong(
    expected, Next(expected),
    std::memory_order_seq_cst, std::memory_order_relaxed);
// seq_cst <-> bell.dekker: why; acquire <- ring.publish
word_->load(std::memory_order_seq_cst);
CC
no_models
expect 0 "code in comments and strings is no code" <<'CC'
// it's like x.load() but
const char* text = "x.store(1) // release -> no.edge";
CC
ring_model
expect 1 "no acquire end" "has no sink" <<'CC'
tail_.store(1, std::memory_order_release);  // release -> ring.publish
CC
expect 1 "no release end" "has no source" <<'CC'
tail_.load(std::memory_order_acquire);  // acquire <- ring.publish
CC
no_models
bell_model
expect 1 "one mention of a two-sided edge" "has no second mention" <<'CC'
tail_.load(std::memory_order_seq_cst);  // seq_cst <-> bell.dekker
CC
no_models
ring_model
expect 1 "an arrow against its order" "release cannot be <-" <<'CC'
// release <- ring.publish
// acquire <- ring.publish, release -> ring.publish
CC
no_models
expect 1 "a default order" "names 0 memory order(s)" <<'CC'
return tail_.load();
CC
expect 1 "a compare-exchange without its failure order" "needs 2" <<'CC'
word_.compare_exchange_weak(old, next, std::memory_order_release);
CC
expect 1 "a C operation without _explicit" "_explicit" <<'CC'
atomic_store(&word, 1);
CC
expect 1 "an order that is not relaxed and has no tag" "names no edge" <<'CC'
return tail_.load(std::memory_order_acquire);
CC

# --- the models ----------------------------------------------------------------

expect 1 "no model" "edge ring.publish has no model" < <(whole_ring)
model ring <<'CC'
// models: ring.publish
Order fill(parts, "release -> ring.publish", "TryPublish()");
CC
expect 1 "a model without the acquire end" "no model has its <- end" \
  < <(whole_ring)
model ring <<'CC'
// models: ring.publish
Order read(parts, "acquire <- ring.publish", "ReadSlot()");
CC
expect 1 "a model without the release end" "no model has its -> end" \
  < <(whole_ring)
model ring <<'CC'
// models: ring.publish
Order swap(parts, "acq_rel <-> ring.publish", "TryPublish()");
CC
expect 0 "both ends in one swap" < <(whole_ring)
model ring <<'CC'
// models: ring.publish
CC
expect 1 "a model that has no orders" "but has no order of it" < <(whole_ring)
model ring <<'CC'
Order swap(parts, "acq_rel <-> ring.publish", "TryPublish()");
CC
expect 1 "a model that does not say so" "does not say that it models it" \
  < <(whole_ring)
ring_model
model old <<'CC'
// models: ring.gone
Order swap(parts, "acq_rel <-> ring.gone", "TryPublish()");
CC
expect 1 "a model of what is no more" "the code has no edge ring.gone" \
  < <(whole_ring)
no_models
model bell <<'CC'
// models: bell.dekker
Order say(parts, "acq_rel <-> bell.dekker", "Sleep()");
CC
expect 1 "a model weaker than seq_cst" "no model has a seq_cst order" \
  < <(whole_bell)
bell_model
expect 0 "a seq_cst model" < <(whole_bell)

exit $((failures != 0))
