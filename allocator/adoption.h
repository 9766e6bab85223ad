// Taking over a unit whose owner has gone.
#ifndef ZCB_ALLOCATOR_ADOPTION_H_
#define ZCB_ALLOCATOR_ADOPTION_H_

#include "allocator/extent_tail.h"
#include "allocator/slab.h"
#include "allocator/status.h"
#include "allocator/unit_table.h"

namespace zcb::alloc {

// Reads the granule words of a unit that was Abandoned and is ours since
// `unit`, puts it into `units`, takes over the slabs that the words describe,
// and gives `units` what is left. Buffers whose word is Free are ours from now
// on, the others when they come back. In this order, since other threads of
// ours may dissolve a slab as soon as it is taken over.
//
// The words are another process's work and perhaps half done:
//   no valid word       free: either nothing was cut here, or the slab was
//                       just being made or dissolved and had every buffer
//   a sensible head     a slab; its other granule words are mended
//   a tail in use       neither, until its extent has gone: to be waited for
//   a tail that is not  free
//   anything else       left alone, neither slab nor free
//
// Returns the tail; exists(), or there is none. kNoMemory: no memory behind the
// words; nothing has changed, and the unit is to be abandoned again.
Result<ExtentTail> AdoptUnit(const SharedTables& shared, SlabTable& slabs,
                             UnitTable& units, const ClaimedUnit& unit);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ADOPTION_H_
