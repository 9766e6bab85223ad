// A member leaves and joins again, in another entry, before any one instruction
// of a look at the members: they are those of one moment, nobody twice.
#include <array>

#include "tests/ipc/member_fixture.h"
#include "tests/support/single_step.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using zcb::testing::SingleStep;

using MembersInterleavingTest = MemberTest;

TEST_F(MembersInterleavingTest, WhoLeavesAndComesBackIsNotThereTwice) {
  const SingleStep step;
  const Joined witness = JoinGroup(*attachment_, "g");
  Joined mover = JoinGroup(*attachment_, "g");
  int instruction = 0;
  for (bool is_inside = true; is_inside; ++instruction) {
    std::array<MemberAddress, 8> members;
    std::size_t count = 0;
    is_inside = SingleStep::Run(
        instruction,
        [&] {
          // The entry that it leaves is taken until all have read that.
          ASSERT_TRUE(mover->Leave().ok());
          Joined again = JoinGroup(*attachment_, "g");
          ReadAll(*mover.member);
          mover = std::move(again);
        },
        [&] {
          const auto found = attachment_->FirstMembersOf(Named("g"), members);
          count = found ? *found : 0;
        });
    EXPECT_EQ(count, 2U) << "at instruction " << instruction;
    ReadAll(*mover.member);
    ReadAll(*witness.member);
    attachment_->ReclaimAllGroups();
  }
  EXPECT_GT(instruction, 300);
}

}  // namespace
}  // namespace zcb::ipc
