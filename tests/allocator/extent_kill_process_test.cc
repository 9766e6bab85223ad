// A process is killed after every so many instructions of what it can do to an
// extent with a tail; whoever comes after must find every granule, once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "tests/allocator/allocator_testing.h"
#include "tests/allocator/mailbox.h"
#include "tests/allocator/single_step.h"

namespace zcb::alloc {
namespace {

using testing::Mailbox;

constexpr std::uint32_t kUnits = 16;
constexpr std::uint32_t kTotalGranules = kUnits * kGranulesPerSmallUnit;
constexpr std::uint64_t kSmallBytes = 8 * 1024;

constexpr std::uint64_t Bytes(std::uint32_t units, std::uint32_t tail) {
  return ExtentSize{units, tail}.granules(kGranulesPerSmallUnit) *
         kGranuleBytes;
}

class ExtentKillTest : public testing::AllocatorTest {
 protected:
  ExtentKillTest() : AllocatorTest(kUnits, kSmallUnitBytes), box_(*region()) {
    options_ = region()->options();
  }

  // A process of its own, number `worker`, that is killed: prepares itself, and
  // lives for so many instructions.
  using Act = void (*)(Mailbox& box, std::unique_ptr<Allocator>& mine);
  bool Kill(int worker, std::uint64_t instructions, Act prepare, Act live) {
    return testing::RunAndKill(instructions, [&] {
      const auto own = Region::Open(options_);
      if (!own) ::_exit(2);
      auto mine = testing::MakeAllocator(*own);
      Mailbox box(**own);
      box.Announce(worker, **own);
      prepare(box, mine);
      testing::StartCounting();
      live(box, mine);
      ::_exit(0);  // the end of the region is no subject here
    });
  }
  LeaseId LeaseOf(int worker) {
    const std::uint64_t lease = box_.lease_of(worker).load();
    return {static_cast<std::uint16_t>(lease & 0xffff),
            static_cast<std::uint32_t>(lease >> 16)};
  }
  void Reap(int worker) {
    const LeaseId dead = LeaseOf(worker);
    ASSERT_TRUE(region()->MarkDeadIfGone(dead));
    allocator().ReapUnits(dead, &Mailbox::Holds, &box_);
    region()->FreeDeadLease(dead);
  }
  // While extents are out, nothing that can be had overlaps them; when they are
  // back, everything can be had, once.
  void Audit(std::uint64_t instructions) {
    std::vector<BufferRef> all = AllocAll(kSmallBytes);
    std::set<std::uint32_t> lines;
    for (const BufferRef ref : all) lines.insert(ref.line());
    for (std::uint32_t i = 0; i < 4; ++i) {
      const std::uint64_t value = box_.slot(i).load();
      if (value == 0) continue;
      const BufferRef out(static_cast<std::uint32_t>(value) - 1);
      const auto place = allocator().Locate(out);
      if (place && !Load(*place).is_free()) {
        const auto above = lines.lower_bound(out.line());
        ASSERT_TRUE(above == lines.end() ||
                    *above - out.line() >= place->usable_bytes / kLineBytes)
            << "after " << instructions << " instructions";
      }
      Mailbox::Receive(box_, allocator(), i);
    }
    for (const BufferRef ref : AllocAll(kSmallBytes)) {
      all.push_back(ref);
      lines.insert(ref.line());
    }
    ASSERT_EQ(lines.size(), all.size()) << "one twice";
    ASSERT_EQ(all.size(), kTotalGranules * kGranuleBytes / kSmallBytes)
        << "after " << instructions << " instructions";
    FreeAll(all);
    EndAllocator();
    for (std::uint32_t u = 0; u < kUnits; ++u) {
      ASSERT_EQ(unit(u).kind(), UnitWord::Kind::kFree);
    }
    NewAllocator();
  }

  static void Nothing(Mailbox&, std::unique_ptr<Allocator>&) {}

  // `setup` runs here, before each victim; `stride`: on ordinary days.
  template <typename Setup, typename Aftermath>
  void KillEverywhere(unsigned long stride, const Setup& setup, Act prepare,
                      Act live, const Aftermath& aftermath) {
    testing::ForEachKill(stride, [&](std::uint64_t at) {
      setup();
      const bool killed = Kill(0, at, prepare, live);
      Reap(0);
      aftermath();
      Audit(at);
      return killed && !HasFatalFailure();
    });
  }
  void KillEverywhere(unsigned long stride, Act prepare, Act live) {
    KillEverywhere(stride, [] {}, prepare, live, [] {});
  }

  RegionOptions options_;
  Mailbox box_;
};

TEST_F(ExtentKillTest, WhileItIsMadeWithANewUnitForItsTail) {
  KillEverywhere(71, Nothing, [](Mailbox&, std::unique_ptr<Allocator>& mine) {
    const auto extent = mine->Alloc(Bytes(2, 1));
    if (!extent) ::_exit(3);
  });
}

TEST_F(ExtentKillTest, WhileItIsMadeAndFreedAboveAUnitOfOurs) {
  KillEverywhere(
      151,
      [](Mailbox&, std::unique_ptr<Allocator>& mine) {
        // A run in the middle of the region, with free units below it.
        const auto upper = mine->Alloc(Bytes(8, 0));
        const auto lower = mine->Alloc(Bytes(8, 0));
        if (!upper || !lower || !mine->Free(*upper) ||
            !mine->Alloc(2 * kGranuleBytes) || !mine->Free(*lower)) {
          ::_exit(3);
        }
      },
      [](Mailbox&, std::unique_ptr<Allocator>& mine) {
        for (const std::uint32_t tail : {2U, 1U}) {
          const auto extent = mine->Alloc(Bytes(3, tail));
          if (!extent || extent->granule() != 5 * kGranulesPerSmallUnit ||
              !mine->Free(*extent)) {
            ::_exit(3);
          }
        }
      });
}

TEST_F(ExtentKillTest, WhileItIsSentAndItsOwnerLeaves) {
  KillEverywhere(1999, Nothing,
                 [](Mailbox& box, std::unique_ptr<Allocator>& mine) {
                   const auto extent = mine->Alloc(Bytes(1, 3));
                   if (!extent || !Mailbox::Send(box, *mine, *extent, 0))
                     ::_exit(3);
                   mine.reset();
                 });
}

TEST_F(ExtentKillTest, WhileAnotherProcessFreesIt) {
  KillEverywhere(
      19,
      [&] {
        const BufferRef extent = MustAlloc(Bytes(2, 2));
        ASSERT_TRUE(Mailbox::Send(box_, allocator(), extent, 1));
      },
      Nothing,
      [](Mailbox& box, std::unique_ptr<Allocator>& mine) {
        Mailbox::Receive(box, *mine, 1);
      },
      [] {});
}

TEST_F(ExtentKillTest, WhileItsUnitIsAdoptedAndTheOrphanComesBack) {
  KillEverywhere(
      1499,
      [&] {
        const BufferRef extent = MustAlloc(Bytes(2, 2));
        ASSERT_TRUE(Mailbox::Send(box_, allocator(), extent, 2));
        EndAllocator();
        NewAllocator();
      },
      Nothing,
      [](Mailbox& box, std::unique_ptr<Allocator>& mine) {
        if (!mine->Alloc(kSmallBytes)) ::_exit(3);  // adopts
        Mailbox::Receive(box, *mine, 2);
        mine->Collect();
        const auto again = mine->Alloc(Bytes(2, 2));
        if (!again) ::_exit(3);
      },
      [] {});
}

TEST_F(ExtentKillTest, WhileTheOneWhoReapsItsOwnerIsAtWork) {
  KillEverywhere(
      67,
      [&] {
        ASSERT_TRUE(Kill(
            1, 0,
            [](Mailbox& box, std::unique_ptr<Allocator>& mine) {
              const auto sent = mine->Alloc(Bytes(2, 2));
              if (!sent || !Mailbox::Send(box, *mine, *sent, 3)) ::_exit(3);
              if (!mine->Alloc(Bytes(1, 3))) ::_exit(3);
            },
            Nothing));
        ASSERT_TRUE(region()->MarkDeadIfGone(LeaseOf(1)));
      },
      Nothing,
      [](Mailbox& box, std::unique_ptr<Allocator>& mine) {
        const std::uint64_t lease = box.lease_of(1).load();
        mine->ReapUnits({static_cast<std::uint16_t>(lease & 0xffff),
                         static_cast<std::uint32_t>(lease >> 16)},
                        &Mailbox::Holds, &box);
      },
      [&] { Reap(1); });
}

}  // namespace
}  // namespace zcb::alloc
