#include "allocator/depot.h"

#include <algorithm>

namespace zcb::alloc {
namespace {

constexpr std::size_t TotalLines() {
  std::size_t total = 0;
  for (std::uint32_t c = 0; c < kExtentClass; ++c) total += Depot::LimitOf(c);
  return total;
}

}  // namespace

Depot::Depot() : lines_(TotalLines() * sizeof(std::uint32_t)) {
  if (!lines_.ok()) return;
  auto* next = lines_.as<std::uint32_t>();
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    shelves_[c].lines = next;
    next += LimitOf(c);
  }
}

std::uint32_t Depot::Take(std::uint32_t size_class,
                          std::span<std::uint32_t> out) {
  Shelf& shelf = shelves_[size_class];
  const std::lock_guard lock(shelf.mutex);
  const auto count =
      std::min(shelf.count, static_cast<std::uint32_t>(out.size()));
  shelf.count -= count;
  std::copy_n(shelf.lines + shelf.count, count, out.begin());
  return count;
}

std::uint32_t Depot::Put(std::uint32_t size_class,
                         std::span<const std::uint32_t> lines) {
  Shelf& shelf = shelves_[size_class];
  const std::lock_guard lock(shelf.mutex);
  const auto count = std::min(LimitOf(size_class) - shelf.count,
                              static_cast<std::uint32_t>(lines.size()));
  std::copy_n(lines.begin(), count, shelf.lines + shelf.count);
  shelf.count += count;
  return count;
}

}  // namespace zcb::alloc
