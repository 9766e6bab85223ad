// What a join finds out about the dead that nobody has noticed: those who were
// alone in their group, so that no process watches them.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "allocator/lease_word.h"
#include "ipc/member_table.h"
#include "ipc/view.h"
#include "tests/ipc/member_fixture.h"
#include "tests/support/child_process.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::TempDirectory;

// More than one join looks at, besides those in its group.
constexpr std::size_t kOthers = 20;

class JoinReapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Attachment::Open(OptionsIn(directory_.path()));
    ASSERT_TRUE(opened.ok()) << opened.reason();
    mine_ = *opened;
    for (std::size_t i = 0; i < kOthers; ++i) {
      others_.push_back(std::make_unique<ChildProcess>([this] {
        const auto attached = Attachment::Open(OptionsIn(directory_.path()));
        if (!attached) return 1;
        ready_.Signal();
        never_.Wait();
        return 0;
      }));
      ready_.Wait();
    }
    ChildProcess victim([this] {
      const auto attached = Attachment::Open(OptionsIn(directory_.path()));
      if (!attached) return 1;
      const Joined alone = JoinGroup(**attached, "lonely");
      ready_.Signal();
      never_.Wait();
      return 0;
    });
    ready_.Wait();
    victim.Kill();
    ASSERT_EQ(victim.Join(), 128 + SIGKILL);
    ASSERT_EQ(mine_->region().LeaseHighWater(), kOthers + 2);
    ASSERT_EQ(LonelyMembers(), 1U) << "nobody has noticed";
  }
  // As the table has it: MembersOf() would look whether they live.
  std::size_t LonelyMembers() {
    const GroupView group = **mine_->directory().Find(Named("lonely"));
    // acquire <- ring.tail: what lies below is published
    ApplyUpTo(group, group.header().tail.load(std::memory_order_acquire) - 1);
    View view(group.entry_count());
    ReadViewAt(group, std::uint64_t{1} << 40, &view);
    return view.items().size();
  }

  TempDirectory directory_;
  std::shared_ptr<Attachment> mine_;
  Gate ready_;
  Gate never_;
  std::vector<std::unique_ptr<ChildProcess>> others_;
};

TEST_F(JoinReapTest, JoinersFirstViewHasNobodyWhoIsDead) {
  Joined joined = JoinGroup(*mine_, "lonely");
  EXPECT_EQ(ReadOne(*joined.member), "join 1");
}

TEST_F(JoinReapTest, JoinsElsewhereGetRoundToEverybody) {
  // Sixteen looks each, at 22 processes.
  const Joined first = JoinGroup(*mine_, "elsewhere");
  const Joined second = JoinGroup(*mine_, "elsewhere");
  EXPECT_EQ(LonelyMembers(), 0U);
}

}  // namespace
}  // namespace zcb::ipc
