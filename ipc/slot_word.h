// One place in a group's order: a message, or a change of membership.
#ifndef ZCB_IPC_SLOT_WORD_H_
#define ZCB_IPC_SLOT_WORD_H_

#include <cstdint>

#include "allocator/bit_field.h"
#include "allocator/buffer_ref.h"

namespace zcb::ipc {

//   63     32   31  30                            0
//   | lap:32 |  0  | ref:31                        |   a message
//   | lap:32 |  1  | kind:3 | entry:12 | gen:16    |   a control record
//
// The lap says in which turn of the ring the slot was filled; lap 0 is a slot
// never used, so fresh pages are a fresh ring. A slot goes from one lap to the
// next in one compare-and-swap: it is never claimed without being filled.
class SlotWord {
 public:
  enum class Control : std::uint8_t { kJoin = 1, kLeave = 2, kProcessDown = 3 };

  constexpr SlotWord() = default;
  constexpr explicit SlotWord(std::uint64_t raw) : raw_(raw) {}
  static constexpr SlotWord Message(std::uint32_t lap, alloc::BufferRef ref) {
    return SlotWord(LapBits::Of(lap) | RefBits::Of(ref.line()));
  }
  static constexpr SlotWord Record(std::uint32_t lap, Control kind,
                                   std::uint16_t entry,
                                   std::uint16_t entry_generation) {
    return SlotWord(LapBits::Of(lap) | ControlBits::Of(1) |
                    KindBits::Of(std::uint64_t(kind)) | EntryBits::Of(entry) |
                    GenerationBits::Of(entry_generation));
  }
  // The lap in which position p of a ring of 2^shift slots falls. Never 0,
  // also after it wraps.
  static constexpr std::uint32_t LapOf(std::uint64_t position, unsigned shift) {
    const std::uint64_t lap = position >> shift;
    if (lap < kLaps) [[likely]]  // no division
      return static_cast<std::uint32_t>(lap) + 1;
    return static_cast<std::uint32_t>(lap % kLaps) + 1;
  }

  constexpr std::uint64_t raw() const { return raw_; }
  constexpr std::uint32_t lap() const {
    return static_cast<std::uint32_t>(LapBits::Get(raw_));
  }
  constexpr bool is_control() const { return ControlBits::Get(raw_) != 0; }
  constexpr alloc::BufferRef ref() const {
    return alloc::BufferRef(static_cast<std::uint32_t>(RefBits::Get(raw_)));
  }
  // Untrusted: may be a number that is no Control.
  constexpr Control control() const { return Control(KindBits::Get(raw_)); }
  constexpr std::uint16_t entry() const {
    return static_cast<std::uint16_t>(EntryBits::Get(raw_));
  }
  constexpr std::uint16_t entry_generation() const {
    return static_cast<std::uint16_t>(GenerationBits::Get(raw_));
  }
  friend constexpr bool operator==(SlotWord, SlotWord) = default;

 private:
  static constexpr std::uint64_t kLaps = 0xffff'ffff;
  using RefBits = alloc::BitField<0, 31>;
  using GenerationBits = alloc::BitField<0, 16>;
  using EntryBits = alloc::BitField<16, 12>;
  using KindBits = alloc::BitField<28, 3>;
  using ControlBits = alloc::BitField<31, 1>;
  using LapBits = alloc::BitField<32, 32>;
  std::uint64_t raw_ = 0;
};
static_assert(sizeof(SlotWord) == 8);

}  // namespace zcb::ipc

#endif  // ZCB_IPC_SLOT_WORD_H_
