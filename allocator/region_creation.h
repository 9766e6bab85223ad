// Making a region's files: whole first, names afterwards.
#ifndef ZCB_ALLOCATOR_REGION_CREATION_H_
#define ZCB_ALLOCATOR_REGION_CREATION_H_

#include "allocator/region_core.h"
#include "allocator/region_options.h"
#include "allocator/status.h"

namespace zcb::alloc {

// Maps the opened files of `core` as its facts say.
Outcome MapFiles(RegionCore* core);

// Fills `core` (whose directory is set) with a finished region without names,
// in which we have the first lease and hold the lifecycle lock. A crash, or
// letting go of the core, leaves nothing.
Outcome BuildNameless(const RegionOptions& options, RegionCore* core);

// Links lock, data and meta, in this order, and lets the lifecycle lock go.
// False: another creator was faster. A crash in between leaves names without a
// meta file, which the next creator sweeps.
Result<bool> GiveNames(RegionCore* core);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_CREATION_H_
