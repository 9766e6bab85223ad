#include "allocator/depot.h"

#include <algorithm>

#include "allocator/paranoid.h"

namespace zcb::alloc {

constinit const Depot::Layout Depot::kLayout = [] {
  Layout layout;
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    layout.first[c] = static_cast<std::uint32_t>(layout.total);
    layout.total += LimitOf(c);
  }
  return layout;
}();

Depot::Depot(std::uint64_t budget_bytes)
    : memory_(kExtentClass * sizeof(Shelf) +
              kLayout.total * sizeof(std::uint32_t)),
      shelves_(memory_.as<Shelf>()),
      lines_(memory_.at<std::uint32_t>(kExtentClass * sizeof(Shelf))),
      room_bytes_(static_cast<std::int64_t>(
          std::min<std::uint64_t>(budget_bytes, INT64_MAX))) {}

std::uint32_t Depot::Reserve(std::uint64_t buffer_bytes, std::uint32_t wanted) {
  const auto want_bytes = static_cast<std::int64_t>(buffer_bytes * wanted);
  // relaxed, all of these: a sum; the shelf's lock orders what it counts
  const std::int64_t room =
      room_bytes_.fetch_sub(want_bytes, std::memory_order_relaxed);
  if (room >= want_bytes) return wanted;
  const auto fits =
      static_cast<std::uint32_t>(std::max<std::int64_t>(room, 0) /
                                 static_cast<std::int64_t>(buffer_bytes));
  room_bytes_.fetch_add(
      want_bytes - static_cast<std::int64_t>(buffer_bytes * fits),
      std::memory_order_relaxed);
  return fits;
}

std::uint32_t Depot::Take(std::uint32_t size_class,
                          std::span<std::uint32_t> out) {
  Shelf& shelf = shelves_[size_class];
  const std::lock_guard lock(shelf.mutex);
  const InvariantScope books(
      [&] { ZCB_INVARIANT(shelf.count <= LimitOf(size_class)); });
  const auto count =
      std::min(shelf.count, static_cast<std::uint32_t>(out.size()));
  shelf.count -= count;
  std::copy_n(LinesOf(size_class) + shelf.count, count, out.begin());
  // relaxed: see Reserve()
  room_bytes_.fetch_add(
      static_cast<std::int64_t>(kSizeClasses[size_class].bytes() * count),
      std::memory_order_relaxed);
  return count;
}

std::uint32_t Depot::Put(std::uint32_t size_class,
                         std::span<const std::uint32_t> lines) {
  Shelf& shelf = shelves_[size_class];
  const std::lock_guard lock(shelf.mutex);
  const InvariantScope books(
      [&] { ZCB_INVARIANT(shelf.count <= LimitOf(size_class)); });
  const auto count =
      Reserve(kSizeClasses[size_class].bytes(),
              std::min(LimitOf(size_class) - shelf.count,
                       static_cast<std::uint32_t>(lines.size())));
  std::copy_n(lines.begin(), count, LinesOf(size_class) + shelf.count);
  shelf.count += count;
  return count;
}

}  // namespace zcb::alloc
