// Taking over a unit whose owner has gone.
#ifndef ZCB_ALLOCATOR_ADOPTION_H_
#define ZCB_ALLOCATOR_ADOPTION_H_

#include "allocator/extent_tail.h"
#include "allocator/granule_map.h"
#include "allocator/slab.h"
#include "allocator/status.h"
#include "allocator/unit_table.h"

namespace zcb::alloc {

// Reads the granule words of a unit that was Abandoned and is ours since
// `unit`, takes over the slabs that they describe, and returns what is left.
// Buffers whose word is Free are ours from now on, the others when they come
// back.
//
// The words are another process's work and perhaps half done:
//   no valid word       free: either nothing was cut here, or the slab was
//                       just being made or dissolved and had every buffer
//   a sensible head     a slab; its other granule words are mended
//   a tail in use       neither, until its extent has gone: to be waited for
//   a tail that is not  free
//   anything else       left alone, neither slab nor free
//
// kNoMemory: no memory behind the words; nothing has changed, and the unit is
// to be abandoned again.
struct AdoptedRest {
  GranuleMap free;
  ExtentTail tail;  // exists(), or there is none
};
Result<AdoptedRest> AdoptUnit(const SharedTables& shared, SlabTable& slabs,
                              const ClaimedUnit& unit);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ADOPTION_H_
