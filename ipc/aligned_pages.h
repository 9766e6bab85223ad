// Which live buffers of this process begin with a page-aligned payload.
#ifndef ZCB_IPC_ALIGNED_PAGES_H_
#define ZCB_IPC_ALIGNED_PAGES_H_

#include <atomic>
#include <cstdint>

#include "allocator/buffer_ref.h"
#include "allocator/private_mapping.h"
#include "ipc/message_place.h"

namespace zcb::ipc {

// One bit for each page of the region, in private memory that is there once it
// is written to. Without it, a pointer
// to the second line of such a payload would pass for an in-line payload, whose
// header is the first. Means something while a buffer that came from the
// attachment is live there. Thread-safe: each bit is changed by whoever has
// just allocated the buffer; relaxed throughout, since the buffer itself is
// what travels from thread to thread.
class AlignedPages {
 public:
  explicit AlignedPages(std::uint64_t region_bytes)
      : memory_((region_bytes / MessagePlace::kPageBytes / 64 + 1) *
                sizeof(Word)),
        words_(memory_.as<Word>()) {}
  // False: no private memory; nothing else may be called.
  bool ok() const { return memory_.ok(); }

  bool Has(alloc::BufferRef buffer) const {
    return CanBegin(buffer) &&
           (WordOf(buffer).load(std::memory_order_relaxed)  // see above
            & BitOf(buffer)) != 0;
  }
  void Set(alloc::BufferRef buffer) {
    if (!CanBegin(buffer)) return;
    words_[IndexOf(buffer)].fetch_or(BitOf(buffer),
                                     std::memory_order_relaxed);  // see above
  }
  void Clear(alloc::BufferRef buffer) {
    if (!Has(buffer)) return;
    words_[IndexOf(buffer)].fetch_and(~BitOf(buffer),
                                      std::memory_order_relaxed);  // see above
  }

 private:
  using Word = std::atomic<std::uint64_t>;

  static bool CanBegin(alloc::BufferRef buffer) {
    return buffer.line() % MessagePlace::kLinesPerPage == 0;
  }
  static std::uint64_t PageOf(alloc::BufferRef buffer) {
    return buffer.line() / MessagePlace::kLinesPerPage;
  }
  static std::size_t IndexOf(alloc::BufferRef buffer) {
    return PageOf(buffer) / 64;
  }
  static std::uint64_t BitOf(alloc::BufferRef buffer) {
    return std::uint64_t{1} << PageOf(buffer) % 64;
  }
  const Word& WordOf(alloc::BufferRef buffer) const {
    return words_[IndexOf(buffer)];
  }

  alloc::PrivateMapping memory_;
  Word* words_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_ALIGNED_PAGES_H_
