// The allocator's shared words, by index.
#ifndef ZCB_ALLOCATOR_SHARED_TABLES_H_
#define ZCB_ALLOCATOR_SHARED_TABLES_H_

#include <atomic>
#include <bit>
#include <cstdint>

#include "allocator/buffer_ref.h"
#include "allocator/region.h"
#include "allocator/region_header.h"
#include "allocator/size_classes.h"
#include "allocator/status.h"

namespace zcb::alloc {

// Where a slab is and what it is cut into. Checked: whatever made it, all its
// lines, words and hints lie inside the region.
struct SlabShape {
  std::uint32_t size_class = kExtentClass;  // below that, if there is one
  std::uint32_t head = 0;                   // its first granule

  bool ok() const { return size_class < kExtentClass; }

  static constexpr std::uint32_t kNoStart = ~std::uint32_t{0};

  const SizeClass& cut() const { return kSizeClasses[size_class]; }
  std::uint32_t first_line() const {
    return head * std::uint32_t{kLinesPerGranule};
  }
  // Which buffer starts at a line of the slab's granules, or kNoStart.
  std::uint32_t IndexOfStart(std::uint32_t line) const {
    const std::uint32_t offset = line - first_line();
    const std::uint32_t index = IndexInSlab(cut(), offset);
    return index < cut().count && index * cut().lines == offset ? index
                                                                : kNoStart;
  }
};

// Accessors only; who may change what, and in which order, stands beside each
// word's type. An index must be in range: they come from private tables or
// have been checked. Nothing but unit words is backed by memory before
// CommitGranuleWords() and CommitSlab() have succeeded. Who works with them
// only looks at one, which outlives him.
class SharedTables {
 public:
  using Word = std::atomic<std::uint64_t>;
  using Hint = std::atomic<std::uint8_t>;

  explicit SharedTables(Region& region)
      : region_(&region),
        units_(region.meta<Word>(region.geometry().units_offset)),
        granules_(region.meta<Word>(region.geometry().granules_offset)),
        dense_words_(region.meta<Word>(region.geometry().dense_words_offset)),
        sparse_words_(region.meta<Word>(region.geometry().sparse_words_offset)),
        dense_hints_(region.meta<Hint>(region.geometry().dense_hints_offset)),
        sparse_hints_(region.meta<Hint>(region.geometry().sparse_hints_offset)),
        unit_shift_(static_cast<std::uint32_t>(
            std::countr_zero(region.geometry().granules_per_unit()))),
        unit_count_(region.geometry().unit_count),
        granule_count_(region.geometry().granule_count) {}

  Region& region() const { return *region_; }
  std::uint32_t unit_count() const { return unit_count_; }
  std::uint32_t granule_count() const { return granule_count_; }
  std::uint64_t unit_bytes() const { return kGranuleBytes << unit_shift_; }
  std::uint32_t granules_per_unit() const { return 1U << unit_shift_; }
  std::uint32_t UnitOfGranule(std::uint32_t granule) const {
    return granule >> unit_shift_;
  }
  std::uint32_t UnitOf(BufferRef ref) const {
    return UnitOfGranule(ref.granule());
  }
  std::uint32_t FirstGranuleOf(std::uint32_t unit) const {
    return unit << unit_shift_;
  }
  std::uint32_t FirstLineOf(std::uint32_t unit) const {
    return FirstGranuleOf(unit) * std::uint32_t{kLinesPerGranule};
  }

  Word& unit(std::uint32_t index) const { return units_[index]; }
  Word& granule(std::uint32_t index) const { return granules_[index]; }
  // The words and hints of a slab, one per buffer.
  Word* words(const SlabShape& slab) const {
    return slab.cut().is_dense
               ? dense_words_ + std::uint64_t{slab.head} * kDenseWordsPerGranule
               : sparse_word(slab.head);
  }
  Hint* hints(const SlabShape& slab) const {
    return slab.cut().is_dense
               ? dense_hints_ + std::uint64_t{slab.head} * kDenseWordsPerGranule
               : sparse_hint(slab.head);
  }
  // The only word and hint of an extent, by its first granule.
  Word* sparse_word(std::uint32_t head) const {
    return sparse_words_ + std::uint64_t{head} * kSparseWordsPerGranule;
  }
  Hint* sparse_hint(std::uint32_t head) const {
    return sparse_hints_ + std::uint64_t{head} * kSparseWordsPerGranule;
  }

  // Back with memory what the functions above return. Before a unit is
  // claimed: a reaper may have to read its granule words at any instant.
  Outcome CommitGranuleWords(std::uint32_t unit) const;
  Outcome CommitSlab(const SlabShape& slab) const;
  Outcome CommitExtentWord(std::uint32_t head) const;

 private:
  Region* region_;
  Word* units_;
  Word* granules_;
  Word* dense_words_;
  Word* sparse_words_;
  Hint* dense_hints_;
  Hint* sparse_hints_;
  std::uint32_t unit_shift_;  // of granules
  std::uint32_t unit_count_;
  std::uint32_t granule_count_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_SHARED_TABLES_H_
