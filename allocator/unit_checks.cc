// What must be true of UnitTable's books whenever nobody is changing them.
#include "allocator/unit_table.h"

namespace zcb::alloc {

// Not whether the unit words are still ours: they are shared, and what others
// scribble there is no fault of these books.
bool UnitTable::IsConsistent() {
  const std::lock_guard lock(mutex_);
  if (owned_count_ > shared_.unit_count()) return false;
  std::uint32_t spares = 0;
  for (std::uint32_t i = 0; i < owned_count_; ++i) {
    if (owned_[i] >= shared_.unit_count()) return false;
    const State& state = states_[owned_[i]];
    if (state.position != i || state.word.kind() != UnitWord::Kind::kOwned) {
      return false;
    }
    spares += IsSpare(state);
  }
  return spares == spare_count_;
}

}  // namespace zcb::alloc
