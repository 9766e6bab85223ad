// Batches against batches, and against single sends and reads, in threads on
// one mapping: one order, nothing lost, nothing doubled, nothing left.
#include <gtest/gtest.h>

#include <array>
#include <latch>
#include <span>
#include <thread>
#include <vector>

#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers

struct Note {
  std::uint32_t sender;
  std::uint32_t number;
  friend bool operator==(Note, Note) = default;
};

// The notes that are to be sent next, at most `most`.
std::vector<iovec> Write(Attachment& attachment, std::uint32_t id,
                         std::uint32_t first, std::uint32_t most) {
  std::vector<iovec> messages;
  for (std::uint32_t i = 0; i < most; ++i) {
    const std::size_t length_bytes = 64 + (first + i) % 300;
    const auto payload = attachment.AllocPayload(length_bytes);
    EXPECT_TRUE(payload.ok()) << payload.reason();
    const Note note{id, first + i};
    std::memcpy(*payload, &note, sizeof(note));
    messages.push_back({*payload, length_bytes});
  }
  return messages;
}

// Batches of up to `most_sent` and of up to `most_read`.
void Talk(Attachment& attachment, const Joined& me, std::uint32_t id,
          std::uint32_t count, std::uint32_t expected, std::uint32_t most_sent,
          std::uint32_t most_read, std::vector<Note>* seen) {
  std::uint32_t sent = 0;
  std::vector<Event> events(most_read);
  while (seen->size() < expected || sent < count) {
    if (sent < count) {
      const auto messages =
          Write(attachment, id, sent,
                std::min(1 + (sent * 7 + id) % most_sent, count - sent));
      std::size_t now = 0;
      const Outcome outcome = me->SendBatch(messages, &now);
      ASSERT_TRUE(outcome.ok() || outcome.status() == Status::kTryAgain)
          << outcome.reason();
      ASSERT_EQ(outcome.ok(), now == messages.size());
      for (const iovec& message : std::span(messages).subspan(now)) {
        ASSERT_TRUE(attachment.FreePayload(message.iov_base).ok());
      }
      sent += static_cast<std::uint32_t>(now);
    }
    const auto begun = me->NextBatch(events);
    ASSERT_TRUE(begun.ok()) << begun.reason();
    for (const Event& event : std::span(events).first(*begun)) {
      if (event.kind != Event::Kind::kMessage) continue;
      Note note;
      std::memcpy(&note, event.payload, sizeof(note));
      seen->push_back(note);
    }
    me->DoneBatch(*begun);
  }
}

class BatchStressTest : public MemberTest {
 protected:
  struct Habit {
    std::uint32_t most_sent;
    std::uint32_t most_read;
  };
  // A thread for each habit, all members of one group.
  void AllTalk(std::span<const Habit> habits, std::uint32_t each) {
    const auto count = static_cast<std::uint32_t>(habits.size());
    std::vector<Joined> members;
    for (std::uint32_t i = 0; i < count; ++i) {
      members.push_back(JoinGroup(*attachment_, "g"));
    }
    std::vector<std::vector<Note>> seen(count);
    std::latch gate(count);
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        gate.arrive_and_wait();
        Talk(*attachment_, members[i], i, each, count * each,
             habits[i].most_sent, habits[i].most_read, &seen[i]);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::uint32_t i = 1; i < count; ++i) {
      ASSERT_EQ(seen[i], seen[0]) << "member " << i << " saw another order";
    }
    std::vector<std::uint32_t> next(count);
    for (const Note note : seen[0]) {
      ASSERT_EQ(note.number, next[note.sender]) << "FIFO per sender";
      ++next[note.sender];
    }
    members.clear();
    EXPECT_EQ(attachment_->ReadStats().unreclaimed, 0U);
    EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
    EXPECT_EQ(attachment_->ReadStats().allocator.live_buffers, 0U);
  }
};

TEST_F(BatchStressTest, BatchesOfSeveralSendersMakeOneOrder) {
  constexpr Habit kHabits[] = {{40, 64}, {40, 16}, {9, 64}};
  AllTalk(kHabits, 8000);
}

TEST_F(BatchStressTest, BatchesAndSingleOnesMakeOneOrder) {
  constexpr Habit kHabits[] = {{1, 1}, {70, 64}, {1, 64}, {32, 1}};
  AllTalk(kHabits, 5000);
}

// Two threads of one member: one's hints are the other's, too.
TEST_F(BatchStressTest, ThreadsOfOneMemberSendBatchesAtOnce) {
  constexpr std::uint32_t kThreads = 3;
  constexpr std::uint32_t kEach = 6000;
  const Joined member = JoinGroup(*attachment_, "g");
  std::vector<std::thread> threads;
  for (std::uint32_t id = 0; id < kThreads; ++id) {
    threads.emplace_back([&, id] {
      for (std::uint32_t sent = 0; sent < kEach;) {
        const auto messages = Write(*attachment_, id, sent,
                                    std::min(1 + sent % 40, kEach - sent));
        std::size_t now = 0;
        const Outcome outcome = member->SendBatch(messages, &now);
        ASSERT_TRUE(outcome.ok() || outcome.status() == Status::kTryAgain);
        for (const iovec& message : std::span(messages).subspan(now)) {
          ASSERT_TRUE(attachment_->FreePayload(message.iov_base).ok());
        }
        sent += static_cast<std::uint32_t>(now);
        if (now == 0) std::this_thread::yield();
      }
    });
  }
  std::array<std::uint32_t, kThreads> next{};
  std::array<Event, 64> events;
  for (std::uint32_t got = 0; got < kThreads * kEach;) {
    const auto begun = member->NextBatch(events);
    ASSERT_TRUE(begun.ok()) << begun.reason();
    for (const Event& event : std::span(events).first(*begun)) {
      if (event.kind != Event::Kind::kMessage) continue;
      Note note;
      std::memcpy(&note, event.payload, sizeof(note));
      ASSERT_EQ(note.number, next[note.sender]) << "FIFO per thread";
      ++next[note.sender];
      ++got;
    }
    member->DoneBatch(*begun);
    if (*begun == 0) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace zcb::ipc
