// Where several processes send, each takes its own buffers back.
#include <gtest/gtest.h>

#include <cstdint>

#include "allocator/buffer_word.h"
#include "tests/ipc/member_fixture.h"
#include "tests/support/child_process.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using alloc::BufferWord;
using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::TempDirectory;

constexpr std::uint32_t kSlots = 1024;
constexpr std::uint64_t kPart = kSlots / OwnFirst::kPart;
constexpr std::uint32_t kPace = 8;

IpcOptions Options(const TempDirectory& directory) {
  IpcOptions options = OptionsIn(directory.path());
  options.shape = {kSlots, 16};
  options.reclaim_pace.messages = kPace;
  return options;
}

// What lies in the ring below its tail: how many buffers' words still say that
// they are sent, of this process and of others.
struct Sent {
  std::uint64_t own = 0;
  std::uint64_t others = 0;
  std::uint64_t reclaimed = 0;
};
Sent CountSent(Attachment& attachment) {
  const GroupView group = **attachment.directory().Find(Named("g"));
  Sent sent;
  sent.reclaimed = group.header().reclaimed.load();
  for (std::uint64_t at = sent.reclaimed;; ++at) {
    SlotWord slot;
    if (ReadSlot(group, at, &slot) != RingAnswer::kOk) return sent;
    if (slot.is_control()) continue;
    const auto place = attachment.allocator().Locate(slot.ref());
    if (!place ||
        !BufferWord(place->word->load()).IsSentAs(group.group_slot(), at)) {
      continue;
    }
    ++(attachment.allocator().IsOwn(slot.ref()) ? sent.own : sent.others);
  }
}

// A peer that answers each "x" by "y" until it is asked for "end".
int Answer(const TempDirectory& directory, Gate& parent_is_in) {
  parent_is_in.Wait();
  auto attachment = Attachment::Open(Options(directory));
  if (!attachment) return 1;
  const Joined member = JoinGroup(**attachment, "g");
  for (;;) {
    const std::string text = ReadOne(*member.member);
    if (text == "end") return 0;
    if (text == "x" && !SendText(*member.member, "y").ok()) return 2;
  }
}

class ReclaimOwnProcessTest : public ::testing::Test {
 protected:
  ReclaimOwnProcessTest()
      : child_([this] { return Answer(directory_, parent_is_in_); }) {
    auto opened = Attachment::Open(Options(directory_));
    EXPECT_TRUE(opened.ok()) << opened.reason();
    attachment_ = *opened;
    member_ = JoinGroup(*attachment_, "g");
    parent_is_in_.Signal();
    while (ReadOne(*member_.member) != "join 2") {
    }
  }
  // A question and its answer.
  void Ask() {
    ASSERT_TRUE(SendText(*member_.member, "x").ok());
    while (ReadOne(*member_.member) != "y") {
    }
  }
  void End() {
    ASSERT_TRUE(SendText(*member_.member, "end").ok());
    EXPECT_EQ(child_.Join(), 0);
  }

  TempDirectory directory_;
  Gate parent_is_in_;
  ChildProcess child_;
  std::shared_ptr<Attachment> attachment_;
  Joined member_;
};

TEST_F(ReclaimOwnProcessTest, OwnBuffersComeHomeAheadOfTheIndex) {
  const std::uint64_t begun_at = CountSent(*attachment_).reclaimed;
  // Less than the part of the ring at which the index is moved.
  constexpr std::uint64_t kAsked = kPart / 2 - 2 * kPace;
  for (std::uint64_t i = 0; i < kAsked; ++i) Ask();
  const Sent sent = CountSent(*attachment_);
  // Each moves the index past what is its own, until the other's comes.
  EXPECT_LE(sent.reclaimed, begun_at + kAsked)
      << "the others' messages were left";
  EXPECT_LE(sent.own, 2 * kPace) << "our own have come home";
  const auto own = attachment_->allocator().Stats();
  EXPECT_LE(own.out_buffers, 2 * kPace);
  End();
}

TEST_F(ReclaimOwnProcessTest, TheIndexFollowsWhenAPartOfTheRingIsInUse) {
  for (std::uint64_t i = 0; i < 4 * kSlots; ++i) {
    Ask();
    ASSERT_LE(attachment_->ReadStats().unreclaimed, kPart + 4 * kPace) << i;
  }
  End();
}

// Nobody else would: it has joined, and never sends again.
TEST_F(ReclaimOwnProcessTest, WhatTheOthersLeaveIsTakenWhenMemoryIsWanted) {
  for (std::uint64_t i = 0; i < kPart / 2 - 2 * kPace; ++i) Ask();
  EXPECT_GT(CountSent(*attachment_).own + CountSent(*attachment_).others, 0U);
  ASSERT_NE(attachment_->ReclaimAllGroups(), 0U);
  const Sent sent = CountSent(*attachment_);
  EXPECT_LE(sent.own + sent.others, 2U) << "but what is being read";
  End();
}

TEST_F(ReclaimOwnProcessTest, NothingIsLostWhenTheOtherIsKilled) {
  for (int i = 0; i < 100; ++i) Ask();
  child_.Kill();
  EXPECT_EQ(child_.Join(), 128 + SIGKILL);
  std::string text;
  while (text != "down 1") text = ReadOne(*member_.member);
  attachment_->RelievePressure();
  attachment_->allocator().Collect();
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
  EXPECT_TRUE(SendText(*member_.member, "z").ok());
  EXPECT_EQ(ReadOne(*member_.member), "z");
}

}  // namespace
}  // namespace zcb::ipc
