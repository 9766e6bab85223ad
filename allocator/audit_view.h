// A region as an audit reads it: without adding a page to it, and with an
// opinion about every lease.
#ifndef ZCB_ALLOCATOR_AUDIT_VIEW_H_
#define ZCB_ALLOCATOR_AUDIT_VIEW_H_

#include <cstdint>
#include <vector>

#include "allocator/audit_report.h"
#include "allocator/buffer_word.h"
#include "allocator/granule_word.h"
#include "allocator/lease_word.h"
#include "allocator/region.h"
#include "allocator/shared_tables.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {

// Which pages of the meta file hold data, by the file system's word. All others
// read as zero, and the audit takes them for that without touching them: a
// touch would add a page, or end in SIGBUS when there is none to be had.
class MetaPages {
 public:
  explicit MetaPages(const Region& region);
  // Asks about the pages of a range. What was found once stays: the meta file
  // gives no page back.
  void Look(std::uint64_t offset_bytes, std::uint64_t length_bytes);
  bool Has(std::uint64_t offset_bytes) const {
    const std::uint64_t page = offset_bytes / kMetaPageBytes;
    return (bits_[page / 64] >> (page % 64) & 1) != 0;
  }
  // Bytes of a range that lie on such pages.
  std::uint64_t BytesIn(std::uint64_t offset_bytes,
                        std::uint64_t length_bytes) const;

 private:
  void Mark(std::uint64_t begin_bytes, std::uint64_t end_bytes);

  int fd_;
  std::uint64_t meta_bytes_;
  std::vector<std::uint64_t> bits_;
};

enum class LeaseLife : std::uint8_t {
  kLiving,
  kDead,  // marked so, or its process is gone
  kGone,  // free, of another generation, or no lease at all
};

// One audit's; not thread-safe. All loads are acquire: what a word says of
// other words is true of the loads that follow.
class AuditView {
 public:
  explicit AuditView(Region& region)
      : region_(region),
        shared_(region),
        pages_(region),
        locks_(region.geometry().lease_count) {}

  Region& region() const { return region_; }
  const SharedTables& shared() const { return shared_; }
  MetaPages& pages() { return pages_; }

  // Asks for the pages of everything that describes a unit, or only for those
  // of an extent's first granule.
  void LookAt(std::uint32_t unit);
  void LookAtHead(std::uint32_t unit);

  UnitWord unit(std::uint32_t index) const {
    // acquire <- unit.claim: the granule words below it.
    return UnitWord(shared_.unit(index).load(std::memory_order_acquire));
  }
  GranuleWord granule(std::uint32_t index) const {
    return GranuleWord(Load(shared_.granule(index)));
  }
  BufferWord word(const SharedTables::Word& word) const {
    return BufferWord(Load(word));
  }
  bool hint(const SharedTables::Hint& hint) const {
    // acquire <- hint.set: the word before it; only counted here.
    return pages_.Has(OffsetOf(&hint)) &&
           hint.load(std::memory_order_acquire) != 0;
  }
  // Whether the touched map of the lease in a slot names the granule.
  bool IsTouched(std::uint16_t slot, std::uint32_t granule);

  // Of the lease in a slot whose generation has those low bits (mask 0: of
  // whatever lease is there).
  LeaseLife LifeOf(std::uint16_t slot, std::uint32_t generation,
                   std::uint32_t mask);

  std::uint64_t OffsetOf(const void* address) const {
    return static_cast<std::uint64_t>(static_cast<const std::byte*>(address) -
                                      region_.meta<std::byte>(0));
  }

 private:
  std::uint64_t Load(const SharedTables::Word& word) const {
    // acquire <- granule.publish, buffer.leave: what the word says of others.
    return pages_.Has(OffsetOf(&word)) ? word.load(std::memory_order_acquire)
                                       : 0;
  }

  // An Alive word, and what the kernel said of it: asked once per audit.
  struct Lock {
    std::uint64_t word = 0;
    bool is_held = false;
  };

  Region& region_;
  SharedTables shared_;
  MetaPages pages_;
  std::vector<Lock> locks_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_AUDIT_VIEW_H_
