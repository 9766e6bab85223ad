// START READING HERE. A thread's store of free buffers of one size class.
#ifndef ZCB_ALLOCATOR_MAGAZINE_H_
#define ZCB_ALLOCATOR_MAGAZINE_H_

#include <cstdint>

#include "allocator/magazine_limits.h"
#include "allocator/private_tables.h"
#include "allocator/size_classes.h"

namespace zcb::alloc {

// A ring of line numbers, private to one thread. The numbers lie in an array
// that all magazines of the thread share; all-zero is an empty magazine.
//
// Nothing here is shared, so a crash leaves nothing behind: the unit's next
// owner finds the buffers by their words.
class Magazine {
 public:
  void Init(std::uint32_t first, std::uint32_t limit) {
    first_ = first;
    limit_ = limit;
  }
  std::uint32_t limit() const { return limit_; }
  std::uint32_t count() const { return tail_ - head_; }
  bool is_empty() const { return head_ == tail_; }
  bool is_full() const { return tail_ - head_ == limit_; }

  // Only if not empty.
  std::uint32_t Pop(const std::uint32_t* lines) {
    return lines[first_ + (head_++ & (limit_ - 1))];
  }
  // Only if not full.
  void Push(std::uint32_t* lines, std::uint32_t line) {
    lines[first_ + (tail_++ & (limit_ - 1))] = line;
  }
  // What the Pop() after `ahead` others will return; only if there are so many.
  std::uint32_t Peek(const std::uint32_t* lines, std::uint32_t ahead) const {
    return lines[first_ + ((head_ + ahead) & (limit_ - 1))];
  }
  // For audits: calls visit(line), the oldest first.
  template <typename Visit>
  void ForEachLine(const std::uint32_t* lines, Visit visit) const {
    for (std::uint32_t i = 0; i < count() && i < limit_; ++i) {
      visit(lines[first_ + ((head_ + i) & (limit_ - 1))]);
    }
  }

 private:
  std::uint32_t head_;  // both only grow, and wrap
  std::uint32_t tail_;
  std::uint32_t limit_;
  std::uint32_t first_;  // of our part of the array
};
static_assert(sizeof(Magazine) == 16);

// Where each magazine's part of the array begins, and how long the array is:
// room for the most that can be asked for.
struct MagazineLayout {
  std::uint32_t first[kCodeCount];
  std::uint32_t total;
};
inline constexpr MagazineLayout kMagazineLayout = [] {
  MagazineLayout layout{};
  for (std::uint32_t c = 0; c < kClassCount; ++c) {
    layout.first[CodeOf(c)] = layout.total;
    layout.total += MagazineLimits::Of(c, MagazineLimits::kMostRotationBytes);
  }
  return layout;
}();

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_MAGAZINE_H_
