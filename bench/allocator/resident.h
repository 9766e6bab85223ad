// How much memory is really there, and memory that is not the allocator's.
#ifndef ZCB_BENCH_ALLOCATOR_RESIDENT_H_
#define ZCB_BENCH_ALLOCATOR_RESIDENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace zcb::bench {

// Of this process, by the kernel's count (/proc/self/smaps_rollup).
struct Resident {
  std::uint64_t private_bytes = 0;  // anonymous, and of ordinary files
  std::uint64_t shared_bytes = 0;   // of shared memory
};
Resident ReadResident();

// Zeroed and resident memory from mmap(2), so that the books of a workload lie
// outside of the allocator that is measured.
class OutsideMemory {
 public:
  explicit OutsideMemory(std::size_t bytes);
  ~OutsideMemory();
  OutsideMemory(const OutsideMemory&) = delete;
  OutsideMemory& operator=(const OutsideMemory&) = delete;

  // T: may be all-zero, and needs no destructor. Asked once only.
  template <typename T>
  std::span<T> As(std::size_t count) const {
    auto* const first = static_cast<T*>(memory_);
    std::uninitialized_value_construct_n(first, count);
    return {first, count};
  }

 private:
  void* memory_;
  std::size_t bytes_;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_RESIDENT_H_
