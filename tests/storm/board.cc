#include "tests/storm/board.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

namespace zcb::storm {
namespace {

// Notes that one process makes for another's eyes; nothing depends on them but
// what a new process reads, which its start orders.
constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

struct Board::Shared {
  std::atomic<std::uint32_t> lives;
  std::atomic<std::int32_t> driver;
  std::atomic<bool> finishing;
  std::array<std::atomic<std::uint64_t>, kBoxes> boxes;
  char program[1024];
  Life life[kMostLives];
};
static_assert(std::is_trivially_copyable_v<LifeOrders>);

const char* NameOf(Doing doing) {
  switch (doing) {
    case Doing::kNothingYet:
      return "nothing yet";
    case Doing::kOrder:
      return "joins, sends, reads, leaves";
    case Doing::kAsking:
      return "asks";
    case Doing::kWaiting:
      return "waits";
    case Doing::kHoarding:
      return "hoards buffers";
    case Doing::kPool:
      return "uses the pool";
    case Doing::kStray:
      return "uses its stray handle";
    case Doing::kThread:
      return "runs a thread";
    case Doing::kForking:
      return "forks";
    case Doing::kExecuting:
      return "executes itself";
    case Doing::kEnding:
      return "ends";
    case Doing::kEnded:
      return "has ended";
  }
  return "?";
}

std::uint64_t Life::Steps() const {
  std::uint64_t sum = 0;
  for (const Thread& thread : threads) sum += thread.steps.load(kRelaxed);
  return sum;
}

Board::Board() : Board(memfd_create("board", MFD_CLOEXEC)) {
  // All-zero is the beginning of everything else in it.
  shared_->lives.store(1, kRelaxed);
  shared_->driver.store(getpid(), kRelaxed);
}

Board::Board(int descriptor) : descriptor_(descriptor) {
  if (ftruncate(descriptor_, sizeof(Shared)) != 0) std::abort();
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE, descriptor_, 0);
  if (memory == MAP_FAILED) std::abort();
  shared_ = static_cast<Shared*>(memory);
}

Board::~Board() {
  munmap(shared_, sizeof(Shared));
  close(descriptor_);
}

std::uint32_t Board::NewLife(const LifeOrders& orders) {
  const std::uint32_t index = shared_->lives.fetch_add(1, kRelaxed);
  if (index >= kMostLives) std::abort();
  new (&shared_->life[index].orders) LifeOrders(orders);
  shared_->life[index].end_status.store(Life::kNotEnded, kRelaxed);
  return index;
}

Life& Board::life(std::uint32_t index) const { return shared_->life[index]; }

std::uint32_t Board::LifeEnd() const { return shared_->lives.load(kRelaxed); }

std::uint32_t Board::Find(std::int32_t pid) const {
  for (std::uint32_t index = LifeEnd(); --index != 0;) {
    if (life(index).pid.load(kRelaxed) == pid) return index;
  }
  return 0;
}

std::int32_t Board::driver() const { return shared_->driver.load(kRelaxed); }

std::atomic<std::uint64_t>& Board::Box(std::size_t index) const {
  return shared_->boxes[index];
}

std::atomic<bool>& Board::finishing() const { return shared_->finishing; }

void Board::SetProgram(const char* path) {
  std::strncpy(shared_->program, path, sizeof(shared_->program) - 1);
}

const char* Board::program() const { return shared_->program; }

}  // namespace zcb::storm
