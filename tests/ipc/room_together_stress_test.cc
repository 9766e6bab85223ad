// A sender that waits for room is rung when two receivers make it together.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "tests/ipc/member_fixture.h"

namespace zcb::ipc::testing {
namespace {

using RoomKind = Member::RoomKind;

// Reads one message each time that the round goes up.
void ReadInStep(Member* member, const std::atomic<std::uint32_t>& round,
                std::atomic<std::uint32_t>* read_count, std::uint32_t rounds) {
  constexpr int kSpins = 2'000;
  for (std::uint32_t next = 1; next <= rounds; ++next) {
    for (int i = 0; round.load(std::memory_order_acquire) < next; ++i) {
      if (i > kSpins) std::this_thread::yield();
    }
    EXPECT_NE(ReadOne(*member), "");
    read_count->fetch_add(1, std::memory_order_release);
  }
}

// The ring is full, and both receivers stand at its first message. They read it
// at the same time: there is room when both have, and one of them must find
// that the other has, too. (Without MeetOthers() one round in fifty thousand
// goes wrong on two processors that have little else to do; tests/model has it
// always.)
TEST(RoomTogetherStressTest, OfTwoReceiversThatMakeRoomTogetherOneRings) {
  constexpr std::uint32_t kRounds = 50'000;
  const zcb::testing::TempDirectory directory;
  const auto attachment = Attachment::Open(OptionsIn(directory.path()));
  ASSERT_TRUE(attachment.ok()) << attachment.reason();
  const Joined sender = JoinGroup(**attachment, "room");
  const Joined first = JoinGroup(**attachment, "room");
  const Joined second = JoinGroup(**attachment, "room");
  for (const Joined* one : {&sender, &first, &second}) {
    ASSERT_FALSE(ReadAll(*one->member).empty());
  }
  const auto fill = [&] {
    while (SendText(*sender.member, "x").ok()) {
    }
    ReadAll(*sender.member);
  };
  fill();

  std::atomic<std::uint32_t> round{0};
  std::atomic<std::uint32_t> read_count{0};
  std::thread first_thread(ReadInStep, first.member.get(), std::cref(round),
                           &read_count, kRounds);
  std::thread second_thread(ReadInStep, second.member.get(), std::cref(round),
                            &read_count, kRounds);
  std::uint32_t unrung = 0;
  for (std::uint32_t i = 1; i <= kRounds; ++i) {
    const std::uint32_t seen =
        sender->RoomWord()->load(std::memory_order_relaxed);
    EXPECT_TRUE(sender->AnnounceRoomWait(RoomKind::kRing));
    EXPECT_FALSE(sender->HasRoom());
    round.store(i, std::memory_order_release);
    while (read_count.load(std::memory_order_acquire) < 2 * i) {
      std::this_thread::yield();
    }
    if (sender->RoomWord()->load(std::memory_order_relaxed) == seen) ++unrung;
    sender->EndRoomWait(RoomKind::kRing);
    fill();
  }
  first_thread.join();
  second_thread.join();
  EXPECT_EQ(unrung, 0U) << "of " << kRounds;
}

}  // namespace
}  // namespace zcb::ipc::testing
