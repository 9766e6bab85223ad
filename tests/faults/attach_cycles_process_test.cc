// Attaching and detaching, and being killed meanwhile, a thousand times.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>

#include "ipc/attachment.h"
#include "ipc/member.h"
#include "tests/faults/cpg_world.h"
#include "tests/faults/resources.h"
#include "tests/support/child_process.h"

namespace zcb::faults {
namespace {

using Clock = std::chrono::steady_clock;
using zcb::testing::ChildProcess;
using zcb::testing::Gate;

constexpr int kCycles = 1000;

std::shared_ptr<ipc::Attachment> Attach() {
  const auto options = ipc::IpcOptions::FromEnvironment();
  auto attachment = ipc::Attachment::Open(*options);
  return attachment ? *attachment : nullptr;
}

// In a child, so that the parent stays without threads and regions.
int Cycle(const std::string& directory) {
  const auto once = [] {
    const auto attachment = Attach();
    if (attachment == nullptr) return false;
    const auto bell = attachment->MakeDoorbell();
    if (!bell) return false;
    const auto member = attachment->Join(
        ipc::GroupName(std::string_view("cycle")), bell->get());
    return member.ok();
  };
  for (int i = 0; i < 3; ++i) {
    if (!once()) return 1;
  }
  const Resources before = Resources::Now(directory);
  for (int i = 0; i < kCycles; ++i) {
    if (!once()) return 2;
  }
  const std::string more = Resources::Now(directory).MoreThan(before);
  if (more.empty()) std::exit(0);
  std::fprintf(stderr, "leaks%s\n", more.c_str());
  return 3;
}

TEST(AttachCyclesTest, AThousandAttachesAndDetachesLeaveNothing) {
  EmptyWorld empty;
  EXPECT_EQ(ChildProcess([&] { return Cycle(empty.directory()); }).Join(), 0);
  EXPECT_EQ(empty.Check({}), "");
  KeptWorld kept;
  EXPECT_EQ(ChildProcess([&] { return Cycle(kept.directory()); }).Join(), 0);
  EXPECT_EQ(kept.Check({}), "");
}

// Waits without sleeping, as short as it may be.
void SpinFor(std::chrono::nanoseconds time) {
  const Clock::time_point end = Clock::now() + time;
  while (Clock::now() < end) {
  }
}

// Processes that attach and are killed at some time of that.
void KillAttachers(World* world, int kills, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto start = Clock::now();
  EXPECT_EQ(ChildProcess([] { return Attach() == nullptr ? 1 : 0; }).Join(), 0);
  const std::int64_t most_ns = (Clock::now() - start).count();
  for (int i = 0; i < kills; ++i) {
    Gate begun;
    ChildProcess victim([&begun] {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      begun.Signal();
      const auto attachment = Attach();
      pause();
      return attachment == nullptr ? 1 : 0;
    });
    begun.Wait();
    SpinFor(std::chrono::nanoseconds(random() %
                                     static_cast<std::uint64_t>(most_ns)));
    victim.Kill();
    EXPECT_EQ(victim.Join(), 128 + SIGKILL);
  }
  EXPECT_EQ(world->Check({.died = true}), "");
}

TEST(AttachCyclesTest, AThousandKilledAttachesLeaveNothing) {
  std::uint64_t seed = std::random_device()();
  if (const char* text = std::getenv("ZCB_TEST_SEED")) {
    seed = std::strtoull(text, nullptr, 10);
  }
  std::printf("ZCB_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  const Resources before = Resources::Now("/dev/shm/none");
  // Of the makers of a region, and of those that come to one.
  EmptyWorld empty;
  KillAttachers(&empty, kCycles / 2, seed);
  KeptWorld kept;
  KillAttachers(&kept, kCycles / 2, seed);
  const Resources after = Resources::Now("/dev/shm/none");
  constexpr std::int64_t kOfTheWorld = 4;  // the one that is there still
  EXPECT_LE(after.descriptors, before.descriptors + kOfTheWorld);
}

}  // namespace
}  // namespace zcb::faults
