// What the environment says about groups, and that it is what one gets.
#include "ipc/ipc_options.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers

constexpr const char* kVariables[] = {
    "ZCB_RING_SLOTS",    "ZCB_GROUP_MEMBERS", "ZCB_RECLAIM_MESSAGES",
    "ZCB_RECLAIM_BYTES", "ZCB_PREFETCH",      "ZCB_NODEID",
    "ZCB_RETAIN_BYTES",  "ZCB_BURST_PAUSE_NS"};

class IpcOptionsTest : public ::testing::Test {
 protected:
  IpcOptionsTest() { Clear(); }
  ~IpcOptionsTest() override { Clear(); }
  static void Clear() {
    for (const char* const name : kVariables) ::unsetenv(name);
  }
};

TEST_F(IpcOptionsTest, WithoutVariablesTheDefaultsHold) {
  const auto options = IpcOptions::FromEnvironment();
  ASSERT_TRUE(options.ok()) << options.reason();
  EXPECT_EQ(options->shape.ring_slots, IpcLimits::kDefaultSlots);
  EXPECT_EQ(options->shape.group_members, IpcLimits::kDefaultEntries);
  EXPECT_EQ(options->reclaim_pace.messages, 64U);
  EXPECT_EQ(options->reclaim_pace.bytes, 256U << 10);
  EXPECT_EQ(options->prefetch, 4U);
  EXPECT_EQ(options->burst_pause_ns, 2000U);
  EXPECT_EQ(options->node_id, 1U);
  EXPECT_FALSE(options->retain_bytes.has_value());
}

TEST_F(IpcOptionsTest, EachVariableSetsItsOption) {
  ::setenv("ZCB_RING_SLOTS", "32768", 1);
  ::setenv("ZCB_GROUP_MEMBERS", "4096", 1);
  ::setenv("ZCB_RECLAIM_MESSAGES", "256", 1);
  ::setenv("ZCB_RECLAIM_BYTES", "64k", 1);
  ::setenv("ZCB_PREFETCH", "64", 1);
  ::setenv("ZCB_BURST_PAUSE_NS", "1000000", 1);
  ::setenv("ZCB_NODEID", "4294967295", 1);
  ::setenv("ZCB_RETAIN_BYTES", "1m", 1);
  const auto options = IpcOptions::FromEnvironment();
  ASSERT_TRUE(options.ok()) << options.reason();
  EXPECT_EQ(options->shape.ring_slots, 32768U);
  EXPECT_EQ(options->shape.group_members, 4096U);
  EXPECT_EQ(options->reclaim_pace.messages, 256U);
  EXPECT_EQ(options->reclaim_pace.bytes, 64U << 10);
  EXPECT_EQ(options->prefetch, 64U);
  EXPECT_EQ(options->burst_pause_ns, 1'000'000U);
  EXPECT_EQ(options->node_id, 0xffff'ffffU);
  EXPECT_EQ(options->retain_bytes.value_or(0), 1U << 20);
}

TEST_F(IpcOptionsTest, NonsenseIsRefused) {
  for (const char* const name : kVariables) {
    for (const char* const value :
         {"", "x", "-1", "1 ", "0x400", "99999999999999999g"}) {
      Clear();
      ::setenv(name, value, 1);
      EXPECT_EQ(IpcOptions::FromEnvironment().status(), Status::kInvalidParam)
          << name << "=" << value;
    }
  }
}

TEST_F(IpcOptionsTest, ShapesAreCheckedTogether) {
  const auto status = [](std::uint32_t slots, std::uint32_t members) {
    const Outcome checked = IpcGeometry::Check({slots, members});
    return checked ? Status::kOk : checked.status();
  };
  EXPECT_EQ(status(1024, 256), Status::kOk);
  EXPECT_EQ(status(1024, 257), Status::kInvalidParam);
  EXPECT_EQ(status(4096, 1), Status::kOk);
  EXPECT_EQ(status(4096, 0), Status::kInvalidParam);
  EXPECT_EQ(status(512, 16), Status::kInvalidParam);
  EXPECT_EQ(status(4095, 16), Status::kInvalidParam);
  EXPECT_EQ(status(65536, 16), Status::kInvalidParam);
  EXPECT_EQ(status(32768, 4096), Status::kOk);
  EXPECT_EQ(status(32768, 4097), Status::kInvalidParam);
}

// A region of a shape and a pace of its own.
class ShapedTest : public ::testing::Test {
 protected:
  std::shared_ptr<Attachment> Attach(const IpcShape& shape,
                                     const ReclaimPace& pace = {}) {
    IpcOptions options = OptionsIn(directory_.path());
    options.shape = shape;
    options.reclaim_pace = pace;
    auto attachment = Attachment::Open(options);
    EXPECT_TRUE(attachment.ok()) << attachment.reason();
    return *attachment;
  }
  zcb::testing::TempDirectory directory_;
};

TEST_F(ShapedTest, ARingHasRoomForWhatWasAskedForAndRefusesTheNext) {
  const auto attachment = Attach({1024, 16});
  const Joined member = JoinGroup(*attachment, "g");
  // Its own join is in the ring, too.
  constexpr int kRoom = 1024 - 2 * 16;
  EXPECT_EQ(member->ReadGroupStats().ring_messages, std::uint64_t{kRoom});
  int sent = 0;
  while (sent < 2 * kRoom && SendText(*member.member, "x").ok()) ++sent;
  EXPECT_EQ(sent, kRoom - 1);
  EXPECT_EQ(SendText(*member.member, "x").status(), Status::kTryAgain);
  ReadAll(*member.member);
  EXPECT_TRUE(SendText(*member.member, "x").ok());
}

TEST_F(ShapedTest, TheLargestRingGoesRoundAndRound) {
  const auto attachment = Attach({32768, 8});
  const Joined member = JoinGroup(*attachment, "g");
  ReadAll(*member.member);
  for (int i = 0; i < 3 * 32768; ++i) {
    ASSERT_TRUE(SendText(*member.member, "x").ok()) << i;
    ASSERT_EQ(ReadOne(*member.member), "x") << i;
  }
}

TEST_F(ShapedTest, AGroupHasAsManyMembersAsWereAskedFor) {
  const auto attachment = Attach({1024, 3});
  std::vector<Joined> members;
  for (int i = 0; i < 3; ++i) {
    members.push_back(JoinGroup(*attachment, "g"));
  }
  auto bell = attachment->MakeDoorbell();
  ASSERT_TRUE(bell.ok());
  EXPECT_EQ(
      attachment->Join(Named("g"), bell->get(), Attachment::Membership::kMany)
          .status(),
      Status::kNoResources);
}

TEST_F(ShapedTest, WhoComesLaterTakesTheShapeThatIsThere) {
  const auto first = Attach({1024, 16});
  const auto second = Attach({32768, 4096});
  EXPECT_EQ(second->geometry().slot_count, 1024U);
  EXPECT_EQ(second->geometry().entry_count, 16U);
}

TEST_F(ShapedTest, AShapeOrPaceOutOfRangeIsRefusedAndLeavesNothing) {
  IpcOptions options = OptionsIn(directory_.path());
  options.shape.ring_slots = 3000;
  EXPECT_EQ(Attachment::Open(options).status(), Status::kInvalidParam);
  options.shape = {};
  options.reclaim_pace.messages = 0;
  EXPECT_EQ(Attachment::Open(options).status(), Status::kInvalidParam);
  options.reclaim_pace = {};
  options.prefetch = 65;
  EXPECT_EQ(Attachment::Open(options).status(), Status::kInvalidParam);
  options.prefetch = 0;
  options.burst_pause_ns = 1'000'001;
  EXPECT_EQ(Attachment::Open(options).status(), Status::kInvalidParam);
  options.burst_pause_ns = 0;
  options.allocator.magazine_bytes = 1;
  EXPECT_EQ(Attachment::Open(options).status(), Status::kInvalidParam);
  options.allocator = {};
  EXPECT_TRUE(Attachment::Open(options).ok());
}

// How far the ring was reclaimed after `count` messages of which each was read
// at once.
std::uint64_t ReclaimedAfter(Attachment& attachment, int count,
                             std::size_t length_bytes) {
  const Joined member = JoinGroup(attachment, "g");
  ReadAll(*member.member);
  const std::string text(length_bytes, 'x');
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(SendText(*member.member, text).ok());
    EXPECT_EQ(ReadOne(*member.member), text);
  }
  const auto group = attachment.directory().Find(Named("g"));
  return (*group)->header().reclaimed.load();
}

TEST_F(ShapedTest, ASenderReclaimsAfterSoManyMessages) {
  constexpr std::uint64_t kNever = std::uint64_t{1} << 40;
  {
    const auto attachment = Attach({}, {8, kNever});
    EXPECT_GE(ReclaimedAfter(*attachment, 100, 1), 92U);
  }
  const auto attachment = Attach({}, {1000, kNever});
  EXPECT_LT(ReclaimedAfter(*attachment, 100, 1), 8U);
}

TEST_F(ShapedTest, ASenderReclaimsAfterSoManyBytes) {
  {
    const auto attachment = Attach({}, {1000, 8000});
    EXPECT_GE(ReclaimedAfter(*attachment, 100, 1000), 90U);
  }
  const auto attachment = Attach({}, {1000, 8'000'000});
  EXPECT_LT(ReclaimedAfter(*attachment, 100, 1000), 8U);
}

// Ahead of the ring's end, over records, in both layouts, and when a slot names
// nothing: what is asked for is never needed.
TEST_F(ShapedTest, PrefetchingChangesNothing) {
  for (const std::uint32_t ahead : {1U, 7U, 64U}) {
    IpcOptions options = OptionsIn(directory_.path());
    options.shape = {1024, 16};
    options.prefetch = ahead;
    auto attachment = Attachment::Open(options);
    ASSERT_TRUE(attachment.ok()) << attachment.reason();
    const Joined member = JoinGroup(**attachment, "g");
    for (int round = 0; round < 5; ++round) {
      const Joined guest = JoinGroup(**attachment, "g");
      std::vector<std::string> sent;
      for (int i = 0; i < 300; ++i) {
        sent.push_back("message " + std::to_string(i));
        const auto payload = i % 3 == 0
                                 ? (*attachment)->AllocAlignedPayload(100, 4096)
                                 : (*attachment)->AllocPayload(100);
        ASSERT_TRUE(payload.ok());
        std::memcpy(*payload, sent.back().data(), sent.back().size());
        ASSERT_TRUE(member->Send(*payload, sent.back().size()).ok());
      }
      std::vector<std::string> read;
      for (const std::string& text : ReadAll(*member.member)) {
        if (text.starts_with("message ")) read.push_back(text);
      }
      EXPECT_EQ(read, sent) << ahead;
    }
  }
}

}  // namespace
}  // namespace zcb::ipc
