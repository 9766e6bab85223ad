// From a reference to the word that answers for it.
#ifndef ZCB_ALLOCATOR_BUFFER_PLACE_H_
#define ZCB_ALLOCATOR_BUFFER_PLACE_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "allocator/buffer_ref.h"
#include "allocator/granule_word.h"
#include "allocator/shared_tables.h"
#include "allocator/size_classes.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {

// Where a reference points, if a buffer starts there. What it holds is inside
// the region, whatever numbers it was made from.
struct BufferPlace {
  BufferRef ref;
  std::uint64_t usable_bytes = 0;
  std::atomic<std::uint64_t>* word = nullptr;  // a BufferWord
  std::atomic<std::uint8_t>* hint = nullptr;
  std::uint32_t size_class = kExtentClass;
  bool is_extent = false;  // which has other rules for coming back than slabs
};

// The slab that granule `index` belongs to, if the word read there makes sense
// at that place; else one that is not ok(). Extents are no slabs.
inline SlabShape CheckedShape(GranuleWord word, std::uint32_t index,
                              std::uint32_t granules_per_unit) {
  const std::uint32_t size_class = word.size_class();
  if (!word.is_valid() || size_class >= kExtentClass) return {};
  const std::uint32_t granules = kSizeClasses[size_class].granules;
  const std::uint32_t place = index & (granules_per_unit - 1);
  const std::uint32_t back = word.granules_to_head();
  const std::uint32_t first = place - back;
  // A run begins at any granule, other slabs at multiples of their size.
  const std::uint32_t mask = size_class < kFirstRunClass ? granules - 1 : 0;
  if (word.span() != granules || back >= granules || back > place ||
      first + granules > granules_per_unit || (first & mask) != 0) {
    return {};
  }
  return {size_class, index - back};
}

// The buffer at index `index` (below the slab's count).
inline BufferPlace PlaceAt(const SharedTables& shared, const SlabShape& slab,
                           std::uint32_t index) {
  const SizeClass& cut = slab.cut();
  return BufferPlace{BufferRef(slab.first_line() + index * cut.lines),
                     cut.bytes(), shared.words(slab) + index,
                     shared.hints(slab) + index, slab.size_class};
}

// How long the extent is whose head is unit `first`, if its unit word and the
// granule word of its first granule agree and it fits there; else no units.
inline ExtentSize CheckedExtent(UnitWord unit, GranuleWord word,
                                std::uint32_t first,
                                const SharedTables& shared) {
  const ExtentSize size{unit.length_units(), word.granules_to_head()};
  if (!unit.IsExtentHead() || size.units == 0 ||
      size.tail_granules >= shared.granules_per_unit() ||
      size.touched_units() > shared.unit_count() - first ||
      word != GranuleWord::Make(kExtentClass, size.tail_granules, size.units)) {
    return {};
  }
  return size;
}

// The buffer of an extent whose head is `unit`.
inline BufferPlace PlaceOfExtent(const SharedTables& shared, std::uint32_t unit,
                                 ExtentSize size) {
  const std::uint32_t head = unit * shared.granules_per_unit();
  return BufferPlace{BufferRef(head * std::uint32_t{kLinesPerGranule}),
                     size.granules(shared.granules_per_unit()) * kGranuleBytes,
                     shared.sparse_word(head),
                     shared.sparse_hint(head),
                     kExtentClass,
                     true};
}

// Checks an untrusted reference against unit and granule words.
//
// A unit word is always backed by memory; granule words are, once their unit
// was claimed; and a valid granule word is written after its slab's words have
// been committed. So only a forged granule word can lead to a page that is not
// there, which tmpfs then adds (or, full, answers with SIGBUS).
std::optional<BufferPlace> LocateBuffer(const SharedTables& shared,
                                        BufferRef ref);

// The same for who reads it: its usable bytes; 0: no buffer starts there.
std::uint64_t LocateBytes(const SharedTables& shared, BufferRef ref);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_BUFFER_PLACE_H_
