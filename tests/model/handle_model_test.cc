// Handles: finding, using, closing them (cpg/handle_table.h, cpg/handle.cc,
// cpg/handle_room.cc).
//
// models: handle.open handle.unpin handle.pin handle.join handle.close
// models: handle.send_bell
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

using zcb::testing::Does;
using zcb::testing::ExpectEachIsNeeded;
using zcb::testing::ExpectHolds;
using zcb::testing::Order;
using zcb::testing::Parts;

constexpr auto kRelaxed = rl::mo_relaxed;
constexpr auto kRelease = rl::mo_release;

// --- a handle's life ---------------------------------------------------------

// Opened, found by one, closed by another; the last one inside destroys the
// object; then the slot is used again.
Parts life_parts;
Order open(life_parts, "release -> handle.open", "Open()");
Order enter(life_parts, "acquire <- handle.open", "Enter()");
Order leave(life_parts, "acq_rel <-> handle.unpin", "Unpin()");

struct LifeModel : rl::test_suite<LifeModel, 3> {
  static constexpr int kOpen = 16;  // below: how many are inside
  rl::atomic<int> word;
  rl::var<int> object;
  rl::var<int> uses[2];

  void before() {
    word($) = 0;
    object($) = 0;
    for (auto& use : uses) use($) = 0;
  }
  bool Enter(bool closes) {
    int seen = word($).load(kRelaxed);
    while ((seen & kOpen) != 0) {
      const int next = closes ? (seen + 1) & ~kOpen : seen + 1;
      if (word($).compare_exchange_weak(seen, next, enter, kRelaxed)) {
        return true;
      }
    }
    return false;
  }
  void Unpin() {
    if (word($).fetch_sub(1, leave) != 1) return;
    // Closed, and we were the last.
    object($) = 0;
    for (auto& use : uses) use($) = 0;
    word($).store(0, kRelease);
  }
  void thread(unsigned index) {
    if (index == 0) {
      object($) = 42;
      word($).store(kOpen, open);
      return;
    }
    if (!Enter(index == 1)) return;
    RL_ASSERT(object($) == 42);
    uses[index - 1]($) = 1;
    Unpin();
  }
};

TEST(HandleModelTest, TheLastOneInsideDestroys) { ExpectHolds<LifeModel>(); }
TEST(HandleModelTest, LifeNeedsEachPart) {
  ExpectEachIsNeeded<LifeModel>(life_parts);
}

// At exit: when no handle is left, what they did is over.
Parts empty_parts;
Order is_gone(empty_parts, "release -> handle.unpin", "Destroy()");
Order is_empty(empty_parts, "acquire <- handle.unpin", "Empty()");

struct EmptyModel : rl::test_suite<EmptyModel, 2> {
  rl::atomic<int> word;
  rl::var<int> object;

  void before() {
    word($) = 1;
    object($) = 42;
  }
  void thread(unsigned index) {
    if (index == 0) {
      object($) = 0;
      word($).store(0, is_gone);
    } else if (word($).load(is_empty) == 0) {
      object($) = 1;
    }
  }
};

TEST(HandleModelTest, NothingIsInUseWhenTheTableIsEmpty) {
  ExpectHolds<EmptyModel>();
  ExpectEachIsNeeded<EmptyModel>(empty_parts);
}

// --- senders and the member --------------------------------------------------

// A sender counts itself, then reads the member. Who leaves the group takes the
// member away, then counts the senders: none, and it is destroyed.
Parts pin_parts;
Order count_in(pin_parts, "seq_cst <-> handle.pin", "Enter()");
Order read_member(pin_parts, "seq_cst <-> handle.pin", "SendingMember()",
                  Does::kLoad);
Order take_away(pin_parts, "seq_cst <-> handle.pin", "End()", Does::kStore);
Order any_sender(pin_parts, "seq_cst <-> handle.pin", "AnySender()",
                 Does::kLoad);

struct PinModel : rl::test_suite<PinModel, 2> {
  rl::atomic<int> word;
  rl::atomic<int> member;
  rl::var<int> object;

  void before() {
    word($) = 0;
    member($) = 1;
    object($) = 42;
  }
  void thread(unsigned index) {
    if (index == 0) {
      word($).fetch_add(1, count_in);
      if (member($).load(read_member) == 1) RL_ASSERT(object($) == 42);
      word($).fetch_sub(1, kRelease);
      return;
    }
    member($).store(0, take_away);
    if (word($).load(any_sender) == 0) object($) = 0;
  }
};

TEST(HandleModelTest, AMemberIsDestroyedWhenNobodySendsThroughIt) {
  ExpectHolds<PinModel>();
  ExpectEachIsNeeded<PinModel>(pin_parts);
}

Parts join_parts;
Order join(join_parts, "release -> handle.join", "Join()");
Order see_joined(join_parts, "acquire <- handle.join", "SendingMember()");

struct JoinModel : rl::test_suite<JoinModel, 2> {
  rl::atomic<int> member;
  rl::var<int> object;

  void before() {
    member($) = 0;
    object($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      object($) = 42;
      member($).store(1, join);
    } else if (member($).load(see_joined) == 1) {
      RL_ASSERT(object($) == 42);
    }
  }
};

TEST(HandleModelTest, ASenderFindsAWholeMember) {
  ExpectHolds<JoinModel>();
  ExpectEachIsNeeded<JoinModel>(join_parts);
}

// --- closing -----------------------------------------------------------------

// A thread names the word it is about to wait on, then looks whether the handle
// closes; who closes says so, then looks for a word to ring. It hears the ring,
// or the other's "closing".
Parts close_parts;
Order name_word(close_parts, "seq_cst <-> handle.close", "Waiter, RoomWaiter",
                Does::kStore);
Order is_closing(close_parts, "seq_cst <-> handle.close", "closing()",
                 Does::kLoad);
Order set_closing(close_parts, "seq_cst <-> handle.close",
                  "BeginClose(): closing", Does::kStore);
Order find_word(close_parts, "seq_cst <-> handle.close", "BeginClose(): word",
                Does::kLoad);

struct CloseModel : rl::test_suite<CloseModel, 2> {
  rl::atomic<int> word;
  rl::atomic<int> closing;
  rl::atomic<int> bell;
  bool is_asleep;

  void before() {
    word($) = 0;
    closing($) = 0;
    bell($) = 0;
    is_asleep = false;
  }
  void thread(unsigned index) {
    if (index == 0) {
      word($).store(1, name_word);
      if (closing($).load(is_closing) == 0) is_asleep = true;
      return;
    }
    closing($).store(1, set_closing);
    if (word($).load(find_word) != 0) bell($).fetch_add(1, kRelease);
  }
  void after() { RL_ASSERT(!is_asleep || bell($).load(kRelaxed) != 0); }
};

TEST(HandleModelTest, NobodyWaitsOnAHandleThatIsClosed) {
  ExpectHolds<CloseModel>();
  ExpectEachIsNeeded<CloseModel>(close_parts);
}

// What makes the send descriptor readable can be rung by whoever finds it.
Parts send_bell_parts;
Order share(send_bell_parts, "release -> handle.send_bell",
            "ShareSendDescriptor()");
Order find(send_bell_parts, "acquire <- handle.send_bell",
           "OnRefused(), EndRoomWaits()");

struct SendBellModel : rl::test_suite<SendBellModel, 2> {
  rl::atomic<int> shared;
  rl::var<int> descriptor;

  void before() {
    shared($) = 0;
    descriptor($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      descriptor($) = 3;
      shared($).store(1, share);
    } else if (shared($).load(find) == 1) {
      RL_ASSERT(descriptor($) == 3);
    }
  }
};

TEST(HandleModelTest, ASharedDescriptorCanBeRung) {
  ExpectHolds<SendBellModel>();
  ExpectEachIsNeeded<SendBellModel>(send_bell_parts);
}

}  // namespace
