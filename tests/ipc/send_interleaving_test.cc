// A sender's end comes before any one instruction of its send: what was
// accepted is delivered, before that end, and what was refused is not, and is
// still the sender's.
#include <functional>

#include "ipc/eviction.h"
#include "tests/ipc/member_fixture.h"
#include "tests/support/single_step.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using zcb::testing::SingleStep;
using Texts = std::vector<std::string>;
constexpr std::string_view kText = "text";
using Send = std::function<Outcome(Member&, std::byte* payload)>;
using End = std::function<void(Member&, const GroupView&)>;

class SendInterleavingTest : public MemberTest {
 protected:
  // `end_text` is what the others read of that end. Each `stride`th instruction
  // will do: whatever it is that matters takes some.
  void Check(int stride, const Send& send, const End& end,
             const std::string& end_text) {
    const SingleStep step;
    int accepted = 0;
    int refused = 0;
    int instruction = 0;
    for (bool is_inside = true; is_inside; instruction += stride) {
      const Joined witness = JoinGroup(*attachment_, "g");
      Joined sender = JoinGroup(*attachment_, "g");
      ReadAll(*witness.member);
      ReadAll(*sender.member);
      const auto found = attachment_->directory().Find(Named("g"));
      ASSERT_TRUE(found.ok() && found->has_value());
      const GroupView group = **found;
      const auto payload = attachment_->AllocPayload(kText.size());
      ASSERT_TRUE(payload.ok());
      std::memcpy(*payload, kText.data(), kText.size());
      Outcome sent;
      is_inside = SingleStep::Run(
          instruction, [&] { end(*sender.member, group); },
          [&] { sent = send(*sender.member, *payload); });
      if (!is_inside) end(*sender.member, group);
      ++(sent ? accepted : refused);
      if (!sent) {
        EXPECT_TRUE(attachment_->FreePayload(*payload).ok());
      }
      EXPECT_EQ(
          ReadAll(*witness.member),
          sent ? Texts({std::string(kText), end_text}) : Texts({end_text}))
          << "at instruction " << instruction << ": " << sent.reason();
      sender.member.reset();
      ReadAll(*witness.member);
    }
    EXPECT_GT(accepted, 1);
    EXPECT_GT(refused, 1);
    EXPECT_GT(instruction, 200);
  }
};

Outcome SendOne(Member& sender, std::byte* payload) {
  return sender.Send(payload, kText.size());
}

Outcome SendBatchOfOne(Member& sender, std::byte* payload) {
  const iovec message{payload, kText.size()};
  std::size_t count = 0;
  return sender.SendBatch({&message, 1}, &count, {});
}

// The sender's entry is the second.
void EvictIt(Member&, const GroupView& group) {
  const EntryWord seen(group.entry(1).word.load());
  EXPECT_TRUE(Evict(group, 1, seen));
}

void LeaveIt(Member& sender, const GroupView&) {
  EXPECT_TRUE(sender.Leave().ok());
}

TEST_F(SendInterleavingTest, WhoIsEvictedWhileItSends) {
  Check(3, SendOne, EvictIt, "down 1");
}

TEST_F(SendInterleavingTest, WhoLeavesWhileItSends) {
  Check(3, SendOne, LeaveIt, "leave 1");
}

TEST_F(SendInterleavingTest, WhoIsEvictedWhileItSendsABatch) {
  Check(7, SendBatchOfOne, EvictIt, "down 1");
}

TEST_F(SendInterleavingTest, WhoLeavesWhileItSendsABatch) {
  Check(7, SendBatchOfOne, LeaveIt, "leave 1");
}

}  // namespace
}  // namespace zcb::ipc
