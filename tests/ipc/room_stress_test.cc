// Senders that wait for room and readers that make it, without a time limit:
// one forgotten sender, and the test hangs.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "ipc/futex.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::ipc::testing {
namespace {

using RoomKind = Member::RoomKind;

constexpr int kMessagesEach = 20'000;

// Sends, waiting while the ring is full.
void SendAll(Member& member, std::atomic<bool>* failed) {
  for (int i = 0; i < kMessagesEach; ++i) {
    for (;;) {
      const Outcome sent = SendText(member, "m");
      if (sent) break;
      if (sent.status() != Status::kTryAgain) {
        failed->store(true);
        return;
      }
      const std::uint32_t seen =
          member.RoomWord()->load(std::memory_order_relaxed);
      ASSERT_TRUE(member.AnnounceRoomWait(RoomKind::kRing));
      if (!member.HasRoom()) {
        FutexWait(member.RoomWord(), seen, Deadline::Never());
      }
      member.EndRoomWait(RoomKind::kRing);
    }
  }
}

// Reads so many messages, parking on the futex while there are none.
void ReadMessages(Member& member, int count) {
  while (count > 0) {
    const auto event = member.Next();
    ASSERT_TRUE(event.ok());
    if (event->kind == Event::Kind::kNothing) {
      const std::uint32_t seen =
          member.ParkWord()->load(std::memory_order_relaxed);
      if (!member.AnnounceSleep(Member::Bell::kFutex)) {
        FutexWait(member.ParkWord(), seen, Deadline::Never());
      }
      member.AnnounceAwake();
      continue;
    }
    if (event->kind == Event::Kind::kMessage) --count;
    member.Done();
  }
}

TEST_F(MemberTest, NoSenderThatWaitsForRoomIsForgotten) {
  constexpr int kSenders = 2;
  std::vector<Joined> members;
  for (int i = 0; i < kSenders + 2; ++i) {
    members.push_back(JoinGroup(*attachment_, "g"));
  }
  std::atomic<bool> failed{false};
  std::vector<std::thread> threads;
  // Each sender has a thread that reads for its member.
  for (int i = 0; i < kSenders; ++i) {
    threads.emplace_back(
        [&, i] { SendAll(*members[std::size_t(i)].member, &failed); });
  }
  for (Joined& member : members) {
    threads.emplace_back(
        [&] { ReadMessages(*member.member, kSenders * kMessagesEach); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(failed.load());
  for (Joined& member : members) ReadAll(*member.member);
}

}  // namespace
}  // namespace zcb::ipc::testing
