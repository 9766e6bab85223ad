// Names of groups (ipc/group_directory.cc).
//
// models: group.link group.claim
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

using zcb::testing::Enough;
using zcb::testing::ExpectEachIsNeeded;
using zcb::testing::ExpectHolds;
using zcb::testing::Order;
using zcb::testing::Parts;

constexpr auto kRelaxed = rl::mo_relaxed;

// Two creators of one name, each with a record; a third process finds it. The
// loser gives its record back; somebody else claims that.
Parts parts;
Order claim(parts, "acquire <- group.claim", "PrepareRecord()");
Order give_back(parts, "release -> group.claim", "FindOrMake(), ReapClaims()");
Order link(parts, "acq_rel <-> group.link", "FindOrMake(): swap",
           Enough{rl::mo_release, "it succeeds from 0, which says nothing"});
Order lose(parts, "acquire <- group.link", "FindOrMake(): the swap's failure");
Order find(parts, "acquire <- group.link", "Find(), Names(), IsLinked()");

struct LinkModel : rl::test_suite<LinkModel, 4> {
  rl::atomic<int> word;  // 0, or a record's number + 1
  rl::atomic<int> claims[2];
  rl::var<int> names[2];

  void before() {
    word($) = 0;
    claims[0]($) = claims[1]($) = 0;
    names[0]($) = names[1]($) = 0;
  }
  // -1: all taken.
  int Prepare(int name) {
    for (int i = 0; i < 2; ++i) {
      int expected = 0;
      if (claims[i]($).compare_exchange_strong(expected, 1, claim, kRelaxed)) {
        names[i]($) = name;
        return i;
      }
    }
    return -1;
  }
  void thread(unsigned index) {
    if (index == 3) {
      const int seen = word($).load(find);
      if (seen != 0) RL_ASSERT(names[seen - 1]($) == 42);
      return;
    }
    const int record = Prepare(42);
    if (record < 0) return;
    int expected = 0;
    if (word($).compare_exchange_strong(expected, record + 1, link, kRelaxed)) {
      return;
    }
    const int winner = word($).load(lose);  // the swap's failure, in the code
    RL_ASSERT(names[winner - 1]($) == 42);
    claims[record]($).store(0, give_back);
  }
};

TEST(GroupModelTest, ANameIsWholeWhenItIsFound) { ExpectHolds<LinkModel>(); }
TEST(GroupModelTest, LinkNeedsEachPart) {
  ExpectEachIsNeeded<LinkModel>(parts);
}

}  // namespace
