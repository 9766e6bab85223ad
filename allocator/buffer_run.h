// Buffers whose words lie side by side: a slab, a part of one, or an extent.
#ifndef ZCB_ALLOCATOR_BUFFER_RUN_H_
#define ZCB_ALLOCATOR_BUFFER_RUN_H_

#include <algorithm>
#include <cstdint>

#include "allocator/buffer_place.h"
#include "allocator/buffer_ref.h"
#include "allocator/shared_tables.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {

// For whoever looks at many words: a value, all of it inside the region.
struct BufferRun {
  SharedTables::Word* words = nullptr;
  SharedTables::Hint* hints = nullptr;
  std::uint32_t first_line = 0;  // of the first buffer
  std::uint32_t lines = 0;       // of one buffer
  std::uint32_t count = 0;       // 0: no buffers
  bool is_extent = false;

  BufferRef ref(std::uint32_t index) const {
    return BufferRef(first_line + index * lines);
  }

  static BufferRun OfSlab(const SharedTables& shared, const SlabShape& slab) {
    const SizeClass& cut = slab.cut();
    return {shared.words(slab), shared.hints(slab), slab.first_line(),
            cut.lines,          cut.count,          false};
  }
  static BufferRun OfExtent(const SharedTables& shared, std::uint32_t unit) {
    const std::uint32_t head = shared.FirstGranuleOf(unit);
    return {shared.sparse_word(head),
            shared.sparse_hint(head),
            shared.FirstLineOf(unit),
            0,
            1,
            true};
  }
  // The buffers of a slab that start in one of its granules.
  static BufferRun OfGranule(const SharedTables& shared, const SlabShape& slab,
                             std::uint32_t granule) {
    const SizeClass& cut = slab.cut();
    const auto first_from = [&](std::uint32_t granules) {
      const std::uint32_t line = granules * std::uint32_t{kLinesPerGranule};
      return std::min(cut.count, (line + cut.lines - 1) / cut.lines);
    };
    const std::uint32_t begin = first_from(granule - slab.head);
    BufferRun run = OfSlab(shared, slab);
    run.words += begin;
    run.hints += begin;
    run.first_line += begin * cut.lines;
    run.count = first_from(granule - slab.head + 1) - begin;
    return run;
  }
  // The buffers that start in a granule of anybody's, by the words that check
  // a reference too (LocateBuffer()).
  static BufferRun Around(const SharedTables& shared, std::uint32_t granule) {
    const std::uint32_t unit = shared.UnitOfGranule(granule);
    // acquire <- unit.claim: the granule words below it are backed by memory.
    const UnitWord holder(shared.unit(unit).load(std::memory_order_acquire));
    if (holder.IsExtentHead()) {
      return granule == shared.FirstGranuleOf(unit) ? OfExtent(shared, unit)
                                                    : BufferRun{};
    }
    if (holder.kind() != UnitWord::Kind::kOwned &&
        holder.kind() != UnitWord::Kind::kAbandoned) {
      return {};
    }
    // acquire <- granule.publish: the slab's words are backed by memory.
    const GranuleWord word(
        shared.granule(granule).load(std::memory_order_acquire));
    const SlabShape slab =
        CheckedShape(word, granule, shared.granules_per_unit());
    return slab.ok() ? OfGranule(shared, slab, granule) : BufferRun{};
  }
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_BUFFER_RUN_H_
