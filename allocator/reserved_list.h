// A list with room for as many as there can be, which costs what is in it.
#ifndef ZCB_ALLOCATOR_RESERVED_LIST_H_
#define ZCB_ALLOCATOR_RESERVED_LIST_H_

#include <cstddef>
#include <new>
#include <type_traits>

#include "allocator/private_mapping.h"

namespace zcb::alloc {

// As a vector that has reserved all its memory: nothing moves, and adding
// cannot fail. Unlike that it touches no page before something is added; of
// malloc's memory it would touch at least the block's header. A forked child
// finds zeros in it.
//
// Not thread-safe.
template <typename T>
class ReservedList {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  ReservedList() = default;
  explicit ReservedList(std::size_t capacity) : memory_(capacity * sizeof(T)) {}
  // False: no private memory; nothing may be added.
  bool ok() const { return memory_.ok(); }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() const { return memory_.as<T>(); }
  T* end() const { return begin() + size_; }
  T& operator[](std::size_t index) const { return begin()[index]; }
  // Only if not empty.
  T& back() const { return end()[-1]; }
  // Only up to the capacity.
  void push_back(const T& value) {
    new (static_cast<void*>(end())) T(value);
    ++size_;
  }
  void pop_back() { --size_; }

 private:
  PrivateMapping memory_;
  std::size_t size_ = 0;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_RESERVED_LIST_H_
