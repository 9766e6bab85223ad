// What joiners, leavers and the others see, and in which order. Both sides
// write down everything that they are told; the whole text is compared.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/cpg/abandoned_memory.h"
#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

int Verdict() { return ::testing::Test::HasFailure() ? 1 : 0; }

// A client that tells its story: processes as letters, "A" being the test.
// "[AB +B1]" is a view after B joined for reason 1, "[A -B5]" after B went for
// reason 5, "b:text" a message of B.
class Teller {
 public:
  explicit Teller(cpg_model_t model, std::uint32_t pid_of_a,
                  std::uint32_t pid_of_b)
      : client(model), a_(pid_of_a), b_(pid_of_b) {
    client.on_change = [this] {
      const Change& change = client.changes.back();
      std::string text = "[";
      for (const std::uint32_t pid : change.members) text += Letter(pid);
      // Whose process has the lower id, nobody knows beforehand.
      if (change.members.size() == 2) std::sort(text.begin() + 1, text.end());
      EXPECT_TRUE(std::is_sorted(change.members.begin(), change.members.end()));
      text += ' ';
      for (const std::uint32_t pid : change.joined) {
        text += std::string("+") + Letter(pid);
      }
      for (const std::uint32_t pid : change.left) {
        text += std::string("-") + Letter(pid);
      }
      story += text + std::to_string(change.reason) + "] ";
    };
    const auto tell = [this] {
      const Message& message = client.messages.back();
      story += std::string(1, static_cast<char>(Letter(message.pid) + 32)) +
               ":" + message.text + " ";
    };
    client.on_message = [tell](void*, std::size_t) { tell(); };
    client.on_message_in_place = [tell](const void*) { tell(); };
  }
  // Dispatches until the story ends so.
  void DispatchUntil(std::string_view end) {
    client.DispatchUntil([&] { return story.ends_with(end); });
  }

  Client client;
  std::string story;

 private:
  char Letter(std::uint32_t pid) const {
    if (pid == a_) return 'A';
    if (pid == b_) return 'B';
    return '?';
  }
  std::uint32_t a_;
  std::uint32_t b_;
};

class ConfchgTest : public ::testing::TestWithParam<cpg_model_t> {
 protected:
  // A sends 1, B joins, A sends 2, B sends 3; then `end` of B. A's story is
  // compared with `a`, and B tells (and compares) its own in `end`.
  template <typename End>
  void Run(std::string_view a, End end) {
    const std::uint32_t pid_of_a = OwnPid();
    Gate may_join;
    Gate may_end;
    ChildProcess child([&] {
      may_join.Wait();
      auto b = std::make_unique<Teller>(GetParam(), pid_of_a, OwnPid());
      EXPECT_EQ(b->client.Join("story"), CS_OK);
      b->DispatchUntil("a:2 ");
      EXPECT_EQ(b->client.Send("3"), CS_OK);
      may_end.Wait();
      end(&b);
      return Verdict();
    });
    Teller teller(GetParam(), pid_of_a,
                  static_cast<std::uint32_t>(child.pid()));
    ASSERT_EQ(teller.client.Join("story"), CS_OK);
    ASSERT_EQ(teller.client.Send("1"), CS_OK);
    teller.DispatchUntil("a:1 ");
    may_join.Signal();
    teller.DispatchUntil("+B1] ");
    ASSERT_EQ(teller.client.Send("2"), CS_OK);
    teller.DispatchUntil("b:3 ");
    ASSERT_EQ(teller.client.Send("4"), CS_OK);
    may_end.Signal();
    teller.client.DispatchUntil(
        [&] { return teller.story.find(" -B") != std::string::npos; });
    (void)child.Join();
    ASSERT_EQ(teller.client.Send("after"), CS_OK);
    teller.DispatchUntil("a:after ");
    EXPECT_EQ(teller.story, "[A +A1] a:1 [AB +B1] a:2 b:3 a:4 " +
                                std::string(a) + "a:after ");
  }
};

constexpr const char* kJoinersStory = "[AB +B1] a:2 ";

TEST_P(ConfchgTest, LeaverGetsWhatCameBeforeThenItselfInTheLeftList) {
  Run("b:last [A -B2] ", [](std::unique_ptr<Teller>* b) {
    EXPECT_EQ((*b)->client.Send("last"), CS_OK);
    EXPECT_EQ((*b)->client.Leave("story"), CS_OK);
    EXPECT_EQ((*b)->client.Send("too late"), CS_ERR_NOT_EXIST);
    (*b)->DispatchUntil("-B2] ");
    EXPECT_EQ((*b)->story,
              std::string(kJoinersStory) + "b:3 a:4 b:last [A -B2] ");
    EXPECT_EQ((*b)->client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING),
              CS_ERR_TRY_AGAIN);
  });
}

TEST_P(ConfchgTest, FinalizerGetsNothingMoreAndTheOthersAProcdown) {
  Run("b:last [A -B5] ", [](std::unique_ptr<Teller>* b) {
    EXPECT_EQ((*b)->client.Send("last"), CS_OK);
    EXPECT_EQ(cpg_finalize((*b)->client.handle), CS_OK);
    EXPECT_EQ((*b)->client.Dispatch(), CS_ERR_BAD_HANDLE);
    EXPECT_EQ((*b)->story, kJoinersStory);
    b->reset();
  });
}

TEST_P(ConfchgTest, FinalizeAfterAnUndeliveredLeaveIsALeaveToTheOthers) {
  Run("[A -B2] ", [](std::unique_ptr<Teller>* b) {
    EXPECT_EQ((*b)->client.Leave("story"), CS_OK);
    b->reset();
  });
}

TEST_P(ConfchgTest, ExitIsAProcdown) {
  Run("b:last [A -B5] ", [](std::unique_ptr<Teller>* b) {
    EXPECT_EQ((*b)->client.Send("last"), CS_OK);
    std::exit((b->release(), Verdict()));
  });
}

TEST_P(ConfchgTest, ExitWithoutHandlersIsAProcdown) {
  Run("b:last [A -B5] ", [](std::unique_ptr<Teller>* b) {
    EXPECT_EQ((*b)->client.Send("last"), CS_OK);
    _exit((b->release(), Verdict()));
  });
}

TEST_P(ConfchgTest, KillIsAProcdownAfterTheLastMessage) {
  Run("b:last [A -B5] ", [](std::unique_ptr<Teller>* b) {
    EXPECT_EQ((*b)->client.Send("last"), CS_OK);
    kill(getpid(), SIGKILL);
  });
}

TEST_P(ConfchgTest, RejoinThroughAnotherHandleIsALeaveThenAJoinToAll) {
  // The new member reads all of A's later messages, the old one none.
  Run("[A -B2] [AB +B1] b:new [A -B5] ", [](std::unique_ptr<Teller>* b) {
    Client next(GetParam());
    EXPECT_EQ((*b)->client.Leave("story"), CS_OK);
    EXPECT_EQ(next.Join("story"), CS_OK);
    EXPECT_EQ(next.Send("new"), CS_OK);
    next.DispatchUntilMessages(1);
    EXPECT_EQ(next.changes[0].members.size(), 2U);
    EXPECT_EQ(next.Texts(), std::vector<std::string>{"new"});
    (*b)->DispatchUntil("-B2] ");
    EXPECT_EQ((*b)->story, std::string(kJoinersStory) + "b:3 a:4 [A -B2] ");
  });
}

TEST(MemberListTest, IsSortedByNodeFirstAndByProcessSecond) {
  Gate joined;
  Gate end;
  std::vector<std::unique_ptr<ChildProcess>> children;
  std::vector<std::uint32_t> expected;
  for (const char* node : {"9", "2", "2"}) {
    children.push_back(std::make_unique<ChildProcess>([&, node] {
      setenv("ZCB_NODEID", node, 1);
      Client client;
      EXPECT_EQ(client.Join("sorted"), CS_OK);
      joined.Signal();
      end.Wait();
      return Verdict();
    }));
    joined.Wait();
    expected.push_back(static_cast<std::uint32_t>(children.back()->pid()));
  }
  // Ours is node 1; then those of node 2 by process; 9 is last.
  expected = {OwnPid(), std::min(expected[1], expected[2]),
              std::max(expected[1], expected[2]), expected[0]};
  Client client;
  client.Enter("sorted");
  EXPECT_EQ(client.changes[0].members, expected);
  cpg_name name = Named("sorted");
  cpg_address members[CPG_MEMBERS_MAX];
  int count = 0;
  ASSERT_EQ(cpg_membership_get(client.handle, &name, members, &count), CS_OK);
  ASSERT_EQ(count, 4);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(members[i].pid, expected[i]);
    EXPECT_EQ(members[i].nodeid, std::vector<std::uint32_t>({1, 2, 2, 9})[i]);
  }
  for (std::size_t i = 0; i < children.size(); ++i) end.Signal();
  for (auto& child : children) EXPECT_EQ(child->Join(), 0);
}

INSTANTIATE_TEST_SUITE_P(Models, ConfchgTest,
                         ::testing::Values(CPG_MODEL_V1, CPG_MODEL_ZCB),
                         [](const auto& model) {
                           return model.param == CPG_MODEL_V1 ? "V1" : "Zcb";
                         });

}  // namespace
}  // namespace zcb::cpg::testing
