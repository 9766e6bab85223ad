// From a reference to the word that answers for it.
#ifndef ZCB_ALLOCATOR_BUFFER_PLACE_H_
#define ZCB_ALLOCATOR_BUFFER_PLACE_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "allocator/buffer_ref.h"
#include "allocator/granule_word.h"
#include "allocator/shared_tables.h"

namespace zcb::alloc {

// Where a reference points, if a buffer starts there. What it holds is inside
// the region, whatever numbers it was made from.
struct BufferPlace {
  BufferRef ref;
  std::uint64_t usable_bytes = 0;
  std::atomic<std::uint64_t>* word = nullptr;  // a BufferWord
  std::atomic<std::uint8_t>* hint = nullptr;

  // Extents have other rules for coming back than slabs.
  bool is_extent() const { return usable_bytes > kMaxRunBytes; }
};

// The slab that granule `index` belongs to, if the word read there makes sense
// at that place. Extents are no slabs.
std::optional<SlabShape> CheckedShape(GranuleWord word, std::uint32_t index);

// The buffer of a (checked) slab that starts at a line; nullopt: none does.
std::optional<BufferPlace> PlaceInSlab(const SharedTables& shared,
                                       const SlabShape& slab,
                                       std::uint32_t line);

// The buffer at index `index` (below the slab's count).
BufferPlace PlaceAt(const SharedTables& shared, const SlabShape& slab,
                    std::uint32_t index);

// The buffer of an extent of `units` units whose head is `unit`.
BufferPlace PlaceOfExtent(const SharedTables& shared, std::uint32_t unit,
                          std::uint32_t units);

// Checks an untrusted reference against unit and granule words.
//
// A unit word is always backed by memory; granule words are, once their unit
// was claimed; and a valid granule word is written after its slab's words have
// been committed. So only a forged granule word can lead to a page that is not
// there, which tmpfs then adds (or, full, answers with SIGBUS).
std::optional<BufferPlace> LocateBuffer(const SharedTables& shared,
                                        BufferRef ref);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_BUFFER_PLACE_H_
