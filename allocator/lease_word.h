// Who is alive: one word per process slot.
#ifndef ZCB_ALLOCATOR_LEASE_WORD_H_
#define ZCB_ALLOCATOR_LEASE_WORD_H_

#include <cstdint>

#include "allocator/bit_field.h"

namespace zcb::alloc {

// A process's place in a region: the slot says where, the generation which of
// the slot's successive processes is meant. Generation 0 is never alive.
struct LeaseId {
  std::uint16_t slot = 0;
  std::uint32_t generation = 0;
  friend constexpr bool operator==(LeaseId, LeaseId) = default;
};

// What a look at a lease's lock led to.
enum class Verdict : std::uint8_t {
  kNotDead,
  kWasDead,     // somebody else had said so, and perhaps is reaping it
  kMarkedDead,  // we said so
};

//   63            32 31               2 1     0
//   | pid:32       | generation:30     | phase:2 |
//
// Free{g} -> Alive{g+1, pid}   the attaching process, which holds the slot's
//                              record lock before this step
// Alive{g} -> Dead{g}          any process that found the lock free (F_GETLK)
// Alive{g} -> Free{g}          the process itself, after giving all back
// Dead{g} -> Free{g}           any reaper, after every other reaping step
//
// All-zero is Free{0}: a fresh table needs no initialization.
class LeaseWord {
 public:
  enum class Phase : std::uint8_t { kFree = 0, kAlive = 1, kDead = 2 };
  static constexpr std::uint32_t kMaxGeneration = (1U << 30) - 1;

  constexpr LeaseWord() = default;
  constexpr explicit LeaseWord(std::uint64_t raw) : raw_(raw) {}

  constexpr std::uint64_t raw() const { return raw_; }
  constexpr Phase phase() const { return Phase(PhaseBits::Get(raw_)); }
  constexpr std::uint32_t generation() const {
    return static_cast<std::uint32_t>(GenerationBits::Get(raw_));
  }
  constexpr std::int32_t pid() const {
    return static_cast<std::int32_t>(PidBits::Get(raw_));
  }
  constexpr bool IsAlive(std::uint32_t generation) const {
    return phase() == Phase::kAlive && this->generation() == generation;
  }
  constexpr bool IsDead(std::uint32_t generation) const {
    return phase() == Phase::kDead && this->generation() == generation;
  }

  // Free{g} -> Alive{g+1, pid}; generation 0 is skipped when it wraps.
  constexpr LeaseWord Attach(std::int32_t pid) const {
    const std::uint32_t next =
        generation() == kMaxGeneration ? 1 : generation() + 1;
    return LeaseWord(PhaseBits::Of(std::uint64_t(Phase::kAlive)) |
                     GenerationBits::Of(next) |
                     PidBits::Of(static_cast<std::uint32_t>(pid)));
  }
  // Alive{g} -> Dead{g}; the pid stays for people who debug.
  constexpr LeaseWord Die() const {
    return LeaseWord(PhaseBits::Set(raw_, std::uint64_t(Phase::kDead)));
  }
  // Alive{g} or Dead{g} -> Free{g}.
  constexpr LeaseWord Release() const {
    return LeaseWord(GenerationBits::Of(generation()));
  }
  friend constexpr bool operator==(LeaseWord, LeaseWord) = default;

 private:
  using PhaseBits = BitField<0, 2>;
  using GenerationBits = BitField<2, 30>;
  using PidBits = BitField<32, 32>;
  std::uint64_t raw_ = 0;
};
static_assert(sizeof(LeaseWord) == 8);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_LEASE_WORD_H_
