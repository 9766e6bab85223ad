#include "bench/processes/shared_count.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

#include "bench/clock.h"
#include "bench/failure.h"

namespace zcb::bench {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

long Futex(const std::atomic<std::uint32_t>* word, int operation,
           std::uint32_t value, const timespec* limit) {
  return ::syscall(SYS_futex, word, operation, value, limit, nullptr, 0);
}

}  // namespace

void SharedCount::Add(std::uint32_t last) {
  if (word_.fetch_add(1, std::memory_order_acq_rel) + 1 == last) WakeAll();
}

void SharedCount::WakeAll() { Futex(&word_, FUTEX_WAKE, INT_MAX, nullptr); }

void SharedCount::WaitWhile(std::uint32_t value) const {
  while (this->value() == value) Futex(&word_, FUTEX_WAIT, value, nullptr);
}

void SharedCount::WaitFor(std::uint32_t value, const char* what,
                          int limit_s) const {
  const std::uint64_t end_ns =
      MonotonicNs() + static_cast<std::uint64_t>(limit_s) * 1'000'000'000;
  const timespec second{1, 0};
  for (;;) {
    const std::uint32_t seen = this->value();
    if (seen >= value) return;
    if (MonotonicNs() > end_ns) {
      Fail("{}: {} of {} after {} s", what, seen, value, limit_s);
    }
    Futex(&word_, FUTEX_WAIT, seen, &second);
  }
}

void* MapShared(std::size_t bytes) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) Fail("no memory to share");
  return memory;
}

}  // namespace zcb::bench
