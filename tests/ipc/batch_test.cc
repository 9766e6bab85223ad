// Several messages at a time: SendBatch, NextBatch, DoneBatch.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "ipc/message_header.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using Texts = std::vector<std::string>;

class BatchTest : public MemberTest {
 protected:
  iovec Message(std::string_view text) {
    const auto payload = attachment_->AllocPayload(text.size());
    EXPECT_TRUE(payload.ok()) << payload.reason();
    std::memcpy(*payload, text.data(), text.size());
    return {*payload, text.size()};
  }
  std::vector<iovec> Numbered(std::size_t count, std::size_t first = 0) {
    std::vector<iovec> messages;
    for (std::size_t i = 0; i < count; ++i) {
      messages.push_back(Message(std::to_string(first + i)));
    }
    return messages;
  }
  static Texts NumberedTexts(std::size_t count, std::size_t first = 0) {
    Texts texts;
    for (std::size_t i = 0; i < count; ++i) {
      texts.push_back(std::to_string(first + i));
    }
    return texts;
  }
  static Texts TextsOf(std::span<const Event> events) {
    Texts texts;
    for (const Event& event : events) {
      texts.push_back(
          event.kind == Event::Kind::kView
              ? "view"
              : std::string(reinterpret_cast<const char*>(event.payload),
                            event.length_bytes));
    }
    return texts;
  }
  void FreeAll(std::span<const iovec> messages) {
    for (const iovec& message : messages) {
      EXPECT_TRUE(attachment_->FreePayload(message.iov_base).ok())
          << "what was not sent is the caller's";
    }
  }
  // What is to be read, ended by one DoneBatch().
  Texts TakeBatch(Member& member, std::size_t capacity) {
    std::vector<Event> events(capacity);
    const auto count = member.NextBatch(events);
    EXPECT_TRUE(count.ok()) << count.reason();
    const Texts texts = TextsOf(std::span(events).first(*count));
    member.DoneBatch(*count);
    return texts;
  }
  std::uint64_t OutBuffers() {
    attachment_->ReclaimAllGroups();
    return attachment_->ReadStats().region_out_buffers;
  }
};

// --- send --------------------------------------------------------------------

TEST_F(BatchTest, MessagesOfABatchComeInItsOrder) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*b.member);
  const auto messages = Numbered(100);  // several times what goes together
  std::size_t sent = 0;
  ASSERT_TRUE(a->SendBatch(messages, &sent).ok());
  EXPECT_EQ(sent, 100U);
  EXPECT_EQ(ReadAll(*a.member), NumberedTexts(100));
  EXPECT_EQ(ReadAll(*b.member), NumberedTexts(100));
}

TEST_F(BatchTest, NothingIsABatch) {
  const Joined a = JoinGroup(*attachment_, "g");
  std::size_t sent = 7;
  EXPECT_TRUE(a->SendBatch({}, &sent).ok());
  EXPECT_EQ(sent, 0U);
}

TEST_F(BatchTest, CountersAndTailAreAsAfterAsManySends) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  const std::uint64_t ordered = a->ReadGroupStats().ordered;
  const auto messages = Numbered(40);
  std::size_t sent = 0;
  ASSERT_TRUE(a->SendBatch(messages, &sent).ok());
  EXPECT_EQ(a->counters().sent_messages.Guess(), 40U);
  EXPECT_EQ(a->counters().sent_bytes.Guess(), 10U + 30U * 2);
  EXPECT_EQ(a->ReadGroupStats().ordered, ordered + 40);
  ReadAll(*a.member);
  EXPECT_EQ(OutBuffers(), 0U) << "reclaiming goes as far as the tail";
}

TEST_F(BatchTest, BadMessageEndsABatchThere) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  for (const std::size_t bad : {0U, 3U, 32U, 40U, 49U}) {
    auto messages = Numbered(50);
    std::byte nowhere{};
    const iovec good = messages[bad];
    messages[bad] = {&nowhere, 1};
    std::size_t sent = 99;
    EXPECT_EQ(a->SendBatch(messages, &sent).status(), Status::kInvalidParam);
    EXPECT_EQ(sent, bad);
    EXPECT_EQ(ReadAll(*a.member), NumberedTexts(bad));
    messages[bad] = good;
    FreeAll(std::span(messages).subspan(bad));
  }
}

TEST_F(BatchTest, TooLongAMessageEndsABatchThere) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  auto messages = Numbered(3);
  messages[1].iov_len = 10'000;
  std::size_t sent = 0;
  EXPECT_EQ(a->SendBatch(messages, &sent).status(), Status::kTooBig);
  EXPECT_EQ(sent, 1U);
  FreeAll(std::span(messages).subspan(1));
  ReadAll(*a.member);
}

TEST_F(BatchTest, OneBufferTwiceInABatchIsSentOnce) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  auto messages = Numbered(3);
  messages.push_back(messages[1]);
  std::size_t sent = 0;
  EXPECT_EQ(a->SendBatch(messages, &sent).status(), Status::kInvalidParam);
  EXPECT_EQ(sent, 3U);
  EXPECT_EQ(ReadAll(*a.member), NumberedTexts(3));
}

TEST_F(BatchTest, FullRingTakesWhatGoesAndTheRestStaysTheCallers) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined lazy = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  const std::uint64_t room = a->ReadGroupStats().ring_messages;
  const auto messages = Numbered(room + 10);
  std::size_t sent = 0;
  EXPECT_EQ(a->SendBatch(messages, &sent).status(), Status::kTryAgain);
  EXPECT_LT(sent, messages.size());
  EXPECT_GE(sent, room - 2) << "two places are the joins'";
  EXPECT_EQ(a->counters().refused_sends.Guess(), 1U);
  EXPECT_EQ(ReadAll(*a.member), NumberedTexts(sent));
  EXPECT_EQ(ReadAll(*lazy.member).size(), sent + 1);
  std::size_t more = 0;
  const auto rest = std::span(messages).subspan(sent);
  EXPECT_TRUE(a->SendBatch(rest, &more).ok()) << "there is room again";
  EXPECT_EQ(ReadAll(*lazy.member), NumberedTexts(rest.size(), sent));
  ReadAll(*a.member);
  EXPECT_EQ(OutBuffers(), 0U);
}

TEST_F(BatchTest, BatchGoesOnInARingThatTurns) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  const std::uint64_t room = a->ReadGroupStats().ring_messages;
  for (std::size_t first = 0; first < 3 * room; first += 50) {
    const auto messages = Numbered(50, first);
    std::size_t sent = 0;
    ASSERT_TRUE(a->SendBatch(messages, &sent).ok());
    ASSERT_EQ(ReadAll(*a.member), NumberedTexts(50, first));
  }
}

TEST_F(BatchTest, SendersOneByOneGoOnBehindABatch) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*b.member);
  std::size_t sent = 0;
  ASSERT_TRUE(a->SendBatch(Numbered(5), &sent).ok());
  ASSERT_TRUE(SendText(*b.member, "5").ok());
  ASSERT_TRUE(a->SendBatch(Numbered(5, 6), &sent).ok());
  EXPECT_EQ(ReadAll(*a.member), NumberedTexts(11));
}

TEST_F(BatchTest, PageAlignedPayloadsAreSentInABatch) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  std::vector<iovec> messages;
  for (int i = 0; i < 3; ++i) {
    const auto payload = attachment_->AllocAlignedPayload(4096, 4096);
    ASSERT_TRUE(payload.ok());
    std::memset(*payload, 'a' + i, 4096);
    messages.push_back({*payload, 4096});
  }
  std::size_t sent = 0;
  ASSERT_TRUE(a->SendBatch(messages, &sent).ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ReadOne(*a.member),
              std::string(4096, static_cast<char>('a' + i)));
  }
}

TEST_F(BatchTest, TimeIsInAllOfThemIfWanted) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  std::size_t sent = 0;
  ASSERT_TRUE(a->SendBatch(Numbered(2), &sent, {.stamp_time = true}).ok());
  for (int i = 0; i < 2; ++i) {
    const auto event = a->Next();
    ASSERT_TRUE(event.ok());
    EXPECT_NE(event->send_time_ns, 0U);
    a->Done();
  }
}

TEST_F(BatchTest, WhoLeavesSendsNoBatch) {
  const Joined a = JoinGroup(*attachment_, "g");
  ASSERT_TRUE(a->Leave().ok());
  const auto messages = Numbered(3);
  std::size_t sent = 99;
  EXPECT_EQ(a->SendBatch(messages, &sent).status(), Status::kNotExist);
  EXPECT_EQ(sent, 0U);
  FreeAll(messages);
  ReadAll(*a.member);
}

// --- receive -----------------------------------------------------------------

TEST_F(BatchTest, BatchIsWhatIsThere) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  EXPECT_EQ(TakeBatch(*a.member, 8), Texts{});
  std::size_t sent = 0;
  ASSERT_TRUE(a->SendBatch(Numbered(20), &sent).ok());
  EXPECT_EQ(TakeBatch(*a.member, 8), NumberedTexts(8));
  EXPECT_EQ(TakeBatch(*a.member, 8), NumberedTexts(8, 8));
  EXPECT_EQ(TakeBatch(*a.member, 8), NumberedTexts(4, 16));
  EXPECT_EQ(TakeBatch(*a.member, 8), Texts{});
  EXPECT_EQ(TakeBatch(*a.member, 0), Texts{});
}

TEST_F(BatchTest, ViewComesAlone) {
  const Joined a = JoinGroup(*attachment_, "g");
  EXPECT_EQ(TakeBatch(*a.member, 8), Texts{"view"});
  ASSERT_TRUE(SendText(*a.member, "one").ok());
  ASSERT_TRUE(SendText(*a.member, "two").ok());
  const Joined b = JoinGroup(*attachment_, "g");
  ASSERT_TRUE(SendText(*a.member, "three").ok());
  EXPECT_EQ(TakeBatch(*a.member, 8), (Texts{"one", "two"}));
  EXPECT_EQ(a->view().items().size(), 1U) << "not changed by looking ahead";
  EXPECT_EQ(TakeBatch(*a.member, 8), Texts{"view"});
  EXPECT_EQ(a->view().items().size(), 2U);
  EXPECT_EQ(TakeBatch(*a.member, 8), Texts{"three"});
}

TEST_F(BatchTest, NothingIsGivenBackBeforeTheEndOfTheBatch) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  std::size_t sent = 0;
  ASSERT_TRUE(a->SendBatch(Numbered(4), &sent).ok());
  std::array<Event, 8> events;
  const auto count = a->NextBatch(events);
  ASSERT_TRUE(count.ok());
  ASSERT_EQ(*count, 4U);
  EXPECT_EQ(OutBuffers(), 4U);
  EXPECT_EQ(TextsOf(std::span(events).first(4)), NumberedTexts(4));
  a->DoneBatch(3);
  EXPECT_EQ(OutBuffers(), 4U) << "one is begun";
  a->DoneBatch(1);
  EXPECT_EQ(OutBuffers(), 0U);
}

TEST_F(BatchTest, MessageOfABatchCanBeKept) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  std::size_t sent = 0;
  ASSERT_TRUE(a->SendBatch(Numbered(3), &sent).ok());
  std::array<Event, 3> events;
  ASSERT_EQ(*a->NextBatch(events), 3U);
  ASSERT_TRUE(a->Retain(events[1]).ok());
  a->DoneBatch(3);
  EXPECT_EQ(OutBuffers(), 1U);
  EXPECT_EQ(TextsOf(std::span(events).subspan(1, 1)), Texts{"1"});
  EXPECT_TRUE(attachment_->Release(events[1].payload).ok());
  EXPECT_EQ(OutBuffers(), 0U);
}

TEST_F(BatchTest, OwnLeaveComesAloneAndIsTheLast) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ASSERT_TRUE(SendText(*a.member, "one").ok());
  ASSERT_TRUE(a->Leave().ok());
  EXPECT_EQ(TakeBatch(*a.member, 8), Texts{"one"});
  EXPECT_FALSE(a->left());
  EXPECT_EQ(TakeBatch(*a.member, 8), Texts{"view"});
  EXPECT_TRUE(a->left());
  EXPECT_EQ(TakeBatch(*a.member, 8), Texts{});
}

TEST_F(BatchTest, MessagesOfWhoHasLeftAreLeftOut) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*b.member);
  ASSERT_TRUE(SendText(*a.member, "one").ok());
  // What b sends lies behind its leave: forged, since no honest member does.
  const auto payload = attachment_->AllocPayload(3);
  ASSERT_TRUE(b->Send(*payload, 3).ok());
  reinterpret_cast<MessageHeader*>(*payload - kHeaderBytes)->entry_generation +=
      1;
  ASSERT_TRUE(SendText(*a.member, "two").ok());
  EXPECT_EQ(TakeBatch(*a.member, 8), (Texts{"one", "two"}));
  EXPECT_EQ(OutBuffers(), 3U) << "b has not read";
  ReadAll(*b.member);
}

TEST_F(BatchTest, DamageInTheMiddleIsSaidByTheNextCall) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  const auto messages = Numbered(3);
  std::size_t sent = 0;
  ASSERT_TRUE(a->SendBatch(messages, &sent).ok());
  reinterpret_cast<MessageHeader*>(
      static_cast<std::byte*>(messages[1].iov_base) - kHeaderBytes)
      ->magic = 0;
  EXPECT_EQ(TakeBatch(*a.member, 8), Texts{"0"});
  std::array<Event, 8> events;
  EXPECT_EQ(a->NextBatch(events).status(), Status::kLibrary);
  LeaveDamaged();
}

TEST_F(BatchTest, WhoIsPutOutGetsNoBatch) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined lazy = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*lazy.member);
  const std::uint64_t room = a->ReadGroupStats().ring_messages;
  SendOptions options;
  options.evict_after_ms = 1;
  std::size_t put_out_after = 0;
  while (!lazy->WasEvicted()) {
    ASSERT_LT(put_out_after, 1'000'000'000U);
    const auto messages = Numbered(room / 4);
    std::size_t sent = 0;
    const Outcome outcome = a->SendBatch(messages, &sent, options);
    FreeAll(std::span(messages).subspan(sent));
    ASSERT_TRUE(outcome.ok() || outcome.status() == Status::kTryAgain);
    ReadAll(*a.member);
    ++put_out_after;
  }
  std::array<Event, 8> events;
  EXPECT_EQ(lazy->NextBatch(events).status(), Status::kLibrary);
  const auto messages = Numbered(2);
  std::size_t sent = 0;
  EXPECT_EQ(lazy->SendBatch(messages, &sent).status(), Status::kLibrary);
  FreeAll(messages);
}

}  // namespace
}  // namespace zcb::ipc
