// Units, granules, extents, buffers that change hands
// (allocator/unit_claimer.cc, allocator/extent_words.cc,
// allocator/unit_reaper.cc, allocator/slab.cc, allocator/handover.cc,
// allocator/region.cc).
//
// models: unit.claim unit.release unit.commit granule.publish extent.orphan
// models: hint.set buffer.give word.free
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

// --- from owner to owner -----------------------------------------------------

// One owns a unit and lets go of it; another claims it, cuts a slab; somebody
// finds a buffer there by unit word and granule word.
Parts claim_parts;
Order release(claim_parts, "release -> unit.release",
              "Release(), FinishFreeing(), ReapOwned()");
Order claim(claim_parts, "acq_rel <-> unit.claim, unit.release",
            "TryClaim(), ReserveAt()");
Order find_unit(claim_parts, "acquire <- unit.claim",
                "LocateBuffer(), ReapUnit()");
Order publish(claim_parts, "release -> granule.publish",
              "Create(), Adopt(), WriteTail()");
Order find_granule(claim_parts, "acquire <- granule.publish",
                   "LocateBuffer(), ReapOwned(), TakeStock()");

struct ClaimModel : rl::test_suite<ClaimModel, 3> {
  enum Word { kMine, kFree, kTheirs };
  rl::atomic<int> unit;
  rl::atomic<int> granule;
  rl::var<int> bytes;            // of the unit
  rl::var<int> granules_backed;  // with memory: else a read is SIGBUS
  rl::var<int> words_backed;

  void before() {
    unit($) = kMine;
    granule($) = 0;
    bytes($) = 0;
    granules_backed($) = 0;
    words_backed($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      bytes($) = 1;
      unit($).store(kFree, release);
    } else if (index == 1) {
      int expected = kFree;
      granules_backed($) = 1;
      if (!unit($).compare_exchange_strong(expected, int(kTheirs), claim,
                                           kRelaxed)) {
        return;
      }
      bytes($) = 2;
      words_backed($) = 1;
      granule($).store(1, publish);
    } else if (unit($).load(find_unit) == kTheirs) {
      RL_ASSERT(granules_backed($) == 1);
      if (granule($).load(find_granule) == 1) RL_ASSERT(words_backed($) == 1);
    }
  }
};

TEST(UnitModelTest, AUnitIsOnesAfterTheOther) { ExpectHolds<ClaimModel>(); }
TEST(UnitModelTest, ClaimingNeedsEachPart) {
  ExpectEachIsNeeded<ClaimModel>(claim_parts);
}

// A page has memory before its byte says so.
Parts commit_parts;
Order commit(commit_parts, "release -> unit.commit", "CommitUnits()");
Order is_committed(commit_parts, "acquire <- unit.commit", "CommitUnits()");

struct CommitModel : rl::test_suite<CommitModel, 2> {
  rl::atomic<int> byte;
  rl::var<int> page;

  void before() {
    byte($) = 0;
    page($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      page($) = 1;
      byte($).store(1, commit);
    } else if (byte($).load(is_committed) == 1) {
      RL_ASSERT(page($) == 1);
    }
  }
};

TEST(UnitModelTest, APageHasMemoryWhenItsByteSaysSo) {
  ExpectHolds<CommitModel>();
  ExpectEachIsNeeded<CommitModel>(commit_parts);
}

// --- a word, then its hint ---------------------------------------------------

// Somebody frees a buffer while its unit is adopted: it is taken, or its hint
// stays.
Parts hint_parts;
Order set_hint(hint_parts, "release -> hint.set", "ComeBack(), FreeWord()");
Order clear_hint(hint_parts, "acquire <- hint.set", "Adopt(), ScanHints()");
Rule word_first(hint_parts, "the word is Free before the hint", "ComeBack()");
Rule hint_first(hint_parts, "the hint is cleared before the word is read",
                "Adopt()");

struct HintModel : rl::test_suite<HintModel, 2> {
  rl::atomic<int> word;  // 1: Free
  rl::atomic<int> hint;
  bool is_taken;

  void before() {
    word($) = 0;
    hint($) = 0;
    is_taken = false;
  }
  void thread(unsigned index) {
    if (index == 0) {
      if (word_first) word($).store(1, kRelease);
      hint($).store(1, set_hint);
      if (!word_first) word($).store(1, kRelease);
      return;
    }
    if (!hint_first) is_taken = word($).load(kAcquire) == 1;
    if (hint($).load(kRelaxed) != 0) hint($).exchange(0, clear_hint);
    if (hint_first) is_taken = word($).load(kAcquire) == 1;
  }
  void after() { RL_ASSERT(is_taken || hint($).load(kRelaxed) == 1); }
};

TEST(UnitModelTest, ABufferIsTakenOrItsHintStays) { ExpectHolds<HintModel>(); }
TEST(UnitModelTest, HintNeedsEachPart) {
  ExpectEachIsNeeded<HintModel>(hint_parts);
}

// --- extents that outlive their owner ----------------------------------------

// The owner completes an extent of two units, sends it, and goes; a reaper
// makes it an orphan while the last reader turns its word Free. One of them
// frees it, the member first. (The swap that begins this releases as well, in
// the code: one of the two is enough.)
Parts orphan_parts;
Order make_orphan(orphan_parts, "acq_rel <-> extent.orphan",
                  "MakeOrphan(): swap",
                  Enough{rl::mo_acquire,
                         "it goes on with the release of Complete()"});
Order see_word(orphan_parts, "acquire <- word.free", "MakeOrphan(): word");
Order turn_free(orphan_parts, "release -> word.free", "ReclaimMessage()");
Order meet(orphan_parts, "acq_rel <-> extent.orphan", "FreeIfOrphan()",
           Enough{kRelease, "who finds an orphan has read its message"});
Order head_last(orphan_parts, "release -> unit.release", "FinishFreeing()");
Order reserve(orphan_parts, "acquire <- unit.release", "ReserveAt()");
Rule swap_that_changes_nothing(orphan_parts, "the head is looked at by a swap",
                               "FreeIfOrphan()");

struct OrphanModel : rl::test_suite<OrphanModel, 4> {
  enum Head { kReserved, kHead, kOrphan, kFreeing, kFree };
  rl::atomic<int> head;
  rl::atomic<int> member;  // 0: reserved; 1: member; 2: Free
  rl::atomic<int> word;    // 0: Sent; 1: Free
  rl::atomic<int> slot;    // the message, in its ring
  rl::var<int> bytes;

  void before() {
    head($) = kReserved;
    member($) = 0;
    word($) = 0;
    slot($) = 0;
    bytes($) = 0;
  }
  void Free() {
    int expected = kOrphan;
    if (!head($).compare_exchange_strong(expected, int(kFreeing), kRelaxed)) {
      return;
    }
    int seen = member($).load(kAcquire);
    RL_ASSERT(seen == 1);
    member($).compare_exchange_strong(seen, 2, kRelaxed);
    expected = kFreeing;
    head($).compare_exchange_strong(expected, int(kFree), head_last, kRelaxed);
  }
  void thread(unsigned index) {
    switch (index) {
      case 0: {
        bytes($) = 1;
        member($).store(1, kRelaxed);
        int expected = kReserved;
        head($).compare_exchange_strong(expected, int(kHead), kRelease,
                                        kRelaxed);
        slot($).store(1, kRelease);
        break;
      }
      case 1: {  // a reader, which is also who reclaims
        if (slot($).load(kAcquire) == 0) break;
        RL_ASSERT(bytes($) == 1);
        word($).store(1, turn_free);
        const int seen = swap_that_changes_nothing ? head($).fetch_add(0, meet)
                                                   : head($).load(kAcquire);
        if (seen == kOrphan) Free();
        break;
      }
      case 2: {
        int expected = kHead;
        if (!head($).compare_exchange_strong(expected, int(kOrphan),
                                             make_orphan, kRelaxed)) {
          break;
        }
        if (word($).load(see_word) == 1) Free();
        break;
      }
      default: {
        int expected = kFree;
        if (head($).compare_exchange_strong(expected, int(kReserved), reserve,
                                            kRelaxed)) {
          bytes($) = 2;
        }
      }
    }
  }
  void after() {
    const int last = head($).load(kRelaxed);
    RL_ASSERT(last != kFreeing);
    if (last == kOrphan) RL_ASSERT(word($).load(kRelaxed) == 0);
  }
};

TEST(UnitModelTest, AnOrphanIsFreedOnce) { ExpectHolds<OrphanModel>(); }
TEST(UnitModelTest, OrphanNeedsEachPart) {
  ExpectEachIsNeeded<OrphanModel>(orphan_parts);
}

// Who looks for orphans finds the granule word of the head backed by memory.
Parts look_parts;
Order become_orphan(look_parts, "release -> extent.orphan", "MakeOrphan()");
Order look_for_orphans(look_parts, "acquire <- extent.orphan",
                       "FreeReturnedOrphans()");

struct LookModel : rl::test_suite<LookModel, 2> {
  rl::atomic<int> head;
  rl::var<int> granule_backed;

  void before() {
    head($) = 0;
    granule_backed($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      granule_backed($) = 1;
      head($).fetch_add(1, become_orphan);
    } else if (head($).load(look_for_orphans) == 1) {
      RL_ASSERT(granule_backed($) == 1);
    }
  }
};

TEST(UnitModelTest, AnOrphansWordsCanBeRead) {
  ExpectHolds<LookModel>();
  ExpectEachIsNeeded<LookModel>(look_parts);
}

// --- give and take -----------------------------------------------------------

// Given, taken by one of two, given on or freed, and then its owner's again.
Parts give_parts;
Order give(give_parts, "release -> buffer.give", "Give()");
Order take(give_parts, "acquire <- buffer.give", "Take()");
Order give_on(give_parts, "release -> buffer.give", "GiveOn()");
Order set_free(give_parts, "release -> word.free", "FreeTaken()");
Order come_home(give_parts, "acquire <- word.free", "TryTake()");

struct GiveModel : rl::test_suite<GiveModel, 3> {
  enum Word { kMine, kGiven, kTaken, kGivenOn, kTakenOn, kFree };
  rl::atomic<int> word;
  rl::var<int> bytes;

  void before() {
    word($) = kMine;
    bytes($) = 0;
  }
  bool Take(int from, int to) {
    return word($).compare_exchange_strong(from, to, take, kRelaxed);
  }
  void thread(unsigned index) {
    if (index == 0) {
      bytes($) = 1;
      word($).store(kGiven, give);
      if (word($).load(come_home) == kFree) bytes($) = 9;
    } else if (index == 1) {
      if (!Take(kGiven, kTaken)) return;
      RL_ASSERT(bytes($) == 1);
      bytes($) = 2;
      int expected = kTaken;
      if (rl::rand(2) != 0) {
        word($).compare_exchange_strong(expected, int(kGivenOn), give_on,
                                        kRelaxed);
      } else {
        word($).compare_exchange_strong(expected, int(kFree), set_free,
                                        kRelaxed);
      }
    } else if (Take(kGivenOn, kTakenOn)) {
      RL_ASSERT(bytes($) == 2);
      bytes($) = 3;
      int expected = kTakenOn;
      word($).compare_exchange_strong(expected, int(kFree), set_free, kRelaxed);
    }
  }
};

TEST(UnitModelTest, WhatIsTakenIsWhole) { ExpectHolds<GiveModel>(); }
TEST(UnitModelTest, GivingNeedsEachPart) {
  ExpectEachIsNeeded<GiveModel>(give_parts);
}

}  // namespace
