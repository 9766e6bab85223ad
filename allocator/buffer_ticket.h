// What a process gets for a buffer that it gives away, and what another one
// takes it by.
#ifndef ZCB_ALLOCATOR_BUFFER_TICKET_H_
#define ZCB_ALLOCATOR_BUFFER_TICKET_H_

#include <cstdint>

#include "allocator/bit_field.h"
#include "allocator/buffer_ref.h"
#include "allocator/buffer_word.h"
#include "allocator/size_classes.h"

namespace zcb::alloc {

//   63                31 30       0
//   | generation:33     | line:31 |
//
// A value, to be passed on by whatever means: a queue, a file, a message. It
// names one giving of one buffer. Taking makes it worthless, so that of any
// number of takers one wins; a ticket that was used, withdrawn or made up is
// refused. Never 0.
//
// The low bits of the generation say as which class the buffer was given:
// where one slab follows another, a line may be the start of a buffer in both,
// under two words that count on their own, and an old ticket for the one must
// not take the other. A ticket comes again only after 2^26 givings of one
// buffer.
class BufferTicket {
 public:
  constexpr BufferTicket() = default;
  constexpr explicit BufferTicket(std::uint64_t raw) : raw_(raw) {}
  // For a buffer given with this word.
  static constexpr BufferTicket Of(BufferRef ref, BufferWord given) {
    return BufferTicket(LineBits::Of(ref.line()) |
                        GenerationBits::Of(given.generation()));
  }

  constexpr std::uint64_t raw() const { return raw_; }
  constexpr BufferRef ref() const {
    return BufferRef(static_cast<std::uint32_t>(LineBits::Get(raw_)));
  }
  // True if `word` still says what it said when the buffer was given.
  constexpr bool IsFor(BufferWord word) const {
    return word.state() == BufferWord::State::kHeld &&
           (word.generation() & GenerationBits::kMax) ==
               GenerationBits::Get(raw_);
  }

  // How far the generation goes on when a buffer of this class is given.
  static constexpr std::uint64_t Step(BufferWord before,
                                      std::uint32_t size_class) {
    const std::uint64_t step =
        (size_class + 1 - before.generation()) & kClassMask;
    return step == 0 ? kClassMask + 1 : step;
  }
  // The same for a buffer that was taken (which is one step) and goes on.
  static constexpr std::uint64_t kStepOn = 127;
  friend constexpr bool operator==(BufferTicket, BufferTicket) = default;

 private:
  using LineBits = BitField<0, 31>;
  using GenerationBits = BitField<31, 33>;
  static constexpr std::uint64_t kClassMask = kStepOn;
  static_assert(kClassCount <= kClassMask, "0 is no class: a ticket is not 0");
  std::uint64_t raw_ = 0;
};
static_assert(sizeof(BufferTicket) == 8);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_BUFFER_TICKET_H_
