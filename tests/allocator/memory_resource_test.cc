#include "allocator/memory_resource.h"

#include <memory_resource>
#include <new>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

class MemoryResourceTest : public testing::AllocatorTest {
 protected:
  bool IsInRegion(const void* pointer) {
    const auto offset = static_cast<std::uint64_t>(
        static_cast<const std::byte*>(pointer) - region()->data());
    return offset < region()->geometry().region_bytes;
  }
  std::uint64_t live() { return allocator().Stats().live_buffers; }
  RegionResource resource_{allocator()};
};

TEST_F(MemoryResourceTest, AVectorLiesInTheRegionAndGoesBack) {
  {
    std::pmr::vector<int> numbers(&resource_);
    for (int i = 0; i < 100'000; ++i) numbers.push_back(i);
    EXPECT_TRUE(IsInRegion(numbers.data()));
    EXPECT_EQ(numbers[77'777], 77'777);
    EXPECT_EQ(live(), 1U);
  }
  EXPECT_EQ(live(), 0U);
}

TEST_F(MemoryResourceTest, AMapOfStringsHandsItsResourceOn) {
  {
    std::pmr::unordered_map<std::pmr::string, std::pmr::string> map(&resource_);
    const std::string long_value(500, 'v');
    for (int i = 0; i < 1000; ++i) {
      map.emplace("a key that is too long to be kept inside the string " +
                      std::to_string(i),
                  long_value + std::to_string(i));
    }
    for (const auto& [key, value] : map) {
      ASSERT_TRUE(IsInRegion(&key));
      ASSERT_TRUE(IsInRegion(key.data()));
      ASSERT_TRUE(IsInRegion(value.data()));
    }
    EXPECT_EQ(map.at("a key that is too long to be kept inside the string 17"),
              (long_value + "17").c_str());
    EXPECT_GT(live(), 3000U);
  }
  EXPECT_EQ(live(), 0U);
}

TEST_F(MemoryResourceTest, AStringIsReadByReferenceWhereItLies) {
  const std::pmr::string text(1000, 'x', &resource_);
  const auto ref = allocator().RefOf(text.data());
  ASSERT_TRUE(ref.has_value());
  EXPECT_TRUE(allocator().Locate(*ref).has_value());
  EXPECT_EQ(*reinterpret_cast<const char*>(allocator().Pointer(*ref)), 'x');
}

TEST_F(MemoryResourceTest, AlignmentIsKeptAsFarAsTheAllocatorGoes) {
  for (std::size_t alignment = 1; alignment <= 2 << 20; alignment *= 2) {
    void* const pointer = resource_.allocate(100, alignment);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pointer) % alignment, 0U);
    resource_.deallocate(pointer, 100, alignment);
  }
  EXPECT_THROW(static_cast<void>(resource_.allocate(100, 4 << 20)),
               std::bad_alloc);
  struct alignas(4096) Page {
    char bytes[4096];
  };
  std::pmr::vector<Page> pages(10, &resource_);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pages.data()) % 4096, 0U);
}

TEST_F(MemoryResourceTest, FullIsBadAlloc) {
  std::pmr::vector<std::byte> bytes(&resource_);
  EXPECT_THROW(bytes.resize(std::size_t{1} << 40), std::bad_alloc);
  std::vector<void*> all;
  EXPECT_THROW(for (;;) all.push_back(resource_.allocate(500'000)),
               std::bad_alloc);
  EXPECT_FALSE(all.empty());
  for (void* each : all) resource_.deallocate(each, 500'000);
  EXPECT_EQ(live(), 0U);
}

TEST_F(MemoryResourceTest, EqualAreThoseOfOneAllocator) {
  const RegionResource same(allocator());
  EXPECT_TRUE(resource_.is_equal(same));
  EXPECT_FALSE(resource_.is_equal(*std::pmr::new_delete_resource()));
  const auto other_allocator = testing::MakeAllocator(region());
  RegionResource other(*other_allocator);
  EXPECT_FALSE(resource_.is_equal(other));
  // So this moves the elements, one by one.
  std::pmr::vector<int> from({1, 2, 3}, &other);
  std::pmr::vector<int> to(&resource_);
  to = std::move(from);
  EXPECT_EQ(to.back(), 3);
}

}  // namespace
}  // namespace zcb::alloc
