#include "allocator/private_tables.h"

#include <thread>

namespace zcb::alloc {

PrivateTables::PrivateTables(const Geometry& geometry)
    : states_memory_(std::size_t{geometry.granule_count} * kLinesPerGranule),
      codes_memory_(geometry.granule_count),
      states_(states_memory_.as<std::atomic<BufferState>>()),
      codes_(codes_memory_.as<std::atomic<GranuleCode>>()),
      line_count_(static_cast<std::uint32_t>(
          std::uint64_t{geometry.granule_count} * kLinesPerGranule)) {}

bool PrivateTables::UsesAny(std::uint32_t first_granule,
                            std::uint32_t granules) const {
  for (std::uint32_t g = 0; g < granules; ++g) {
    // relaxed: the claim of the unit comes after its last user's clearing
    if (codes_[first_granule + g].load(std::memory_order_relaxed) != kNoCode) {
      return true;
    }
  }
  return false;
}

bool PrivateTables::Recall(std::uint32_t line, BufferState to) const {
  for (;;) {
    BufferState seen = BufferState::kAway;
    // acquire <- buffer.leave, slab.retire: as in TryTake(). relaxed on
    // failure: nothing was learnt.
    if (states_[line].compare_exchange_strong(
            seen, to, std::memory_order_acquire, std::memory_order_relaxed)) {
      return true;
    }
    if (seen != BufferState::kJudged && seen != BufferState::kLeaving) {
      return false;
    }
    std::this_thread::yield();
  }
}

}  // namespace zcb::alloc
