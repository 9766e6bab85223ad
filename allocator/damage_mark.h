// "This region has lost memory under us": what a process knows of it,
// privately.
#ifndef ZCB_ALLOCATOR_DAMAGE_MARK_H_
#define ZCB_ALLOCATOR_DAMAGE_MARK_H_

#include <array>
#include <atomic>
#include <cstdint>

namespace zcb::alloc {

// Regions of this process that have a mark. One load tells the data path that
// there is nothing to look for.
inline constinit std::atomic<std::uint32_t> damaged_regions{0};

// word               written by             read by         edge
// damaged_regions    Set(), once per mark   all             none: a count
// is_set_            Set(), for good        calls           none: a flag
// tripwires_         Arm(), Disarm()        Set()           mark.arm
//
// Set() is async-signal-safe: a handler of SIGBUS calls it. A thread that meets
// the damage is the one whose handler runs, so its own next load sees the mark;
// others see it soon.
class DamageMark {
 public:
  DamageMark() = default;
  ~DamageMark() {
    // relaxed, both: with the region nobody has use of it any more
    if (is_set_.load(std::memory_order_relaxed) != 0) {
      damaged_regions.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  DamageMark(const DamageMark&) = delete;
  DamageMark& operator=(const DamageMark&) = delete;

  bool IsSet() const {
    // relaxed, both: nothing comes with them
    return damaged_regions.load(std::memory_order_relaxed) != 0 &&
           is_set_.load(std::memory_order_relaxed) != 0;
  }
  void Set() {
    // relaxed, as above
    if (is_set_.exchange(1, std::memory_order_relaxed) != 0) return;
    damaged_regions.fetch_add(1, std::memory_order_relaxed);
    for (const auto& tripwire : tripwires_) {
      // acquire <- mark.arm: the word is there
      if (auto* word = tripwire.load(std::memory_order_acquire)) Trip(word);
    }
  }

  // What Set() stores into a word that a path without any other check compares.
  static constexpr std::uint64_t kTripped = ~std::uint64_t{0};
  static void Trip(std::atomic<std::uint64_t>* word) {
    word->store(kTripped, std::memory_order_relaxed);  // a number, compared
  }
  // False: there are too many. Who stores into the word afterwards looks at
  // IsSet() after that. The word must outlive Disarm().
  bool Arm(std::atomic<std::uint64_t>* word) {
    for (auto& tripwire : tripwires_) {
      std::atomic<std::uint64_t>* none = nullptr;
      // release -> mark.arm: the word is initialized. relaxed on failure: that
      // place is taken.
      if (tripwire.compare_exchange_strong(none, word,
                                           std::memory_order_release,
                                           std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  void Disarm(std::atomic<std::uint64_t>* word) {
    for (auto& tripwire : tripwires_) {
      // relaxed: only we have stored it
      if (tripwire.load(std::memory_order_relaxed) == word) {
        tripwire.store(nullptr, std::memory_order_relaxed);  // the word stays
      }
    }
  }

 private:
  std::atomic<std::uint32_t> is_set_{0};
  std::array<std::atomic<std::atomic<std::uint64_t>*>, 8> tripwires_{};
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(std::atomic<std::atomic<std::uint64_t>*>::is_always_lock_free);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_DAMAGE_MARK_H_
