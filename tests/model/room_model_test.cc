// Waiting for room (ipc/member_room.cc, ipc/bell_ringer.cc, ipc/futex.cc,
// Attachment::ReclaimGroup).
//
// models: room.wait
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
constexpr auto kAcqRel = rl::mo_acq_rel;

// --- nobody waits for room that is there -------------------------------------

// One waits for room, which is there when two receivers have moved their
// cursors. Each of these looks whether somebody waits, and if so whether there
// is room now.
//
// A heavy barrier orders the waiter and each receiver, but not one receiver and
// the other: so it is a swap of a word of each pair, not a fence in each.
Parts parts;
Order say_waiting(parts, "seq_cst <-> room.wait", "Announce()", Does::kStore,
                  Enough{kRelaxed,
                         "the group's word, raised next, carries it"});
Order say_maybe(parts, "seq_cst <-> room.wait", "RaiseMaybe()",
                Enough{kRelaxed, "the barrier comes behind it"});
Order meet(parts, "acq_rel <-> room.wait", "ReclaimGroup()");
Order before_members(parts, "seq_cst <-> room.wait", "RingForRoom(): group",
                     Does::kLoad,
                     Enough{kRelaxed, "ReclaimGroup() has acquired it"});
Order look_at_waiter(parts, "seq_cst <-> room.wait", "RingForRoom(): member",
                     Does::kLoad,
                     Enough{kRelaxed, "the group's word was read before"});
Order mark(parts, "seq_cst <-> room.wait", "RingForRoom(): Rung",
           Enough{kRelaxed, "tells nobody anything"});
Order clear(parts, "seq_cst <-> room.wait", "RingForRoom(): nobody",
            Enough{kRelaxed, "the version decides"});
Order say_done(parts, "seq_cst <-> room.wait", "EndIfNobodyWaits()",
               Does::kStore,
               Enough{kRelaxed, "who finds it waiting rings once too often"});
Rule heavy(parts, "a heavy barrier before the second look", "Announce()");
Rule light(parts, "a light barrier after the cursor", "Done()");
Rule second_look(parts, "room is looked for after the barrier",
                 "WaitForRoom()");

struct RoomModel : rl::test_suite<RoomModel, 3> {
  static constexpr int kMaybe = 1;
  static constexpr int kDone = 0;
  static constexpr int kWaiting = 1;
  static constexpr int kRung = 2;
  static constexpr int kStates = 4;
  rl::atomic<int> barriers[2];
  rl::atomic<int> cursors[2];
  rl::atomic<int> group;   // version * 2 + maybe
  rl::atomic<int> waiter;  // epoch * kStates + state
  rl::atomic<int> bell;
  bool is_waiting;
  int heard;

  void before() {
    for (auto& barrier : barriers) barrier($) = 0;
    for (auto& cursor : cursors) cursor($) = 0;
    group($) = 0;
    waiter($) = kDone;
    bell($) = 0;
    is_waiting = false;
    heard = 0;
  }
  // Who looks for room while somebody waits meets the others who do (a waiter
  // finds its own "maybe").
  bool HasRoom() {
    if ((group($).load(kRelaxed) & kMaybe) != 0) group($).fetch_add(0, meet);
    return cursors[0]($).load(kAcquire) != 0 &&
           cursors[1]($).load(kAcquire) != 0;
  }
  void Wait() {
    for (int epoch = 1; epoch <= 2; ++epoch) {
      heard = bell($).load(kRelaxed);
      waiter($).store(epoch * kStates + kWaiting, say_waiting);
      int seen = group($).load(kRelaxed);
      while (!group($).compare_exchange_weak(seen, (seen / 2 + 1) * 2 + kMaybe,
                                             say_maybe, kRelaxed)) {
      }
      const int first = static_cast<int>(rl::rand(2));
      if (heavy) {
        barriers[first]($).fetch_add(0, kAcqRel);
        barriers[1 - first]($).fetch_add(0, kAcqRel);
      }
      if (!second_look || !HasRoom()) {
        is_waiting = true;
        for (int tries = 0; is_waiting && tries < 2; ++tries) {
          is_waiting = bell($).load(kAcquire) == heard;
        }
        if (is_waiting) return;
      }
      waiter($).store(epoch * kStates + kDone, say_done);
    }
  }
  void Reclaim() {
    const bool there_is = HasRoom();
    if ((group($).load(kRelaxed) & kMaybe) == 0) return;
    int before = group($).load(before_members);
    if ((before & kMaybe) == 0) return;
    int seen = waiter($).load(look_at_waiter);
    if (seen % kStates != kWaiting) {
      group($).compare_exchange_strong(before, before & ~kMaybe, clear,
                                       kRelaxed);
      return;
    }
    if (!there_is) return;
    bell($).fetch_add(1, kRelease);
    waiter($).compare_exchange_strong(seen, seen / kStates * kStates + kRung,
                                      mark, kRelaxed);
  }
  void thread(unsigned index) {
    if (index == 2) return Wait();
    cursors[index]($).store(1, kRelease);
    if (light) barriers[index]($).fetch_add(0, kAcqRel);
    if ((group($).load(kRelaxed) & kMaybe) != 0) Reclaim();
  }
  void after() { RL_ASSERT(!is_waiting || bell($).load(kRelaxed) != heard); }
};

TEST(RoomModelTest, NobodyWaitsForRoomThatIsThere) { ExpectHolds<RoomModel>(); }
TEST(RoomModelTest, RoomNeedsEachPart) { ExpectEachIsNeeded<RoomModel>(parts); }

// --- what is waited for ------------------------------------------------------

// Memory is announced in a word of the region, and then in the groups' words:
// who reclaims finds, in that order, that somebody waits and what for. Who is
// rung finds what the ringer did.
Parts memory_parts;
Order want_memory(memory_parts, "seq_cst <-> room.wait", "RaiseMemoryWait()",
                  Enough{kRelaxed, "the groups' words, raised next, carry it"});
Order raise_group(memory_parts, "release -> room.wait", "RaiseMaybe()");
Order see_group(memory_parts, "acquire <- room.wait", "ReclaimGroup()");
Order see_memory(memory_parts, "acquire <- room.wait", "RingForRoom()",
                 Enough{kRelaxed, "read after the group's word"});
Order ring(memory_parts, "release -> room.wait", "FutexRing()");
Order hear(memory_parts, "acquire <- room.wait", "FutexWait()");

struct MemoryModel : rl::test_suite<MemoryModel, 2> {
  rl::atomic<int> memory_wait;
  rl::atomic<int> group;
  rl::atomic<int> bell;
  rl::var<int> given_back;

  void before() {
    memory_wait($) = 0;
    group($) = 0;
    bell($) = 0;
    given_back($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      memory_wait($).fetch_add(1, want_memory);
      group($).fetch_add(1, raise_group);
      if (bell($).load(hear) != 0) RL_ASSERT(given_back($) == 1);
      return;
    }
    if (group($).load(see_group) == 0) return;
    RL_ASSERT(memory_wait($).load(see_memory) == 1);
    given_back($) = 1;
    bell($).fetch_add(1, ring);
  }
};

TEST(RoomModelTest, WhoWaitsForMemoryIsTold) { ExpectHolds<MemoryModel>(); }
TEST(RoomModelTest, MemoryNeedsEachPart) {
  ExpectEachIsNeeded<MemoryModel>(memory_parts);
}

// --- who frees, and whether it looks -----------------------------------------

// Nobody looks at the region's word after a free before senders of the process
// have waited for memory: a flag says so. The process has had such a wait,
// which is over. One frees twice; what another thread begins to wait for
// meanwhile is there after the second time.
Parts free_parts;
Rule set_for_good(free_parts, "what says that memory is waited for stays set",
                  "RingForMemory()");
Rule light_free(free_parts, "a light barrier after the free", "FreePayload()");
Rule heavy_wait(free_parts, "a heavy barrier before the second look",
                "Announce()");

struct FreeModel : rl::test_suite<FreeModel, 2> {
  static constexpr int kFrees = 2;
  rl::atomic<int> barrier;
  rl::atomic<int> freed;
  rl::atomic<int> waited_for;
  rl::atomic<int> memory_wait;
  rl::atomic<int> bell;
  bool is_waiting;

  void before() {
    barrier($) = 0;
    freed($) = 0;
    waited_for($) = 1;
    memory_wait($) = 0;
    bell($) = 0;
    is_waiting = false;
  }
  void RingForMemory() {
    if (memory_wait($).load(kRelaxed) != 0) {
      bell($).fetch_add(1, kRelaxed);
    } else if (!set_for_good) {
      waited_for($).store(0, kRelaxed);
    }
  }
  void thread(unsigned index) {
    if (index == 0) {
      waited_for($).store(1, kRelaxed);
      memory_wait($).store(1, kRelaxed);
      if (heavy_wait) barrier($).fetch_add(0, kAcqRel);
      is_waiting = freed($).load(kRelaxed) != kFrees;
      return;
    }
    for (int i = 1; i <= kFrees; ++i) {
      freed($).store(i, kRelaxed);
      if (light_free) barrier($).fetch_add(0, kAcqRel);
      if (waited_for($).load(kRelaxed) != 0) RingForMemory();
    }
  }
  void after() { RL_ASSERT(!is_waiting || bell($).load(kRelaxed) != 0); }
};

TEST(RoomModelTest, WhoFreesRingsWhoWaitsForMemory) {
  ExpectHolds<FreeModel>();
}
TEST(RoomModelTest, FreeNeedsEachPart) {
  ExpectEachIsNeeded<FreeModel>(free_parts);
}

}  // namespace
