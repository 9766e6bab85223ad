#include "allocator/private_tables.h"

#include <thread>

#include "allocator/buffer_word.h"

namespace zcb::alloc {

PrivateTables::PrivateTables(const Geometry& geometry)
    : states_memory_(std::size_t{geometry.granule_count} * kLinesPerGranule),
      codes_memory_(geometry.granule_count),
      states_(states_memory_.as<std::atomic<BufferState>>()),
      codes_(codes_memory_.as<std::atomic<GranuleCode>>()),
      line_count_(static_cast<std::uint32_t>(
          std::uint64_t{geometry.granule_count} * kLinesPerGranule)) {}

// Between "the word is Free" and "the byte is ours" another thread may have
// taken the buffer, sent it again, even given its slab away. So the byte is won
// first, and the word and the code are judged after:
// - The word must still hold the very same export. A send raises its
//   generation, also one that is cancelled.
// - The code must still name a buffer of this class that starts here. Whoever
// retires a slab
//   clears the codes before the states; whoever makes one wins each state
//   before it sets the codes, and leaves to us what he does not win.
// While it is kJudged the byte is ours alone: makers of slabs leave it, and a
// send that is cancelled waits these few instructions.
bool PrivateTables::TryTake(std::uint32_t line, std::uint32_t size_class,
                            SharedTables::Word& word) const {
  // acquire <- word.free: the last reader has finished with the bytes.
  const BufferWord seen(word.load(std::memory_order_acquire));
  if (!seen.is_free()) return false;
  BufferState away = BufferState::kAway;
  // acquire <- buffer.leave, slab.retire: whatever made it kAway is visible to
  // the two loads below. relaxed on failure: nothing was learnt.
  if (!states_[line].compare_exchange_strong(away, BufferState::kJudged,
                                             std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
    return false;
  }
  // acquire <- word.free: as above.
  const BufferWord again(word.load(std::memory_order_acquire));
  const Start start = StartAt(line);
  if (again == seen && start.ok() && start.slab.size_class == size_class) {
    // relaxed: the buffer is this thread's alone
    states_[line].store(BufferState::kCached, std::memory_order_relaxed);
    return true;
  }
  // release -> buffer.leave, slab.retire: hands on what we have acquired.
  states_[line].store(BufferState::kAway, std::memory_order_release);
  return false;
}

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
