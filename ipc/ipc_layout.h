// Where the groups, rings and keep records lie in a region's client area.
//
//   header | directory words | name records | keep records (per lease) | groups
//   | headers of page-aligned messages one group:  header | entries | slots
//
// Nothing is committed at creation but the directory words; each part is
// committed by whoever first needs it. All-zero is a valid initial state of
// every structure here.
#ifndef ZCB_IPC_IPC_LAYOUT_H_
#define ZCB_IPC_IPC_LAYOUT_H_

#include <array>
#include <cstdint>

#include "allocator/region_header.h"
#include "allocator/status.h"

namespace zcb::ipc {

// Limits and defaults in one place; maxima come from widths of word fields.
struct IpcLimits {
  static constexpr std::uint32_t kLayoutVersion = 3;
  static constexpr std::uint32_t kMaxGroups = 1024;   // 10 bits
  static constexpr std::uint32_t kMaxEntries = 4096;  // 12 bits
  static constexpr std::uint32_t kMinSlots = 1024;
  static constexpr std::uint32_t kMaxSlots = 32768;  // half of 16 bits
  static constexpr std::uint32_t kMaxKeepRecords = 65536;
  static constexpr std::uint32_t kDefaultGroups = 1024;
  static constexpr std::uint32_t kDefaultEntries = 256;
  static constexpr std::uint32_t kDefaultSlots = 4096;
  static constexpr std::uint32_t kDefaultKeepRecords = 1024;
  // Slots for each entry, so that most are left for messages.
  static constexpr std::uint32_t kLeastSlotsPerEntry = 4;
};

// What the creator of a region says about its groups.
struct IpcShape {
  std::uint32_t ring_slots = IpcLimits::kDefaultSlots;
  std::uint32_t group_members = IpcLimits::kDefaultEntries;
};

// Computed from the region's geometry, which was checked at attach. Private.
struct IpcGeometry {
  std::uint32_t group_count = 0;
  std::uint32_t entry_count = 0;
  std::uint32_t slot_count = 0;  // a power of two
  std::uint32_t keep_count = 0;  // records per lease

  // Offsets in the meta file.
  std::uint64_t header_offset = 0;  // an IpcHeader
  std::uint64_t directory_offset = 0;
  std::uint64_t names_offset = 0;
  std::uint64_t name_record_count = 0;
  std::uint64_t keeps_offset = 0;
  std::uint64_t keep_bytes_per_lease = 0;
  std::uint64_t groups_offset = 0;
  std::uint64_t group_bytes = 0;
  std::uint64_t entries_offset_in_group = 0;
  std::uint64_t slots_offset_in_group = 0;
  std::uint64_t aligned_headers_offset = 0;  // a line per 4 KiB of the region

  // Ring positions that only control records may use: a join and a leave (or
  // process-down) for every entry always fit.
  std::uint64_t control_reserve() const { return 2ULL * entry_count; }

  // What a creator passes as RegionOptions::client_params, and how much room
  // that takes.
  static std::array<std::uint32_t, 8> Params(const IpcShape& shape);
  static std::array<std::uint32_t, 8> DefaultParams() { return Params({}); }
  // kInvalidParam: a shape that no region may have.
  static Outcome Check(const IpcShape& shape);
  static std::uint64_t AreaBytes(const std::array<std::uint32_t, 8>& params,
                                 std::uint32_t lease_count,
                                 std::uint64_t region_bytes);
  // kNotSupported: no room for groups, or numbers out of range.
  static Result<IpcGeometry> From(const alloc::Geometry& region);
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_IPC_LAYOUT_H_
