// What the threads of a worker do besides what can be judged by its order.
#ifndef ZCB_TESTS_STORM_EXTRAS_H_
#define ZCB_TESTS_STORM_EXTRAS_H_

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/order/worker.h"
#include "tests/storm/board.h"
#include "tests/storm/kept_pool.h"
#include "tests/storm/pool_user.h"
#include "tests/storm/stray.h"

namespace zcb::storm {

class Extras : public order::SideWork {
 public:
  Extras(Board* board, order::Journal* journal, std::uint32_t life);
  bool Step(std::uint32_t thread, order::Participant* who,
            order::Dice* dice) override;
  void Ended(std::uint32_t thread) override;
  // After all threads.
  void Close();

 private:
  struct Buffer {
    std::byte* bytes = nullptr;
    std::size_t length_bytes = 0;
  };
  struct Thread {
    std::unique_ptr<Stray> stray;
    std::vector<Buffer> hoard;
  };
  class At;
  void Ask(cpg_handle_t handle, order::Dice* dice);
  void Wait(order::Participant* who, order::Dice* dice);
  void Hoard(Thread* thread, cpg_handle_t handle, order::Dice* dice);
  void Drop(Thread* thread, cpg_handle_t handle, std::size_t index);
  void RunThread(cpg_handle_t handle, order::Dice* dice);
  void FillMagazines(cpg_handle_t handle, std::uint64_t seed);
  void Fork(order::Dice* dice);
  void Execute(order::Dice* dice);
  void Expect(const char* call, cs_error_t error,
              std::initializer_list<cs_error_t> allowed);

  Board* const board_;
  order::Journal* const journal_;
  const std::uint32_t life_;
  KeptPool kept_;
  PoolUser pool_;
  std::array<Thread, Life::kThreads> threads_;
};

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_EXTRAS_H_
