// Who owns two mebibytes: one word per unit.
#ifndef ZCB_ALLOCATOR_UNIT_WORD_H_
#define ZCB_ALLOCATOR_UNIT_WORD_H_

#include <cstdint>

#include "allocator/bit_field.h"
#include "allocator/lease_word.h"

namespace zcb::alloc {

//   63          32 31      20 19       3 2      0
//   | epoch:32    | slot:12   | length:17 | kind:3 |
//
// kind        length                      who may change it
// kFree       0                           any claimer
// kReserved   units of the reservation    the claimer; the reaper of `slot`
// kOwned      lease generation, low bits  the owner; the reaper of `slot`
// kExtentHead units of the extent         the owner; the reaper of `slot`
// kMember     units from here to the head whoever frees or rolls back the head
// kFreeing    units of the extent         that process; the reaper of `slot`
// kAbandoned  0                           any adopter
// kOrphanHead units of the extent         whoever turned its buffer word Free
//
// An extent's tail (extent_tail.h) is not counted: it lies in an Owned or
// Abandoned unit.
//
// An orphan is an extent whose owner has gone while the buffer was out: it
// names no lease, because the slot may belong to somebody else by now.
//
// The epoch counts changes of ownership: a compare-and-swap by a process that
// slept through one fails. All-zero is Free: fresh pages need no init pass.
class UnitWord {
 public:
  enum class Kind : std::uint8_t {
    kFree = 0,
    kReserved = 1,
    kOwned = 2,
    kExtentHead = 3,
    kMember = 4,
    kFreeing = 5,
    kAbandoned = 6,
    kOrphanHead = 7,
  };
  static constexpr std::uint32_t kMaxLength = (1U << 17) - 1;

  constexpr UnitWord() = default;
  constexpr explicit UnitWord(std::uint64_t raw) : raw_(raw) {}

  constexpr std::uint64_t raw() const { return raw_; }
  constexpr Kind kind() const { return Kind(KindBits::Get(raw_)); }
  constexpr std::uint16_t lease_slot() const {
    return static_cast<std::uint16_t>(SlotBits::Get(raw_));
  }
  constexpr std::uint32_t length_units() const {
    return static_cast<std::uint32_t>(LengthBits::Get(raw_));
  }
  constexpr std::uint32_t epoch() const {
    return static_cast<std::uint32_t>(EpochBits::Get(raw_));
  }
  constexpr bool IsExtentHead() const {
    return kind() == Kind::kExtentHead || kind() == Kind::kOrphanHead;
  }
  constexpr bool IsOwnedBy(LeaseId lease) const {
    return kind() == Kind::kOwned && lease_slot() == lease.slot &&
           length_units() == (lease.generation & kMaxLength);
  }

  // Transitions: pure, no atomics. Every one that changes the owner raises the
  // epoch.
  constexpr UnitWord Own(LeaseId lease) const {
    return Make(Kind::kOwned, lease.slot, lease.generation & kMaxLength,
                epoch() + 1);
  }
  constexpr UnitWord Free() const {
    return Make(Kind::kFree, 0, 0, epoch() + 1);
  }
  constexpr UnitWord Abandon() const {
    return Make(Kind::kAbandoned, 0, 0, epoch() + 1);
  }
  constexpr UnitWord Reserve(LeaseId lease, std::uint32_t units) const {
    return Make(Kind::kReserved, lease.slot, units, epoch() + 1);
  }
  constexpr UnitWord ExtentHead(LeaseId lease, std::uint32_t units) const {
    return Make(Kind::kExtentHead, lease.slot, units, epoch() + 1);
  }
  constexpr UnitWord Member(LeaseId lease, std::uint32_t units_to_head) const {
    return Make(Kind::kMember, lease.slot, units_to_head, epoch() + 1);
  }
  constexpr UnitWord Orphan() const {
    return Make(Kind::kOrphanHead, 0, length_units(), epoch() + 1);
  }
  // From a head; keeps the length for whoever has to finish the work.
  constexpr UnitWord Freeing(LeaseId lease) const {
    return Make(Kind::kFreeing, lease.slot, length_units(), epoch() + 1);
  }
  friend constexpr bool operator==(UnitWord, UnitWord) = default;

 private:
  static constexpr UnitWord Make(Kind kind, std::uint16_t slot,
                                 std::uint32_t length, std::uint32_t epoch) {
    return UnitWord(KindBits::Of(std::uint64_t(kind)) | SlotBits::Of(slot) |
                    LengthBits::Of(length) | EpochBits::Of(epoch));
  }
  using KindBits = BitField<0, 3>;
  using LengthBits = BitField<3, 17>;
  using SlotBits = BitField<20, 12>;
  using EpochBits = BitField<32, 32>;
  std::uint64_t raw_ = 0;
};
static_assert(sizeof(UnitWord) == 8);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_UNIT_WORD_H_
