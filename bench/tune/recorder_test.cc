// What the recorder sees of a group, and that the group does not see it.
#include "bench/tune/recorder.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "bench/failure.h"
#include "ipc/message_header.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::bench::tune {
namespace {

using namespace ipc::testing;  // NOLINT: the fixture's helpers

class RecorderTest : public MemberTest {
 protected:
  static void SendBytes(const Joined& sender, std::size_t length, int times) {
    const std::string text(length, 'x');
    for (int i = 0; i < times; ++i) {
      ASSERT_TRUE(SendText(*sender.member, text).ok());
    }
  }
  static double ShareOf(const Workload& workload, std::uint64_t length) {
    for (const SizeShare& size : workload.sizes) {
      if (size.length_bytes == length) return size.share;
    }
    return 0;
  }
};

TEST_F(RecorderTest, SizesRateAndSendersAreThoseOfTheGroup) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  const Joined c = JoinGroup(*attachment_, "g");
  Recorder recorder(attachment_, "g");
  for (int i = 0; i < 10; ++i) {
    SendBytes(a, 64, 3);
    SendBytes(a, 4000, 1);
    recorder.Look();
    for (const Joined* member : {&a, &b, &c}) ReadAll(*member->member);
  }
  EXPECT_EQ(recorder.ordered(), 40U);
  EXPECT_EQ(recorder.sampled(), 40U);
  EXPECT_EQ(recorder.members(), 3U);
  const Workload workload = recorder.ToWorkload(0.5);
  EXPECT_DOUBLE_EQ(workload.rate_per_s, 80);
  EXPECT_DOUBLE_EQ(ShareOf(workload, 64), 0.75);
  EXPECT_DOUBLE_EQ(ShareOf(workload, 4000), 0.25);
  // All three are one process, so there is one sender.
  EXPECT_EQ(workload.senders, 1U);
  EXPECT_EQ(workload.receivers, 2U);
}

TEST_F(RecorderTest, OneLookReadsFewHeadersOfMany) {
  const Joined a = JoinGroup(*attachment_, "g");
  Recorder recorder(attachment_, "g");
  SendBytes(a, 64, 3000);
  recorder.Look();
  EXPECT_EQ(recorder.ordered(), 3000U);
  EXPECT_LE(recorder.sampled(), Recorder::kMostPerLook);
  EXPECT_GE(recorder.sampled(), Recorder::kMostPerLook / 2);
  ReadAll(*a.member);
}

TEST_F(RecorderTest, WhatWasGivenBackIsCountedAndNotRead) {
  const Joined a = JoinGroup(*attachment_, "g");
  Recorder recorder(attachment_, "g");
  SendBytes(a, 64, 1000);
  ReadAll(*a.member);
  attachment_->ReclaimAllGroups();
  recorder.Look();
  EXPECT_EQ(recorder.ordered(), 1000U);
  EXPECT_EQ(recorder.sampled(), 0U);
  EXPECT_THROW((void)recorder.ToWorkload(1), Failed);
}

TEST_F(RecorderTest, IsNoMemberAndHoldsNothingBack) {
  const Joined a = JoinGroup(*attachment_, "g");
  Recorder recorder(attachment_, "g");
  EXPECT_EQ(ReadAll(*a.member), std::vector<std::string>{"join 1"});
  recorder.Look();
  // Far more than the ring has room for, and it looks at none of them.
  for (int i = 0; i < 20'000; ++i) {
    SendBytes(a, 8, 1);
    ASSERT_EQ(ReadOne(*a.member), "xxxxxxxx");
  }
  EXPECT_EQ(attachment_->StatsOf(Named("g"))->members, 1U);
  EXPECT_EQ(attachment_->StatsOf(Named("g"))->slowest_behind, 0U);
  recorder.Look();
  EXPECT_EQ(recorder.ordered(), 20'000U);
}

TEST_F(RecorderTest, AGroupThatIsNotThereIsAnError) {
  EXPECT_THROW(Recorder(attachment_, "nobody"), Failed);
}

// A slot that names a buffer that is used anew: its header is another's.
TEST_F(RecorderTest, AHeaderOfAnotherMessageIsNotCounted) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  Recorder recorder(attachment_, "g");
  SendBytes(a, 64, 1);
  const auto event = a->Next();
  ASSERT_TRUE(event.ok());
  auto* const header = reinterpret_cast<ipc::MessageHeader*>(
      const_cast<std::byte*>(event->payload) - ipc::kHeaderBytes);
  header->position += 1;
  recorder.Look();
  header->position -= 1;
  a->Done();
  EXPECT_EQ(recorder.ordered(), 1U);
  EXPECT_EQ(recorder.sampled(), 0U);
}

}  // namespace
}  // namespace zcb::bench::tune
