// The same allocator in a region of 256 KiB units.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint32_t kRegionMebibytes = 16;

class SmallUnitsTest : public ::testing::Test {
 protected:
  SmallUnitsTest() {
    RegionOptions options = directory_.Options();
    options.region_bytes = kRegionMebibytes << 20;
    options.unit_bytes = 0;  // by the region's size
    auto region = Region::Open(options);
    if (!region) std::abort();
    region_ = *region;
    allocator_ = testing::MakeAllocator(region_);
  }
  void TearDown() override {
    testing::ExpectOwnSound(*allocator_);
    testing::ExpectClean(*region_);
  }

  std::size_t CountAll(std::uint64_t bytes) {
    std::vector<BufferRef> all;
    while (const auto ref = allocator_->Alloc(bytes)) all.push_back(*ref);
    for (const BufferRef ref : all) EXPECT_TRUE(allocator_->Free(ref).ok());
    return all.size();
  }

  testing::TempDirectory directory_;
  std::shared_ptr<Region> region_;
  std::unique_ptr<Allocator> allocator_;
};

TEST_F(SmallUnitsTest, ASmallRegionHasThemByItself) {
  EXPECT_EQ(region_->geometry().unit_bytes, kSmallUnitBytes);
  EXPECT_EQ(region_->geometry().unit_count, kRegionMebibytes * 4);
}

TEST_F(SmallUnitsTest, EverySizeCanBeHadWrittenAndFreed) {
  for (std::uint64_t bytes = 1; bytes <= 6 << 20; bytes += bytes / 3 + 1) {
    const auto ref = allocator_->Alloc(bytes);
    ASSERT_TRUE(ref.ok()) << bytes << ": " << ref.reason();
    ASSERT_GE(allocator_->UsableBytes(*ref), bytes);
    std::memset(allocator_->Pointer(*ref), 0x5a, bytes);
    ASSERT_TRUE(allocator_->Locate(*ref).has_value()) << bytes;
    ASSERT_TRUE(allocator_->Free(*ref).ok()) << bytes;
  }
}

TEST_F(SmallUnitsTest, BuffersFillTheRegionAndDoNotOverlap) {
  EXPECT_EQ(CountAll(64), (kRegionMebibytes << 20) / 64);
  EXPECT_EQ(CountAll(8192), (kRegionMebibytes << 20) / 8192);
  EXPECT_EQ(CountAll(64 * 1024), kRegionMebibytes * 16U);
  EXPECT_EQ(CountAll(80 * 1024), kRegionMebibytes * 4U * 3);
  EXPECT_EQ(CountAll(128 * 1024), kRegionMebibytes * 8U);
  EXPECT_EQ(CountAll(256 * 1024), kRegionMebibytes * 4U);
  EXPECT_EQ(CountAll(kRegionMebibytes << 20), 1U);

  std::mt19937 random(7);
  std::vector<bool> taken((kRegionMebibytes << 20) / kLineBytes);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t bytes = 1 + random() % (64U << random() % 13);
    const auto ref = allocator_->Alloc(bytes);
    if (!ref) break;
    const std::uint64_t lines = allocator_->UsableBytes(*ref) / kLineBytes;
    for (std::uint64_t line = 0; line < lines; ++line) {
      ASSERT_FALSE(taken[ref->line() + line]) << bytes;
      taken[ref->line() + line] = true;
    }
  }
}

TEST_F(SmallUnitsTest, AnAbandonedUnitIsAdoptedWithItsSlabs) {
  std::vector<BufferRef> all;
  while (const auto ref = allocator_->Alloc(48 * 1024)) all.push_back(*ref);
  const std::size_t count = all.size();
  allocator_.reset();
  allocator_ = testing::MakeAllocator(region_);
  EXPECT_EQ(CountAll(48 * 1024), count);
}

}  // namespace
}  // namespace zcb::alloc
