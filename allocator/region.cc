#include "allocator/region.h"

#include <new>
#include <utility>

#include "allocator/errno_saver.h"
#include "allocator/page_ladder.h"
#include "allocator/region_core.h"
#include "allocator/region_fifo.h"
#include "allocator/region_lifecycle.h"
#include "allocator/region_opener.h"
#include "allocator/region_registry.h"

namespace zcb::alloc {

Result<std::shared_ptr<Region>> Region::Open(const RegionOptions& options) {
  const ErrnoSaver errno_saver;
  try {
    if (Outcome checked = options.Check(); !checked) return checked.failure();
    RegionRegistry* registry = RegionRegistry::ForThisProcess();
    if (registry == nullptr) return ForkGuard::WhyNot();
    Result<std::shared_ptr<Region>> region =
        RegionOpener(options, registry).Open();
    if (region && (*region)->IsDamaged()) {
      return kTruncated;
    }
    return region;
  } catch (const std::bad_alloc&) {
    return {Status::kNoMemory, "no private memory"};
  }
}

Region::Region(Key, const RegionOptions& options, ForkGuard guard,
               std::unique_ptr<RegionCore> core)
    : options_(options),
      geometry_(core->facts.geometry),
      lease_(core->lease),
      identity_(core->facts.identity),
      data_(core->data.base()),
      meta_(core->meta.base()),
      guard_(guard),
      damage_(&core->damage),
      core_(std::move(core)) {}

Region::~Region() {
  const ErrnoSaver errno_saver;
  if (!IsOurs()) {
    // A forked child: lease, names and locks are the parent's. Even closing
    // the lock file could cost a lock that the child has by now.
    static_cast<void>(core_.release());
    return;
  }
  RegionRegistry* registry = RegionRegistry::ForThisProcess();
  const std::lock_guard<std::mutex> held(registry->mutex());
  // Damaged: what names the lease was not given back, since others' part in it
  // could not be seen. Alive without a lock is death, and they reap.
  if (!IsDamaged()) core_->leases.FreeOwn(lease_);
  core_->life.Withdraw(core_->directory);
  core_->leases.Unlock(lease_);
  try {
    if (IsDamaged()) {
      RemoveIfUnlocked(*core_);
    } else if (!options_.keep) {
      RemoveIfUnused(*core_);
    }
  } catch (const std::bad_alloc&) {
    // The names stay, the lifecycle lock goes with its descriptor: the next
    // one to attach finishes.
  }
  const FileId meta_id = core_->meta_id;
  core_.reset();
  registry->Remove(meta_id);
}

const std::string& Region::directory_path() const {
  return core_->directory.path();
}
const std::string& Region::file_stem() const { return core_->directory.stem(); }
int Region::directory_fd() const { return core_->directory.fd(); }
int Region::data_fd() const { return core_->data_fd.get(); }
int Region::meta_fd() const { return core_->meta_fd.get(); }
unsigned Region::file_mode() const {
  return core_->directory.rules().file_mode();
}

UniqueFd Region::MakeFifo(const char* name) const {
  return alloc::MakeFifo(directory_fd(), name, core_->directory.rules());
}
UniqueFd Region::OpenFifo(const char* name, int flags) const {
  return alloc::OpenFifo(directory_fd(), name, core_->directory.rules(), flags);
}

// --- memory ----------------------------------------------------------------

// A file that is too short is found by looking, too, not by SIGBUS alone.
Outcome Region::NoteCut(const Outcome& backed) const {
  if (backed.status() == Status::kLibrary) damage_->Set();
  return backed;
}

Outcome Region::CommitMeta(std::uint64_t offset_bytes,
                           std::uint64_t length_bytes) {
  if (offset_bytes > geometry_.meta_bytes ||
      length_bytes > geometry_.meta_bytes - offset_bytes) {
    return {Status::kInvalidParam, "a range outside the meta file"};
  }
  CommitMap& known = core_->committed_meta;
  std::uint64_t page = offset_bytes / kMetaPageBytes;
  const std::uint64_t end_page =
      (offset_bytes + length_bytes + kMetaPageBytes - 1) / kMetaPageBytes;
  if (known.HasRun(page, end_page)) return {};
  while (page < end_page) {
    if (known.Has(page)) {
      ++page;
      continue;
    }
    std::uint64_t run_end = page + 1;
    while (run_end < end_page && !known.Has(run_end)) ++run_end;
    const ErrnoSaver errno_saver;
    if (Outcome committed = NoteCut(core_->meta_backing.Commit(
            page * kMetaPageBytes, (run_end - page) * kMetaPageBytes));
        !committed) {
      return committed;
    }
    for (; page < run_end; ++page) known.Add(page);
  }
  return {};
}

Outcome Region::CheckUnits(std::uint32_t first_unit,
                           std::uint32_t unit_count) const {
  if (first_unit > geometry_.unit_count ||
      unit_count > geometry_.unit_count - first_unit) {
    return {Status::kInvalidParam, "units outside the region"};
  }
  return {};
}

std::atomic<std::uint8_t>& Region::commit_byte(std::uint32_t page) const {
  return meta<std::atomic<std::uint8_t>>(geometry_.committed_offset)[page];
}

Region::PageRange Region::PagesAround(std::uint32_t first_unit,
                                      std::uint32_t unit_count) const {
  const std::uint64_t begin = std::uint64_t{first_unit} * geometry_.unit_bytes;
  const std::uint64_t end =
      begin + std::uint64_t{unit_count} * geometry_.unit_bytes;
  return {
      static_cast<std::uint32_t>(begin / kHugePageBytes),
      static_cast<std::uint32_t>((end + kHugePageBytes - 1) / kHugePageBytes)};
}

std::uint8_t Region::CommitByteOf(std::uint32_t unit) const {
  const std::uint64_t page =
      std::uint64_t{unit} * geometry_.unit_bytes / kHugePageBytes;
  // relaxed: a hint
  return commit_byte(static_cast<std::uint32_t>(page))
      .load(std::memory_order_relaxed);
}

Outcome Region::CommitUnits(std::uint32_t first_unit, std::uint32_t unit_count,
                            std::uint32_t node) {
  if (Outcome checked = CheckUnits(first_unit, unit_count); !checked) {
    return checked;
  }
  const PageRange pages = PagesAround(first_unit, unit_count);
  for (std::uint32_t page = pages.begin; page < pages.end; ++page) {
    std::atomic<std::uint8_t>& byte = commit_byte(page);
    // acquire <- unit.commit: the page was backed before its byte.
    if (byte.load(std::memory_order_acquire) != CommitByte::kHole) continue;
    const ErrnoSaver errno_saver;
    if (Outcome committed = NoteCut(core_->data_backing.Commit(
            std::uint64_t{page} * kHugePageBytes, kHugePageBytes));
        !committed) {
      return committed;
    }
    // release -> unit.commit: the page is backed before its byte says so.
    byte.store(CommitByte::OnNode(node), std::memory_order_release);
  }
  return {};
}

Outcome Region::PrefaultUnits(std::uint32_t first_unit,
                              std::uint32_t unit_count) {
  if (Outcome committed = CommitUnits(first_unit, unit_count); !committed) {
    return committed;
  }
  const ErrnoSaver errno_saver;
  const PageRange pages = PagesAround(first_unit, unit_count);
  const std::uint64_t offset_bytes =
      std::uint64_t{pages.begin} * kHugePageBytes;
  const std::uint64_t length_bytes =
      std::uint64_t{pages.end - pages.begin} * kHugePageBytes;
  core_->data_backing.MapCommitted(offset_bytes, length_bytes);
  if (core_->data_backing.rung() == PageRung::kCollapsed) {
    core_->data_backing.Collapse(offset_bytes, length_bytes);
  }
  return {};
}

Outcome Region::DecommitUnits(std::uint32_t first_unit,
                              std::uint32_t unit_count) {
  if (Outcome checked = CheckUnits(first_unit, unit_count); !checked) {
    return checked;
  }
  // Of pages that reach beyond the units somebody else uses the rest.
  const std::uint64_t unit_bytes = geometry_.unit_bytes;
  const auto begin = static_cast<std::uint32_t>(
      (first_unit * unit_bytes + kHugePageBytes - 1) / kHugePageBytes);
  const auto end = static_cast<std::uint32_t>(
      (std::uint64_t{first_unit} + unit_count) * unit_bytes / kHugePageBytes);
  if (begin >= end) return {};
  for (std::uint32_t page = begin; page < end; ++page) {
    // release -> unit.commit: the byte is cleared before the hole is made, or
    // a crash in between would leave a byte that lies.
    commit_byte(page).store(CommitByte::kHole, std::memory_order_release);
  }
  const ErrnoSaver errno_saver;
  return core_->data_backing.Punch(std::uint64_t{begin} * kHugePageBytes,
                                   std::uint64_t{end - begin} * kHugePageBytes);
}

Outcome Region::LockMemory() {
  const ErrnoSaver errno_saver;
  if (Outcome locked = core_->data_backing.Lock(); !locked) return locked;
  if (Outcome locked = core_->meta_backing.Lock(); !locked) {
    core_->data_backing.Unlock();
    return locked;
  }
  return {};
}

void Region::UnlockMemory() {
  const ErrnoSaver errno_saver;
  core_->meta_backing.Unlock();
  core_->data_backing.Unlock();
}

std::atomic<std::uint32_t>& Region::pressure() const {
  return core_->header()->pressure;
}

std::atomic<std::uint32_t>& Region::abandonments() const {
  return core_->header()->abandonments;
}

PageReport Region::ReportPages() const {
  const ErrnoSaver errno_saver;
  const PageBacking& backing = core_->data_backing;
  // What nobody here has touched is not mapped, and would look small.
  constexpr std::uint32_t kMaxSampledPages = 16;
  std::uint32_t sampled = 0;
  for (std::uint32_t page = 0;
       page < geometry_.huge_page_count() && sampled < kMaxSampledPages;
       ++page) {
    // acquire <- unit.commit: the page was backed before its byte.
    if (commit_byte(page).load(std::memory_order_acquire) ==
        CommitByte::kHole) {
      continue;
    }
    backing.MapCommitted(std::uint64_t{page} * kHugePageBytes, kHugePageBytes);
    ++sampled;
  }
  PageReport report;
  report.committed_bytes = backing.BackedBytes();
  report.huge_bytes = backing.HugeMappedBytes();
  if (report.huge_bytes != 0) {
    report.kind = backing.rung() == PageRung::kHugetlbfs
                      ? PageReport::Kind::kHugetlbfs
                      : PageReport::Kind::kTransparentHuge;
    report.page_bytes = kHugePageBytes;
    report.how = Describe(backing.rung());
  }
  return report;
}

// --- leases ----------------------------------------------------------------

std::atomic<std::uint64_t>& Region::lease_word(std::uint16_t slot) const {
  return core_->leases.word(slot);
}

LeaseRecord& Region::lease_record(std::uint16_t slot) const {
  return core_->leases.record(slot);
}

std::uint16_t Region::LeaseHighWater() const {
  return core_->leases.HighWater();
}

bool Region::HoldsLock(std::uint16_t slot) const {
  const ErrnoSaver errno_saver;
  return core_->leases.HoldsLock(slot);
}

bool Region::MarkDeadIfGone(LeaseId lease) {
  const ErrnoSaver errno_saver;
  return core_->leases.MarkDeadIfGone(lease);
}

Verdict Region::Judge(LeaseId lease) {
  const ErrnoSaver errno_saver;
  return core_->leases.Judge(lease);
}

void Region::FreeDeadLease(LeaseId lease) {
  // relaxed: only asks for a look
  abandonments().fetch_add(1, std::memory_order_relaxed);
  core_->leases.FreeDead(lease);
}

Outcome Region::PublishLife() {
  const ErrnoSaver errno_saver;
  try {
    return core_->life.Publish(core_->directory, lease_.slot,
                               core_->lock_fd.get());
  } catch (const std::bad_alloc&) {
    return {Status::kNoMemory, "no private memory"};
  }
}

void Region::WithdrawLife() {
  const ErrnoSaver errno_saver;
  core_->life.Withdraw(core_->directory);
}

void Region::RaiseLife() {
  const ErrnoSaver errno_saver;
  core_->life.Raise();
}

Result<UniqueFd> Region::OpenLifeOf(std::uint16_t slot) const {
  const ErrnoSaver errno_saver;
  try {
    return LifeFifo::OpenReadEnd(core_->directory, slot);
  } catch (const std::bad_alloc&) {
    return {Status::kNoMemory, "no private memory"};
  }
}

}  // namespace zcb::alloc
