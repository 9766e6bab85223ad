#include "allocator/buffer_place.h"

#include "allocator/unit_word.h"

namespace zcb::alloc {

std::optional<BufferPlace> LocateBuffer(const SharedTables& shared,
                                        BufferRef ref) {
  const std::uint32_t granule_index = ref.granule();
  if (granule_index >= shared.granule_count()) return std::nullopt;
  // acquire <- unit.claim: the granule words below it are backed by memory.
  const std::uint32_t first = shared.UnitOf(ref);
  const UnitWord unit(shared.unit(first).load(std::memory_order_acquire));
  switch (unit.kind()) {
    case UnitWord::Kind::kOwned:
    case UnitWord::Kind::kAbandoned: {
      // acquire <- granule.publish: the slab's words are backed by memory.
      const GranuleWord word(
          shared.granule(granule_index).load(std::memory_order_acquire));
      const SlabShape slab =
          CheckedShape(word, granule_index, shared.granules_per_unit());
      if (!slab.ok()) return std::nullopt;
      const std::uint32_t index = slab.IndexOfStart(ref.line());
      if (index == SlabShape::kNoStart) return std::nullopt;
      return PlaceAt(shared, slab, index);
    }
    case UnitWord::Kind::kExtentHead:
    case UnitWord::Kind::kOrphanHead: {
      if (ref.line() != shared.FirstLineOf(first)) return std::nullopt;
      // acquire <- granule.publish: as above.
      const GranuleWord word(
          shared.granule(granule_index).load(std::memory_order_acquire));
      const ExtentSize size = CheckedExtent(unit, word, first, shared);
      if (size.units == 0) return std::nullopt;
      return PlaceOfExtent(shared, first, size);
    }
    default:
      return std::nullopt;  // nobody's, or on its way there
  }
}

std::uint64_t LocateBytes(const SharedTables& shared, BufferRef ref) {
  const std::uint32_t granule_index = ref.granule();
  if (granule_index >= shared.granule_count()) [[unlikely]]
    return 0;
  // acquire <- unit.claim: the granule words below it are backed by memory.
  const UnitWord unit(
      shared.unit(shared.UnitOf(ref)).load(std::memory_order_acquire));
  if (unit.kind() != UnitWord::Kind::kOwned) [[unlikely]] {
    const auto place = LocateBuffer(shared, ref);
    return place ? place->usable_bytes : 0;
  }
  // acquire <- granule.publish: it says what was cut before a buffer left.
  const GranuleWord word(
      shared.granule(granule_index).load(std::memory_order_acquire));
  const SlabShape slab =
      CheckedShape(word, granule_index, shared.granules_per_unit());
  if (!slab.ok() || slab.IndexOfStart(ref.line()) == SlabShape::kNoStart)
      [[unlikely]] {
    return 0;
  }
  return slab.cut().bytes();
}

}  // namespace zcb::alloc
