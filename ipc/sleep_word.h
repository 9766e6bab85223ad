// Who sleeps: one word per member, and one per group that says "maybe". The
// same pair once more for senders that wait for room.
#ifndef ZCB_IPC_SLEEP_WORD_H_
#define ZCB_IPC_SLEEP_WORD_H_

#include <cstdint>

#include "allocator/bit_field.h"

namespace zcb::ipc {

//   63                2 1     0
//   | epoch:62         | state:2 |
//
// kSleeping{e} or kParked{e} by the sleeper, with a new epoch each time; either
// -> kRung{e} by a ringer, after it rang the bell; kAwake by the sleeper. The
// epoch keeps a ringer that was late off the next sleep. Which of the two says
// which bell is heard: the FIFO, or the futex in the member's entry.
class SleepWord {
 public:
  enum class State : std::uint8_t {
    kAwake = 0,
    kSleeping = 1,
    kRung = 2,
    kParked = 3,
  };
  constexpr SleepWord() = default;
  constexpr explicit SleepWord(std::uint64_t raw) : raw_(raw) {}
  static constexpr SleepWord Of(std::uint64_t epoch, State state) {
    return SleepWord(EpochBits::Of(epoch) |
                     StateBits::Of(std::uint64_t(state)));
  }
  constexpr std::uint64_t raw() const { return raw_; }
  constexpr State state() const { return State(StateBits::Get(raw_)); }
  constexpr std::uint64_t epoch() const { return EpochBits::Get(raw_); }
  constexpr bool is_asleep() const {
    return state() == State::kSleeping || state() == State::kParked;
  }
  constexpr SleepWord Rung() const { return Of(epoch(), State::kRung); }
  friend constexpr bool operator==(SleepWord, SleepWord) = default;

 private:
  using StateBits = alloc::BitField<0, 2>;
  using EpochBits = alloc::BitField<2, 62>;
  std::uint64_t raw_ = 0;
};

//   63               1   0
//   | version:63      | maybe |
//
// A sleeper raises the version and sets maybe; a ringer that found nobody
// asleep clears it, from exactly the value it had read before it looked.
class GroupSleepWord {
 public:
  constexpr GroupSleepWord() = default;
  constexpr explicit GroupSleepWord(std::uint64_t raw) : raw_(raw) {}
  constexpr std::uint64_t raw() const { return raw_; }
  constexpr bool maybe() const { return (raw_ & 1) != 0; }
  constexpr GroupSleepWord SomebodySleeps() const {
    return GroupSleepWord(((raw_ >> 1) + 1) << 1 | 1);
  }
  constexpr GroupSleepWord NobodySleeps() const {
    return GroupSleepWord(raw_ & ~std::uint64_t{1});
  }
  friend constexpr bool operator==(GroupSleepWord, GroupSleepWord) = default;

 private:
  std::uint64_t raw_ = 0;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_SLEEP_WORD_H_
