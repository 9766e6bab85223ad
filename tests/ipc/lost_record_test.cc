// A member's entry is taken down, and whoever did it is killed before he says
// so in the order, he being nobody that the others watch. (The words are set by
// hand.) Who reads of that member's join must learn of its end all the same.
#include <gtest/gtest.h>

#include "ipc/entry_word.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using Phase = EntryWord::Phase;
using Texts = std::vector<std::string>;

class LostRecordTest : public MemberTest {
 protected:
  GroupView Group() {
    const auto found = attachment_->directory().Find(Named("g"));
    EXPECT_TRUE(found.ok() && found->has_value());
    return **found;
  }
  std::atomic<std::uint64_t>& Word(std::uint16_t index) {
    return Group().entry(index).word;
  }
  void TakeDown(std::uint16_t index) {
    Word(index).store(EntryWord(Word(index).load()).Down().raw());
  }
};

TEST_F(LostRecordTest, WhoReadsTheJoinPublishesTheEnd) {
  const Joined reader = JoinGroup(*attachment_, "g");
  ReadAll(*reader.member);
  const Joined victim = JoinGroup(*attachment_, "g");
  TakeDown(1);
  EXPECT_EQ(ReadAll(*reader.member), (Texts{"join 2", "down 1"}));
}

TEST_F(LostRecordTest, WhoReadsTheJoinPublishesTheEndOfOneThatWasPutOut) {
  const Joined reader = JoinGroup(*attachment_, "g");
  ReadAll(*reader.member);
  const Joined victim = JoinGroup(*attachment_, "g");
  Word(1).store(EntryWord(Word(1).load()).Become(Phase::kEvicted).raw());
  EXPECT_EQ(ReadAll(*reader.member), (Texts{"join 2", "down 1"}));
}

// The one who was to say so is known to be gone; those whom he was to bury are
// not.
TEST_F(LostRecordTest, NobodyElsesEndIsForgottenEither) {
  const Joined reader = JoinGroup(*attachment_, "g");
  const Joined earlier = JoinGroup(*attachment_, "g");
  EXPECT_EQ(ReadAll(*reader.member), (Texts{"join 1", "join 2"}));
  const Joined later = JoinGroup(*attachment_, "g");
  TakeDown(1);
  TakeDown(2);
  EXPECT_EQ(ReadAll(*reader.member), (Texts{"join 3", "down 2", "down 1"}));
}

TEST_F(LostRecordTest, WhoJoinsPublishesTheEndOfWhomHeFinds) {
  const Joined victim = JoinGroup(*attachment_, "g");
  TakeDown(0);
  const Joined joiner = JoinGroup(*attachment_, "g");
  EXPECT_EQ(ReadAll(*joiner.member), (Texts{"join 2", "down 1"}));
}

TEST_F(LostRecordTest, OneEndIsToldOnce) {
  const Joined first = JoinGroup(*attachment_, "g");
  const Joined second = JoinGroup(*attachment_, "g");
  ReadAll(*first.member);
  ReadAll(*second.member);
  const Joined victim = JoinGroup(*attachment_, "g");
  TakeDown(2);
  EXPECT_EQ(ReadAll(*first.member), (Texts{"join 3", "down 2"}));
  EXPECT_EQ(ReadAll(*second.member), (Texts{"join 3", "down 2"}));
}

}  // namespace
}  // namespace zcb::ipc
