#include "ipc/ipc_layout.h"

#include <bit>

#include "ipc/group_header.h"
#include "ipc/message_header.h"

namespace zcb::ipc {
namespace {

constexpr std::uint64_t RoundUp(std::uint64_t bytes) {
  return (bytes + alloc::kMetaPageBytes - 1) &
         ~std::uint64_t{alloc::kMetaPageBytes - 1};
}

// Lays the area out from offset 0; `end` is the room it takes.
IpcGeometry Lay(const std::array<std::uint32_t, 8>& params,
                std::uint32_t lease_count, std::uint64_t region_bytes,
                std::uint64_t* end) {
  IpcGeometry g;
  g.group_count = params[1];
  g.entry_count = params[2];
  g.slot_count = params[3];
  g.keep_count = params[4];
  g.header_offset = 0;
  g.directory_offset = RoundUp(sizeof(IpcHeader));
  g.names_offset =
      g.directory_offset + RoundUp(std::uint64_t{g.group_count} * 8);
  // A creator that lost its race gives its record back, so one more per lease
  // than there are groups is enough.
  g.name_record_count = std::uint64_t{g.group_count} + lease_count;
  g.keeps_offset =
      g.names_offset + RoundUp(g.name_record_count * sizeof(NameRecord));
  g.keep_bytes_per_lease = RoundUp(std::uint64_t{g.keep_count} * 8);
  g.groups_offset = g.keeps_offset + g.keep_bytes_per_lease * lease_count;
  g.entries_offset_in_group = RoundUp(sizeof(GroupHeader));
  g.slots_offset_in_group =
      g.entries_offset_in_group +
      RoundUp(std::uint64_t{g.entry_count} * sizeof(EntryState));
  g.group_bytes =
      g.slots_offset_in_group + RoundUp(std::uint64_t{g.slot_count} * 8);
  g.aligned_headers_offset = g.groups_offset + g.group_bytes * g.group_count;
  *end = g.aligned_headers_offset +
         region_bytes / alloc::kMetaPageBytes * kHeaderBytes;
  return g;
}

bool InRange(const std::array<std::uint32_t, 8>& p) {
  return p[0] == IpcLimits::kLayoutVersion && p[1] >= 1 &&
         p[1] <= IpcLimits::kMaxGroups && p[2] >= 1 &&
         p[2] <= IpcLimits::kMaxEntries && p[3] >= IpcLimits::kMinSlots &&
         p[3] <= IpcLimits::kMaxSlots && std::has_single_bit(p[3]) &&
         p[3] >= IpcLimits::kLeastSlotsPerEntry * p[2] && p[4] >= 1 &&
         p[4] <= IpcLimits::kMaxKeepRecords;
}

}  // namespace

std::array<std::uint32_t, 8> IpcGeometry::Params(const IpcShape& shape) {
  return {IpcLimits::kLayoutVersion, IpcLimits::kDefaultGroups,
          shape.group_members, shape.ring_slots,
          IpcLimits::kDefaultKeepRecords};
}

Outcome IpcGeometry::Check(const IpcShape& shape) {
  if (InRange(Params(shape))) return {};
  return {Status::kInvalidParam,
          "a ring has 1024 to 32768 slots, a power of two, and at least 4 for "
          "each of 1 to 4096 members"};
}

std::uint64_t IpcGeometry::AreaBytes(const std::array<std::uint32_t, 8>& params,
                                     std::uint32_t lease_count,
                                     std::uint64_t region_bytes) {
  std::uint64_t end = 0;
  Lay(params, lease_count, region_bytes, &end);
  return end;
}

Result<IpcGeometry> IpcGeometry::From(const alloc::Geometry& region) {
  if (!InRange(region.client_params)) {
    return {Status::kNotSupported, "the region was made without groups"};
  }
  std::uint64_t end = 0;
  IpcGeometry g =
      Lay(region.client_params, region.lease_count, region.region_bytes, &end);
  if (end > region.client_area_bytes) {
    return {Status::kNotSupported, "the region's client area is too small"};
  }
  g.header_offset += region.client_offset;
  g.directory_offset += region.client_offset;
  g.names_offset += region.client_offset;
  g.keeps_offset += region.client_offset;
  g.groups_offset += region.client_offset;
  g.aligned_headers_offset += region.client_offset;
  return g;
}

}  // namespace zcb::ipc
