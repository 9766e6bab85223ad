// Members put out at any moment of their lives: while they join, send, leave
// and go; by several evictors at once. Nobody reads messages but those who are
// never put out: a reader that is may see bytes change, as TSAN would say.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <map>
#include <thread>
#include <vector>

#include "ipc/eviction.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using Phase = EntryWord::Phase;

constexpr std::uint16_t kObservers = 2;  // entries 0 and 1
constexpr int kVictims = 3;
constexpr int kLives = 200;

// What an observer has seen, in order: the size of the view after each change,
// the change, and the messages between.
struct Log {
  std::vector<std::string> lines;
  int joins = 0;
  int ends = 0;
};

void ReadLogged(Member& member, Log* log) {
  for (std::string line = ReadOne(member); !line.empty();
       line = ReadOne(member)) {
    if (line.starts_with("join")) ++log->joins;
    if (line.starts_with("leave") || line.starts_with("down")) ++log->ends;
    ASSERT_FALSE(line.starts_with("error")) << line;
    log->lines.push_back(line);
  }
}

// One life; what a member may do about it.
void Live(Attachment& attachment, int number, bool reads) {
  auto bell = attachment.MakeDoorbell();
  ASSERT_TRUE(bell.ok()) << bell.reason();
  auto joined =
      attachment.Join(Named("g"), bell->get(), Attachment::Membership::kMany);
  while (joined.status() == Status::kNoResources) {
    // The observers are behind, and entries wait for them.
    std::this_thread::yield();
    joined =
        attachment.Join(Named("g"), bell->get(), Attachment::Membership::kMany);
  }
  if (!joined.ok()) {
    ASSERT_EQ(joined.status(), Status::kLibrary) << joined.reason();
    return;  // put out while it joined
  }
  Member& member = **joined;
  if (!reads) {
    for (int i = 0; i < number % 5; ++i) {
      const Outcome sent = SendText(member, "m");
      if (!sent) {
        ASSERT_TRUE(sent.status() == Status::kLibrary ||
                    sent.status() == Status::kTryAgain)
            << sent.reason();
      }
    }
  }
  if (number % 3 == 0) (void)member.Leave();
  while (number % 4 == 0 && !member.WasEvicted()) std::this_thread::yield();
  if (!reads) return;
  // To the own leave, or until it is put out.
  for (int i = 0; i < 1000 && !member.left(); ++i) {
    const auto event = member.Next();
    if (!event.ok()) {
      ASSERT_EQ(event.status(), Status::kLibrary);
      ASSERT_TRUE(member.WasEvicted());
      return;
    }
    if (event->kind != Event::Kind::kNothing) member.Done();
  }
}

class EvictionStressTest : public MemberTest {
 protected:
  void Run(bool victims_read) {
    std::vector<Joined> observers;
    for (int i = 0; i < kObservers; ++i) {
      observers.push_back(JoinGroup(*attachment_, "g"));
    }
    const auto found = attachment_->directory().Find(Named("g"));
    ASSERT_TRUE(found.ok() && found->has_value());
    const GroupView group = **found;
    std::array<Log, kObservers> logs;
    std::atomic<int> living{kVictims};
    std::latch gate(kVictims + kObservers + 2);
    std::vector<std::thread> threads;
    for (int v = 0; v < kVictims; ++v) {
      threads.emplace_back([&, v] {
        gate.arrive_and_wait();
        for (int i = 0; i < kLives; ++i) {
          Live(*attachment_, i + v, victims_read);
        }
        --living;
      });
    }
    for (std::size_t o = 0; o < kObservers; ++o) {
      threads.emplace_back([&, o] {
        gate.arrive_and_wait();
        while (living != 0) ReadLogged(*observers[o].member, &logs[o]);
      });
    }
    for (int e = 0; e < 2; ++e) {
      threads.emplace_back([&] {
        gate.arrive_and_wait();
        while (living != 0) {
          for (std::uint16_t i = kObservers; i < group.EntryHigh(); ++i) {
            const EntryWord word(group.entry(i).word.load());
            const OrderWord leave(group.entry(i).leave.load());
            if (word.phase() == Phase::kMember ||
                (word.phase() == Phase::kJoining &&
                 leave.generation() == word.generation())) {
              Evict(group, i, word);
            }
          }
          attachment_->ReclaimAllGroups();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    attachment_->ReclaimAllGroups();  // publishes what may still lack a record
    for (std::size_t o = 0; o < kObservers; ++o) {
      ReadLogged(*observers[o].member, &logs[o]);
      EXPECT_EQ(observers[o]->view().items().size(), std::size_t{kObservers});
      const int before = o == 0 ? 2 : 1;  // the observers' own joins
      EXPECT_EQ(logs[o].joins - before, logs[o].ends) << "one end for each";
    }
    logs[0].lines.erase(logs[0].lines.begin());  // "join 1", before the other
    EXPECT_EQ(logs[0].lines, logs[1].lines);
    // A leaver gates until its leave is reclaimed: one pass for each.
    while (attachment_->ReclaimAllGroups() != 0) {
    }
    for (std::uint16_t i = kObservers; i < group.EntryHigh(); ++i) {
      EXPECT_EQ(EntryWord(group.entry(i).word.load()).phase(), Phase::kFree)
          << i;
    }
    EXPECT_GT(observers[0]->ReadGroupStats().evictions, 0U);
  }
};

TEST_F(EvictionStressTest, SendersPutOutAtAnyMomentHaveOneJoinAndOneEnd) {
  Run(false);
}

TEST_F(EvictionStressTest, LeaversPutOutAtAnyMomentHaveOneJoinAndOneEnd) {
  Run(true);
}

}  // namespace
}  // namespace zcb::ipc
