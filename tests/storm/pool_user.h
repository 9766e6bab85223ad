// A process's use of the standalone allocator: buffers that it stamps, and
// looks at again before it lets go of them; tickets in boxes that all share.
#ifndef ZCB_TESTS_STORM_POOL_USER_H_
#define ZCB_TESTS_STORM_POOL_USER_H_

#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "allocator/zcb_allocator.h"
#include "tests/order/dice.h"
#include "tests/order/journal.h"
#include "tests/storm/board.h"

namespace zcb::storm {

// The options by which all open it; below ZCB_DIR.
zcb_options PoolOptions(std::uint64_t region_bytes);

// Threads: any.
class PoolUser {
 public:
  PoolUser(Board* board, order::Journal* journal, std::uint32_t life);
  PoolUser(const PoolUser&) = delete;
  PoolUser& operator=(const PoolUser&) = delete;

  void Step(order::Dice* dice);
  // Frees all that it has, or leaves it to the others.
  void Close(bool cleanly);

 private:
  struct Held {
    void* buffer = nullptr;
    std::uint64_t bytes = 0;
    std::uint64_t stamp = 0;
  };
  void Open(order::Dice* dice);
  void Alloc(order::Dice* dice);
  void Keep(void* buffer, std::uint64_t bytes);
  // One of those that it has; buffer is nullptr if there is none.
  Held TakeOut(order::Dice* dice);
  void Check(const Held& held);
  void Free(const Held& held);
  void Give(order::Dice* dice);
  void Take(std::uint64_t ticket);
  void Care(order::Dice* dice);
  void Audit();
  void Expect(const char* call, zcb_status status,
              std::initializer_list<zcb_status> allowed);

  Board* const board_;
  order::Journal* const journal_;
  const std::uint32_t life_;
  std::shared_mutex open_mutex_;  // held shared by whoever uses allocator_
  zcb_allocator* allocator_ = nullptr;
  std::mutex mutex_;  // guards what follows
  std::vector<Held> held_;
  std::uint64_t next_stamp_ = 0;
};

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_POOL_USER_H_
