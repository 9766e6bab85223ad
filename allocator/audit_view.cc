#include "allocator/audit_view.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "allocator/errno_saver.h"

namespace zcb::alloc {

MetaPages::MetaPages(const Region& region)
    : fd_(region.meta_fd()),
      meta_bytes_(region.geometry().meta_bytes),
      bits_(meta_bytes_ / kMetaPageBytes / 64 + 1) {}

void MetaPages::Mark(std::uint64_t begin_bytes, std::uint64_t end_bytes) {
  for (std::uint64_t page = begin_bytes / kMetaPageBytes;
       page * kMetaPageBytes < end_bytes; ++page) {
    bits_[page / 64] |= std::uint64_t{1} << (page % 64);
  }
}

// Pages that are allocated but were never written to are holes by this
// question. That is as good: they are zeros.
void MetaPages::Look(std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  const ErrnoSaver errno_saver;
  const std::uint64_t end = std::min(offset_bytes + length_bytes, meta_bytes_);
  std::uint64_t at = offset_bytes & ~std::uint64_t{kMetaPageBytes - 1};
  while (at < end) {
    const off_t data = ::lseek(fd_, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0) {
      // Nothing but a hole to the end; or a file system that cannot say, and
      // then every page may hold something.
      if (errno != ENXIO) Mark(at, end);
      return;
    }
    const auto begin = static_cast<std::uint64_t>(data);
    if (begin >= end) return;
    const off_t hole = ::lseek(fd_, data, SEEK_HOLE);
    at = hole < 0 ? end : std::min(static_cast<std::uint64_t>(hole), end);
    Mark(begin, at);
  }
}

std::uint64_t MetaPages::BytesIn(std::uint64_t offset_bytes,
                                 std::uint64_t length_bytes) const {
  std::uint64_t sum = 0;
  const std::uint64_t end = offset_bytes + length_bytes;
  for (std::uint64_t at = offset_bytes; at < end;) {
    const std::uint64_t next =
        std::min((at / kMetaPageBytes + 1) * kMetaPageBytes, end);
    if (Has(at)) sum += next - at;
    at = next;
  }
  return sum;
}

void AuditView::LookAt(std::uint32_t unit) {
  const Geometry& g = region_.geometry();
  const std::uint64_t first = shared_.FirstGranuleOf(unit);
  const std::uint64_t count = shared_.granules_per_unit();
  const auto look = [&](std::uint64_t table, std::uint64_t bytes_per_granule) {
    pages_.Look(table + first * bytes_per_granule, count * bytes_per_granule);
  };
  look(g.granules_offset, sizeof(std::uint64_t));
  look(g.dense_words_offset, kDenseWordsPerGranule * sizeof(std::uint64_t));
  look(g.sparse_words_offset, kSparseWordsPerGranule * sizeof(std::uint64_t));
  look(g.dense_hints_offset, kDenseWordsPerGranule);
  look(g.sparse_hints_offset, kSparseWordsPerGranule);
}

void AuditView::LookAtHead(std::uint32_t unit) {
  const std::uint32_t granule = shared_.FirstGranuleOf(unit);
  for (const void* const address :
       {static_cast<const void*>(&shared_.granule(granule)),
        static_cast<const void*>(shared_.sparse_word(granule))}) {
    const std::uint64_t offset_bytes = OffsetOf(address);
    if (!pages_.Has(offset_bytes)) pages_.Look(offset_bytes, 1);
  }
}

bool AuditView::IsTouched(std::uint16_t slot, std::uint32_t granule) {
  const Geometry& g = region_.geometry();
  LeaseRecord& record = region_.lease_record(slot);
  // The map is an earlier lease's until this one has begun its own.
  // acquire <- lease.attach, touched.begin: the map is cleared.
  if (record.touched_generation.load(std::memory_order_acquire) !=
      LeaseWord(record.word.load(std::memory_order_acquire)).generation()) {
    return false;
  }
  const std::uint64_t offset_bytes = g.touched_offset +
                                     slot * g.touched_bytes_per_lease +
                                     granule / 64 * sizeof(std::uint64_t);
  pages_.Look(offset_bytes, sizeof(std::uint64_t));
  const std::uint64_t bits =
      Load(*region_.meta<SharedTables::Word>(offset_bytes));
  return (bits >> (granule % 64) & 1) != 0;
}

LeaseLife AuditView::LifeOf(std::uint16_t slot, std::uint32_t generation,
                            std::uint32_t mask) {
  if (slot >= locks_.size()) return LeaseLife::kGone;
  // acquire <- lease.attach, lease.death, lease.free: before what it names.
  LeaseWord word(region_.lease_word(slot).load(std::memory_order_acquire));
  if (word.phase() == LeaseWord::Phase::kFree ||
      ((word.generation() ^ generation) & mask) != 0) {
    return LeaseLife::kGone;
  }
  if (word.phase() == LeaseWord::Phase::kDead) return LeaseLife::kDead;
  if (word.phase() != LeaseWord::Phase::kAlive) return LeaseLife::kGone;
  Lock& known = locks_[slot];
  if (known.word != word.raw()) {
    known = {word.raw(), region_.HoldsLock(slot)};
  }
  if (known.is_held) return LeaseLife::kLiving;
  // A process that leaves frees the word before the lock.
  // acquire <- lease.free: as above.
  word = LeaseWord(region_.lease_word(slot).load(std::memory_order_acquire));
  if (word.raw() == known.word) return LeaseLife::kDead;
  return word.phase() == LeaseWord::Phase::kDead ? LeaseLife::kDead
                                                 : LeaseLife::kGone;
}

}  // namespace zcb::alloc
