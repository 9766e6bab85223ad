// A bounded ring from one writer to one reader, threads or processes: how
// buffers are handed over in the benchmarks, the same for every allocator.
#ifndef ZCB_BENCH_ALLOCATOR_SPSC_RING_H_
#define ZCB_BENCH_ALLOCATOR_SPSC_RING_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace zcb::bench {

// All-zero is an empty ring. Each side looks at the other's position only when
// its own copy of it says that it must wait.
template <typename T>
  requires std::is_trivially_copyable_v<T>
class SpscRing {
 public:
  static constexpr std::uint64_t kSlots = 1024;

  // `window`: how many may be in the ring, 1 .. kSlots; the same in each call.
  // False: full.
  bool TryPush(T item, std::uint64_t window) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);  // ours
    if (tail - head_seen_ >= window) {
      // acquire <- ring.recycle: the reader is done with the slot.
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ >= window) return false;
    }
    slots_[tail % kSlots] = item;
    // release -> ring.publish: the slot is whole before tail_ covers it.
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // False: empty.
  bool TryPop(T& item) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);  // ours
    if (head == tail_seen_) {
      // acquire <- ring.publish: what the writer wrote before it is seen.
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return false;
    }
    item = slots_[head % kSlots];
    // release -> ring.recycle: the slot has been read.
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

 private:
  static constexpr std::size_t kLineBytes = 64;
  alignas(kLineBytes) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t head_seen_ = 0;  // writer only
  alignas(kLineBytes) std::atomic<std::uint64_t> head_{0};
  std::uint64_t tail_seen_ = 0;  // reader only
  alignas(kLineBytes) std::array<T, kSlots> slots_{};
};

// A moment's pause of a side that waits for the other.
inline void Relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_SPSC_RING_H_
