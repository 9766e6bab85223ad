#include "allocator/wiped_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>

#include "allocator/abi.h"
#include "allocator/errno_saver.h"

#ifdef ZCB_WITH_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
#endif

namespace zcb::alloc {
namespace {

// Of addresses. Small pieces lie in the first page. What takes many pages, of
// which the first bytes are used first, begins behind them, in the same one.
constexpr std::size_t kRangeBytes = std::size_t{4} << 20;
constexpr std::size_t kLargeBytes = kMetaPageBytes;
constexpr std::size_t kLargeOffset = kMetaPageBytes - 4 * kLineBytes;

// In ordinary memory: a child goes on behind what its parent has taken. If both
// began anew, a word that says "my parent's" would come to life again.
struct Range {
  std::byte* base = nullptr;
  std::size_t length_bytes = 0;
  Range* previous = nullptr;  // full, and found by those who look for leaks
  std::atomic<std::size_t> small_end{0};  // up to kLargeOffset
  std::atomic<std::size_t> large_end{kLargeOffset};
};

// word     written by           read by  edge
// current  whoever maps (CAS)   all      wiped.range (range -> pointer)
constinit std::atomic<Range*> current{nullptr};

constinit std::atomic<int> last_error{0};

void NoteError() {
  // relaxed: for a text, of some failure as good as another
  last_error.store(errno, std::memory_order_relaxed);
}

// The first `bytes` between `*end` and `limit`; nullptr: there are not so many.
std::byte* TakeBelow(std::size_t limit, std::size_t bytes, Range* range,
                     std::atomic<std::size_t>* end) {
  // relaxed, both: nobody else has these bytes, and nothing is handed on
  std::size_t at = end->load(std::memory_order_relaxed);
  while (bytes <= limit - at) {
    if (end->compare_exchange_weak(at, at + bytes, std::memory_order_relaxed,
                                   std::memory_order_relaxed)) {
      return range->base + at;
    }
  }
  return nullptr;
}

std::byte* TakeFrom(Range* range, std::size_t bytes) {
  std::byte* piece = nullptr;
  if (bytes < kLargeBytes) {
    piece = TakeBelow(kLargeOffset, bytes, range, &range->small_end);
  }
  return piece != nullptr
             ? piece
             : TakeBelow(range->length_bytes, bytes, range, &range->large_end);
}

std::unique_ptr<Range> Map(std::size_t bytes) {
  std::unique_ptr<Range> range(new (std::nothrow) Range);
  if (range == nullptr) {
    errno = ENOMEM;
    NoteError();
    return nullptr;
  }
  range->length_bytes =
      std::max(kRangeBytes, (kLargeOffset + bytes + kMetaPageBytes - 1) /
                                kMetaPageBytes * std::size_t{kMetaPageBytes});
  void* const base =
      ::mmap(nullptr, range->length_bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    NoteError();
    return nullptr;
  }
  if (::madvise(base, range->length_bytes, MADV_WIPEONFORK) != 0) {
    NoteError();
    ::munmap(base, range->length_bytes);
    return nullptr;
  }
  // A huge page for a few words would be the opposite of what this is for.
  (void)::madvise(base, range->length_bytes, MADV_NOHUGEPAGE);
#ifdef ZCB_WITH_ADDRESS_SANITIZER
  // What is found through pointers here is not lost.
  __lsan_register_root_region(base, range->length_bytes);
#endif
  range->base = static_cast<std::byte*>(base);
  return range;
}

}  // namespace

Failure WipedMemory::WhyNot() {
  // relaxed: as above
  return last_error.load(std::memory_order_relaxed) == EINVAL
             ? Failure{Status::kNotSupported, "no MADV_WIPEONFORK"}
             : Failure{Status::kNoMemory, "no memory that is wiped on fork"};
}

void* WipedMemory::Take(std::size_t bytes) {
  const ErrnoSaver errno_saver;
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  // acquire <- wiped.range: the range is whole
  Range* seen = current.load(std::memory_order_acquire);
  for (;;) {
    if (seen != nullptr) {
      if (std::byte* const piece = TakeFrom(seen, bytes)) return piece;
    }
    std::unique_ptr<Range> fresh = Map(bytes);
    if (fresh == nullptr) return nullptr;
    std::byte* const piece = TakeFrom(fresh.get(), bytes);
    fresh->previous = seen;
    // release -> wiped.range: the range is whole. Failure acquire <-
    // wiped.range: another thread's was first.
    if (current.compare_exchange_strong(seen, fresh.get(),
                                        std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
      (void)fresh.release();  // what was left of the old one is lost
      return piece;
    }
#ifdef ZCB_WITH_ADDRESS_SANITIZER
    __lsan_unregister_root_region(fresh->base, fresh->length_bytes);
#endif
    ::munmap(fresh->base, fresh->length_bytes);
  }
}

}  // namespace zcb::alloc
