#include "ipc/view.h"

#include <algorithm>

namespace zcb::ipc {
namespace {

auto Find(const std::vector<View::Item>& items, std::uint16_t entry,
          std::uint16_t entry_generation) {
  return std::ranges::find_if(items, [&](const View::Item& item) {
    return item.entry == entry && item.entry_generation == entry_generation;
  });
}

}  // namespace

bool View::Contains(std::uint16_t entry, std::uint16_t entry_generation) const {
  return Find(items_, entry, entry_generation) != items_.end();
}

bool View::Add(const Item& item) {
  if (Contains(item.entry, item.entry_generation)) return false;
  const auto after = std::ranges::upper_bound(
      items_, item.address, {}, [](const Item& i) { return i.address; });
  items_.insert(after, item);
  return true;
}

bool View::Remove(std::uint16_t entry, std::uint16_t entry_generation,
                  Item* removed) {
  const auto found = Find(items_, entry, entry_generation);
  if (found == items_.end()) return false;
  *removed = *found;
  items_.erase(found);
  return true;
}

}  // namespace zcb::ipc
