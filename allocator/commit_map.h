// Which pages of the meta file this process knows to be backed by memory.
#ifndef ZCB_ALLOCATOR_COMMIT_MAP_H_
#define ZCB_ALLOCATOR_COMMIT_MAP_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "allocator/private_mapping.h"

namespace zcb::alloc {

// One private bit per page; only ever set (the meta file never shrinks). The
// bits are there once they are set: a large region has many pages, of which few
// are ever used. The first pages to come are noted as a few runs instead: they
// are all that a process knows which does nothing, and bits would cost it a
// page. Reads are lock-free; any thread.
//
// word   written by           read by  edge
// bits   whoever has made     all      commit_map.add
// runs   sure (CAS)           all      commit_map.add
class CommitMap {
 public:
  CommitMap() = default;
  explicit CommitMap(std::uint64_t page_count)
      : memory_((page_count / 64 + 1) * sizeof(Word)) {}
  CommitMap(CommitMap&& other) noexcept { *this = std::move(other); }
  // Only while nobody else has either.
  CommitMap& operator=(CommitMap&& other) noexcept {
    std::swap(memory_, other.memory_);
    for (std::size_t i = 0; i < kRuns; ++i) {
      // relaxed: see above
      runs_[i].store(other.runs_[i].load(std::memory_order_relaxed),
                     std::memory_order_relaxed);
    }
    return *this;
  }
  // False: no private memory; nothing else may be called.
  bool ok() const { return memory_.ok(); }

  bool Has(std::uint64_t page) const {
    // acquire <- commit_map.add: the page was backed before its bit.
    if ((WordOf(page).load(std::memory_order_acquire) >> (page % 64) & 1) !=
        0) {
      return true;
    }
    for (const Word& word : runs_) {
      // acquire <- commit_map.add: the run's pages were backed before it.
      if (Run(word.load(std::memory_order_acquire)).Has(page)) return true;
    }
    return false;
  }
  // True only if all are known, and quick to be so for what is in one run;
  // false: Has() each.
  bool HasRun(std::uint64_t first_page, std::uint64_t end_page) const {
    for (const Word& word : runs_) {
      // acquire <- commit_map.add: the run's pages were backed before it.
      const Run run(word.load(std::memory_order_acquire));
      if (run.Has(first_page) && end_page <= run.end()) return true;
    }
    return false;
  }
  void Add(std::uint64_t page) {
    for (Word& word : runs_) {
      // relaxed: the exchange checks it
      std::uint64_t raw = word.load(std::memory_order_relaxed);
      const Run run(raw);
      if (run.Has(page)) return;
      // release -> commit_map.add: the page is backed before the run has it.
      // A read-modify-write: whoever acquires it acquires what earlier pages
      // were released with. Failure relaxed: another thread's run, and the page
      // gets a bit, or a run of its own.
      if ((run.count() == 0 || run.end() == page) &&
          word.compare_exchange_strong(
              raw, run.count() == 0 ? Run(page, 1).raw() : run.Longer().raw(),
              std::memory_order_release, std::memory_order_relaxed)) {
        return;
      }
    }
    // release -> commit_map.add: the page is backed before its bit is seen.
    WordOf(page).fetch_or(std::uint64_t{1} << (page % 64),
                          std::memory_order_release);
  }

 private:
  using Word = std::atomic<std::uint64_t>;
  // Page in the upper half, count in the lower one. Zero is no run.
  class Run {
   public:
    explicit Run(std::uint64_t raw) : raw_(raw) {}
    Run(std::uint64_t first, std::uint64_t count) : raw_(first << 32 | count) {}
    std::uint64_t raw() const { return raw_; }
    std::uint64_t first() const { return raw_ >> 32; }
    std::uint64_t count() const { return raw_ & 0xffff'ffff; }
    std::uint64_t end() const { return first() + count(); }
    bool Has(std::uint64_t page) const { return page - first() < count(); }
    Run Longer() const { return Run(raw_ + 1); }

   private:
    std::uint64_t raw_;
  };
  // The tables that all have, the layer above's header, a name and its group,
  // and a few more.
  static constexpr std::size_t kRuns = 7;

  Word& WordOf(std::uint64_t page) const {
    return memory_.as<Word>()[page / 64];
  }

  PrivateMapping memory_;
  std::array<Word, kRuns> runs_{};
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_COMMIT_MAP_H_
