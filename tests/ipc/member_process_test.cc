// Groups across processes, some of which are killed.
#include <gtest/gtest.h>

#include <poll.h>

#include <array>

#include "allocator/buffer_word.h"
#include "tests/ipc/member_fixture.h"
#include "tests/support/child_process.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::TempDirectory;

// A process's own attachment and member, as a child makes them.
struct Peer {
  std::shared_ptr<Attachment> attachment;
  Joined joined;

  explicit Peer(const TempDirectory& directory, std::string_view group = "g") {
    auto opened = Attachment::Open(OptionsIn(directory.path()));
    if (!opened) return;
    attachment = *opened;
    joined = JoinGroup(*attachment, group);
  }
  // Waits by the doorbell, as an application does.
  std::string ReadWaiting() {
    for (;;) {
      std::string text = ReadOne(*joined.member);
      if (!text.empty()) return text;
      if (!joined->AnnounceSleep()) joined.bell->Wait(Deadline::Never());
      if (joined->AnnounceAwake()) joined.bell->Drain();
    }
  }
  void SendPatiently(std::string_view text) {
    while (!SendText(*joined.member, text).ok()) ReadAll(*joined.member);
  }
};

TEST(MemberProcessTest, MessagesAndViewsCrossProcesses) {
  TempDirectory directory;
  Gate parent_is_in;
  ChildProcess child([&] {
    parent_is_in.Wait();
    Peer peer(directory);
    if (peer.ReadWaiting() != "join 2") return 1;
    if (peer.ReadWaiting() != "hello") return 2;
    peer.SendPatiently("hello yourself");
    if (peer.ReadWaiting() != "hello yourself") return 3;
    if (!peer.joined->Leave().ok()) return 4;
    if (peer.ReadWaiting() != "leave 1") return 5;
    return 0;
  });
  Peer peer(directory);
  EXPECT_EQ(peer.ReadWaiting(), "join 1");
  parent_is_in.Signal();
  EXPECT_EQ(peer.ReadWaiting(), "join 2");
  peer.SendPatiently("hello");
  EXPECT_EQ(peer.ReadWaiting(), "hello");
  EXPECT_EQ(peer.ReadWaiting(), "hello yourself");
  EXPECT_EQ(peer.ReadWaiting(), "leave 1");
  EXPECT_EQ(child.Join(), 0);
}

TEST(MemberProcessTest, KilledReceiverIsNoticedAndHoldsNobodyUp) {
  TempDirectory directory;
  Gate ready;
  Gate never;
  ChildProcess child([&] {
    Peer peer(directory);
    ready.Signal();
    never.Wait();  // joined, and reads nothing
    return 0;
  });
  ready.Wait();
  Peer peer(directory);
  EXPECT_EQ(peer.ReadWaiting(), "join 2");
  while (SendText(*peer.joined.member, "x").ok()) ReadAll(*peer.joined.member);
  child.Kill();
  EXPECT_EQ(child.Join(), 128 + SIGKILL);
  // Its death is in the order without anybody sending, and there is room.
  EXPECT_EQ(peer.ReadWaiting(), "down 1");
  EXPECT_TRUE(SendText(*peer.joined.member, "y").ok());
  EXPECT_EQ(peer.ReadWaiting(), "y");
}

TEST(MemberProcessTest, SleepingMembersLearnOfADeathByTheirDoorbells) {
  TempDirectory directory;
  Gate ready;
  Gate never;
  ChildProcess victim([&] {
    Peer peer(directory);
    ready.Signal();
    never.Wait();
    return 0;
  });
  ready.Wait();
  Peer peer(directory);
  EXPECT_EQ(peer.ReadWaiting(), "join 2");
  peer.joined->AnnounceSleep();
  victim.Kill();
  peer.joined.bell->Wait(
      Deadline::Never());  // rung by the watcher, or this hangs
  EXPECT_EQ(peer.ReadWaiting(), "down 1");
}

TEST(MemberProcessTest, ExecEndsTheMembership) {
  TempDirectory directory;
  Gate ready;
  Gate go;
  ChildProcess child([&] {
    Peer peer(directory);
    ready.Signal();
    go.Wait();
    execl("/bin/sleep", "sleep", "1000", nullptr);
    return 1;
  });
  ready.Wait();
  Peer peer(directory);
  EXPECT_EQ(peer.ReadWaiting(), "join 2");
  go.Signal();
  EXPECT_EQ(peer.ReadWaiting(), "down 1");
  EXPECT_EQ(kill(child.pid(), 0), 0) << "the process lives on";
}

// FNV-1a over all messages up to the sender's end.
std::uint64_t DigestUntilDown(Peer& peer) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (;;) {
    const std::string text = peer.ReadWaiting();
    if (text.starts_with("down")) return hash;
    if (text.starts_with("join")) continue;
    for (const char c : text) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
  }
}

// Kills a sender at random places of its stream, many times: what one survivor
// reads, the other reads, and every buffer comes back.
TEST(MemberProcessTest, KilledSendersLeaveOneSequenceAndNoBufferBehind) {
  TempDirectory directory;
  constexpr int kRounds = 40;
  for (int round = 0; round < kRounds; ++round) {
    Gate reader_is_in;
    Gate all_are_in;
    Gate flowing;
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    ChildProcess sender([&] {
      all_are_in.Wait();
      Peer peer(directory);
      for (std::uint32_t i = 0;; ++i) {
        peer.SendPatiently(std::string(64 + i % 2000, 'a') + std::to_string(i));
        ReadAll(*peer.joined.member);
        if (i == 20) flowing.Signal();
      }
      return 0;
    });
    ChildProcess reader([&] {
      Peer peer(directory);
      reader_is_in.Signal();
      const std::uint64_t hash = DigestUntilDown(peer);
      return write(ends[1], &hash, sizeof(hash)) == sizeof(hash) ? 0 : 3;
    });
    reader_is_in.Wait();
    Peer peer(directory);
    all_are_in.Signal();
    flowing.Wait();
    sender.Kill();
    const std::uint64_t mine = DigestUntilDown(peer);
    std::uint64_t theirs = 0;
    ASSERT_EQ(read(ends[0], &theirs, sizeof(theirs)),
              static_cast<ssize_t>(sizeof(theirs)));
    EXPECT_EQ(mine, theirs);
    EXPECT_EQ(sender.Join(), 128 + SIGKILL);
    EXPECT_EQ(reader.Join(), 0);
    close(ends[0]);
    close(ends[1]);
    EXPECT_EQ(peer.ReadWaiting(), "down 1") << "the reader's end";
    // The watcher reaps on; its last step frees the lease.
    while (peer.attachment->ReadStats().live_leases != 1) {
    }
    peer.attachment->RelievePressure();
    const auto stats = peer.attachment->ReadStats();
    EXPECT_EQ(stats.unreclaimed, 0U) << "round " << round;
    EXPECT_EQ(stats.region_out_buffers, 0U) << "round " << round;
    ExpectClean(*peer.attachment);
  }
}

// Dies between the buffer's word and the slot: the message is not in the
// order, and its buffer must come back.
TEST(MemberProcessTest, BufferMarkedAsSentButNotPublishedComesBack) {
  TempDirectory directory;
  Gate marked;
  Gate never;
  ChildProcess child([&] {
    Peer peer(directory);
    alloc::Allocator& allocator = peer.attachment->allocator();
    const auto group = peer.attachment->directory().Find(Named("g"));
    const auto place = allocator.BeginSend(*allocator.Alloc(1000));
    const alloc::BufferWord home(place->word->load(std::memory_order_relaxed));
    place->word->store(
        home.Send((*group)->group_slot(), (*group)->header().tail.load()).raw(),
        std::memory_order_release);
    allocator.CommitSend(*place);
    marked.Signal();
    never.Wait();
    return 0;
  });
  marked.Wait();
  Peer peer(directory);
  EXPECT_EQ(peer.attachment->ReadStats().region_out_buffers, 1U);
  ExpectSound(*peer.attachment);
  child.Kill();
  while (peer.attachment->ReadStats().live_leases != 1) {
  }
  EXPECT_EQ(peer.attachment->ReadStats().region_out_buffers, 0U);
  ExpectClean(*peer.attachment);
}

// Dies right after the slot: the message is in the order for ever.
TEST(MemberProcessTest, MessageOfAKilledSenderIsStillDelivered) {
  TempDirectory directory;
  Gate parent_is_in;
  Gate sent;
  Gate never;
  ChildProcess child([&] {
    parent_is_in.Wait();
    Peer peer(directory);
    for (int i = 0; i < 100; ++i) {
      // In turns with the header in line, and elsewhere.
      const auto payload =
          i % 2 == 0 ? peer.attachment->AllocPayload(3000)
                     : peer.attachment->AllocAlignedPayload(3000, 4096);
      if (!payload) return 1;
      std::memset(*payload, 'a' + i % 26, 3000);
      while (!peer.joined->Send(*payload, 3000)) ReadAll(*peer.joined.member);
    }
    sent.Signal();
    never.Wait();
    return 0;
  });
  Peer peer(directory);
  parent_is_in.Signal();
  sent.Wait();
  child.Kill();
  // We have not read that it joined, so nobody watches it: under pressure (or
  // at the next join) it is found all the same.
  while (peer.attachment->ReadStats().live_leases != 1) {
    peer.attachment->RelievePressure();
  }
  // Its units are anybody's now; what is unread must not be handed out again.
  std::vector<std::byte*> mine;
  for (int i = 0; i < 2000; ++i) {
    const auto payload = i % 2 == 0
                             ? peer.attachment->AllocPayload(3000)
                             : peer.attachment->AllocAlignedPayload(3000, 4096);
    ASSERT_TRUE(payload.ok());
    std::memset(*payload, '!', 3000);
    mine.push_back(*payload);
  }
  EXPECT_EQ(peer.ReadWaiting(), "join 1");
  EXPECT_EQ(peer.ReadWaiting(), "join 2");
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(peer.ReadWaiting(),
              std::string(3000, static_cast<char>('a' + i % 26)));
  }
  EXPECT_EQ(peer.ReadWaiting(), "down 1");
  for (std::byte* payload : mine) {
    ASSERT_TRUE(peer.attachment->FreePayload(payload).ok());
  }
  peer.attachment->RelievePressure();
  EXPECT_EQ(peer.attachment->ReadStats().region_out_buffers, 0U);
  ExpectClean(*peer.attachment);
}

TEST(MemberProcessTest, WhatADeadProcessKeptIsLetGo) {
  TempDirectory directory;
  Gate kept;
  Gate never;
  ChildProcess child([&] {
    Peer peer(directory);
    for (;;) {
      const auto event = peer.joined->Next();
      if (event.ok() && event->kind == Event::Kind::kMessage) {
        if (!peer.joined->Retain(*event).ok()) return 1;
        peer.joined->Done();
        kept.Signal();
        never.Wait();
      } else if (event.ok() && event->kind == Event::Kind::kView) {
        peer.joined->Done();
        if (peer.joined->view().items().size() == 2) kept.Signal();
      }
    }
    return 0;
  });
  Peer peer(directory);
  kept.Wait();
  ASSERT_TRUE(SendText(*peer.joined.member, "keep").ok());
  kept.Wait();
  ReadAll(*peer.joined.member);
  peer.attachment->RelievePressure();
  EXPECT_EQ(peer.attachment->ReadStats().region_out_buffers, 1U);
  ExpectClean(*peer.attachment);
  child.Kill();
  while (peer.ReadWaiting().substr(0, 4) != "down") {
  }
  // The watcher publishes the death before it lets the keeps go.
  while (peer.attachment->ReadStats().live_leases != 1) {
  }
  while (peer.attachment->ReadStats().region_out_buffers != 0) {
    peer.attachment->RelievePressure();
  }
  ExpectClean(*peer.attachment);
}

TEST(MemberProcessTest, AfterAKillOfAllTheNextStartIsCleanAndNothingGrows) {
  TempDirectory directory;
  // The region's three, and a bell and a life of each process: of two that are
  // here, and of two that the last round's survivor may have begun to reap.
  constexpr std::size_t kMostFiles = 3 + 2 * 4;
  for (int round = 0; round < 30; ++round) {
    Gate ready;
    Gate never;
    const auto live = [&] {
      Peer peer(directory);
      (void)SendText(*peer.joined.member, "x");
      ready.Signal();
      never.Wait();
      return 0;
    };
    ChildProcess a(live);
    ChildProcess b(live);
    ready.Wait();
    ready.Wait();
    a.Kill();
    b.Kill();
    a.Join();
    b.Join();
    EXPECT_LE(directory.CountFiles(), kMostFiles) << "round " << round;
  }
  {
    Peer peer(directory);
    EXPECT_EQ(ReadAll(*peer.joined.member),
              (std::vector<std::string>{"join 1"}));
    ExpectClean(*peer.attachment);
  }
  EXPECT_EQ(directory.CountFiles(), 0U) << "the last one cleans up";
}

TEST(MemberProcessTest, ForkedChildOwnsNothingAndMayStartAnew) {
  TempDirectory directory;
  Peer peer(directory);
  EXPECT_EQ(peer.ReadWaiting(), "join 1");
  Gate done;
  ChildProcess child([&] {
    if (peer.attachment->IsOurs()) return 1;
    peer.joined.member.reset();  // must not leave in the parent's name
    peer.joined.bell.reset();
    peer.attachment.reset();
    Peer own(directory);
    if (own.joined.member == nullptr) return 2;
    if (ReadAll(*own.joined.member).back() != "join 2") return 3;
    own.joined.member.reset();
    return 0;
  });
  EXPECT_EQ(peer.ReadWaiting(), "join 2");
  EXPECT_EQ(peer.ReadWaiting(), "down 1");
  EXPECT_EQ(child.Join(), 0);
  EXPECT_TRUE(SendText(*peer.joined.member, "still here").ok());
  EXPECT_EQ(peer.ReadWaiting(), "still here");
}

}  // namespace
}  // namespace zcb::ipc
