// A pointer that may lie in shared memory: it holds the way from itself to its
// target, so both mean the same at whatever address a process has the region.
//
//   stored   target - address of the pointer - 1; null is 0
//
// so that fresh, all-zero memory is null. What cannot be told from null is the
// second byte of the pointer itself, where nothing that one points to lies.
//
// Boost's offset_ptr does the same, but its null is 1 (zeroed memory points to
// itself), it has no look at bounds, and whoever includes this folder would
// need Boost.
#ifndef ZCB_ALLOCATOR_OFFSET_PTR_H_
#define ZCB_ALLOCATOR_OFFSET_PTR_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <type_traits>

namespace zcb::alloc {

// Used like a T*; fit to be the pointer type of an allocator (a fancy pointer).
//
// Target and pointer must lie in one mapping: a pointer on the stack, or in
// private memory, that refers to the region is good in its own process only.
// Copying one computes the new distance; copying its bytes makes nonsense.
//
// It is plain memory. Threads and processes that read what another one writes
// need an order between them: publish the finished structure by one release
// store of an atomic word, and let nobody change it afterwards.
template <typename T>
class OffsetPtr {
 public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;
  using difference_type = std::ptrdiff_t;
  using pointer = OffsetPtr;
  using reference = std::add_lvalue_reference_t<T>;
  using iterator_category = std::random_access_iterator_tag;
  template <typename U>
  using rebind = OffsetPtr<U>;

  constexpr OffsetPtr() = default;
  constexpr OffsetPtr(std::nullptr_t) {}  // NOLINT
  OffsetPtr(T* target) { Set(target); }   // NOLINT
  OffsetPtr(const OffsetPtr& other) { Set(other.get()); }
  template <typename U>
    requires std::is_convertible_v<U*, T*>
  OffsetPtr(const OffsetPtr<U>& other) {  // NOLINT
    Set(other.get());
  }
  // Back from OffsetPtr<void>, as static_cast does it.
  template <typename U>
    requires(!std::is_convertible_v<U*, T*> &&
             requires(U* from) { static_cast<T*>(from); })
  explicit OffsetPtr(const OffsetPtr<U>& other) {
    Set(static_cast<T*>(other.get()));
  }
  OffsetPtr& operator=(const OffsetPtr& other) { return Set(other.get()); }
  OffsetPtr& operator=(T* target) { return Set(target); }
  // A template only because there is no void&.
  template <typename U>
  static OffsetPtr pointer_to(U& target) {
    return OffsetPtr(std::addressof(target));
  }

  T* get() const { return TargetOf(stored_); }
  // For what another process wrote: the target if all of it lies within
  // `bounds`, aligned; else nullptr. Reads the pointer once.
  T* GetWithin(std::span<const std::byte> bounds) const
    requires(!std::is_void_v<T>)
  {
    const std::int64_t stored = stored_;
    const std::uintptr_t address =
        reinterpret_cast<std::uintptr_t>(TargetOf(stored));
    const std::uintptr_t offset =
        address - reinterpret_cast<std::uintptr_t>(bounds.data());
    if (stored == 0 || address % alignof(T) != 0 || bounds.size() < sizeof(T) ||
        offset > bounds.size() - sizeof(T)) {
      return nullptr;
    }
    return reinterpret_cast<T*>(address);
  }

  explicit operator bool() const { return stored_ != 0; }
  reference operator*() const { return *get(); }
  T* operator->() const { return get(); }
  reference operator[](difference_type index) const { return get()[index]; }

  OffsetPtr& operator+=(difference_type count) { return Set(get() + count); }
  OffsetPtr& operator-=(difference_type count) { return Set(get() - count); }
  OffsetPtr& operator++() { return *this += 1; }
  OffsetPtr& operator--() { return *this -= 1; }
  OffsetPtr operator++(int) {
    const OffsetPtr before(*this);
    ++*this;
    return before;
  }
  OffsetPtr operator--(int) {
    const OffsetPtr before(*this);
    --*this;
    return before;
  }
  friend OffsetPtr operator+(const OffsetPtr& from, difference_type count) {
    return OffsetPtr(from.get() + count);
  }
  friend OffsetPtr operator+(difference_type count, const OffsetPtr& from) {
    return OffsetPtr(from.get() + count);
  }
  friend OffsetPtr operator-(const OffsetPtr& from, difference_type count) {
    return OffsetPtr(from.get() - count);
  }
  friend difference_type operator-(const OffsetPtr& a, const OffsetPtr& b) {
    return a.get() - b.get();
  }
  friend bool operator==(const OffsetPtr& a, const OffsetPtr& b) {
    return a.get() == b.get();
  }
  friend bool operator==(const OffsetPtr& a, std::nullptr_t) {
    return a.stored_ == 0;
  }
  friend std::strong_ordering operator<=>(const OffsetPtr& a,
                                          const OffsetPtr& b) {
    return std::compare_three_way()(a.get(), b.get());
  }

 private:
  // In numbers, not pointers: pointer and target are different objects.
  std::uint64_t SelfAddress() const {
    return reinterpret_cast<std::uintptr_t>(this);
  }
  T* TargetOf(std::int64_t stored) const {
    if (stored == 0) return nullptr;
    return reinterpret_cast<T*>(static_cast<std::uintptr_t>(
        SelfAddress() + static_cast<std::uint64_t>(stored) + 1));
  }
  OffsetPtr& Set(T* target) {
    stored_ =
        target == nullptr
            ? 0
            : static_cast<std::int64_t>(
                  reinterpret_cast<std::uintptr_t>(target) - SelfAddress() - 1);
    return *this;
  }

  std::int64_t stored_ = 0;
};
static_assert(sizeof(OffsetPtr<char>) == 8 && alignof(OffsetPtr<char>) == 8);
static_assert(std::is_standard_layout_v<OffsetPtr<char>>);
// Dropped with the memory it lies in, without anybody running anything.
static_assert(std::is_trivially_destructible_v<OffsetPtr<char>>);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_OFFSET_PTR_H_
