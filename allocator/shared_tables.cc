#include "allocator/shared_tables.h"

namespace zcb::alloc {
namespace {

Outcome CommitWordsAndHints(Region& region, std::uint64_t words_offset,
                            std::uint64_t hints_offset, std::uint64_t first,
                            std::uint64_t count) {
  if (const Outcome words =
          region.CommitMeta(words_offset + first * 8, count * 8);
      !words) {
    return words;
  }
  return region.CommitMeta(hints_offset + first, count);
}

}  // namespace

Outcome SharedTables::CommitGranuleWords(std::uint32_t unit) const {
  return region_->CommitMeta(region_->geometry().granules_offset +
                                 std::uint64_t{FirstGranuleOf(unit)} * 8,
                             std::uint64_t{granules_per_unit()} * 8);
}

Outcome SharedTables::CommitSlab(const SlabShape& slab) const {
  const Geometry& g = region_->geometry();
  const SizeClass& cut = slab.cut();
  return cut.is_dense
             ? CommitWordsAndHints(
                   *region_, g.dense_words_offset, g.dense_hints_offset,
                   std::uint64_t{slab.head} * kDenseWordsPerGranule, cut.count)
             : CommitWordsAndHints(
                   *region_, g.sparse_words_offset, g.sparse_hints_offset,
                   std::uint64_t{slab.head} * kSparseWordsPerGranule,
                   cut.count);
}

Outcome SharedTables::CommitExtentWord(std::uint32_t head) const {
  const Geometry& g = region_->geometry();
  return CommitWordsAndHints(*region_, g.sparse_words_offset,
                             g.sparse_hints_offset,
                             std::uint64_t{head} * kSparseWordsPerGranule, 1);
}

}  // namespace zcb::alloc
