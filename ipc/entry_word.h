// A member's place in a group's table, and when it came and went.
#ifndef ZCB_IPC_ENTRY_WORD_H_
#define ZCB_IPC_ENTRY_WORD_H_

#include <cstdint>

#include "allocator/bit_field.h"
#include "allocator/lease_word.h"

namespace zcb::ipc {

//   63 61 60        49 48              19 18           3 2     0
//   | 0  | lease slot | lease generation | entry gen:16 | phase:3 |
//
// Free{g} -> Joining{g, me}       a joiner
// Joining -> Member               the joiner, after its JOIN is published
// Joining -> Free{g+1}            the joiner that gives up before publishing
// Member -> Leaving               the member, after it delivered its LEAVE
// Member/Joining/Leaving -> Down{g}   a reaper of that lease; a member that
//                                 goes without waiting. Names no lease.
// Member/Joining -> Evicted       a sender that found the ring full of what
//                                 this one does not read. Still its own.
// Evicted -> Down{g}              its process, which lets go; or the reaper
// any but Evicted{g} -> Free{g+1} whoever reclaims the LEAVE or PROCDOWN of g
// Down{g} -> Free{g+1}            also whoever finds that record reclaimed: it
//                                 was while the entry was Evicted
class EntryWord {
 public:
  enum class Phase : std::uint8_t {
    kFree = 0,
    kJoining = 1,
    kMember = 2,
    kLeaving = 3,
    kDown = 4,
    kEvicted = 5,
  };
  constexpr EntryWord() = default;
  constexpr explicit EntryWord(std::uint64_t raw) : raw_(raw) {}

  constexpr std::uint64_t raw() const { return raw_; }
  constexpr Phase phase() const { return Phase(PhaseBits::Get(raw_)); }
  constexpr std::uint16_t generation() const {
    return static_cast<std::uint16_t>(GenerationBits::Get(raw_));
  }
  constexpr alloc::LeaseId lease() const {
    return {static_cast<std::uint16_t>(SlotBits::Get(raw_)),
            static_cast<std::uint32_t>(LeaseGenBits::Get(raw_))};
  }
  // Whether a reader at this entry holds reclaiming back (if it lives).
  constexpr bool gates() const {
    return phase() == Phase::kJoining || phase() == Phase::kMember ||
           phase() == Phase::kLeaving;
  }
  // Whether it belongs to a process: nobody else may use its other words.
  constexpr bool is_occupied() const {
    return gates() || phase() == Phase::kEvicted;
  }
  // Whether its member is gone, or put out, and the order has to say so.
  constexpr bool wants_record() const {
    return phase() == Phase::kDown || phase() == Phase::kEvicted;
  }
  constexpr EntryWord Join(alloc::LeaseId lease) const {
    return EntryWord(PhaseBits::Of(std::uint64_t(Phase::kJoining)) |
                     GenerationBits::Of(generation()) |
                     LeaseGenBits::Of(lease.generation) |
                     SlotBits::Of(lease.slot));
  }
  constexpr EntryWord Become(Phase phase) const {
    return EntryWord(PhaseBits::Set(raw_, std::uint64_t(phase)));
  }
  constexpr EntryWord Down() const {
    return EntryWord(PhaseBits::Of(std::uint64_t(Phase::kDown)) |
                     GenerationBits::Of(generation()));
  }
  constexpr EntryWord Free() const {
    return EntryWord(GenerationBits::Of(generation() + 1U));
  }
  friend constexpr bool operator==(EntryWord, EntryWord) = default;

 private:
  using PhaseBits = alloc::BitField<0, 3>;
  using GenerationBits = alloc::BitField<3, 16>;
  using LeaseGenBits = alloc::BitField<19, 30>;
  using SlotBits = alloc::BitField<49, 12>;
  std::uint64_t raw_ = 0;
};
static_assert(sizeof(EntryWord) == 8);

//   63             16 15           0
//   | position + 1:48 | entry gen:16 |
//
// Where in the order an entry joined (its join word) or left (its leave word);
// 0 in the upper part: not yet. {gen, 0} -> {gen, p} once, by whoever reads or
// reclaims the record at p first; everybody finds the same value afterwards.
class OrderWord {
 public:
  constexpr OrderWord() = default;
  constexpr explicit OrderWord(std::uint64_t raw) : raw_(raw) {}
  static constexpr OrderWord Unset(std::uint16_t generation) {
    return OrderWord(GenerationBits::Of(generation));
  }
  static constexpr OrderWord At(std::uint16_t generation,
                                std::uint64_t position) {
    return OrderWord(GenerationBits::Of(generation) |
                     PositionBits::Of(position + 1));
  }
  constexpr std::uint64_t raw() const { return raw_; }
  constexpr std::uint16_t generation() const {
    return static_cast<std::uint16_t>(GenerationBits::Get(raw_));
  }
  constexpr bool is_set() const { return PositionBits::Get(raw_) != 0; }
  // Only when is_set().
  constexpr std::uint64_t position() const {
    return PositionBits::Get(raw_) - 1;
  }
  friend constexpr bool operator==(OrderWord, OrderWord) = default;

 private:
  using GenerationBits = alloc::BitField<0, 16>;
  using PositionBits = alloc::BitField<16, 48>;
  std::uint64_t raw_ = 0;
};
static_assert(sizeof(OrderWord) == 8);

}  // namespace zcb::ipc

#endif  // ZCB_IPC_ENTRY_WORD_H_
