// What a process pays for being attached and a member while it does nothing:
// tables for the whole region and for all processes are reserved, and their
// pages come when they are used.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/ipc/member_fixture.h"
#include "tests/support/child_process.h"

namespace zcb::ipc::testing {
namespace {

// Bytes of this process that lie behind no file: heap, stacks, tables.
std::uint64_t PrivateBytes() {
  std::ifstream smaps("/proc/self/smaps_rollup");
  for (std::string line; std::getline(smaps, line);) {
    constexpr std::string_view kTitle = "Anonymous:";
    if (!line.starts_with(kTitle)) continue;
    const std::size_t at = line.find_first_not_of(' ', kTitle.size());
    std::uint64_t kib = 0;
    std::from_chars(line.data() + at, line.data() + line.size(), kib);
    return kib << 10;
  }
  ADD_FAILURE() << "no smaps_rollup";
  return 0;
}

// What is added by a process that attaches to a region of that size and joins:
// by a child, which has never used the library before.
std::uint64_t CostOfJoining(std::uint64_t region_bytes) {
  const zcb::testing::TempDirectory directory;
  auto* const cost = static_cast<std::uint64_t*>(
      mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  zcb::testing::ChildProcess child([&] {
    IpcOptions options = OptionsIn(directory.path());
    options.region.region_bytes = region_bytes;
    PrivateBytes();  // what reading a file takes
    const std::uint64_t before = PrivateBytes();
    const auto attachment = Attachment::Open(options);
    if (!attachment) return 1;
    const Joined member = JoinGroup(**attachment, "idle");
    if (ReadOne(*member.member) != "join 1") return 1;
    *cost = PrivateBytes() - before;
    return 0;
  });
  EXPECT_EQ(child.Join(), 0);
  const std::uint64_t found = *cost;
  munmap(cost, sizeof(std::uint64_t));
  EXPECT_GT(found, 0U);
  return found;
}

TEST(IdleMemoryTest, AnIdleMemberTouchesFewPagesOfItsTables) {
  constexpr std::uint64_t kLimitBytes = 96 << 10;
  EXPECT_LE(CostOfJoining(1 << 30), kLimitBytes);
}

TEST(IdleMemoryTest, ALargeRegionCostsAnIdleMemberNoMore) {
  constexpr std::uint64_t kSlackBytes = 32 << 10;  // a few pages
  EXPECT_LE(CostOfJoining(std::uint64_t{64} << 30),
            CostOfJoining(64 << 20) + kSlackBytes);
}

}  // namespace
}  // namespace zcb::ipc::testing
