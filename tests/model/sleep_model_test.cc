// Going to sleep, and ringing (ipc/member.cc, ipc/bell_ringer.cc,
// ipc/futex.cc).
//
// models: bell.sleep
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

// --- nobody sleeps over a message --------------------------------------------

// One sleeps, and sleeps again if it was rung for nothing; two publish one
// message each and ring. Both bells are this count: a FIFO is one, too.
Parts parts;
Order say_asleep(parts, "seq_cst <-> bell.sleep", "AnnounceSleep()",
                 Does::kStore,
                 Enough{kRelaxed, "the group's word, raised next, carries it"});
Order say_maybe(parts, "seq_cst <-> bell.sleep", "RaiseMaybe()");
Order look_at_slot(parts, "seq_cst <-> bell.sleep", "ReadSlot()", Does::kLoad);
Order fill(parts, "seq_cst <-> bell.sleep", "TryFill()");
Order look_at_group(parts, "seq_cst <-> bell.sleep", "SomebodyMaySleep()",
                    Does::kLoad);
Order before_members(parts, "seq_cst <-> bell.sleep", "RingSleepers(): group",
                     Does::kLoad);
Order look_at_sleeper(parts, "seq_cst <-> bell.sleep", "RingSleepers(): member",
                      Does::kLoad,
                      Enough{kRelaxed, "the group's word was read before"});
Order mark(parts, "seq_cst <-> bell.sleep", "RingSleepers(): Rung",
           Enough{kRelaxed, "tells nobody anything"});
Order clear(parts, "seq_cst <-> bell.sleep", "RingSleepers(): nobody",
            Enough{kRelaxed, "the version decides"});
Order say_awake(parts, "seq_cst <-> bell.sleep", "AnnounceAwake()",
                Does::kStore,
                Enough{kRelaxed, "who finds it asleep rings once too often"});
Rule second_look(parts, "the slot is read after the announcement",
                 "AnnounceSleep()");
Rule new_version(parts, "the group's word has a version", "RaiseMaybe()");
Rule new_epoch(parts, "a sleep has an epoch", "AnnounceSleep()");
Rule bell_first(parts, "the bell is rung before the mark", "RingSleepers()");

struct SleepModel : rl::test_suite<SleepModel, 3> {
  static constexpr int kMaybe = 1;
  static constexpr int kAwake = 0;
  static constexpr int kAsleep = 1;
  static constexpr int kRung = 2;
  static constexpr int kStates = 4;
  static constexpr int kMessages = 2;
  rl::atomic<int> slots[kMessages];
  rl::atomic<int> cursor;
  rl::atomic<int> group;    // version * 2 + maybe
  rl::atomic<int> sleeper;  // epoch * kStates + state
  rl::atomic<int> bell;
  int position;
  bool is_asleep;
  bool is_marked_unrung;
  int heard;

  void before() {
    for (auto& slot : slots) slot($) = 0;
    cursor($) = 0;
    group($) = 0;
    sleeper($) = kAwake;
    bell($) = 0;
    position = heard = 0;
    is_asleep = is_marked_unrung = false;
  }
  bool HasNext() { return slots[position]($).load(look_at_slot) != 0; }
  void Read() {
    for (int epoch = 1; position < kMessages;) {
      if (HasNext()) {
        cursor($).store(++position, rl::mo_release);
        continue;
      }
      if (epoch == 4) return;  // awake, and looks again some time
      heard = bell($).load(kRelaxed);
      const int own_epoch = new_epoch ? epoch : 1;
      ++epoch;
      sleeper($).store(own_epoch * kStates + kAsleep, say_asleep);
      int seen = group($).load(kRelaxed);
      while (!group($).compare_exchange_weak(
          seen, new_version ? (seen / 2 + 1) * 2 + kMaybe : seen | kMaybe,
          say_maybe, kRelaxed)) {
      }
      if (!second_look || !HasNext()) {
        // Waits until the count changes; or the test ends.
        is_asleep = true;
        for (int tries = 0; is_asleep && tries < 3; ++tries) {
          is_asleep = bell($).load(kAcquire) == heard;
        }
        if (is_asleep) return;
      }
      sleeper($).store(own_epoch * kStates + kAwake, say_awake);
    }
  }
  void RingSleepers() {
    // A reaper does not look first.
    if (rl::rand(2) != 0 && (group($).load(look_at_group) & kMaybe) == 0) {
      return;
    }
    int before = group($).load(before_members);
    if ((before & kMaybe) == 0) return;
    int seen = sleeper($).load(look_at_sleeper);
    if (seen % kStates == kAsleep) {
      const int stands_at = cursor($).load(kAcquire);
      if (stands_at < kMessages &&
          slots[stands_at]($).load(look_at_slot) == 0) {
        return;
      }
      const int rung = seen / kStates * kStates + kRung;
      if (bell_first) bell($).fetch_add(1, rl::mo_release);
      const bool is_marked =
          sleeper($).compare_exchange_strong(seen, rung, mark, kRelaxed);
      if (!bell_first && is_marked) {
        // Killed here now and then.
        if (rl::rand(2) != 0) return;
        bell($).fetch_add(1, rl::mo_release);
      }
      return;
    }
    group($).compare_exchange_strong(before, before & ~kMaybe, clear, kRelaxed);
  }
  void thread(unsigned index) {
    if (index == 0) return Read();
    for (auto& slot : slots) {
      int expected = 0;
      if (slot($).compare_exchange_strong(expected, 1, fill, kRelaxed)) break;
    }
    RingSleepers();
  }
  // Whoever sleeps over a filled slot was rung, or is found by the next ringer.
  void after() {
    if (!is_asleep || bell($).load(kRelaxed) != heard) return;
    RL_ASSERT(slots[position]($).load(kRelaxed) == 0);
    RL_ASSERT((group($).load(kRelaxed) & kMaybe) != 0);
    RL_ASSERT(sleeper($).load(kRelaxed) % kStates == kAsleep);
  }
};

TEST(SleepModelTest, NobodySleepsOverAMessage) { ExpectHolds<SleepModel>(); }
TEST(SleepModelTest, SleepNeedsEachPart) {
  ExpectEachIsNeeded<SleepModel>(parts);
}

// --- the count ---------------------------------------------------------------

// Who is woken by the count finds what the ringer did before it rang.
Parts bell_parts;
Order ring(bell_parts, "release -> bell.sleep", "FutexRing()");
Order hear(bell_parts, "acquire <- bell.sleep", "FutexWait()");

struct BellModel : rl::test_suite<BellModel, 2> {
  rl::atomic<int> bell;
  rl::var<int> what;

  void before() {
    bell($) = 0;
    what($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      what($) = 1;
      bell($).fetch_add(1, ring);
    } else if (bell($).load(hear) != 0) {
      RL_ASSERT(what($) == 1);
    }
  }
};

TEST(SleepModelTest, WhoIsRungFindsWhatFor) { ExpectHolds<BellModel>(); }
TEST(SleepModelTest, BellNeedsEachPart) {
  ExpectEachIsNeeded<BellModel>(bell_parts);
}

}  // namespace
