// Which pages of the meta file this process knows to be backed by memory.
#ifndef ZCB_ALLOCATOR_COMMIT_MAP_H_
#define ZCB_ALLOCATOR_COMMIT_MAP_H_

#include <atomic>
#include <cstdint>

#include "allocator/private_mapping.h"

namespace zcb::alloc {

// One private bit per page; only ever set (the meta file never shrinks). The
// bits are there once they are set: a large region has many pages, of which few
// are ever used. Reads are lock-free; any thread.
class CommitMap {
 public:
  CommitMap() = default;
  explicit CommitMap(std::uint64_t page_count)
      : memory_((page_count / 64 + 1) * sizeof(Word)) {}
  // False: no private memory; nothing else may be called.
  bool ok() const { return memory_.ok(); }

  bool Has(std::uint64_t page) const {
    // acquire <- commit_map.add: the page was backed before its bit.
    return (WordOf(page).load(std::memory_order_acquire) >> (page % 64) & 1) !=
           0;
  }
  void Add(std::uint64_t page) {
    // release -> commit_map.add: the page is backed before its bit is seen.
    WordOf(page).fetch_or(std::uint64_t{1} << (page % 64),
                          std::memory_order_release);
  }

 private:
  using Word = std::atomic<std::uint64_t>;

  Word& WordOf(std::uint64_t page) const {
    return memory_.as<Word>()[page / 64];
  }

  PrivateMapping memory_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_COMMIT_MAP_H_
