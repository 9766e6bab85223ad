// Demand-zero memory of this process.
#ifndef ZCB_ALLOCATOR_PRIVATE_MAPPING_H_
#define ZCB_ALLOCATOR_PRIVATE_MAPPING_H_

#include <cstddef>
#include <cstdint>
#include <utility>

namespace zcb::alloc {

// Address space for a table that is mostly empty: pages come when touched, and
// a forked child finds them all zero (MADV_WIPEONFORK). The tables of this
// folder are laid out so that zero means "not mine": whatever a child does
// with an inherited allocator ends in its slow path, which refuses.
class PrivateMapping {
 public:
  PrivateMapping() = default;
  explicit PrivateMapping(std::size_t length_bytes);
  ~PrivateMapping() { Reset(); }
  PrivateMapping(PrivateMapping&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)),
        length_bytes_(std::exchange(other.length_bytes_, 0)) {}
  PrivateMapping& operator=(PrivateMapping&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(length_bytes_, other.length_bytes_);
    return *this;
  }

  bool ok() const { return base_ != nullptr; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(base_);
  }
  // What begins so far behind the start; only if ok() anything sensible.
  template <typename T>
  T* at(std::size_t offset_bytes) const {
    return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(base_) +
                                offset_bytes);
  }
  // Never unmapped: for what other threads may look at until the end.
  void* Leak() { return std::exchange(base_, nullptr); }

 private:
  void Reset();
  void* base_ = nullptr;
  std::size_t length_bytes_ = 0;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_PRIVATE_MAPPING_H_
