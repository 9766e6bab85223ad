// Who answers for a buffer that has left its process.
#ifndef ZCB_ALLOCATOR_BUFFER_WORD_H_
#define ZCB_ALLOCATOR_BUFFER_WORD_H_

#include <cstdint>

#include "allocator/bit_field.h"
#include "allocator/lease_word.h"

namespace zcb::alloc {

//   63            29 28          13 12       3   2    1   0
//   | generation:35  | sequence:16  | group:10 | kept | state:2 |     Sent
//   | generation:35  | lease generation:14 | lease slot:12 | 0 | state:2 | Held
//
// kFree      the buffer is not out: it belongs to whoever owns its unit, who
//            knows privately whether it is in use. That is why a crash between
//            alloc and send needs no repair here.
// kSent      message `sequence` (low 16 bits) of group slot `group`; `kept`
//            says that at least one receiver asked to keep it.
// kHeld      given away by the process with that lease, or taken by it.
// kRetained  no longer in a ring, but in some process's keep record.
//
// Free -> out is a plain store by the unit's owner; back to Free only by
// compare-and-swap from the exact value that was judged. The generation grows
// at every export and is never reset, so a stale value can never match again.
// All-zero is Free{0}.
class BufferWord {
 public:
  enum class State : std::uint8_t {
    kFree = 0,
    kSent = 1,
    kHeld = 2,
    kRetained = 3,
  };
  static constexpr std::uint32_t kMaxGroups = 1U << 10;
  static constexpr std::uint64_t kSequenceMask = 0xffff;

  constexpr BufferWord() = default;
  constexpr explicit BufferWord(std::uint64_t raw) : raw_(raw) {}

  constexpr std::uint64_t raw() const { return raw_; }
  constexpr State state() const { return State(StateBits::Get(raw_)); }
  constexpr bool is_free() const { return state() == State::kFree; }
  constexpr bool kept() const { return KeptBits::Get(raw_) != 0; }
  constexpr std::uint32_t group_slot() const {
    return static_cast<std::uint32_t>(GroupBits::Get(raw_));
  }
  constexpr std::uint16_t sequence_low() const {
    return static_cast<std::uint16_t>(SequenceBits::Get(raw_));
  }
  constexpr std::uint64_t generation() const {
    return GenerationBits::Get(raw_);
  }

  constexpr bool IsSentAs(std::uint32_t group_slot,
                          std::uint64_t sequence) const {
    return state() == State::kSent && this->group_slot() == group_slot &&
           sequence_low() == (sequence & kSequenceMask);
  }
  // Of a Held word: the slot, and the low 14 bits of the generation.
  constexpr LeaseId holder() const {
    return {static_cast<std::uint16_t>(HeldSlotBits::Get(raw_)),
            static_cast<std::uint32_t>(HeldGenBits::Get(raw_))};
  }
  static constexpr std::uint32_t kHolderGenerationMask = (1U << 14) - 1;
  constexpr bool IsHeldBy(LeaseId lease) const {
    return state() == State::kHeld && HeldSlotBits::Get(raw_) == lease.slot &&
           HeldGenBits::Get(raw_) == (lease.generation & HeldGenBits::kMax);
  }

  // A new export: the generation grows.
  constexpr BufferWord Send(std::uint32_t group_slot,
                            std::uint64_t sequence) const {
    return BufferWord(StateBits::Of(std::uint64_t(State::kSent)) |
                      GroupBits::Of(group_slot) | SequenceBits::Of(sequence) |
                      GenerationBits::Of(generation() + 1));
  }
  // Given by a lease, or taken by it: generation + `step`.
  constexpr BufferWord Give(LeaseId lease, std::uint64_t step = 1) const {
    return BufferWord(StateBits::Of(std::uint64_t(State::kHeld)) |
                      HeldSlotBits::Of(lease.slot) |
                      HeldGenBits::Of(lease.generation) |
                      GenerationBits::Of(generation() + step));
  }
  // The same export, changed.
  constexpr BufferWord Keep() const {
    return BufferWord(KeptBits::Set(raw_, 1));
  }
  constexpr BufferWord Retain() const {
    return BufferWord(StateBits::Of(std::uint64_t(State::kRetained)) |
                      GenerationBits::Of(generation()));
  }
  constexpr BufferWord Free() const {
    return BufferWord(GenerationBits::Of(generation()));
  }
  friend constexpr bool operator==(BufferWord, BufferWord) = default;

 private:
  using StateBits = BitField<0, 2>;
  using KeptBits = BitField<2, 1>;
  using GroupBits = BitField<3, 10>;
  using SequenceBits = BitField<13, 16>;
  using HeldSlotBits = BitField<3, 12>;
  using HeldGenBits = BitField<15, 14>;
  using GenerationBits = BitField<29, 35>;
  std::uint64_t raw_ = 0;
};
static_assert(sizeof(BufferWord) == 8);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_BUFFER_WORD_H_
