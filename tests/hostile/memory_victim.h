// The part of a victim that uses the allocator alone.
#ifndef ZCB_TESTS_HOSTILE_MEMORY_VICTIM_H_
#define ZCB_TESTS_HOSTILE_MEMORY_VICTIM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "allocator/zcb_allocator.h"
#include "tests/hostile/caller.h"
#include "tests/order/dice.h"

namespace zcb::hostile {

class MemoryVictim {
 public:
  MemoryVictim(Caller* caller, order::Dice* dice)
      : caller_(*caller), dice_(*dice) {}

  void Step();
  void End();
  // Whether memory can be had.
  bool Allocates();

 private:
  static constexpr std::size_t kMostBuffers = 64;

  void Open();
  void Alloc();
  void Free();
  void Give();
  void Take();
  void Care();
  void Look();
  std::size_t SomeBuffer();
  void Forget(std::size_t which);

  Caller& caller_;
  order::Dice& dice_;
  zcb_allocator* allocator_ = nullptr;
  std::vector<void*> buffers_;
};

}  // namespace zcb::hostile

#endif  // ZCB_TESTS_HOSTILE_MEMORY_VICTIM_H_
