// The dead of a region, found and reaped without a message layer.
#ifndef ZCB_ALLOCATOR_REAP_DEAD_H_
#define ZCB_ALLOCATOR_REAP_DEAD_H_

#include <cstdint>

#include "allocator/lease_word.h"
#include "allocator/shared_tables.h"

namespace zcb::alloc {

// Reaps every process that has gone and never used the layer above (those that
// did have more to put right: the layer reaps them whole). How many. One system
// call per process that lives. By any number of processes at once; may be
// killed anywhere.
std::uint32_t ReapDeadProcesses(const SharedTables& shared, LeaseId self);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REAP_DEAD_H_
