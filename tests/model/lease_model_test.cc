// Leases: attaching, dying, being reaped, closing the region
// (allocator/lease.cc, allocator/region_lifecycle.cc, allocator/unit_reaper.cc,
// allocator/touched_map.cc).
//
// models: lease.attach lease.death lease.free region.close region.open
// models: touched.begin touched.add unit.claim
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

enum Word { kFree, kAlive, kDead, kFreeAgain, kAliveAgain };

// --- alive, dead, free, alive ------------------------------------------------

// One process attaches, works and is killed; two others notice (the record lock
// is the kernel's: who finds it free comes after its owner's end), reap and
// free the lease; the next one takes it.
Parts life_parts;
Order attach(life_parts, "release -> lease.attach", "Take()");
Order see_alive(life_parts, "acquire <- lease.attach",
                "IsLeaseAlive(), ReapIfDead()");
Order die(life_parts, "acq_rel -> lease.death", "MarkDeadIfGone(): swap",
          Enough{kRelease, "what it swaps was acquired by the look before"});
Order see_dead(life_parts, "acquire <- lease.death",
               "MarkDeadIfGone(), IsStillDead(), Reap()");
Order set_free(life_parts, "release -> lease.free", "FreeDead(), FreeOwn()");
Order take(life_parts, "acquire <- lease.free", "Take()");

struct LifeModel : rl::test_suite<LifeModel, 4> {
  rl::atomic<int> word;
  rl::atomic<int> lock;  // the kernel's
  rl::var<int> record;   // written before Alive
  rl::var<int> work;     // the process's, then reapers', then the next one's

  void before() {
    word($) = kFree;
    lock($) = 1;
    record($) = 0;
    work($) = 0;
  }
  void Live() {
    record($) = 42;
    int expected = kFree;
    word($).compare_exchange_strong(expected, int(kAlive), attach, kRelaxed);
    work($) = 1;
    lock($).store(0, kRelease);  // killed
  }
  void Notice() {
    int seen = word($).load(see_alive);
    if (seen != kAlive) return;
    RL_ASSERT(record($) == 42);
    if (lock($).load(kAcquire) != 0) return;
    word($).compare_exchange_strong(seen, int(kDead), die, kRelaxed);
  }
  void thread(unsigned index) {
    if (index == 0) return Live();
    if (index == 1) return Notice();
    if (index == 2) {  // reaps, if somebody has noticed
      int seen = word($).load(see_dead);
      if (seen != kDead) return;
      RL_ASSERT(work($) == 1);
      work($) = 2;
      word($).compare_exchange_strong(seen, int(kFreeAgain), set_free,
                                      kRelaxed);
      return;
    }
    if (word($).load(take) != kFreeAgain) return;
    RL_ASSERT(work($) == 2);
    work($) = 3;
    record($) = 43;
  }
};

TEST(LeaseModelTest, AProcessIsDeadBeforeItIsReapedAndReapedBeforeTheNext) {
  ExpectHolds<LifeModel>();
}
TEST(LeaseModelTest, LifeNeedsEachPart) {
  ExpectEachIsNeeded<LifeModel>(life_parts);
}

// --- still dead? -------------------------------------------------------------

// A reaper that is late meets the slot's next owner: words that name the slot
// alone (reservations of extents) are not undone.
Parts late_parts;
Order reserve(late_parts, "release -> unit.claim", "ReserveAt()");
Order look_at_unit(late_parts, "acquire <- unit.claim", "UndoReservations()");
Order still_dead(late_parts, "acquire <- lease.death, lease.free",
                 "IsStillDead()",
                 Enough{kRelaxed, "the unit's word was acquired before"});
Rule look_after(late_parts, "the lease is read after the unit",
                "UndoReservations()");

struct LateReaperModel : rl::test_suite<LateReaperModel, 3> {
  rl::atomic<int> word;
  rl::atomic<int> unit;  // 0: Free; 1: reserved by the slot
  bool is_reserved;

  void before() {
    word($) = kDead;
    unit($) = 0;
    is_reserved = false;
  }
  void thread(unsigned index) {
    if (index == 0) {  // another reaper has finished
      word($).store(kFreeAgain, kRelease);
    } else if (index == 1) {  // the next owner
      int expected = kFreeAgain;
      if (!word($).compare_exchange_strong(expected, int(kAliveAgain),
                                           rl::mo_seq_cst, kRelaxed)) {
        return;
      }
      expected = 0;
      is_reserved =
          unit($).compare_exchange_strong(expected, 1, reserve, kRelaxed);
    } else {
      const bool was_dead =
          look_after || word($).load(still_dead) == int(kDead);
      int seen = unit($).load(look_at_unit);
      if (seen != 1) return;
      if (look_after ? word($).load(still_dead) != kDead : !was_dead) return;
      unit($).compare_exchange_strong(seen, 0, kRelease, kRelaxed);
    }
  }
  void after() { RL_ASSERT(!is_reserved || unit($).load(kRelaxed) == 1); }
};

TEST(LeaseModelTest, ALateReaperUndoesNothingOfTheNextOwner) {
  ExpectHolds<LateReaperModel>();
}
TEST(LeaseModelTest, LateReaperNeedsEachPart) {
  ExpectEachIsNeeded<LateReaperModel>(late_parts);
}

// --- touched map -------------------------------------------------------------

// Two threads put their lease into words of somebody else's granule: the bit is
// there before each word. A reaper finds the map cleared.
Parts touched_parts;
Order begin(touched_parts, "release -> touched.begin", "AddSlow()");
Order find(touched_parts, "acquire <- touched.begin", "Find()");
Order add(touched_parts, "release -> touched.add", "AddSlow()");
Order has(touched_parts, "acquire <- touched.add", "Add()");

struct TouchedModel : rl::test_suite<TouchedModel, 3> {
  rl::atomic<int> generation;
  rl::atomic<int> bit;    // of the map
  rl::var<int> old_bits;  // what the last process left there; cleared
  rl::atomic<int> known;  // private to the process of threads 0 and 1
  rl::atomic<int> word;   // in the granule

  void before() {
    generation($) = 0;
    bit($) = 0;
    old_bits($) = 1;
    known($) = 0;
    word($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      old_bits($) = 0;
      generation($).store(1, begin);
      bit($).fetch_or(1, kRelaxed);
      known($).store(1, add);
    } else if (index == 1) {
      if (known($).load(has) != 0) word($).store(1, kRelease);
    } else {
      if (generation($).load(find) == 1) RL_ASSERT(old_bits($) == 0);
      // After the death of it all; a release stands for that here.
      if (word($).load(kAcquire) == 1) RL_ASSERT(bit($).load(kRelaxed) == 1);
    }
  }
};

TEST(LeaseModelTest, TheBitIsThereBeforeTheWord) {
  ExpectHolds<TouchedModel>();
}
TEST(LeaseModelTest, TouchedMapNeedsEachPart) {
  ExpectEachIsNeeded<TouchedModel>(touched_parts);
}

// --- attaching and removing --------------------------------------------------

// A remover and two attachers keep out of each other's way. (A lock that is
// held whenever the word is Alive needs no model.)
Parts close_parts;
Order raise(close_parts, "seq_cst <-> region.close", "RaiseHighWater()");
Order turn_alive(close_parts, "seq_cst <-> region.close", "Take()");
Order state_after(close_parts, "seq_cst <-> region.close", "StateOf()",
                  Does::kLoad);
Order set_closing(close_parts, "seq_cst <-> region.close", "SetState()",
                  Does::kStore);
Order read_high(close_parts, "seq_cst <-> region.close", "HighWater()",
                Does::kLoad);
Order look_at_lease(close_parts, "seq_cst <-> region.close", "Load()",
                    Does::kLoad);

struct CloseModel : rl::test_suite<CloseModel, 3> {
  enum State { kOpen = 1, kClosing = 2, kClosed = 3 };
  rl::atomic<int> state;
  rl::atomic<int> high_water;
  rl::atomic<int> words[2];
  bool is_attached[2];
  bool is_removed;

  void before() {
    state($) = kOpen;
    high_water($) = 0;
    words[0]($) = kFree;
    words[1]($) = kFree;
    is_attached[0] = is_attached[1] = is_removed = false;
  }
  void Attach(unsigned slot) {
    int seen = high_water($).load(kRelaxed);
    while (seen < int(slot) + 1 && !high_water($).compare_exchange_weak(
                                       seen, int(slot) + 1, raise, kRelaxed)) {
    }
    int expected = kFree;
    words[slot]($).compare_exchange_strong(expected, int(kAlive), turn_alive,
                                           kRelaxed);
    if (state($).load(state_after) == kOpen) {
      is_attached[slot] = true;
    } else {
      words[slot]($).store(kFree, kRelease);
    }
  }
  void Remove() {
    state($).store(kClosing, set_closing);
    const int limit = high_water($).load(read_high);
    for (int slot = 0; slot < limit; ++slot) {
      if (words[slot]($).load(look_at_lease) == kAlive) {
        state($).store(kOpen, set_closing);
        return;
      }
    }
    state($).store(kClosed, set_closing);
    is_removed = true;
  }
  void thread(unsigned index) {
    if (index == 2) {
      Remove();
    } else {
      Attach(index);
    }
  }
  void after() {
    RL_ASSERT(!is_removed || (!is_attached[0] && !is_attached[1]));
  }
};

TEST(LeaseModelTest, NobodyKeepsARegionThatIsRemoved) {
  ExpectHolds<CloseModel>();
}
TEST(LeaseModelTest, ClosingNeedsEachPart) {
  ExpectEachIsNeeded<CloseModel>(close_parts);
}

// Two last ones leave: one of them removes the files. The lifecycle lock is the
// kernel's, an atomic flag here.
Parts leave_parts;
Order leave(leave_parts, "seq_cst <-> region.close", "FreeOwn()");
Order look_at_other(leave_parts, "seq_cst <-> region.close", "Load()",
                    Does::kLoad);

struct LeavingModel : rl::test_suite<LeavingModel, 2> {
  rl::atomic<int> words[2];
  rl::atomic<int> lock;
  bool is_removed;

  void before() {
    words[0]($) = kAlive;
    words[1]($) = kAlive;
    lock($) = 0;
    is_removed = false;
  }
  void thread(unsigned index) {
    int expected = kAlive;
    words[index]($).compare_exchange_strong(expected, int(kFree), leave,
                                            kRelaxed);
    while (words[1 - index]($).load(look_at_other) != kAlive) {
      expected = 0;
      if (!lock($).compare_exchange_strong(expected, 1, rl::mo_seq_cst)) return;
      // What a look under the lock may still find is the other one, Alive.
      const bool is_alone = words[1 - index]($).load(look_at_other) != kAlive;
      if (is_alone) is_removed = true;
      lock($).store(0, rl::mo_seq_cst);
      if (is_alone) return;
    }
  }
  void after() { RL_ASSERT(is_removed); }
};

TEST(LeaseModelTest, OfTheLastTwoOneRemovesTheFiles) {
  ExpectHolds<LeavingModel>();
}
TEST(LeaseModelTest, LeavingNeedsEachPart) {
  ExpectEachIsNeeded<LeavingModel>(leave_parts);
}

// Who finds the region open finds its tables.
Parts open_parts;
Order open(open_parts, "release -> region.open", "CreateRegion()");
Order see_open(open_parts, "acquire <- region.open", "StateOf()");

struct OpenModel : rl::test_suite<OpenModel, 2> {
  rl::atomic<int> state;
  rl::var<int> tables;

  void before() {
    state($) = 0;
    tables($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      tables($) = 1;
      state($).store(1, open);
    } else if (state($).load(see_open) == 1) {
      RL_ASSERT(tables($) == 1);
    }
  }
};

TEST(LeaseModelTest, AnOpenRegionIsWhole) {
  ExpectHolds<OpenModel>();
  ExpectEachIsNeeded<OpenModel>(open_parts);
}

}  // namespace
