// From the last read of a message to the next use of its buffer
// (ipc/reclaim.cc, ipc/member_receive.cc, ipc/member_send.cc).
//
// models: ring.consume word.free buffer.leave ring.reclaim member.gate
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

using zcb::testing::Does;
using zcb::testing::Enough;
using zcb::testing::ExpectEachIsNeeded;
using zcb::testing::ExpectHolds;
using zcb::testing::Order;
using zcb::testing::Parts;
using zcb::testing::Rule;

constexpr auto kRelaxed = rl::mo_relaxed;
constexpr auto kAcquire = rl::mo_acquire;
constexpr auto kRelease = rl::mo_release;

// --- the bytes ---------------------------------------------------------------

// A sender, a reader, a reclaimer: the sender writes into the buffer again when
// the reader has finished.
Parts reuse_parts;
Order consume(reuse_parts, "release -> ring.consume", "Done(), Advance()");
Order look_at_cursor(reuse_parts, "acquire <- ring.consume", "LimitOf()");
Order give_back(reuse_parts, "release -> word.free", "ReclaimMessage()");
Order take_back(reuse_parts, "acquire <- word.free", "TryTake()");

struct ReuseModel : rl::test_suite<ReuseModel, 3> {
  enum Word { kFree, kSent };
  rl::atomic<int> slot;
  rl::atomic<int> cursor;
  rl::atomic<int> word;
  rl::var<int> bytes;

  void before() {
    slot($) = 0;
    cursor($) = 0;
    word($) = kSent;
    bytes($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      bytes($) = 1;
      slot($).store(1, kRelease);
      if (word($).load(take_back) == kFree) bytes($) = 2;
    } else if (index == 1) {
      if (slot($).load(kAcquire) == 0) return;
      RL_ASSERT(bytes($) == 1);
      cursor($).store(1, consume);
    } else if (cursor($).load(look_at_cursor) == 1) {
      int expected = kSent;
      word($).compare_exchange_strong(expected, int(kFree), give_back,
                                      kRelaxed);
    }
  }
};

TEST(ReclaimModelTest, BytesAreWrittenAnewWhenAllHaveReadThem) {
  ExpectHolds<ReuseModel>();
}
TEST(ReclaimModelTest, ReuseNeedsEachPart) {
  ExpectEachIsNeeded<ReuseModel>(reuse_parts);
}

// --- one turn of the ring ----------------------------------------------------

// A word has the low bits of a position, and a ring of one slot makes all of
// them alike. A reclaimer that is late must not free what was sent in the next
// turn: the reclaimed index says so, of which it reads no older value than the
// one by which the sender found room.
Parts turn_parts;
Order send(turn_parts, "release -> buffer.leave", "Send()");
Order judge(turn_parts, "acquire <- buffer.leave", "ReclaimMessage()");
Order look_again(turn_parts, "acquire <- ring.reclaim", "ReclaimMessage()",
                 Enough{kRelaxed, "the swap is from the word that was judged"});
Rule second_look(turn_parts, "reclaimed is read after the word",
                 "ReclaimMessage()");

struct TurnModel : rl::test_suite<TurnModel, 3> {
  enum Word { kFirst, kFree, kSecond };  // Sent, both, with the same low bits
  rl::atomic<int> word;
  rl::atomic<int> reclaimed;

  void before() {
    word($) = kFirst;
    reclaimed($) = 0;
  }
  void thread(unsigned index) {
    if (index == 2) {
      // The owner: takes it, finds room in the ring, sends it anew.
      if (word($).load(kAcquire) != kFree) return;
      if (reclaimed($).load(kRelaxed) != 1) return;
      word($).store(kSecond, send);
      return;
    }
    int seen = word($).load(judge);
    if (second_look && reclaimed($).load(look_again) != 0) return;
    if (seen == kFree) return;
    const bool is_late = seen == kSecond;
    if (!word($).compare_exchange_strong(seen, int(kFree), kRelease,
                                         kRelaxed)) {
      return;
    }
    RL_ASSERT(!is_late);
    int expected = 0;
    reclaimed($).compare_exchange_strong(expected, 1, kRelaxed);
  }
};

TEST(ReclaimModelTest, WhatWasSentInTheNextTurnStays) {
  ExpectHolds<TurnModel>();
}
TEST(ReclaimModelTest, TurnNeedsEachPart) {
  ExpectEachIsNeeded<TurnModel>(turn_parts);
}

// --- who gates ---------------------------------------------------------------

// A joiner claims its entry, then reads the tail; a reclaimer reads the tail,
// then looks at the entries. Nothing above the joiner's cursor is reclaimed.
//
// The tail is moved by a seq_cst swap here, by a release in the code: Relacy's
// seq_cst loads of one word agree about seq_cst stores alone, the language's
// about any.
Parts gate_parts;
Order raise_high(gate_parts, "seq_cst <-> member.gate", "RaiseEntryHigh()");
Order claim(gate_parts, "seq_cst <-> member.gate", "ClaimEntry()");
Order start_at_tail(gate_parts, "seq_cst <-> member.gate",
                    "RaiseCursorToTail()", Does::kLoad);
Order read_tail(gate_parts, "seq_cst <-> member.gate", "LimitOf(): tail",
                Does::kLoad,
                Enough{kRelaxed,
                       "only if moving the tail is seq_cst, as here"});
Order read_high(gate_parts, "seq_cst <-> member.gate", "EntryHigh()",
                Does::kLoad);
Order read_entry(gate_parts, "seq_cst <-> member.gate", "LimitOf(): entry",
                 Does::kLoad);
Rule tail_first(gate_parts, "the tail is read before the entries", "LimitOf()");

struct GateModel : rl::test_suite<GateModel, 3> {
  rl::atomic<int> tail;
  rl::atomic<int> high;
  rl::atomic<int> entry;
  rl::atomic<int> cursor;
  int joined_at;
  int limit;

  void before() {
    tail($) = 0;
    high($) = 0;
    entry($) = 0;
    cursor($) = 0;
    joined_at = limit = -1;
  }
  void Join() {
    int seen = high($).load(kRelaxed);
    while (seen < 1 &&
           !high($).compare_exchange_weak(seen, 1, raise_high, kRelaxed)) {
    }
    int expected = 0;
    entry($).compare_exchange_strong(expected, 1, claim, kRelaxed);
    joined_at = tail($).load(start_at_tail);
    cursor($).store(joined_at, kRelease);
  }
  void Reclaim() {
    if (tail_first) limit = tail($).load(read_tail);
    const bool gates =
        high($).load(read_high) != 0 && entry($).load(read_entry) != 0;
    if (!tail_first) limit = tail($).load(read_tail);
    if (!gates) return;
    const int stands_at = cursor($).load(kAcquire);
    if (stands_at < limit) limit = stands_at;
  }
  void thread(unsigned index) {
    if (index == 0) {
      Join();
    } else if (index == 1) {
      Reclaim();
    } else {
      tail($).fetch_add(1, rl::mo_seq_cst);
    }
  }
  void after() { RL_ASSERT(limit <= joined_at); }
};

TEST(ReclaimModelTest, AJoinerGatesFromItsCursorOn) {
  ExpectHolds<GateModel>();
}
TEST(ReclaimModelTest, GateNeedsEachPart) {
  ExpectEachIsNeeded<GateModel>(gate_parts);
}

}  // namespace
