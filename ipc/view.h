// A member's private picture of the group: who is in it, after which change.
#ifndef ZCB_IPC_VIEW_H_
#define ZCB_IPC_VIEW_H_

#include <cstdint>
#include <vector>

#include "ipc/member_address.h"

namespace zcb::ipc {

struct ViewChange {
  enum class Kind : std::uint8_t { kNone, kJoin, kLeave, kProcessDown };
  Kind kind = Kind::kNone;
  MemberAddress subject;
  bool is_self = false;  // the change is about the member that reads it
};

// Ordinary memory of one member; not thread-safe. Room for every entry of the
// member table is taken at construction: no allocation when the view changes.
class View {
 public:
  struct Item {
    MemberAddress address;
    std::uint16_t entry = 0;
    std::uint16_t entry_generation = 0;
  };

  View() = default;
  explicit View(std::size_t capacity) { items_.reserve(capacity); }

  // Sorted by (node, pid).
  const std::vector<Item>& items() const { return items_; }
  bool Contains(std::uint16_t entry, std::uint16_t entry_generation) const;
  // False if it was there already.
  bool Add(const Item& item);
  // False if it was not there; otherwise `removed` is what was.
  bool Remove(std::uint16_t entry, std::uint16_t entry_generation,
              Item* removed);
  void Clear() { items_.clear(); }

 private:
  std::vector<Item> items_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_VIEW_H_
