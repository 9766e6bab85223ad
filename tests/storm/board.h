// What the processes of a round share besides the region and the journal: who
// there is, what each is doing, and boxes for tickets.
//
// In a file without a name, so that a program that was executed finds it again.
#ifndef ZCB_TESTS_STORM_BOARD_H_
#define ZCB_TESTS_STORM_BOARD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "tests/order/worker.h"

namespace zcb::storm {

// What a thread is at, for the report of a hang.
enum class Doing : std::uint8_t {
  kNothingYet,
  kOrder,  // what tests/order does: joins, sends, reads, leaves
  kAsking,
  kWaiting,
  kHoarding,
  kPool,
  kStray,
  kThread,
  kForking,
  kExecuting,
  kEnding,
  kEnded,
};
const char* NameOf(Doing doing);

enum class LifeKind : std::uint8_t {
  kWorker,
  kPoolUser,  // of the standalone allocator alone
  kIdler,     // forked by a worker, and does nothing
};

struct LifeOrders {
  LifeKind kind = LifeKind::kWorker;
  order::WorkerOrders worker;
  bool may_fork = false;
  bool exits_cleanly = false;        // through exit(3)
  std::uint32_t executes_after = 0;  // steps of its first thread; 0: does not
};

// One process image. Written by the process that starts it, then by itself.
struct Life {
  static constexpr std::size_t kThreads = 4;
  struct Thread {
    std::atomic<std::uint64_t> steps;
    std::atomic<Doing> doing;
  };
  LifeOrders orders;
  std::atomic<std::int32_t> pid;  // 0: not started
  std::atomic<bool> replaced;     // by another image of the same process
  // Its place in the groups' region: slot, and from bit 32 on the generation;
  // 0: not known.
  std::atomic<std::uint64_t> lease;
  // As the driver saw it end: a status of waitpid(2), or kNotEnded.
  static constexpr std::int32_t kNotEnded = 0x7fffffff;
  std::atomic<std::int32_t> end_status;
  std::array<Thread, kThreads> threads;

  std::uint64_t Steps() const;
};

class Board {
 public:
  static constexpr std::uint32_t kMostLives = 1 << 15;
  static constexpr std::size_t kBoxes = 16;

  Board();
  // The same one again, in a program that was executed with its descriptor.
  explicit Board(int descriptor);
  ~Board();
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  int descriptor() const { return descriptor_; }

  // The index of a new one, never 0; aborts when there are too many.
  std::uint32_t NewLife(const LifeOrders& orders);
  Life& life(std::uint32_t index) const;
  // One more than the last index.
  std::uint32_t LifeEnd() const;
  // The latest that has this pid; 0: none.
  std::uint32_t Find(std::int32_t pid) const;

  // The process that made it.
  std::int32_t driver() const;

  // Where tickets are left for others.
  std::atomic<std::uint64_t>& Box(std::size_t index) const;
  // All that live shall end by themselves, soon.
  std::atomic<bool>& finishing() const;

  // What is executed, with --live BOARD JOURNAL LIFE.
  void SetProgram(const char* path);
  const char* program() const;

 private:
  struct Shared;
  int descriptor_ = -1;
  Shared* shared_ = nullptr;
};

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_BOARD_H_
