// Names that a process had claimed when it died: given back, or found in use.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

#include "ipc/group_header.h"
#include "tests/ipc/member_fixture.h"
#include "tests/support/child_process.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::TempDirectory;

class GroupClaimsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Attachment::Open(OptionsIn(directory_.path()));
    ASSERT_TRUE(opened.ok()) << opened.reason();
    mine_ = *opened;
  }
  NameRecord& Record(std::uint64_t index) {
    const std::uint64_t offset =
        mine_->geometry().names_offset + index * sizeof(NameRecord);
    EXPECT_TRUE(mine_->region().CommitMeta(offset, sizeof(NameRecord)).ok());
    return *mine_->region().meta<NameRecord>(offset);
  }
  std::uint64_t ClaimOf(std::uint64_t index) {
    // relaxed: whoever wrote it is dead, or this thread
    return Record(index).claim.load(std::memory_order_relaxed);
  }
  // A process that makes the groups "first" and "second" (records 0 and 1),
  // claims two records more, and is killed.
  void LetOneDie() {
    ChildProcess victim([this] {
      const auto attached = Attachment::Open(OptionsIn(directory_.path()));
      if (!attached) return 1;
      Joined first = JoinGroup(**attached, "first");
      Joined second = JoinGroup(**attached, "second");
      lease_ = (*attached)->region().lease();
      const std::uint64_t claim =
          std::uint64_t{lease_.generation} << 32 | (lease_.slot + 1U);
      // relaxed, all: seen after our death
      Record(1).claim.store(claim, std::memory_order_relaxed);  // not marked
      Record(2).claim.store(claim, std::memory_order_relaxed);  // not linked
      Record(3).claim.store(claim + 1, std::memory_order_relaxed);  // another's
      ready_.Signal();
      never_.Wait();
      return 0;
    });
    ready_.Wait();
    victim.Kill();
    ASSERT_EQ(victim.Join(), 128 + SIGKILL);
  }

  TempDirectory directory_;
  std::shared_ptr<Attachment> mine_;
  alloc::LeaseId lease_;
  Gate ready_;
  Gate never_;
};

TEST_F(GroupClaimsTest, OfTheDeadAreFreedUnlessTheDirectoryPointsAtThem) {
  LetOneDie();
  ASSERT_NE(ClaimOf(2), 0U);
  const std::uint64_t foreign = ClaimOf(3);
  mine_->RelievePressure();
  EXPECT_EQ(ClaimOf(0), NameRecord::kLinked);
  EXPECT_EQ(ClaimOf(1), NameRecord::kLinked) << "it is a group's name";
  EXPECT_EQ(ClaimOf(2), 0U);
  EXPECT_EQ(ClaimOf(3), foreign);
  // relaxed: forged above
  Record(3).claim.store(0, std::memory_order_relaxed);
  const Joined third = JoinGroup(*mine_, "third");
  EXPECT_EQ(ClaimOf(2), NameRecord::kLinked) << "the record is used again";
  EXPECT_EQ(mine_->GroupNames()->size(), 3U);
}

}  // namespace
}  // namespace zcb::ipc
