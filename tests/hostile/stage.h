// What the processes of one round share besides the region under attack.
#ifndef ZCB_TESTS_HOSTILE_STAGE_H_
#define ZCB_TESTS_HOSTILE_STAGE_H_

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace zcb::hostile {

struct Stage {
  static constexpr std::size_t kTickets = 64;

  std::atomic<std::uint64_t> calls{0};   // made by victims
  std::atomic<std::uint64_t> errors{0};  // of these, answered by an error
  std::atomic<std::uint64_t> attacks{0};
  std::atomic<std::uint64_t> faults{0};  // calls after which SIGBUS was met
  std::atomic<bool> must_finish{false};
  // Tickets of given buffers, for whoever wants to take one.
  std::array<std::atomic<std::uint64_t>, kTickets> tickets{};
};

// Anonymous shared memory: inherited over fork, out of the attacker's reach.
class StageMemory {
 public:
  StageMemory() {
    void* const at = mmap(nullptr, sizeof(Stage), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    stage_ = new (at) Stage;
  }
  ~StageMemory() { munmap(stage_, sizeof(Stage)); }
  StageMemory(const StageMemory&) = delete;
  StageMemory& operator=(const StageMemory&) = delete;
  Stage& operator*() const { return *stage_; }
  Stage* operator->() const { return stage_; }

 private:
  Stage* stage_;
};

}  // namespace zcb::hostile

#endif  // ZCB_TESTS_HOSTILE_STAGE_H_
