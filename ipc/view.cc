#include "ipc/view.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace zcb::ipc {

View::View(std::size_t capacity, std::size_t expected)
    : all_(capacity * sizeof(Item)) {
  if (!all_.ok()) throw std::bad_alloc();
  Grow(expected);
}

void View::Grow(std::size_t wanted) {
  std::unique_ptr<Item[]> fresh(new (std::nothrow) Item[wanted]);
  if (fresh == nullptr && !all_.ok()) throw std::bad_alloc();
  Item* const to = fresh != nullptr ? fresh.get() : all_.as<Item>();
  std::copy_n(items_, size_, to);
  items_ = to;
  // Of the mapping: as large as there can be members.
  capacity_ =
      fresh != nullptr ? wanted : std::numeric_limits<std::size_t>::max();
  grown_ = std::move(fresh);
}

View::Item* View::Find(std::uint16_t entry,
                       std::uint16_t entry_generation) const {
  return std::find_if(items_, items_ + size_, [&](const Item& item) {
    return item.entry == entry && item.entry_generation == entry_generation;
  });
}

bool View::Contains(std::uint16_t entry, std::uint16_t entry_generation) const {
  return Find(entry, entry_generation) != items_ + size_;
}

bool View::Add(const Item& item) {
  if (Contains(item.entry, item.entry_generation)) return false;
  if (size_ == capacity_) Grow(std::max(kFew, capacity_ * 2));
  Item* const end = items_ + size_;
  Item* const after = std::ranges::upper_bound(
      items_, end, item.address, {}, [](const Item& i) { return i.address; });
  std::copy_backward(after, end, end + 1);
  *after = item;
  ++size_;
  return true;
}

bool View::Remove(std::uint16_t entry, std::uint16_t entry_generation,
                  Item* removed) {
  Item* const found = Find(entry, entry_generation);
  Item* const end = items_ + size_;
  if (found == end) return false;
  *removed = *found;
  std::copy(found + 1, end, found);
  --size_;
  return true;
}

}  // namespace zcb::ipc
