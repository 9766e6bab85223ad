// What the tests of the C interface share: an allocator in a directory of its
// own, opened as a program would.
#ifndef ZCB_TESTS_ALLOCATOR_ZCB_ALLOCATOR_TESTING_H_
#define ZCB_TESTS_ALLOCATOR_ZCB_ALLOCATOR_TESTING_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "allocator/zcb_allocator.h"
#include "tests/support/temp_directory.h"

namespace zcb::alloc::testing {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

class ZcbAllocatorTest : public ::testing::Test {
 protected:
  ZcbAllocatorTest() {
    for (const char* variable :
         {"ZCB_REGION", "ZCB_REGION_BYTES", "ZCB_PAGES", "ZCB_KEEP",
          "ZCB_QUOTA_BYTES", "ZCB_SPARE_BYTES", "ZCB_IDLE_BYTES", "ZCB_POISON",
          "ZCB_NUMA"}) {
      unsetenv(variable);
    }
    setenv("ZCB_DIR", directory_.path().c_str(), 1);
  }
  ~ZcbAllocatorTest() override {
    if (allocator_ != nullptr) Close();
    EXPECT_EQ(directory_.CountFiles(), 0U) << "files were left behind";
  }

  // A small region: 16 MiB of 2 MiB units.
  static struct zcb_options Options() {
    struct zcb_options options{};
    options.size = sizeof options;
    options.name = "test";
    options.region_bytes = 16 * kMiB;
    options.unit_bytes = 2 * kMiB;
    options.prefault_bytes = ZCB_NONE;
    options.process_count = 16;
    return options;
  }
  static zcb_allocator* MustOpen(const struct zcb_options& options) {
    zcb_allocator* allocator = nullptr;
    EXPECT_EQ(zcb_allocator_open(&options, &allocator), ZCB_OK)
        << zcb_last_reason();
    if (allocator == nullptr) std::abort();
    return allocator;
  }
  // The test's own, opened when first asked for.
  zcb_allocator* allocator() {
    if (allocator_ == nullptr) allocator_ = MustOpen(Options());
    return allocator_;
  }
  void Close() {
    EXPECT_EQ(zcb_allocator_close(allocator_), ZCB_OK) << zcb_last_reason();
    allocator_ = nullptr;
  }
  void* MustAlloc(std::size_t bytes) {
    void* buffer = nullptr;
    EXPECT_EQ(zcb_alloc(allocator(), bytes, &buffer), ZCB_OK)
        << zcb_last_reason();
    return buffer;
  }
  void MustFree(void* buffer) {
    EXPECT_EQ(zcb_free(allocator(), buffer), ZCB_OK) << zcb_last_reason();
  }
  struct zcb_allocator_stats Stats() {
    struct zcb_allocator_stats stats{};
    stats.size = sizeof stats;
    EXPECT_EQ(zcb_stats(allocator(), &stats), ZCB_OK) << zcb_last_reason();
    return stats;
  }
  const zcb::testing::TempDirectory& directory() const { return directory_; }

 private:
  zcb::testing::TempDirectory directory_;
  zcb_allocator* allocator_ = nullptr;
};

}  // namespace zcb::alloc::testing

#endif  // ZCB_TESTS_ALLOCATOR_ZCB_ALLOCATOR_TESTING_H_
