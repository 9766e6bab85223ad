// What processes of a benchmark tell each other, in memory that has nothing to
// do with what is measured.
#ifndef ZCB_BENCH_PROCESSES_SHARED_COUNT_H_
#define ZCB_BENCH_PROCESSES_SHARED_COUNT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

namespace zcb::bench {

// A count that a process can sleep on until it has grown. Between processes.
class SharedCount {
 public:
  std::uint32_t value() const { return word_.load(std::memory_order_acquire); }
  void Set(std::uint32_t value) {
    word_.store(value, std::memory_order_release);
    WakeAll();
  }
  // Adds one, and wakes who waits only when the count reaches `last`: the
  // others are not to be woken for nothing while something is timed.
  void Add(std::uint32_t last);
  void WaitWhile(std::uint32_t value) const;
  // Throws Failed after `limit_s` seconds: somebody hangs.
  void WaitFor(std::uint32_t value, const char* what, int limit_s = 60) const;

 private:
  void WakeAll();
  std::atomic<std::uint32_t> word_{0};
};

// Zeroed memory that children share with their parent, for as long as any of
// them lives. Throws Failed.
void* MapShared(std::size_t bytes);

// A T in such memory, made before anybody is forked.
template <typename T>
T* MakeShared() {
  return new (MapShared(sizeof(T))) T{};
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PROCESSES_SHARED_COUNT_H_
