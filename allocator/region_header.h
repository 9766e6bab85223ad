// The layout of NAME.meta: the header page and the tables behind it.
//
//   header page | leases | unit words | commit bytes | granule words |
//   dense words | sparse words | dense hints | sparse hints | touched maps |
//   client area
//
// Only the header, the leases and the unit words are committed at creation;
// everything else is a hole until somebody commits the part that he needs.
#ifndef ZCB_ALLOCATOR_REGION_HEADER_H_
#define ZCB_ALLOCATOR_REGION_HEADER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/abi.h"

namespace zcb::alloc {

// Buffers of classes below this size have their words in the dense pool (one
// word per line), all others in the sparse pool (one word per 512 bytes).
inline constexpr std::size_t kSparseMinBytes = 512;
inline constexpr std::size_t kDenseWordsPerGranule =
    kGranuleBytes / kLineBytes;  // 1024: 8 KiB of words
inline constexpr std::size_t kSparseWordsPerGranule =
    kGranuleBytes / kSparseMinBytes;  // 128: 1 KiB of words

// Where everything lies, computed from four numbers alone, so that an attacher
// can check what the header claims. Copied to private memory at attach and
// never read from the region again.
struct Geometry {
  std::uint64_t region_bytes = 0;
  std::uint32_t unit_count = 0;
  std::uint32_t granule_count = 0;
  std::uint32_t lease_count = 0;
  std::uint32_t unit_bytes = kUnitBytes;  // or kSmallUnitBytes
  std::uint64_t client_area_bytes = 0;
  std::array<std::uint32_t, 8> client_params{};

  // Offsets in the meta file, each a multiple of the meta page.
  std::uint64_t leases_offset = 0;
  std::uint64_t units_offset = 0;         // u64 per unit
  std::uint64_t committed_offset = 0;     // u8 per huge page: see below
  std::uint64_t granules_offset = 0;      // u64 per granule
  std::uint64_t dense_words_offset = 0;   // u64
  std::uint64_t sparse_words_offset = 0;  // u64
  std::uint64_t dense_hints_offset = 0;   // u8 per dense word
  std::uint64_t sparse_hints_offset = 0;  // u8 per sparse word
  std::uint64_t touched_offset = 0;       // 1 bit per granule, per lease
  std::uint64_t touched_bytes_per_lease = 0;
  std::uint64_t client_offset = 0;
  std::uint64_t meta_bytes = 0;

  std::uint32_t granules_per_unit() const {
    return unit_bytes / std::uint32_t{kGranuleBytes};
  }
  std::uint32_t lines_per_unit() const {
    return unit_bytes / std::uint32_t{kLineBytes};
  }
  std::uint32_t huge_page_count() const {
    return static_cast<std::uint32_t>(region_bytes / kHugePageBytes);
  }

  // The arguments must be within RegionLimits and RegionOptions' maxima, with
  // region_bytes a multiple of the huge page and unit_bytes one of the two
  // sizes that there are.
  static Geometry Make(std::uint64_t region_bytes, std::uint32_t unit_bytes,
                       std::uint32_t lease_count,
                       std::uint64_t client_area_bytes,
                       const std::array<std::uint32_t, 8>& client_params);
  // True if the numbers are within the limits and every offset is the one that
  // Make() computes from them.
  bool IsSound() const;
  friend bool operator==(const Geometry&, const Geometry&) = default;
};

// A commit byte says what is known of one huge page of the data file:
//
//   0        a hole, or memory that nobody remembers (a crash between the two)
//   1 + n    memory, and when it was committed it was to lie on NUMA node n
//
// Only an owner of a unit on the page changes it (edge unit.commit). It may
// say 0 where memory is: that costs a call. It never says memory where a hole
// is: that would be a SIGBUS on a full file system. The node is a hint.
struct CommitByte {
  static constexpr std::uint8_t kHole = 0;
  static constexpr std::uint32_t kMaxNode = 254;

  static constexpr std::uint8_t OnNode(std::uint32_t node) {
    return static_cast<std::uint8_t>(1 + (node <= kMaxNode ? node : kMaxNode));
  }
  // Of a byte that is not kHole.
  static constexpr std::uint32_t NodeOf(std::uint8_t byte) { return byte - 1U; }
};

// A process's record: the word is truth, the rest helps.
//
// word         written by               read by    edge
// word         see LeaseWord            everybody  lease.attach, lease.death
// namespace    the owner, before Alive  watchers   lease.attach
// start_time   the owner, before Alive  people     lease.attach
// uses_client  the owner; once set the layer above must help to reap
// bell_count   the owner: helper files (FIFOs) that it may have left
// touched_generation  the owner: of its lease, once its touched map is in use
struct LeaseRecord {
  std::atomic<std::uint64_t> word;
  std::atomic<std::uint64_t> pid_namespace;  // inode of /proc/self/ns/pid
  std::atomic<std::uint64_t> start_time;     // field 22 of /proc/self/stat
  std::atomic<std::uint32_t> uses_client;
  std::atomic<std::uint32_t> bell_count;
  std::atomic<std::uint64_t> touched_generation;
  std::array<std::uint64_t, 10> reserved;
  // The layer above's own words about this lease (all zero at attach).
  std::atomic<std::uint64_t> client_word;
};
static_assert(sizeof(LeaseRecord) == 2 * kCacheLineBytes);
static_assert(offsetof(LeaseRecord, word) == 0);
static_assert(offsetof(LeaseRecord, pid_namespace) == 8);
static_assert(offsetof(LeaseRecord, start_time) == 16);
static_assert(offsetof(LeaseRecord, uses_client) == 24);
static_assert(offsetof(LeaseRecord, bell_count) == 28);
static_assert(offsetof(LeaseRecord, touched_generation) == 32);
static_assert(offsetof(LeaseRecord, client_word) == 120);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(std::atomic<std::uint8_t>::is_always_lock_free);

// Whether the region's names may be relied on. Changed only by the holder of
// the lifecycle lock (region_lifecycle.h).
enum class RegionState : std::uint64_t {
  kUnbuilt = 0,
  kOpen = 1,
  kClosing = 2,  // the remover looks whether anybody lives
  kClosed = 3,   // final: the files are being unlinked
};

// The step of the page ladder on which the data file stands: how its units are
// committed, best last.
enum class PageRung : std::uint32_t {
  kSmall = 0,      // 4 KiB pages by fallocate
  kCollapsed = 1,  // the same, but what was prefaulted is MADV_COLLAPSEd
  kAdvised = 2,    // tmpfs huge=advise: populate through a hinted mapping
  kHugeMount = 3,  // tmpfs huge=always or within_size: fallocate
  kHugetlbfs = 4,  // hugetlbfs: fallocate
};

// The header page. Everything above the rule is written before the file has a
// name and never changes; what is below is live.
struct RegionHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  std::uint32_t header_bytes;
  std::uint32_t line_bytes;
  std::uint32_t granule_bytes;
  std::uint32_t huge_page_bytes;
  std::uint32_t page_rung;  // PageRung, as the creator verified it
  std::uint64_t identity;   // random: tells two regions of one name apart
  std::uint64_t data_device, data_inode;
  std::uint64_t lock_device, lock_inode;
  Geometry geometry;
  std::array<char, 256> hugetlbfs_mount;  // where NAME.data is, if not beside
  std::uint64_t checksum;                 // of all bytes above
  // -------------------------------------------------------------------------
  // word              written by                    read by    edge
  // state             the lifecycle lock's holder   attachers  region.close
  // lease_high_water  attachers                     everybody  region.close
  // pressure          whoever finds no unit to own  owners     none: a hint
  // abandonments      whoever leaves units behind   claimers   none: a hint
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> state;  // RegionState
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> lease_high_water;
  // Two counters that tell processes to look at something. Each remembers what
  // it saw last; a count that is lost or forged costs or saves a look.
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> pressure;
  std::atomic<std::uint32_t> abandonments;

  // The checksum that the immutable part should carry.
  std::uint64_t ComputeChecksum() const;
};
static_assert(sizeof(Geometry) == 160);
static_assert(offsetof(RegionHeader, magic) == 0);
static_assert(offsetof(RegionHeader, layout_version) == 8);
static_assert(offsetof(RegionHeader, page_rung) == 28);
static_assert(offsetof(RegionHeader, identity) == 32);
static_assert(offsetof(RegionHeader, data_device) == 40);
static_assert(offsetof(RegionHeader, lock_device) == 56);
static_assert(offsetof(RegionHeader, geometry) == 72);
static_assert(offsetof(RegionHeader, hugetlbfs_mount) == 232);
static_assert(offsetof(RegionHeader, checksum) == 488);
static_assert(offsetof(RegionHeader, state) == 512);
static_assert(offsetof(RegionHeader, lease_high_water) == 576);
static_assert(offsetof(RegionHeader, pressure) == 640);
static_assert(offsetof(RegionHeader, abandonments) == 644);
static_assert(sizeof(RegionHeader) <= kMetaPageBytes);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_HEADER_H_
