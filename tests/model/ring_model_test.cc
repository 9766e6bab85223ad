// The order of a group (ipc/ring.h, ipc/reclaim.cc, ipc/member_table.cc).
//
// models: ring.publish ring.tail ring.reclaim ring.hints
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

using zcb::testing::Enough;
using zcb::testing::ExpectEachIsNeeded;
using zcb::testing::ExpectHolds;
using zcb::testing::Order;
using zcb::testing::Parts;

constexpr auto kRelaxed = rl::mo_relaxed;

// --- bytes and slot ----------------------------------------------------------

// Two publish, one reads in order: header and payload are whole.
Parts publish_parts;
Order publish(publish_parts, "release -> ring.publish", "TryFill()");
Order read_slot(publish_parts, "acquire <- ring.publish", "ReadSlot()");

struct PublishModel : rl::test_suite<PublishModel, 3> {
  static constexpr int kPositions = 2;
  rl::atomic<int> slots[kPositions];  // 0, or who filled it
  rl::var<int> bytes[3];              // by publisher

  void before() {
    for (auto& slot : slots) slot($) = 0;
  }
  void Send(int self) {
    bytes[self]($) = self;
    for (auto& slot : slots) {
      int expected = 0;
      if (slot($).compare_exchange_strong(expected, self, publish, kRelaxed)) {
        return;
      }
    }
  }
  void thread(unsigned index) {
    if (index != 0) return Send(static_cast<int>(index));
    for (auto& slot : slots) {
      const int sender = slot($).load(read_slot);
      if (sender == 0) return;
      RL_ASSERT(bytes[sender]($) == sender);
    }
  }
};

TEST(RingModelTest, BytesAreWholeWhenTheSlotIsFilled) {
  ExpectHolds<PublishModel>();
}
TEST(RingModelTest, PublishingNeedsEachPart) {
  ExpectEachIsNeeded<PublishModel>(publish_parts);
}

// --- tail --------------------------------------------------------------------

// What lies below the tail is filled, for whoever scans it: PublishDown() must
// not miss a record that is there, nor ApplyPublished() a join. The tail may
// have been helped by one who never saw the slots itself, but goes by what
// another thread of his process saw (GuessPlace).
Parts tail_parts;
Order pass_filled(tail_parts, "acquire <- ring.publish",
                  "FindPlace(), GuessPlace()",
                  Enough{kRelaxed,
                         "who scans finds no older slot than we did"});
Order help_tail(tail_parts, "release -> ring.tail", "HelpTail()");
Order read_tail(tail_parts, "acquire <- ring.tail",
                "ApplyPublished(), FindPlace()");
Order hint_filled(tail_parts, "release -> ring.hints", "filled_below");
Order guess_filled(tail_parts, "acquire <- ring.hints", "GuessPlace()");

struct TailModel : rl::test_suite<TailModel, 4> {
  static constexpr int kPositions = 3;
  rl::atomic<int> slots[kPositions];
  rl::atomic<int> tail;
  rl::atomic<int> filled_below;  // of the process of threads 1 and 2

  void before() {
    for (auto& slot : slots) slot($) = 0;
    tail($) = 0;
    filled_below($) = 0;
  }
  void HelpTail(int position) {
    int seen = tail($).load(kRelaxed);
    while (seen <= position && !tail($).compare_exchange_weak(
                                   seen, position + 1, help_tail, kRelaxed)) {
    }
  }
  bool Fill(int position) {
    int expected = 0;
    return slots[position]($).compare_exchange_strong(expected, 1,
                                                      rl::mo_release, kRelaxed);
  }
  void thread(unsigned index) {
    switch (index) {
      case 0:  // publishes one, and is stopped before it helps; or a batch
        if (Fill(0) && rl::rand(2) != 0 && Fill(1)) HelpTail(1);
        break;
      case 1: {  // finds a place, or reads; and remembers
        int position = 0;
        while (position < 2 && slots[position]($).load(pass_filled) != 0) {
          if (rl::rand(2) != 0) HelpTail(position);
          filled_below($).store(++position, hint_filled);
        }
        break;
      }
      case 2: {  // publishes by hints alone
        const int position = filled_below($).load(guess_filled);
        if (slots[position]($).load(kRelaxed) == 0 && position != 0 &&
            Fill(position)) {
          HelpTail(position);
        }
        break;
      }
      default: {  // scans
        const int limit = tail($).load(read_tail);
        for (int position = 0; position < limit; ++position) {
          RL_ASSERT(slots[position]($).load(rl::mo_acquire) != 0);
        }
      }
    }
  }
};

TEST(RingModelTest, WhatLiesBelowTheTailIsFilled) { ExpectHolds<TailModel>(); }
TEST(RingModelTest, TailNeedsEachPart) {
  ExpectEachIsNeeded<TailModel>(tail_parts);
}

// --- reclaimed ---------------------------------------------------------------

// A ring of one slot. What was in it was applied before the slot was filled
// anew; so a joiner that finds the next turn there (or the reclaimed index
// above it) finds it applied.
Parts lap_parts;
Order move_reclaimed(lap_parts, "release -> ring.reclaim", "MoveReclaimed()");
Order find_room(lap_parts, "acquire <- ring.reclaim", "FindPlace()");
Order start_above(lap_parts, "acquire <- ring.reclaim", "ApplyUpTo()");
Order hint_room(lap_parts, "release -> ring.hints", "reclaimed");
Order guess_room(lap_parts, "acquire <- ring.hints", "GuessPlace()");
Order fill_anew(lap_parts, "release -> ring.publish", "TryFill()");
Order see_lap(lap_parts, "acquire <- ring.publish", "ReadSlot()");

struct LapModel : rl::test_suite<LapModel, 4> {
  rl::atomic<int> slot;  // its lap
  rl::atomic<int> reclaimed;
  rl::atomic<int> known_reclaimed;  // of the process of threads 1 and 2
  rl::atomic<int> applied;          // a leave word, say

  void before() {
    slot($) = 1;
    reclaimed($) = 0;
    known_reclaimed($) = 0;
    applied($) = 0;
  }
  void thread(unsigned index) {
    switch (index) {
      case 0:
        applied($).store(1, kRelaxed);  // its own release: member.apply
        reclaimed($).store(1, move_reclaimed);
        break;
      case 1: {
        const int seen = reclaimed($).load(find_room);
        known_reclaimed($).store(seen, hint_room);
        break;
      }
      case 2:
        if (known_reclaimed($).load(guess_room) == 1) {
          int expected = 1;
          slot($).compare_exchange_strong(expected, 2, fill_anew, kRelaxed);
        }
        break;
      default:
        if (reclaimed($).load(start_above) == 1 || slot($).load(see_lap) == 2) {
          RL_ASSERT(applied($).load(kRelaxed) == 1);
        }
    }
  }
};

TEST(RingModelTest, WhatWasReclaimedIsApplied) { ExpectHolds<LapModel>(); }
TEST(RingModelTest, ReclaimingNeedsEachPart) {
  ExpectEachIsNeeded<LapModel>(lap_parts);
}

}  // namespace
