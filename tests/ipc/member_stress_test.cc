// Many members in threads on one mapping: for TSAN, and for the total order.
#include <gtest/gtest.h>

#include <array>
#include <latch>
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

// Sends `count` notes between reads, and reads until it has seen them all.
void Talk(Attachment& attachment, const Joined& me, std::uint32_t id,
          std::uint32_t count, std::uint32_t expected, bool keep_some,
          std::vector<Note>* seen) {
  std::uint32_t sent = 0;
  std::vector<const std::byte*> kept;
  while (seen->size() < expected || sent < count) {
    if (sent < count) {
      const auto payload = attachment.AllocPayload(64 + sent % 300);
      ASSERT_TRUE(payload.ok()) << payload.reason();
      const Note note{id, sent};
      std::memcpy(*payload, &note, sizeof(note));
      const Outcome outcome = me->Send(*payload, 64 + sent % 300);
      if (outcome.ok()) {
        ++sent;
      } else {
        ASSERT_EQ(outcome.status(), Status::kTryAgain) << outcome.reason();
        ASSERT_TRUE(attachment.FreePayload(*payload).ok());
      }
    }
    for (int burst = 0; burst < 4; ++burst) {
      const auto event = me->Next();
      ASSERT_TRUE(event.ok()) << event.reason();
      if (event->kind == Event::Kind::kNothing) break;
      if (event->kind == Event::Kind::kMessage) {
        Note note;
        std::memcpy(&note, event->payload, sizeof(note));
        seen->push_back(note);
        if (keep_some && note.number % 7 == 0 && me->Retain(*event).ok()) {
          kept.push_back(event->payload);
        }
      }
      me->Done();
      if (kept.size() > 16) {
        ASSERT_TRUE(attachment.Release(kept.back()).ok());
        kept.pop_back();
      }
    }
  }
  for (const std::byte* payload : kept) {
    ASSERT_TRUE(attachment.Release(payload).ok());
  }
}

TEST_F(MemberTest, ThreadsThatAllSendReadOneSequenceWithoutGapOrDouble) {
  constexpr std::uint32_t kThreads = 4;
  constexpr std::uint32_t kEach = 5000;
  std::vector<Joined> members;
  for (std::uint32_t i = 0; i < kThreads; ++i) {
    members.push_back(JoinGroup(*attachment_, "g"));
  }
  std::array<std::vector<Note>, kThreads> seen;
  std::latch gate(kThreads);
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      gate.arrive_and_wait();
      Talk(*attachment_, members[i], i, kEach, kThreads * kEach, i % 2 == 1,
           &seen[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::uint32_t i = 1; i < kThreads; ++i) {
    ASSERT_EQ(seen[i], seen[0]) << "member " << i << " saw another order";
  }
  std::array<std::uint32_t, kThreads> next{};
  for (const Note note : seen[0]) {
    ASSERT_EQ(note.number, next[note.sender]) << "FIFO per sender";
    ++next[note.sender];
  }
  members.clear();
  EXPECT_EQ(attachment_->ReadStats().unreclaimed, 0U);
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
  EXPECT_EQ(attachment_->ReadStats().allocator.live_buffers, 0U);
}

// The reader sends nothing and never sleeps: its cursor alone says that it has
// done with a buffer.
TEST_F(MemberTest, BufferIsReusedOnlyAfterItsReaderIsDone) {
  constexpr std::uint32_t kMessages = 30000;
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined reader = JoinGroup(*attachment_, "g");
  std::thread read([&] {
    for (std::uint32_t got = 0; got < kMessages;) {
      const std::string text = ReadOne(*reader.member);
      if (text.starts_with('m')) ++got;
      if (text.empty()) std::this_thread::yield();
    }
  });
  for (std::uint32_t sent = 0; sent < kMessages;) {
    if (SendText(*sender.member, std::string(100, 'm')).ok()) ++sent;
    ReadAll(*sender.member);
  }
  read.join();
}

// Sleepers that wait on their bells, senders that never wait for them.
TEST_F(MemberTest, NoSleeperIsForgotten) {
  constexpr std::uint32_t kSleepers = 3;
  constexpr std::uint32_t kMessages = 3000;
  const Joined sender = JoinGroup(*attachment_, "g");
  std::vector<Joined> members;
  for (std::uint32_t i = 0; i < kSleepers; ++i) {
    members.push_back(JoinGroup(*attachment_, "g"));
  }
  std::vector<std::thread> threads;
  for (const Joined& joined : members) {
    threads.emplace_back([&joined] {
      for (std::uint32_t got = 0; got < kMessages;) {
        const std::string text = ReadOne(*joined.member);
        if (text == "m") ++got;
        if (!text.empty()) continue;
        // A lost wake-up would hang here for ever: the test's time limit says
        // so.
        if (!joined->AnnounceSleep()) joined.bell->Wait(Deadline::Never());
        if (joined->AnnounceAwake()) joined.bell->Drain();
      }
    });
  }
  for (std::uint32_t sent = 0; sent < kMessages;) {
    if (SendText(*sender.member, "m").ok()) ++sent;
    ReadAll(*sender.member);
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(MemberTest, MembersComeAndGoWhileOthersTalk) {
  constexpr std::uint32_t kMessages = 4000;
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined reader = JoinGroup(*attachment_, "g");
  std::atomic<bool> done{false};
  std::thread churn([&] {
    std::uint32_t round = 0;
    // relaxed: only says when to stop
    while (!done.load(std::memory_order_relaxed)) {
      Joined guest;
      guest.bell = std::move(*attachment_->MakeDoorbell());
      auto member = attachment_->Join(Named("g"), guest.bell.get(),
                                      Attachment::Membership::kMany);
      if (!member) {
        // Guests go faster than the readers read of it: entries come free when
        // the records are out of the ring.
        ASSERT_EQ(member.status(), Status::kNoResources) << member.reason();
        std::this_thread::yield();
        continue;
      }
      guest.member = std::move(*member);
      ASSERT_EQ(ReadOne(*guest.member).substr(0, 4), "join");
      if (++round % 2 == 0) {
        ASSERT_TRUE(guest->Leave().ok());
        while (!guest->left()) ReadOne(*guest.member);
      }
    }
  });
  std::thread talk([&] {
    for (std::uint32_t sent = 0; sent < kMessages;) {
      if (SendText(*sender.member, std::to_string(sent)).ok()) ++sent;
      ReadAll(*sender.member);
    }
  });
  std::uint32_t next = 0;
  std::int64_t members = 0;
  while (next < kMessages) {
    const std::string text = ReadOne(*reader.member);
    if (text.empty()) continue;
    if (text[0] == 'j') {
      ++members;
    } else if (text[0] == 'l' || text[0] == 'd') {
      --members;
    } else {
      ASSERT_EQ(text, std::to_string(next));
      ++next;
    }
  }
  talk.join();
  done.store(true, std::memory_order_relaxed);
  churn.join();
  for (const std::string& text : ReadAll(*reader.member)) {
    members += text[0] == 'j' ? 1 : -1;
  }
  EXPECT_EQ(members, 1) << "every guest that came went; the reader's own join "
                           "counts, the sender's was before";
}

}  // namespace
}  // namespace zcb::ipc
