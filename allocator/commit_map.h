// Which pages of the meta file this process knows to be backed by memory.
#ifndef ZCB_ALLOCATOR_COMMIT_MAP_H_
#define ZCB_ALLOCATOR_COMMIT_MAP_H_

#include <atomic>
#include <cstdint>
#include <memory>

namespace zcb::alloc {

// One private bit per page; only ever set (the meta file never shrinks).
// Reads are lock-free; any thread.
class CommitMap {
 public:
  CommitMap() = default;
  explicit CommitMap(std::uint64_t page_count)
      : words_(std::make_unique<std::atomic<std::uint64_t>[]>(page_count / 64 +
                                                              1)) {}

  bool Has(std::uint64_t page) const {
    // acquire <- commit_map.add: the page was backed before its bit.
    return (words_[page / 64].load(std::memory_order_acquire) >> (page % 64) &
            1) != 0;
  }
  void Add(std::uint64_t page) {
    // release -> commit_map.add: the page is backed before its bit is seen.
    words_[page / 64].fetch_or(std::uint64_t{1} << (page % 64),
                               std::memory_order_release);
  }

 private:
  std::unique_ptr<std::atomic<std::uint64_t>[]> words_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_COMMIT_MAP_H_
