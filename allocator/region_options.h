// What a region is asked to be: from the program, or from the environment.
#ifndef ZCB_ALLOCATOR_REGION_OPTIONS_H_
#define ZCB_ALLOCATOR_REGION_OPTIONS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "allocator/abi.h"
#include "allocator/status.h"

namespace zcb::alloc {

enum class PagePolicy : std::uint8_t {
  kAuto,   // best that can be had, 4 KiB if nothing else
  kHuge,   // 2 MiB pages, verified, or the region is not created
  kSmall,  // 4 KiB, for tests and comparisons
};

// Settings of a region. Those that shape it (bytes, leases, pages, client
// area) count only for the process that creates it; everybody else takes what
// the region's header says.
struct RegionOptions {
  static constexpr std::size_t kMaxNameBytes = 64;
  static constexpr std::size_t kMaxDirectoryBytes = 3072;
  static constexpr std::size_t kMaxMountBytes = 255;  // the header's field
  static constexpr std::uint64_t kMaxClientAreaBytes = std::uint64_t{1} << 36;

  // The directory under which a directory of our own is made; "" = /dev/shm.
  std::string directory;  // ZCB_DIR
  // NAME, or NAME@GROUP to share the region with a Unix group (0660), which is
  // given by name or number.
  std::string name = "default";  // ZCB_REGION
  // Rounded up to whole huge pages.
  std::uint64_t region_bytes =
      RegionLimits::kDefaultRegionBytes;  // ZCB_REGION_BYTES
  // What a process owns at a time: 2 MiB, 256 KiB, or 0: by the region's size
  // (RegionLimits::kMinOrdinaryBytes). Small units let more processes share a
  // small region, and make buffers above 80 KiB dearer.
  std::uint32_t unit_bytes = 0;
  PagePolicy pages = PagePolicy::kAuto;  // ZCB_PAGES
  // A hugetlbfs mount on which the data file may lie; "" = none.
  std::string hugetlbfs_mount;  // ZCB_PAGES=...:MOUNT
  // Committed (and collapsed) at creation; cut to an eighth of the region.
  std::uint64_t prefault_bytes =
      RegionLimits::kDefaultPrefaultBytes;  // ZCB_PREFAULT_BYTES
  // Keep the files when the last process detaches cleanly.
  bool keep = false;  // ZCB_KEEP
  // Of this process: a truncated file is an error of the calls that meet it,
  // and not its end by SIGBUS (sigbus_guard.h).
  bool handle_sigbus = false;  // ZCB_SIGBUS
  std::uint32_t lease_count = RegionLimits::kDefaultLeases;
  // An area of the meta file for the layer above (demand-paged, all-zero at
  // first), and numbers by which that layer describes its layout to attachers.
  std::uint64_t client_area_bytes = 0;
  std::array<std::uint32_t, 8> client_params{};

  // The defaults above, changed by ZCB_DIR, ZCB_REGION, ZCB_REGION_BYTES
  // and ZCB_PREFAULT_BYTES (digits, with an optional k, m or g), ZCB_PAGES
  // (auto, huge, small; auto and huge may be followed by :MOUNT), ZCB_KEEP and
  // ZCB_SIGBUS (0 or 1).
  // kInvalidParam: a value that is none of these; nothing is guessed. A program
  // that runs with raised privileges (set-user-ID) ignores them all.
  static Result<RegionOptions> FromEnvironment();

  // kInvalidParam, kNameTooLong: a value out of range, a name with a slash...
  Outcome Check() const;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_OPTIONS_H_
