#include "allocator/audit_backing.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>

#include "allocator/errno_saver.h"

namespace zcb::alloc {
namespace {

// The kernel's structures, for C libraries that do not have them yet.
struct CacheRange {
  std::uint64_t offset_bytes;
  std::uint64_t length_bytes;
};
struct CacheCounts {  // in pages
  std::uint64_t cached;
  std::uint64_t dirty;
  std::uint64_t in_writeback;
  std::uint64_t evicted;  // of tmpfs: swapped out
  std::uint64_t recently_evicted;
};
constexpr long kCachestat = 451;  // the same on every architecture

// Neither SEEK_DATA nor mincore(2) will do: both take pages that are allocated
// and not written to for holes.
std::optional<std::uint64_t> BackedPagesOf(int fd, std::uint32_t huge_page) {
  CacheRange range{std::uint64_t{huge_page} * kHugePageBytes, kHugePageBytes};
  CacheCounts counts{};
  if (::syscall(kCachestat, fd, &range, &counts, 0U) != 0) return std::nullopt;
  return counts.cached + counts.evicted;
}

}  // namespace

std::uint64_t BackedBytes(int fd) {
  const ErrnoSaver errno_saver;
  struct stat facts = {};
  if (::fstat(fd, &facts) != 0) return 0;
  return static_cast<std::uint64_t>(facts.st_blocks) * 512;
}

void CheckBacking(const Region& region, bool quiet, AuditFindings* findings) {
  const ErrnoSaver errno_saver;
  const std::uint64_t page_bytes = static_cast<std::uint64_t>(::getpagesize());
  const std::uint64_t pages_wanted = kHugePageBytes / page_bytes;
  const auto* const booked = region.meta<std::atomic<std::uint8_t>>(
      region.geometry().committed_offset);
  const int fd = region.data_fd();
  std::uint64_t booked_bytes = 0;
  bool knows_pages = true;
  for (std::uint32_t i = 0; i < region.geometry().huge_page_count(); ++i) {
    // acquire <- unit.commit: the page was backed before its byte.
    if (booked[i].load(std::memory_order_acquire) == 0) continue;
    booked_bytes += kHugePageBytes;
    if (!knows_pages) continue;
    const std::optional<std::uint64_t> pages = BackedPagesOf(fd, i);
    knows_pages = pages.has_value();
    // The byte goes before the memory: still set, it has been true throughout.
    // acquire <- unit.commit: after the question.
    if (pages && *pages < pages_wanted &&
        booked[i].load(std::memory_order_acquire) != 0) {
      findings->Add({AuditSeverity::kDamage, AuditKind::kCommittedHole,
                     AuditWhere::kHugePage, i,
                     (pages_wanted - *pages) * page_bytes});
    }
  }
  if (knows_pages || !quiet) return;
  if (const std::uint64_t backed = BackedBytes(fd); backed < booked_bytes) {
    findings->Add({AuditSeverity::kDamage, AuditKind::kCommittedHole,
                   AuditWhere::kRegion, 0, booked_bytes - backed});
  }
}

}  // namespace zcb::alloc
