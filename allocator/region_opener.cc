#include "allocator/region_opener.h"

#include <algorithm>
#include <ctime>

#include "allocator/record_lock.h"
#include "allocator/region_creation.h"
#include "allocator/region_lifecycle.h"

namespace zcb::alloc {
namespace {

// How long one and the same obstacle is waited for: half a second in pauses
// from 50 us to 8 ms. And a limit for a world that changes at every look.
class Patience {
 public:
  bool WaitFor(FileId obstacle) {
    if (!(obstacle == last_)) {
      last_ = obstacle;
      pause_ns_ = kFirstPauseNs;
      waited_ns_ = 0;
    }
    if (waited_ns_ >= kMaxWaitNs) return false;
    const timespec pause = {0, pause_ns_};
    ::nanosleep(&pause, nullptr);
    waited_ns_ += pause_ns_;
    pause_ns_ = std::min(pause_ns_ * 2, kMaxPauseNs);
    return true;
  }
  bool CountLook() { return ++looks_ <= kMaxLooks; }

 private:
  static constexpr long kFirstPauseNs = 50'000;
  static constexpr long kMaxPauseNs = 8'000'000;
  static constexpr long kMaxWaitNs = 500'000'000;
  static constexpr int kMaxLooks = 10'000;
  FileId last_;
  long pause_ns_ = kFirstPauseNs;
  long waited_ns_ = 0;
  int looks_ = 0;
};

bool HasName(const RegionDirectory& directory, const SeenFile& meta) {
  return IdOfName(directory.fd(), directory.meta_name()) == meta.id;
}

}  // namespace

Result<std::shared_ptr<Region>> RegionOpener::Open() {
  Result<RegionDirectory> directory = RegionDirectory::Open(options_);
  if (!directory) return directory.failure();
  directory_ = std::move(*directory);
  Patience patience;
  while (patience.CountLook()) {
    Result<Attempt> attempt = Try();
    if (!attempt) return attempt.failure();
    if (attempt->region != nullptr) return std::move(attempt->region);
    if (attempt->must_wait && !patience.WaitFor(attempt->obstacle)) {
      return {Status::kTryAgain, attempt->reason};
    }
  }
  return {Status::kTryAgain, "the region comes and goes too fast"};
}

Result<RegionOpener::Attempt> RegionOpener::Try() {
  Result<SeenFile> meta =
      LookAt(directory_.fd(), directory_.meta_name(), directory_.rules());
  if (meta) return Attach(*meta);
  if (meta.status() != Status::kNotExist) return meta.failure();
  if (IdOfName(directory_.fd(), directory_.lock_name())) return MeetLockFile();
  return Create();
}

Result<RegionOpener::Attempt> RegionOpener::Attach(const SeenFile& meta) {
  Attempt found;
  found.region = registry_->Find(meta.id, &held_);
  if (found.region != nullptr) return found;

  Result<UniqueFd> meta_fd = OpenSeen(meta);
  if (!meta_fd) return meta_fd.failure();
  Result<RegionFacts> facts =
      RegionFacts::Read(meta_fd->get(), meta.length_bytes);
  if (!facts) return facts.failure();

  auto core = std::make_unique<RegionCore>();
  core->directory = directory_;
  core->facts = std::move(*facts);
  core->meta_id = meta.id;
  core->meta_fd = std::move(*meta_fd);

  // While the meta file has its name, the other two have theirs; if they are
  // not there, either it has lost it just now, or somebody meddled.
  Result<SeenFile> lock =
      LookAt(directory_.fd(), directory_.lock_name(), directory_.rules());
  UniqueFd mount_fd;
  const int data_directory = core->DataDirectory(&mount_fd);
  Result<SeenFile> data =
      LookAt(data_directory, core->DataName(), directory_.rules());
  if (!lock || !(lock->id == core->facts.lock_id) || !data ||
      !(data->id == core->facts.data_id)) {
    if (!HasName(directory_, meta)) return AgainNow();
    if (!lock && lock.status() != Status::kNotExist) return lock.failure();
    if (!data && data.status() != Status::kNotExist) return data.failure();
    return {Status::kLibrary, "the region's files do not belong together"};
  }
  if (data->length_bytes != core->facts.geometry.region_bytes) {
    return {Status::kLibrary, "the region's data file has a wrong length"};
  }
  if (registry_->OwnsLockFile(lock->id)) {
    return {Status::kLibrary, "the region's lock file is another region's"};
  }
  Result<UniqueFd> data_fd = OpenSeen(*data);
  if (!data_fd) return data_fd.failure();
  if (core->facts.rung == PageRung::kHugetlbfs &&
      !IsHugetlbfsOfUnits(data_fd->get())) {
    return {Status::kLibrary, "the region's data file is not on hugetlbfs"};
  }
  Result<UniqueFd> lock_fd = OpenSeen(*lock);
  if (!lock_fd) return lock_fd.failure();
  core->data_fd = std::move(*data_fd);
  core->lock_fd = std::move(*lock_fd);
  if (Outcome mapped = MapFiles(core.get()); !mapped) return mapped.failure();
  // Before the first look at what others can cut.
  if (options_.handle_sigbus) {
    if (Outcome guarded = core->GuardMappings(); !guarded) {
      return guarded.failure();
    }
  }
  return TakeLease(std::move(core));
}

Result<RegionOpener::Attempt> RegionOpener::TakeLease(
    std::unique_ptr<RegionCore> core) {
  switch (Vet(*core)) {
    case Condition::kUsable:
      break;
    case Condition::kRemoved:
      return AgainNow();
    case Condition::kBusy:
      return AgainAfter(core->facts.lock_id, "the region is being removed");
  }
  Result<bool> settled = Settle(core.get());
  if (!settled) {
    // Whoever left while we were vetting has relied on us.
    if (!options_.keep) RemoveIfUnused(*core);
    return settled.failure();
  }
  if (!*settled) {
    return AgainAfter(core->facts.lock_id, "the region is being removed");
  }
  // Cut since its length was looked at. Our lease goes with the lock.
  if (core->damage.IsSet()) {
    return Region::kTruncated;
  }
  Attempt done;
  done.region = Finish(std::move(core));
  return done;
}

Result<RegionOpener::Attempt> RegionOpener::Create() {
  auto core = std::make_unique<RegionCore>();
  core->directory = directory_;
  if (Outcome built = BuildNameless(options_, core.get()); !built) {
    return built.failure();
  }
  if (options_.handle_sigbus) {
    if (Outcome guarded = core->GuardMappings(); !guarded) {
      return guarded.failure();
    }
  }
  Result<bool> named = GiveNames(core.get());
  if (!named) return named.failure();
  if (!*named) return AgainNow();
  Attempt done;
  done.region = Finish(std::move(core));
  return done;
}

Result<RegionOpener::Attempt> RegionOpener::MeetLockFile() {
  Result<SeenFile> lock =
      LookAt(directory_.fd(), directory_.lock_name(), directory_.rules());
  if (!lock) {
    if (lock.status() == Status::kNotExist) return AgainNow();
    return lock.failure();
  }
  if (registry_->OwnsLockFile(lock->id)) {
    // Not opened: that would cost the locks that we have on it.
    return {Status::kLibrary,
            "the region's meta file was removed while in use"};
  }
  Result<UniqueFd> lock_fd = OpenSeen(*lock);
  if (!lock_fd) return lock_fd.failure();
  switch (SweepLeftover(directory_, lock->id, lock_fd->get(),
                        options_.hugetlbfs_mount)) {
    case Leftover::kGone:
      return AgainNow();
    case Leftover::kBusy:
      return AgainAfter(lock->id, "the region is being made or removed");
    case Leftover::kInUse:
      return AgainAfter(lock->id, "the region is in use without a meta file");
    case Leftover::kFailed:
      break;
  }
  return {Status::kNoResources, "no record lock for a region"};
}

std::shared_ptr<Region> RegionOpener::Finish(std::unique_ptr<RegionCore> core) {
  const FileId meta_id = core->meta_id;
  const FileId lock_id = core->facts.lock_id;
  // One allocation each, before anything is handed over: a Region that had to
  // be destroyed here would wait for the mutex that we hold.
  registry_->MakeRoom();
  auto region = std::make_shared<Region>(Region::Key(), options_,
                                         registry_->guard(), std::move(core));
  registry_->Add(meta_id, lock_id, region);
  return region;
}

}  // namespace zcb::alloc
