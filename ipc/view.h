// A member's private picture of the group: who is in it, after which change.
#ifndef ZCB_IPC_VIEW_H_
#define ZCB_IPC_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "allocator/private_mapping.h"
#include "ipc/member_address.h"

namespace zcb::ipc {

struct ViewChange {
  enum class Kind : std::uint8_t { kNone, kJoin, kLeave, kProcessDown };
  Kind kind = Kind::kNone;
  MemberAddress subject;
  bool is_self = false;  // the change is about the member that reads it
};

// Ordinary memory of one member; not thread-safe. It grows with the view. Room
// for every entry of the member table is there from the beginning, for when
// malloc has none; it is not touched before that.
class View {
 public:
  static constexpr std::size_t kFew = 8;
  struct Item {
    MemberAddress address;
    std::uint16_t entry = 0;
    std::uint16_t entry_generation = 0;
  };

  View() = default;
  // At most `capacity` members, at first about `expected`; adding one cannot
  // fail. Without: it may throw bad_alloc. This may.
  explicit View(std::size_t capacity, std::size_t expected = kFew);

  // Sorted by (node, pid).
  std::span<const Item> items() const { return {items_, size_}; }
  bool Contains(std::uint16_t entry, std::uint16_t entry_generation) const;
  // False if it was there already.
  bool Add(const Item& item);
  // False if it was not there; otherwise `removed` is what was.
  bool Remove(std::uint16_t entry, std::uint16_t entry_generation,
              Item* removed);
  void Clear() { size_ = 0; }

 private:
  void Grow(std::size_t wanted);
  Item* Find(std::uint16_t entry, std::uint16_t entry_generation) const;

  Item* items_ = nullptr;  // in one of the two below
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::unique_ptr<Item[]> grown_;
  alloc::PrivateMapping all_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_VIEW_H_
