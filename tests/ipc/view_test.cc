// A member's picture of its group grows, whatever malloc says.
#include "ipc/view.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>

namespace {
bool refuse = false;
}  // namespace

// What a view asks for memory by.
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  if (refuse) return nullptr;
  try {
    return ::operator new[](bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

namespace zcb::ipc {
namespace {

constexpr std::uint16_t kCapacity = 256;

View::Item ItemOf(std::uint16_t entry) {
  // Not in the order in which they come.
  return {{1, std::uint32_t{entry} * 37 % kCapacity}, entry, 1};
}

void ExpectSorted(const View& view) {
  EXPECT_TRUE(std::ranges::is_sorted(
      view.items(), {}, [](const View::Item& item) { return item.address; }));
}

TEST(ViewTest, HasRoomForEveryEntry) {
  View view(kCapacity);
  for (std::uint16_t i = 0; i < kCapacity; ++i) {
    EXPECT_TRUE(view.Add(ItemOf(i)));
    EXPECT_FALSE(view.Add(ItemOf(i)));
  }
  ASSERT_EQ(view.items().size(), kCapacity);
  ExpectSorted(view);
  View::Item removed;
  for (std::uint16_t i = 0; i < kCapacity; i += 2) {
    EXPECT_TRUE(view.Remove(i, 1, &removed));
    EXPECT_EQ(removed.entry, i);
    EXPECT_FALSE(view.Remove(i, 1, &removed));
  }
  ASSERT_EQ(view.items().size(), kCapacity / 2U);
  ExpectSorted(view);
  EXPECT_FALSE(view.Contains(0, 1));
  EXPECT_TRUE(view.Contains(1, 1));
  EXPECT_FALSE(view.Contains(1, 2));
}

TEST(ViewTest, GrowsWithoutMallocAndKeepsWhatItHas) {
  for (const int count : {0, 1, 8, 9, 100}) {
    const auto before = static_cast<std::uint16_t>(count);
    View view(kCapacity);
    for (std::uint16_t i = 0; i < before; ++i) view.Add(ItemOf(i));
    refuse = true;
    for (std::uint16_t i = before; i < kCapacity; ++i) view.Add(ItemOf(i));
    refuse = false;
    ASSERT_EQ(view.items().size(), kCapacity);
    ExpectSorted(view);
    for (std::uint16_t i = 0; i < kCapacity; ++i) {
      EXPECT_TRUE(view.Contains(i, 1));
    }
  }
}

TEST(ViewTest, WithoutRoomMadeAheadItMayThrow) {
  View view;
  refuse = true;
  EXPECT_THROW(view.Add(ItemOf(0)), std::bad_alloc);
  refuse = false;
  EXPECT_TRUE(view.Add(ItemOf(0)));
  EXPECT_EQ(view.items().size(), 1U);
}

}  // namespace
}  // namespace zcb::ipc
