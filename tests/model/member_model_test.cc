// The life of a member's entry (ipc/member_table.cc, ipc/eviction.cc,
// ipc/member.cc, ipc/member_receive.cc).
//
// models: member.claim member.free member.apply member.down member.evict
// models: ring.reclaim
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

enum Word { kFree, kJoining, kMember, kLeaving, kEvicted, kDown, kFreeAgain };

// --- from one life to the next -----------------------------------------------

// A member leaves or gives up, a reclaimer applies the record and frees the
// entry, a joiner takes it. The words besides the entry's own belong to one
// after the other: cursor and sleep to the member (its epoch goes on with the
// next), join and leave to who applies.
Parts life_parts;
Order leave(life_parts, "release -> member.claim", "Done()");
Order give_up(life_parts, "release -> member.down", "GiveUpEntry()");
Order see_left(life_parts, "acquire <- member.claim", "FreeEntry()",
               Enough{kRelaxed,
                      "the swap goes on with the member's release; WrapModel "
                      "needs it"});
Order see_down(life_parts, "acquire <- member.down", "FreeIfPassed()",
               Enough{kRelaxed, "the swap goes on with the member's release"});
Order set_free(life_parts, "release -> member.free",
               "FreeEntry(), FreeIfPassed()");
Order take(life_parts, "acquire <- member.free", "ClaimEntry()");

struct LifeModel : rl::test_suite<LifeModel, 3> {
  rl::atomic<int> entry;
  rl::var<int> members;   // cursor, sleep
  rl::var<int> appliers;  // join, leave

  void before() {
    entry($) = kMember;
    members($) = 0;
    appliers($) = 0;
  }
  void Swap(int from, int to, rl::memory_order order) {
    entry($).compare_exchange_strong(from, to, order, kRelaxed);
  }
  void thread(unsigned index) {
    if (index == 0) {
      members($) = 1;
      if (rl::rand(2) != 0) {
        Swap(kMember, kLeaving, leave);
      } else {
        Swap(kMember, kDown, give_up);
      }
    } else if (index == 1) {
      appliers($) = 1;
      const int seen = entry($).load(rl::rand(2) != 0 ? see_left : see_down);
      if (seen != kMember) Swap(seen, kFreeAgain, set_free);
    } else if (entry($).load(take) == kFreeAgain) {
      RL_ASSERT(members($) == 1);
      members($) = 2;
      appliers($) = 2;
    }
  }
};

TEST(MemberModelTest, AnEntryIsTheNextOnesWhenAllHaveFinished) {
  ExpectHolds<LifeModel>();
}
TEST(MemberModelTest, LifeNeedsEachPart) {
  ExpectEachIsNeeded<LifeModel>(life_parts);
}

// --- a reclaimer that is late ------------------------------------------------

// Generations wrap: the entry's word may be the same in a later life. Then the
// record that the late one is at was passed, and it sees that: whoever claimed
// the entry since had read that index, to find room for its JOIN.
Parts wrap_parts;
Order become_member(wrap_parts, "release -> member.claim", "JoinRing()");
Order judge(wrap_parts, "acquire <- member.claim", "FreeEntry()");
Order look_again(wrap_parts, "acquire <- ring.reclaim", "FreeEntry()",
                 Enough{kRelaxed, "the swap is from the word that was judged"});
Rule second_look(wrap_parts, "reclaimed is read after the word", "FreeEntry()");

struct WrapModel : rl::test_suite<WrapModel, 3> {
  rl::atomic<int> entry;
  rl::atomic<int> reclaimed;

  void before() {
    entry($) = kLeaving;
    reclaimed($) = 0;
  }
  void thread(unsigned index) {
    if (index == 2) {  // many lives later: the generation has come round
      if (entry($).load(kAcquire) != kFree) return;
      if (reclaimed($).load(kRelaxed) != 1) return;
      int expected = kFree;
      entry($).compare_exchange_strong(expected, int(kMember), become_member,
                                       kRelaxed);
      return;
    }
    int seen = entry($).load(judge);
    if (seen == kFree) return;
    if (second_look && reclaimed($).load(look_again) != 0) return;
    const bool is_late = seen == kMember;
    if (entry($).compare_exchange_strong(seen, int(kFree), kRelease,
                                         kRelaxed)) {
      RL_ASSERT(!is_late);
    }
    int expected = 0;
    reclaimed($).compare_exchange_strong(expected, 1, kRelaxed);
  }
};

TEST(MemberModelTest, ALaterLifeIsNotFreed) { ExpectHolds<WrapModel>(); }
TEST(MemberModelTest, WrapNeedsEachPart) {
  ExpectEachIsNeeded<WrapModel>(wrap_parts);
}

// --- records -----------------------------------------------------------------

// A joiner resets join and leave word, in this order, and publishes its JOIN;
// somebody applies that; a third one finds it applied and reads the address.
// Whoever finds the leave word of this life finds the join word reset: applying
// a JOIN of the last life misses then.
Parts apply_parts;
Order reset(apply_parts, "release -> member.apply", "ClaimEntry()");
Order see_reset(apply_parts, "acquire <- member.apply",
                "ApplyRecord(), IsEvictable()");
Order apply(apply_parts, "release -> member.apply", "SetOnce()");
Order see_applied(apply_parts, "acquire <- member.apply",
                  "IsMemberAt(), BeginMessage()");

struct ApplyModel : rl::test_suite<ApplyModel, 4> {
  rl::atomic<int> slot;
  rl::atomic<int> leave_generation;
  rl::var<int> join_generation;  // plain: not stored after the leave word
  rl::atomic<int> join;          // set or not
  rl::var<int> address;

  void before() {
    slot($) = 0;
    leave_generation($) = 1;
    join_generation($) = 1;
    join($) = 0;
    address($) = 0;
  }
  void thread(unsigned index) {
    switch (index) {
      case 0:
        join_generation($) = 2;
        leave_generation($).store(2, reset);
        address($) = 42;
        slot($).store(1, kRelease);
        break;
      case 1:
        if (slot($).load(kAcquire) == 1) join($).store(1, apply);
        break;
      case 2:
        if (join($).load(see_applied) == 1) RL_ASSERT(address($) == 42);
        break;
      default:  // with a JOIN of life 1
        if (leave_generation($).load(see_reset) == 2) {
          RL_ASSERT(join_generation($) == 2);
        }
    }
  }
};

TEST(MemberModelTest, WhatIsAppliedIsWhole) { ExpectHolds<ApplyModel>(); }
TEST(MemberModelTest, ApplyingNeedsEachPart) {
  ExpectEachIsNeeded<ApplyModel>(apply_parts);
}

// --- the entry says whose it is ----------------------------------------------

// Claimed and joined: who finds it so finds the bell's number; the count of
// entries, too, is raised for whoever looks below it.
Parts claim_parts;
Order raise_high(claim_parts, "release -> member.claim", "RaiseEntryHigh()");
Order read_high(claim_parts, "acquire <- member.claim", "EntryHigh()");
Order joined(claim_parts, "release -> member.claim", "JoinRing()");
Order whose(claim_parts, "acquire <- member.claim",
            "RingSleepers(), Watch(), ReapLaggards()");

struct ClaimModel : rl::test_suite<ClaimModel, 2> {
  rl::atomic<int> high;
  rl::atomic<int> entry;
  rl::var<int> page;  // of the table, below the count
  rl::var<int> bell_number;

  void before() {
    high($) = 0;
    entry($) = kFree;
    page($) = 0;
    bell_number($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      page($) = 1;
      high($).fetch_add(1, raise_high);
      int expected = kFree;
      entry($).compare_exchange_strong(expected, int(kJoining), kRelaxed);
      bell_number($) = 7;
      expected = kJoining;
      entry($).compare_exchange_strong(expected, int(kMember), joined,
                                       kRelaxed);
      return;
    }
    if (high($).load(read_high) == 1) RL_ASSERT(page($) == 1);
    if (entry($).load(whose) == kMember) RL_ASSERT(bell_number($) == 7);
  }
};

TEST(MemberModelTest, WhoIsAMemberCanBeRung) { ExpectHolds<ClaimModel>(); }
TEST(MemberModelTest, ClaimingNeedsEachPart) {
  ExpectEachIsNeeded<ClaimModel>(claim_parts);
}

// --- eviction ----------------------------------------------------------------

// An evictor puts a slow reader out; what that one was reading is given back
// and written anew. The reader looks at its entry after the bytes.
Parts evict_parts;
Order evict(evict_parts, "seq_cst <-> member.evict", "Evict()");
Order was_evicted(evict_parts, "seq_cst <-> member.evict", "WasEvicted()",
                  Does::kLoad);
Rule look_after(evict_parts, "the entry is read after the bytes",
                "WasEvicted()");

struct EvictModel : rl::test_suite<EvictModel, 3> {
  rl::atomic<int> entry;
  rl::atomic<int> word;   // 0: Sent; 1: Free
  rl::atomic<int> bytes;  // read while they may be written

  void before() {
    entry($) = kMember;
    word($) = 0;
    bytes($) = 1;
  }
  void thread(unsigned index) {
    if (index == 0) {
      int expected = kMember;
      entry($).compare_exchange_strong(expected, int(kEvicted), evict,
                                       kRelaxed);
      word($).store(1, kRelease);
    } else if (index == 1) {
      if (word($).load(kAcquire) == 1) bytes($).store(2, kRelaxed);
    } else {
      bool is_member = true;
      if (!look_after) is_member = entry($).load(was_evicted) == kMember;
      const int read = bytes($).load(kRelaxed);
      // Here is the store that keeps the two loads apart on the processor;
      // Relacy does not swap them.
      if (look_after) is_member = entry($).load(was_evicted) == kMember;
      RL_ASSERT(!is_member || read == 1);
    }
  }
};

TEST(MemberModelTest, WhoIsStillAMemberHasReadItsMessage) {
  ExpectHolds<EvictModel>();
}
TEST(MemberModelTest, EvictionNeedsEachPart) {
  ExpectEachIsNeeded<EvictModel>(evict_parts);
}

// What was recorded of an eviction or a death before the entry says so: the
// evicted one (IsMember) and reapers go by it.
Parts end_parts;
Order put_out(end_parts, "release -> member.evict", "Evict()");
Order reaped(end_parts, "release -> member.down", "DownEntries()");
Order is_member(end_parts, "acquire <- member.down, member.evict",
                "IsMember(), PublishDown()");

struct EndModel : rl::test_suite<EndModel, 3> {
  rl::atomic<int> entry;
  rl::var<int> reason[2];

  void before() {
    entry($) = kMember;
    reason[0]($) = 0;
    reason[1]($) = 0;
  }
  void thread(unsigned index) {
    if (index < 2) {
      reason[index]($) = 1;
      int expected = kMember;
      entry($).compare_exchange_strong(expected,
                                       int(index == 0 ? kEvicted : kDown),
                                       index == 0 ? put_out : reaped, kRelaxed);
      return;
    }
    const int seen = entry($).load(is_member);
    if (seen == kEvicted) RL_ASSERT(reason[0]($) == 1);
    if (seen == kDown) RL_ASSERT(reason[1]($) == 1);
  }
};

TEST(MemberModelTest, WhoFindsItsEndFindsWhatCameBefore) {
  ExpectHolds<EndModel>();
}
TEST(MemberModelTest, EndNeedsEachPart) {
  ExpectEachIsNeeded<EndModel>(end_parts);
}

}  // namespace
