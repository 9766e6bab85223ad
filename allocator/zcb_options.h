// From the C interface's options, and the environment behind them, to ours.
#ifndef ZCB_ALLOCATOR_ZCB_OPTIONS_H_
#define ZCB_ALLOCATOR_ZCB_OPTIONS_H_

#include "allocator/allocator_options.h"
#include "allocator/region_options.h"
#include "allocator/status.h"
#include "allocator/zcb_allocator.h"

namespace zcb::alloc {

struct OpenOptions {
  RegionOptions region;
  AllocatorOptions allocator;
};

// NULL: all from the environment. kInvalidParam: a field or a variable that is
// out of range, or set and not known to this library. May throw bad_alloc.
Result<OpenOptions> ReadOpenOptions(const struct zcb_options* options);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ZCB_OPTIONS_H_
