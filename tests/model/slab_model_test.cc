// What the threads of a process agree about a buffer of theirs
// (allocator/private_tables.cc, allocator/slab.cc, allocator/extent.cc,
// allocator/handover.cc).
//
// models: buffer.leave slab.create slab.retire word.free
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

using zcb::testing::Enough;
using zcb::testing::ExpectEachIsNeeded;
using zcb::testing::ExpectHolds;
using zcb::testing::Order;
using zcb::testing::Parts;
using zcb::testing::Rule;

constexpr auto kRelaxed = rl::mo_relaxed;
constexpr auto kAcquire = rl::mo_acquire;
constexpr auto kRelease = rl::mo_release;

enum State { kAway, kCached, kLive, kJudged };

// --- taking back -------------------------------------------------------------

// A buffer has come back. Three threads of its owner's: two collect, one takes
// it, sends it anew, and recalls it if the send is cancelled. None of them
// takes a buffer whose message is out.
Parts take_parts;
Order send(take_parts, "release -> buffer.leave", "CommitSend(), Give()");
Order win(take_parts, "acquire <- buffer.leave", "TryTake()");
Order look(take_parts, "acquire <- word.free", "TryTake(): word",
           Enough{kRelaxed, "the bytes are not looked at here"});
Order give_back(take_parts, "release -> buffer.leave", "TryTake(): not ours",
                Enough{kRelaxed,
                       "with Relacy alone: it takes a store behind a swap of "
                       "one's own for a part of what that has read"});
Rule second_look(take_parts, "the word is read again, and is the same",
                 "TryTake()");

struct TakeModel : rl::test_suite<TakeModel, 3> {
  // The word: 2 * generation, + 1 if Sent.
  rl::atomic<int> state;
  rl::atomic<int> word;

  void before() {
    state($) = kAway;
    word($) = 2;
  }
  bool TryTake() {
    const int seen = word($).load(look);
    if (seen % 2 != 0) return false;
    int away = kAway;
    if (!state($).compare_exchange_strong(away, int(kJudged), win, kRelaxed)) {
      return false;
    }
    if (!second_look || word($).load(look) == seen) {
      state($).store(kCached, kRelaxed);
      return true;
    }
    state($).store(kAway, give_back);
    return false;
  }
  void thread(unsigned index) {
    const bool is_taken = TryTake();
    if (index != 0 || !is_taken) return;
    word($).store(5, kRelease);
    state($).store(kAway, send);
  }
  void after() {
    RL_ASSERT(word($).load(kRelaxed) != 5 || state($).load(kRelaxed) == kAway);
  }
};

TEST(SlabModelTest, NobodyTakesWhatIsOut) { ExpectHolds<TakeModel>(); }
TEST(SlabModelTest, TakingBackNeedsEachPart) {
  ExpectEachIsNeeded<TakeModel>(take_parts);
}

// --- a slab that goes, and one that comes ------------------------------------

// A thread judges a line of a slab that is dissolved, and where another one is
// cut: it takes the line only as what it is now.
Parts retire_parts;
Order retire(retire_parts, "release -> slab.retire", "Dissolve(), Forget()");
Order judge(retire_parts, "acquire <- slab.retire", "TryTake()");
Order remake(retire_parts, "acquire <- buffer.leave, slab.retire", "Create()",
             Enough{kRelaxed, "the granules' lock has acquired it"});
Order create(retire_parts, "release -> slab.create", "Create(), SetCodes()");
Order start_at(retire_parts, "acquire <- slab.create", "StartAt()");
Rule codes_first(retire_parts, "the codes are cleared before the states",
                 "Dissolve()");

struct RetireModel : rl::test_suite<RetireModel, 3> {
  static constexpr int kNoCode = 0;
  static constexpr int kOldCode = 1;
  static constexpr int kNewCode = 2;
  rl::atomic<int> state;
  rl::atomic<int> code;
  rl::var<int> made[3];  // by code: what a slab's maker wrote before
  rl::atomic<int> dissolved;
  bool is_new_ones;

  void before() {
    state($) = kCached;
    code($) = kOldCode;
    for (auto& one : made) one($) = 0;
    dissolved($) = 0;
    is_new_ones = false;
  }
  void Dissolve() {
    if (codes_first) code($).store(kNoCode, kRelaxed);
    state($).store(kAway, retire);
    if (!codes_first) code($).store(kNoCode, kRelaxed);
    dissolved($).store(1, kRelease);  // the slab's lock
  }
  void Create() {
    made[kNewCode]($) = 1;
    int away = kAway;
    is_new_ones =
        state($).compare_exchange_strong(away, int(kCached), remake, kRelaxed);
    code($).store(kNewCode, create);
  }
  // A buffer of the old class.
  void TryTake() {
    int away = kAway;
    if (!state($).compare_exchange_strong(away, int(kJudged), judge,
                                          kRelaxed)) {
      return;
    }
    const int seen = code($).load(start_at);
    RL_ASSERT(seen != kOldCode);
    // Won by us while it was nobody's, found as the new slab's: its maker left
    // it to us.
    if (seen == kNewCode) {
      RL_ASSERT(made[kNewCode]($) == 1);
      state($).store(kCached, kRelaxed);
      RL_ASSERT(!is_new_ones);
    } else {
      state($).store(kAway, kRelease);
    }
  }
  void thread(unsigned index) {
    if (index == 0) return Dissolve();
    if (index == 1) return TryTake();
    if (dissolved($).load(kAcquire) == 1) Create();
  }
};

TEST(SlabModelTest, ALineIsTakenAsWhatItIs) { ExpectHolds<RetireModel>(); }
TEST(SlabModelTest, RetiringNeedsEachPart) {
  ExpectEachIsNeeded<RetireModel>(retire_parts);
}

// --- recalling ---------------------------------------------------------------

// A buffer that was given is taken by another thread of its process: it finds
// what the giver did to it before it was away.
Parts recall_parts;
Order leave(recall_parts, "release -> buffer.leave", "Give(), FreeTaken()");
Order recall(recall_parts, "acquire <- buffer.leave", "Recall()");

struct RecallModel : rl::test_suite<RecallModel, 2> {
  rl::atomic<int> state;
  rl::var<int> books;  // of the buffer

  void before() {
    state($) = kLive;
    books($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      books($) = 1;
      state($).store(kAway, leave);
      return;
    }
    int away = kAway;
    if (state($).compare_exchange_strong(away, int(kLive), recall, kRelaxed)) {
      RL_ASSERT(books($) == 1);
    }
  }
};

TEST(SlabModelTest, WhatIsRecalledHasLeft) {
  ExpectHolds<RecallModel>();
  ExpectEachIsNeeded<RecallModel>(recall_parts);
}

// --- for reapers -------------------------------------------------------------

// A word that says Sent tells a reaper which slot to ask.
Parts reaper_parts;
Order word_sent(reaper_parts, "release -> buffer.leave", "Send()");
Order word_seen(reaper_parts, "acquire <- buffer.leave", "ReapRun()");

struct ReaperModel : rl::test_suite<ReaperModel, 2> {
  rl::atomic<int> word;
  rl::var<int> header;

  void before() {
    word($) = 0;
    header($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      header($) = 1;
      word($).store(1, word_sent);
    } else if (word($).load(word_seen) == 1) {
      RL_ASSERT(header($) == 1);
    }
  }
};

TEST(SlabModelTest, AReaperFindsWhatTheWordIsAbout) {
  ExpectHolds<ReaperModel>();
  ExpectEachIsNeeded<ReaperModel>(reaper_parts);
}

}  // namespace
