// Where in the region an extent goes.
#ifndef ZCB_ALLOCATOR_EXTENT_SITE_H_
#define ZCB_ALLOCATOR_EXTENT_SITE_H_

#include <cstdint>
#include <optional>

#include "allocator/lease_word.h"
#include "allocator/shared_tables.h"
#include "allocator/size_classes.h"
#include "allocator/unit_table.h"

namespace zcb::alloc {

struct ExtentSite {
  std::uint32_t first = 0;  // unit
  // The tail goes into a unit that we have; else into one more free unit.
  bool has_tail_unit = false;

  std::uint32_t UnitsToReserve(ExtentSize size) const {
    return has_tail_unit ? size.units : size.touched_units();
  }
};

// The best place for an extent among the gaps of free units: one below a unit
// of ours that has room for the tail, then the smallest gap, then the highest;
// in its gap it lies at the top. So large gaps stay, and whole units too.
//
// Only looks, from the top of the region down, and not far beyond the first
// place that would do: by the time the caller claims it, it may be gone.
// nullopt: no such place.
std::optional<ExtentSite> FindExtentSite(const SharedTables& shared,
                                         ExtentSize size, LeaseId lease,
                                         UnitTable& units);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_EXTENT_SITE_H_
