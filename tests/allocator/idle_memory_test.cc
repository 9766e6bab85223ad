// Memory of free units goes back to the system, and comes again.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "allocator/idle_memory.h"
#include "allocator/unit_claimer.h"
#include "allocator/unit_ledger.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;
using Kind = UnitWord::Kind;

constexpr std::uint32_t kUnits = 16;

std::unique_ptr<Allocator> MakeWith(std::shared_ptr<Region> region,
                                    const AllocatorOptions& options) {
  auto made = Allocator::Create(std::move(region), options);
  EXPECT_TRUE(made.ok()) << made.reason();
  return made ? std::move(*made) : nullptr;
}

class IdleMemoryTest : public testing::AllocatorTest {
 protected:
  IdleMemoryTest() : AllocatorTest(kUnits) {}

  // By the file's own count: a report of the region first maps what is said to
  // be committed, and would fill a hole that should not be there.
  std::uint64_t CommittedBytes() const {
    const Region& region = shared().region();
    const std::string path =
        region.directory_path() + "/" + region.file_stem() + ".data";
    struct stat facts = {};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0);
    return static_cast<std::uint64_t>(facts.st_blocks) * 512;
  }
  // Of the units that their byte calls committed. Never more than there is.
  std::uint64_t PromisedBytes() const {
    std::uint64_t pages = 0;
    for (std::uint32_t u = 0; u < kUnits; ++u) {
      pages += shared().region().IsUnitCommitted(u);
    }
    return pages * kHugePageBytes;
  }
  std::vector<BufferRef> AllocWritten(std::uint64_t bytes, std::size_t count) {
    std::vector<BufferRef> all;
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back(MustAlloc(bytes));
      std::memset(allocator().Pointer(all.back()), Pattern(all.back()), bytes);
    }
    return all;
  }
  static int Pattern(BufferRef ref) {
    return static_cast<int>(ref.line() % 251 + 1);
  }
  bool IsIntact(BufferRef ref, std::uint64_t bytes) {
    const std::byte* const data = allocator().Pointer(ref);
    for (std::uint64_t i = 0; i < bytes; ++i) {
      if (data[i] != static_cast<std::byte>(Pattern(ref))) return false;
    }
    return true;
  }
};

TEST_F(IdleMemoryTest, TrimGivesBackAllButLiveBuffers) {
  std::vector<BufferRef> all = AllocWritten(kUnitBytes / 4, 4 * kUnits);
  EXPECT_EQ(CommittedBytes(), kUnits * kUnitBytes);
  const std::vector<BufferRef> live(all.begin(), all.begin() + 8);
  FreeAll({all.begin() + 8, all.end()});
  const Result<std::uint64_t> given = allocator().Trim(0);
  ASSERT_TRUE(given.ok()) << given.reason();
  EXPECT_EQ(*given, (kUnits - 2) * kUnitBytes);
  EXPECT_EQ(CommittedBytes(), 2 * kUnitBytes);
  EXPECT_EQ(PromisedBytes(), 2 * kUnitBytes);
  for (const BufferRef ref : live) EXPECT_TRUE(IsIntact(ref, kUnitBytes / 4));
  EXPECT_EQ(*allocator().Trim(0), 0U) << "nothing is left to give";
  // And all of it can be had again.
  FreeAll(AllocWritten(kUnitBytes / 4, 4 * kUnits - 8));
  FreeAll(live);
}

TEST_F(IdleMemoryTest, TrimKeepsWhatItIsToldTo) {
  FreeAll(AllocWritten(kUnitBytes / 4, 4 * kUnits));
  EXPECT_EQ(*allocator().Trim(5 * kUnitBytes), (kUnits - 5) * kUnitBytes);
  EXPECT_EQ(CommittedBytes(), 5 * kUnitBytes);
  for (std::uint32_t u = 0; u < 5; ++u) {
    EXPECT_TRUE(region()->IsUnitCommitted(u)) << "the lowest ones stay";
  }
  EXPECT_EQ(*allocator().Trim(5 * kUnitBytes), 0U);
}

TEST_F(IdleMemoryTest, UnitsOfOthersAreNotTouched) {
  const RegionOptions options = region()->options();
  Child other([&](Talk& talk) {
    const auto own = Region::Open(options);
    ASSERT_TRUE(own.ok());
    const auto theirs = testing::MakeAllocator(*own);
    const BufferRef ref = *theirs->Alloc(3 * kUnitBytes);
    const BufferRef small = *theirs->Alloc(100'000);
    std::memset(theirs->Pointer(ref), 0x7e, 3 * kUnitBytes);
    std::memset(theirs->Pointer(small), 0x7e, 100'000);
    talk.Say('w');
    talk.Hear();
    for (std::uint64_t i = 0; i < 3 * kUnitBytes; ++i) {
      ASSERT_EQ(theirs->Pointer(ref)[i], std::byte{0x7e}) << i;
    }
    for (std::uint64_t i = 0; i < 100'000; ++i) {
      ASSERT_EQ(theirs->Pointer(small)[i], std::byte{0x7e}) << i;
    }
  });
  ASSERT_EQ(other.Hear(), 'w');
  FreeAll(AllocWritten(kUnitBytes / 4, 4 * (kUnits - 4)));
  EXPECT_EQ(*allocator().Trim(0), (kUnits - 4) * kUnitBytes);
  EXPECT_EQ(CommittedBytes(), 4 * kUnitBytes);
  other.Say('c');
  EXPECT_EQ(other.Wait(), 0);
}

TEST_F(IdleMemoryTest, TrimAlsoEmptiesWhatTheDeadLeft) {
  const std::vector<BufferRef> all = AllocWritten(kUnitBytes / 4, 20);
  EndAllocator();  // live buffers: their units are abandoned
  ASSERT_EQ(unit(0).kind(), Kind::kAbandoned);
  NewAllocator();
  EXPECT_EQ(*allocator().Trim(0), 5 * kUnitBytes);
  EXPECT_EQ(CommittedBytes(), 0U);
}

// --- the policy ------------------------------------------------------------

class IdlePolicyTest : public IdleMemoryTest {
 protected:
  IdlePolicyTest() { EndAllocator(); }
  std::unique_ptr<Allocator> MakeWithIdle(std::uint64_t bytes) {
    AllocatorOptions options;
    options.spare_bytes = 0;
    options.idle_bytes = bytes;
    return MakeWith(region(), options);
  }
  // Each returns that many units to the region.
  static void Swing(Allocator& mine, std::uint64_t units) {
    const auto ref = mine.Alloc(units * kUnitBytes);
    ASSERT_TRUE(ref.ok()) << ref.reason();
    ASSERT_TRUE(mine.Free(*ref).ok());
  }
};

TEST_F(IdlePolicyTest, ByDefaultNothingIsGivenBack) {
  const auto mine = MakeWithIdle(AllocatorOptions::kKeepAll);
  for (int i = 0; i < 100; ++i) Swing(*mine, kUnits);
  EXPECT_EQ(CommittedBytes(), kUnits * kUnitBytes);
}

TEST_F(IdlePolicyTest, WhatStaysFreeBeyondTheLimitGoesDownToHalfOfIt) {
  const auto mine = MakeWithIdle(8 * kUnitBytes);
  Swing(*mine, kUnits);
  EXPECT_EQ(CommittedBytes(), kUnits * kUnitBytes);
  // One unit goes round; the others grow old.
  for (int i = 0; i < 64; ++i) Swing(*mine, 1);
  EXPECT_EQ(CommittedBytes(), 4 * kUnitBytes);
}

TEST_F(IdlePolicyTest, AtTheLimitNothingMoves) {
  const auto mine = MakeWithIdle(kUnits * kUnitBytes);
  for (int i = 0; i < 64; ++i) Swing(*mine, kUnits);
  EXPECT_EQ(CommittedBytes(), kUnits * kUnitBytes);
}

TEST_F(IdlePolicyTest, ASwingDoesNotPunchAndCommitAgainAndAgain) {
  const auto mine = MakeWithIdle(2 * kUnitBytes);
  // All of it is used within each look's time: nothing grows old.
  for (int i = 0; i < 50; ++i) {
    Swing(*mine, kUnits);
    ASSERT_EQ(CommittedBytes(), kUnits * kUnitBytes) << i;
  }
}

// --- small units -----------------------------------------------------------

TEST(IdleSmallUnitsTest, AHugePageGoesOnlyWhenNoneOfItsUnitsIsOwned) {
  const testing::TempDirectory directory;
  RegionOptions options = directory.Options();
  options.region_bytes = 8 * kHugePageBytes;
  options.unit_bytes = kSmallUnitBytes;
  const auto region = *Region::Open(options);
  const auto mine = testing::MakeAllocator(region);
  std::vector<BufferRef> all;
  while (const auto ref = mine->Alloc(kSmallUnitBytes)) all.push_back(*ref);
  ASSERT_EQ(all.size(), 64U);
  BufferRef live = all.front();
  for (const BufferRef ref : all) {
    if (ref == live) continue;
    std::memset(mine->Pointer(ref), 0x33, kSmallUnitBytes);
    ASSERT_TRUE(mine->Free(ref).ok());
  }
  std::memset(mine->Pointer(live), 0x44, kSmallUnitBytes);
  EXPECT_EQ(*mine->Trim(0), 7 * kHugePageBytes);
  EXPECT_EQ(region->ReportPages().committed_bytes, kHugePageBytes);
  for (std::uint64_t i = 0; i < kSmallUnitBytes; ++i) {
    ASSERT_EQ(mine->Pointer(live)[i], std::byte{0x44});
  }
  const SharedTables shared(*region);
  for (std::uint32_t u = 0; u < 64; ++u) {
    EXPECT_EQ(testing::UnitAt(shared, u).kind() == Kind::kFree,
              u != shared.UnitOf(live));
  }
  EXPECT_EQ(*mine->Prefault(3 * kHugePageBytes), 3 * kHugePageBytes);
  EXPECT_EQ(region->ReportPages().committed_bytes, 4 * kHugePageBytes);
}

// --- ahead of time ---------------------------------------------------------

TEST_F(IdleMemoryTest, PrefaultCommitsThatMuchOfWhatIsFree) {
  const BufferRef live = MustAlloc(100);
  EXPECT_EQ(CommittedBytes(), kUnitBytes);
  EXPECT_EQ(*allocator().Prefault(5 * kUnitBytes - 1), 5 * kUnitBytes);
  EXPECT_EQ(CommittedBytes(), 6 * kUnitBytes);
  EXPECT_EQ(PromisedBytes(), 6 * kUnitBytes);
  EXPECT_EQ(*allocator().Prefault(5 * kUnitBytes), 5 * kUnitBytes)
      << "it is so already";
  EXPECT_EQ(CommittedBytes(), 6 * kUnitBytes);
  EXPECT_EQ(*allocator().Prefault(100 * kUnitBytes), (kUnits - 1) * kUnitBytes)
      << "all there is";
  for (std::uint32_t u = 1; u < kUnits; ++u) {
    EXPECT_EQ(unit(u).kind(), Kind::kFree);
  }
  MustFree(live);
}

// --- killed in the middle --------------------------------------------------

class IdleStepTest : public IdleMemoryTest {
 protected:
  // What a child's progress is counted in.
  enum class Step { kInstruction, kSystemCall };  // its beginning or its end

  // Gives back all idle memory in a child, which is stopped after so many steps
  // for `meanwhile`; if that says so it is killed there, else it goes on to its
  // end. False: it came to its end before. Its lease is reaped.
  template <typename Meanwhile>
  bool RunAndStop(Step step, std::uint64_t steps, Meanwhile meanwhile) {
    const RegionOptions options = region()->options();
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    const pid_t child = ::fork();
    if (child == 0) BeTheChild(options, ends[1]);
    LeaseId lease;
    EXPECT_EQ(::read(ends[0], &lease, sizeof lease), ssize_t{sizeof lease});
    ::close(ends[0]);
    ::close(ends[1]);
    int state = 0;
    bool was_stopped = false;
    while (::waitpid(child, &state, 0) == child && WIFSTOPPED(state)) {
      if (steps-- > 0) {
        ::ptrace(
            step == Step::kInstruction ? PTRACE_SINGLESTEP : PTRACE_SYSCALL,
            child, nullptr, nullptr);
        continue;
      }
      was_stopped = true;
      if (meanwhile()) ::kill(child, SIGKILL);
      ::ptrace(PTRACE_DETACH, child, nullptr, nullptr);
      ::waitpid(child, &state, 0);
      break;
    }
    EXPECT_TRUE(WIFSIGNALED(state) || WEXITSTATUS(state) == 0);
    EXPECT_TRUE(region()->MarkDeadIfGone(lease));
    allocator().ReapUnits(lease, nullptr, nullptr);
    region()->FreeDeadLease(lease);
    return was_stopped;
  }

  // Four units with memory, for the child to give back.
  void Prepare() {
    EXPECT_TRUE(allocator().Trim(0).ok());
    ASSERT_EQ(*allocator().Prefault(4 * kUnitBytes), 4 * kUnitBytes);
  }

 private:
  [[noreturn]] static void BeTheChild(const RegionOptions& options, int out) {
    const auto own = Region::Open(options);
    if (!own) ::_exit(2);
    const SharedTables words(**own);
    const LeaseId lease = (*own)->lease();
    UnitLedger ledger(UnitLedger::kNoQuota);
    UnitClaimer claimer(words, lease, ledger, {});
    IdleMemory idle(words, claimer);
    if (::write(out, &lease, sizeof lease) != ssize_t{sizeof lease}) ::_exit(2);
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    idle.GiveBack(0);
    ::_exit(0);
  }
};

TEST_F(IdleStepTest, AKillAnywherePromisesNoMemoryThatIsNotThere) {
  constexpr std::uint64_t kInstructionStride = 301;
  for (const Step step : {Step::kInstruction, Step::kSystemCall}) {
    bool died_holding = false;
    bool was_stopped = true;
    for (std::uint64_t n = 0; was_stopped;
         n += step == Step::kInstruction ? kInstructionStride : 1) {
      Prepare();
      was_stopped = RunAndStop(step, n, [] { return true; });
      ASSERT_LE(PromisedBytes(), CommittedBytes()) << n;
      for (std::uint32_t u = 0; u < kUnits; ++u) {
        died_holding |= unit(u).kind() == Kind::kAbandoned;
      }
      // All of it can be had and written.
      FreeAll(AllocWritten(kUnitBytes / 4, 4 * kUnits));
    }
    EXPECT_TRUE(died_holding) << "no kill came at the moment that matters";
  }
}

TEST_F(IdleStepTest, AProcessThatSleptInTheMiddleDestroysNothing) {
  constexpr std::uint64_t kStride = 173;
  constexpr std::uint64_t kBytes = kUnitBytes / 4;
  bool was_stopped = true;
  for (std::uint64_t n = 0; was_stopped; n += kStride) {
    Prepare();
    std::vector<BufferRef> all;
    was_stopped = RunAndStop(Step::kInstruction, n, [&] {
      // The lowest eight units, the four with memory among them.
      while (all.size() < 8 * 4) {
        const std::vector<BufferRef> one = AllocWritten(kBytes, 1);
        all.push_back(one.front());
      }
      return false;
    });
    ASSERT_LE(PromisedBytes(), CommittedBytes()) << n;
    for (const BufferRef ref : all) ASSERT_TRUE(IsIntact(ref, kBytes)) << n;
    FreeAll(all);
  }
}

}  // namespace
}  // namespace zcb::alloc
