#include "allocator/buffer_place.h"

#include "allocator/unit_word.h"

namespace zcb::alloc {

std::optional<SlabShape> CheckedShape(GranuleWord word, std::uint32_t index) {
  const std::uint32_t size_class = word.size_class();
  if (!word.is_valid() || size_class >= kExtentClass) return std::nullopt;
  const std::uint32_t granules = kSizeClasses[size_class].granules;
  const std::uint32_t place = index % std::uint32_t{kGranulesPerUnit};
  const std::uint32_t back = word.granules_to_head();
  if (word.span() != granules || back >= granules || back > place ||
      place - back + granules > kGranulesPerUnit) {
    return std::nullopt;
  }
  if (size_class < kSlabClassCount && (place - back) % granules != 0) {
    return std::nullopt;
  }
  return SlabShape{size_class, index - back};
}

BufferPlace PlaceAt(const SharedTables& shared, const SlabShape& slab,
                    std::uint32_t index) {
  const SizeClass& cut = slab.cut();
  return BufferPlace{BufferRef(slab.first_line() + index * cut.lines),
                     cut.bytes(), shared.words(slab) + index,
                     shared.hints(slab) + index};
}

std::optional<BufferPlace> PlaceInSlab(const SharedTables& shared,
                                       const SlabShape& slab,
                                       std::uint32_t line) {
  const SizeClass& cut = slab.cut();
  const std::uint32_t offset = line - slab.first_line();
  const std::uint32_t index = IndexInSlab(cut, offset);
  if (index >= cut.count || index * cut.lines != offset) return std::nullopt;
  return PlaceAt(shared, slab, index);
}

BufferPlace PlaceOfExtent(const SharedTables& shared, std::uint32_t unit,
                          std::uint32_t units) {
  const std::uint32_t head = unit * std::uint32_t{kGranulesPerUnit};
  return BufferPlace{BufferRef(head * std::uint32_t{kLinesPerGranule}),
                     std::uint64_t{units} * kUnitBytes,
                     shared.sparse_word(head), shared.sparse_hint(head)};
}

std::optional<BufferPlace> LocateBuffer(const SharedTables& shared,
                                        BufferRef ref) {
  const std::uint32_t granule_index = ref.granule();
  if (granule_index >= shared.granule_count()) return std::nullopt;
  // acquire <- unit.claim: the granule words below it are backed by memory.
  const UnitWord unit(shared.unit(ref.unit()).load(std::memory_order_acquire));
  switch (unit.kind()) {
    case UnitWord::Kind::kOwned:
    case UnitWord::Kind::kAbandoned: {
      // acquire <- granule.publish: the slab's words are backed by memory.
      const GranuleWord word(
          shared.granule(granule_index).load(std::memory_order_acquire));
      const std::optional<SlabShape> slab = CheckedShape(word, granule_index);
      if (!slab) return std::nullopt;
      return PlaceInSlab(shared, *slab, ref.line());
    }
    case UnitWord::Kind::kExtentHead:
    case UnitWord::Kind::kOrphanHead: {
      const std::uint32_t units = unit.length_units();
      const std::uint32_t first = ref.unit();
      if (units == 0 || units > shared.unit_count() - first ||
          ref.line() % (kUnitBytes / kLineBytes) != 0) {
        return std::nullopt;
      }
      // acquire <- granule.publish: as above.
      const GranuleWord word(
          shared.granule(granule_index).load(std::memory_order_acquire));
      if (word != GranuleWord::Make(kExtentClass, 0, units)) {
        return std::nullopt;
      }
      return PlaceOfExtent(shared, first, units);
    }
    default:
      return std::nullopt;  // nobody's, or on its way there
  }
}

}  // namespace zcb::alloc
