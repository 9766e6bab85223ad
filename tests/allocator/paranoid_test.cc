// The checks that a paranoid build makes, and that others leave out.
#include "allocator/paranoid.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "allocator/buffer_supply.h"
#include "allocator/region_header.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

// What processes share is the same in both builds: these hold in each, and
// nothing in these headers knows the macro.
static_assert(sizeof(LeaseRecord) == 128);
static_assert(sizeof(Geometry) == 160);
static_assert(sizeof(UnitWord) + sizeof(GranuleWord) + sizeof(BufferWord) ==
              24);

TEST(ParanoidTest, AConditionIsLookedAtInParanoidBuildsOnly) {
  int looks = 0;
  ZCB_INVARIANT(++looks != 0);
  EXPECT_EQ(looks, kIsParanoid ? 1 : 0);
  {
    const InvariantScope twice([&] { ZCB_INVARIANT(++looks != 0); });
  }
  EXPECT_EQ(looks, kIsParanoid ? 3 : 0);
}

TEST(ParanoidDeathTest, ABrokenConditionEndsTheProcessWithItsText) {
  EXPECT_DEATH(InvariantBroken("two == 3", "file.cc", 7),
               "file.cc:7: zcb: broken: two == 3");
}

class ParanoidBooksTest : public ::testing::Test {
 protected:
  ParanoidBooksTest()
      : region_(testing::OpenRegion(directory_, 8)), supply_(*region_, {}) {}
  // Or this thread's magazines would be taken for those of the next test's.
  ~ParanoidBooksTest() override { supply_.Leave(); }
  // What a process of a test's own, which is about to die, leaves else.
  void DropDirectory() { std::filesystem::remove_all(directory_.path()); }
  // A free buffer of class 0 that lies in its slab's map.
  std::uint32_t Mapped() {
    std::uint32_t mapped = ~0U;
    supply_.slabs().ForEachSlab(
        0, [&](const SlabShape& slab, std::span<const std::uint64_t> map) {
          for (std::uint32_t i = 0; i < 1024; ++i) {
            if ((map[i / 64] >> (i % 64) & 1) != 0) {
              mapped = slab.first_line() + i;
            }
          }
        });
    return mapped;
  }

  testing::TempDirectory directory_;
  std::shared_ptr<Region> region_;
  BufferSupply supply_;
};

TEST_F(ParanoidBooksTest, BooksInOrderPass) {
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    const auto line = supply_.Obtain(c);
    if (line) supply_.Store(*line, c);
  }
  supply_.Collect();
}

TEST_F(ParanoidBooksTest, ABufferThatIsInUseAndInAMapIsNoticed) {
  if (!kIsParanoid) GTEST_SKIP() << "nobody looks in this build";
  // In a process of its own: a forked child finds these books wiped.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ASSERT_TRUE(supply_.Obtain(0).ok());
  std::atomic<BufferState>& state = supply_.tables().state(Mapped());
  state.store(BufferState::kLive);
  EXPECT_DEATH(
      {
        DropDirectory();
        supply_.slabs().Collect(0, false);
      },
      "IsClassConsistent");
  state.store(BufferState::kCached);
}

TEST_F(ParanoidBooksTest, ABufferThatIsFreedIntoAMapTwiceIsNoticed) {
  if (!kIsParanoid) GTEST_SKIP() << "nobody looks in this build";
  // In a process of its own: a forked child finds these books wiped.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ASSERT_TRUE(supply_.Obtain(0).ok());
  const std::uint32_t line = Mapped();
  EXPECT_DEATH(
      {
        DropDirectory();
        supply_.slabs().Put(0, {&line, 1});
      },
      "broken");
}

}  // namespace
}  // namespace zcb::alloc
