// One region, as one process sees it: files, mappings, geometry, lease.
//
// A region is three files: NAME.data (payload; on the best pages to be had),
// NAME.meta (every word, table and ring; 4 KiB pages) and NAME.lock (nothing
// but record locks). Payload and metadata are different mappings, so that an
// overrun of a payload cannot reach allocator or ring state.
#ifndef ZCB_ALLOCATOR_REGION_H_
#define ZCB_ALLOCATOR_REGION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "allocator/abi.h"
#include "allocator/damage_mark.h"
#include "allocator/fork_guard.h"
#include "allocator/lease_word.h"
#include "allocator/page_backing.h"
#include "allocator/region_header.h"
#include "allocator/region_options.h"
#include "allocator/status.h"
#include "allocator/unique_fd.h"

namespace zcb::alloc {

struct RegionCore;

// Thread-safe. One object per process and region: Open() gives the same one
// again while it lives, since a process holds one lease only (the options of
// the first call count, `keep` too).
class Region {
 public:
  // Lets only RegionOpener construct, though std::make_shared does the call.
  class Key {
    friend class RegionOpener;
    Key() {}
  };

  // Attaches to the region that the options name, or creates it.
  //
  // kInvalidParam    bad options; the base directory or the group is not there
  // kAccess          foreign owner, world-writable, not a plain file, or no
  //                  permission
  // kVersion         made by another layout version
  // kLibrary         not a region, truncated, or damaged
  // kNoMemory        the file system cannot hold the least region
  // kNoResources     every lease is taken; no descriptor, no record lock
  // kNotSupported    huge pages were demanded and there are none; or a kernel
  //                  or file system without what is needed (O_TMPFILE, /proc)
  // kTryAgain        another process is just creating or removing it, and did
  //                  not finish while we watched
  //
  // Death: a creator that dies leaves nothing that the next one does not
  // sweep. May block in the kernel (open, fallocate), never on a peer.
  static Result<std::shared_ptr<Region>> Open(const RegionOptions& options);

  Region(Key key, const RegionOptions& options, ForkGuard guard,
         std::unique_ptr<RegionCore> core);

  // Gives the lease back; as the last process, and unless `keep`, removes the
  // files. Runs when the last owner of the object lets go. In a child of
  // fork(2) it does nothing.
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  // --- facts, private copies made at attach; trusted ----------------------
  const Geometry& geometry() const { return geometry_; }
  const RegionOptions& options() const { return options_; }
  LeaseId lease() const { return lease_; }
  // Random: tells two regions of one name apart.
  std::uint64_t identity() const { return identity_; }
  // False in a child of fork(2), where nothing of this object may be used. One
  // load.
  bool IsOurs() const { return guard_.IsOurs(); }
  // Whether its files were found cut: what this process reads there may be
  // zeros where others see something else. Every call on the region is kLibrary
  // from then on, nothing of others' is judged by what is read, and to them
  // this process's part in the region ends as by its death. For good. One load
  // while no region of the process is damaged.
  bool IsDamaged() const { return damage_->IsSet(); }
  // What a call answers then.
  static constexpr Failure kTruncated{Status::kLibrary,
                                      "a file of the region was truncated"};
  Outcome CheckDamage() const {
    if (!IsDamaged()) [[likely]] {
      return {};
    }
    return kTruncated;
  }
  DamageMark& damage() const { return *damage_; }
  // Verified now, by the kernel's books; slow, off the fast path.
  PageReport ReportPages() const;
  const std::string& directory_path() const;
  const std::string& file_stem() const;
  int directory_fd() const;
  // For questions to the file system, not for the bytes: those are mapped.
  int data_fd() const;
  int meta_fd() const;
  // Mode of the region's files and of those beside it (FIFOs): 0600 or 0660.
  unsigned file_mode() const;
  // FIFOs beside the region's files: see region_fifo.h.
  UniqueFd MakeFifo(const char* name) const;
  UniqueFd OpenFifo(const char* name, int flags) const;

  // --- memory -------------------------------------------------------------
  std::byte* data() const { return data_; }
  // The meta file at an offset that comes from geometry(), never from shared
  // memory. The bytes must have been committed by CommitMeta().
  template <typename T>
  T* meta(std::uint64_t offset_bytes) const {
    return reinterpret_cast<T*>(meta_ + offset_bytes);
  }

  // Backs a range of the meta file with memory, so that touching it cannot
  // raise SIGBUS. Idempotent; one system call the first time per page, none
  // after that. kNoMemory: the file system is full; nothing has changed.
  Outcome CommitMeta(std::uint64_t offset_bytes, std::uint64_t length_bytes);
  // The same for units of the data file, and whatever else lies on their huge
  // pages. The caller owns the units. Fast when they are known to be committed.
  // `node`: what to remember as the NUMA node of pages that were holes.
  Outcome CommitUnits(std::uint32_t first_unit, std::uint32_t unit_count,
                      std::uint32_t node = 0);
  // Maps committed units, and replaces 4 KiB pages by huge ones where that can
  // be done afterwards. Slow (1 to 2 ms a unit then): for programs that warm
  // up. Commits what is not committed yet.
  Outcome PrefaultUnits(std::uint32_t first_unit, std::uint32_t unit_count);
  // Gives the memory of units back to the system, as far as they cover whole
  // huge pages; these read as zeros. The caller owns the units.
  Outcome DecommitUnits(std::uint32_t first_unit, std::uint32_t unit_count);
  // Whether there is memory behind a unit already, and for which node it was
  // taken: hints. CommitByte::kHole or OnNode().
  std::uint8_t CommitByteOf(std::uint32_t unit) const;
  bool IsUnitCommitted(std::uint32_t unit) const {
    return CommitByteOf(unit) != CommitByte::kHole;
  }

  // Keeps the pages of this process's mappings (data and meta) from being
  // swapped out, from the moment it touches each (mlock2 with MLOCK_ONFAULT):
  // prefault first what must never fault. The whole region counts against
  // RLIMIT_MEMLOCK, touched or not. Idempotent. Any thread; a forked child
  // inherits no lock.
  //
  // kNoResources   RLIMIT_MEMLOCK is too small for the region; nothing is
  //                locked
  // kNotSupported  no such call in this kernel
  Outcome LockMemory();
  void UnlockMemory();

  // Counters in the header by which allocators tell each other to look (see
  // RegionHeader). Any value may be there.
  std::atomic<std::uint32_t>& pressure() const;
  std::atomic<std::uint32_t>& abandonments() const;

  // --- leases -------------------------------------------------------------
  // Slots are below geometry().lease_count.
  std::atomic<std::uint64_t>& lease_word(std::uint16_t slot) const;
  LeaseRecord& lease_record(std::uint16_t slot) const;
  // Slots below this have been used at some time; grows only.
  std::uint16_t LeaseHighWater() const;
  // True while the kernel says that the process of this Alive word lives: its
  // record lock is held. One system call. Our own lease: true.
  bool HoldsLock(std::uint16_t slot) const;
  // Marks an Alive lease whose lock is free as Dead. True if the lease is
  // Dead{generation} afterwards (by whomever).
  bool MarkDeadIfGone(LeaseId lease);
  // The same, and whether it was by us.
  Verdict Judge(LeaseId lease);
  // Dead -> Free, the last step of reaping. Only after everything that names
  // the lease has been let go. Tells claimers that there may be units to adopt.
  void FreeDeadLease(LeaseId lease);

  // Lets others notice our end at once (see life_fifo.h). Idempotent; before
  // anything by which others come to depend on our lease.
  Outcome PublishLife();
  // Only while nobody depends on our lease.
  void WithdrawLife();
  // See LifeFifo::Raise(): where its milliseconds hold nobody up.
  void RaiseLife();
  // A read end of another slot's life FIFO; kNotExist: it has none.
  Result<UniqueFd> OpenLifeOf(std::uint16_t slot) const;

 private:
  Outcome CheckUnits(std::uint32_t first_unit, std::uint32_t unit_count) const;
  Outcome NoteCut(const Outcome& backed) const;
  struct PageRange {
    std::uint32_t begin, end;
  };
  PageRange PagesAround(std::uint32_t first_unit,
                        std::uint32_t unit_count) const;
  std::atomic<std::uint8_t>& commit_byte(std::uint32_t page) const;

  const RegionOptions options_;
  const Geometry geometry_;
  const LeaseId lease_;
  const std::uint64_t identity_;
  std::byte* const data_;
  std::byte* const meta_;
  const ForkGuard guard_;
  DamageMark* const damage_;
  std::unique_ptr<RegionCore> core_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_H_
