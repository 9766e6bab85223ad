// What must be true of ExtentTable's books whenever nobody is changing them.
#include "allocator/extent.h"

namespace zcb::alloc {

bool ExtentTable::IsConsistent() {
  const std::lock_guard lock(mutex_);
  if (owned_count_ > shared_.unit_count()) return false;
  for (std::uint32_t i = 0; i < owned_count_; ++i) {
    const std::uint32_t unit = owned_[i];
    if (unit >= shared_.unit_count() || states_[unit].position != i ||
        !states_[unit].head.IsExtentHead()) {
      return false;
    }
  }
  return true;
}

}  // namespace zcb::alloc
