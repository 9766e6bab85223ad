#include "ipc/attachment.h"

#include <algorithm>

#include "allocator/cancel_shield.h"
#include "allocator/fork_guard.h"
#include "ipc/asymmetric_barrier.h"
#include "ipc/member.h"
#include "ipc/member_table.h"
#include "ipc/reclaim.h"
#include "ipc/relax_cpu.h"

namespace zcb::ipc {
namespace {

using alloc::LeaseId;

bool RelieveHook(void* context, bool last_resort) {
  auto* const attachment = static_cast<Attachment*>(context);
  return last_resort ? attachment->RelievePressure()
                     : attachment->ReclaimOwn() != 0 ||
                           attachment->ReclaimAllGroups() != 0;
}

void OnGone(void* context, LeaseId lease) {
  static_cast<Attachment*>(context)->ReapIfGone(lease);
}

// The process's attachments. After fork(2) the child makes a table of its own:
// the inherited one's lock may be held by a thread that is not there.
struct Registry {
  alloc::ForkGuard guard = alloc::ForkGuard::Arm();
  std::mutex mutex;
  std::vector<std::weak_ptr<Attachment>> attachments;
};

// nullptr: no guard page can be had. (A table without one would be given up at
// the next call, and a region attached twice.)
Registry* ProcessRegistry() {
  static std::atomic<Registry*> current{nullptr};
  // acquire <- registry.make: the table is built
  Registry* seen = current.load(std::memory_order_acquire);
  if (seen != nullptr && seen->guard.IsOurs()) return seen;
  auto fresh = std::make_unique<Registry>();
  if (!fresh->guard.IsOurs()) return nullptr;
  // release -> registry.make: built; acquire <- registry.make: another
  // thread's is. Never freed: it lives as long as the process.
  if (current.compare_exchange_strong(seen, fresh.get(),
                                      std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
    return fresh.release();
  }
  return seen;
}

// The most that a process with these options could ever allocate.
std::uint64_t MostPayloadBytes(const alloc::Geometry& geometry,
                               const alloc::AllocatorOptions& options) {
  std::uint64_t most = geometry.region_bytes;
  if (options.quota_bytes != alloc::AllocatorOptions::kNoQuota) {
    most = std::min(
        most, options.quota_bytes - options.quota_bytes % geometry.unit_bytes);
  }
  return most - std::min<std::uint64_t>(most, kHeaderBytes);
}

}  // namespace

Result<std::shared_ptr<Attachment>> Attachment::Open(
    const IpcOptions& options) {
  if (const Outcome sane = options.Check(); !sane) return sane.failure();
  alloc::RegionOptions region_options = options.region;
  region_options.client_params = IpcGeometry::Params(options.shape);
  region_options.client_area_bytes = IpcGeometry::AreaBytes(
      region_options.client_params, region_options.lease_count,
      region_options.region_bytes + alloc::kHugePageBytes);  // rounded up
  auto region = alloc::Region::Open(region_options);
  if (!region) return region.failure();

  Registry* const found = ProcessRegistry();
  if (found == nullptr) return alloc::ForkGuard::WhyNot();
  Registry& registry = *found;
  const std::lock_guard lock(registry.mutex);
  std::erase_if(registry.attachments,
                [](const auto& a) { return a.expired(); });
  for (const auto& weak : registry.attachments) {
    if (auto existing = weak.lock();
        existing != nullptr && existing->region_ == *region) {
      if (options.retain_bytes) existing->SetRetainBytes(*options.retain_bytes);
      return existing;
    }
  }
  const auto geometry = IpcGeometry::From((*region)->geometry());
  if (!geometry) return geometry.failure();
  std::shared_ptr<Attachment> attachment(new Attachment);
  attachment->region_ = *region;
  attachment->geometry_ = *geometry;
  attachment->node_id_ = options.node_id;
  attachment->reclaim_pace_ = options.reclaim_pace;
  attachment->prefetch_ = options.prefetch;
  attachment->burst_pause_ns_ = SpinningHelps() ? options.burst_pause_ns : 0;
  if (const Outcome committed = (*region)->CommitMeta(
          geometry->header_offset,
          geometry->names_offset - geometry->header_offset);
      !committed) {
    return committed.failure();
  }
  // From here on a reaper of ours needs this layer: names may be claimed and
  // bells made before anything is joined. relaxed: read after death
  (*region)
      ->lease_record((*region)->lease().slot)
      .uses_client.store(1, std::memory_order_relaxed);
  auto allocator = alloc::Allocator::Create(*region, options.allocator);
  if (!allocator) return allocator.failure();
  attachment->allocator_ = std::move(*allocator);
  attachment->most_payload_bytes_ =
      MostPayloadBytes((*region)->geometry(), options.allocator);
  attachment->directory_ =
      std::make_unique<GroupDirectory>(region->get(), *geometry);
  attachment->aligned_pages_ =
      std::make_unique<AlignedPages>((*region)->geometry().region_bytes);
  attachment->looked_at_memory_ = alloc::PrivateMapping(
      (*region)->geometry().lease_count * sizeof(std::atomic<std::uint32_t>));
  if (!attachment->aligned_pages_->ok() ||
      !attachment->looked_at_memory_.ok()) {
    return Failure{Status::kNoMemory, "no private memory"};
  }
  attachment->looked_at_ =
      attachment->looked_at_memory_.as<std::atomic<std::uint32_t>>();
  auto keeps = KeepTable::Make(*region, *geometry);
  if (!keeps) return keeps.failure();
  attachment->keeps_ = std::move(*keeps);
  attachment->SetRetainBytes(options.retain_bytes.value_or(0));
  attachment->ringer_ = std::make_unique<BellRinger>(region->get());
  attachment->allocator_->SetPressureHook(&RelieveHook, attachment.get());
  // Not to be had: those who wait look again by themselves.
  (void)EnableHeavyBarriers();
  attachment->ReapAllDead();
  registry.attachments.push_back(attachment);
  return attachment;
}

Attachment::~Attachment() {
  // In a child of fork(2) nothing here is ours; neither thread nor files exist.
  if (region_ == nullptr || !region_->IsOurs()) {
    (void)watcher_.release();
    return;
  }
  watcher_.reset();
  if (ringer_ != nullptr) {  // else it was never whole: nothing is its own
    // Everything kept goes, then everything that our going made reclaimable.
    keeps_->LetAllGo(allocator_.get());
    directory_->ForEachGroup(
        [this](const GroupView& group) { ReclaimGroup(group, kReclaimAll); });
  }
  if (allocator_ != nullptr) allocator_->SetPressureHook(nullptr, nullptr);
}

// --- groups ------------------------------------------------------------------

Result<std::unique_ptr<Doorbell>> Attachment::MakeDoorbell() {
  const std::lock_guard lock(join_mutex_);
  // The count first: who is killed behind the making has left a file that a
  // reaper looks for. relaxed: read only by reapers, after the lease's death
  region_->lease_record(region_->lease().slot)
      .bell_count.store(next_bell_ + 1, std::memory_order_relaxed);
  auto bell = Doorbell::Make(region_, next_bell_);
  if (bell) ++next_bell_;
  return bell;
}

// True if an entry of ours is in the group and its end is not in the order.
// What has left can be joined again at once, by another member: everybody finds
// the old one's leave before the new one's join.
bool Attachment::IsMemberOf(const GroupView& group) const {
  ApplyPublished(group);
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    const EntryState& entry = group.entry(i);
    // acquire <- member.claim: ours were claimed under this mutex
    const EntryWord word(entry.word.load(std::memory_order_acquire));
    if (word.lease() != region_->lease() ||
        (word.phase() != EntryWord::Phase::kJoining &&
         word.phase() != EntryWord::Phase::kMember)) {
      continue;
    }
    // acquire <- member.apply: applied above, by us or before
    const OrderWord leave(entry.leave.load(std::memory_order_acquire));
    if (leave.generation() != word.generation() || !leave.is_set()) return true;
  }
  return false;
}

// Entries of ours that were put out by somebody who died before he said so: or
// a view might have this process twice. False: no room for the record.
bool Attachment::RecordOwnEvictions(const GroupView& group) {
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    // acquire <- member.claim: ours were claimed under this mutex
    const EntryWord word(group.entry(i).word.load(std::memory_order_acquire));
    if (word.lease() == region_->lease() &&
        word.phase() == EntryWord::Phase::kEvicted &&
        !PublishDown(group, static_cast<std::uint16_t>(i), word.generation())) {
      return false;
    }
  }
  return true;
}

Result<std::unique_ptr<Member>> Attachment::Join(const GroupName& name,
                                                 Doorbell* bell,
                                                 Membership membership) {
  const std::lock_guard lock(join_mutex_);
  const auto group = directory_->FindOrMake(name);
  if (!group) return group.failure();
  if (membership == Membership::kOnePerProcess) {
    if (!RecordOwnEvictions(*group)) {
      return {Status::kLibrary, "damaged ring"};  // see Member::JoinRing()
    }
    if (IsMemberOf(*group)) {
      return {Status::kExist, "this process is a member of that group"};
    }
  }
  joined_.Add(group->group_slot());
  if (const Outcome started = StartWatcher(); !started)
    return started.failure();
  ReapBeforeJoin(*group);
  std::unique_ptr<Member> member(new Member(shared_from_this(), *group, bell));
  const Outcome joined = member->JoinRing();
  if (!joined) return joined.failure();
  const std::uint32_t now_high = group->EntryHigh();
  for (std::uint32_t i = 0; i < now_high; ++i) {
    FollowMember(*group, static_cast<std::uint16_t>(i));
  }
  return member;
}

// Calls `read` with a group and a position. Everything published counts, read
// by its members or not. Records are applied by us as by any reader.
//
// Of one position, or a process that leaves and joins again while we look at
// one entry after the other would be found twice. What is a member there stays
// to be found until its end, which comes later in the order, is reclaimed: then
// again, from the start.
template <typename Read>
Outcome Attachment::ReadMembersOf(const GroupName& name, Read&& read) {
  const auto group = directory_->Find(name);
  if (!group) return group.failure();
  if (!*group) return {};
  constexpr int kMostTries = 8;  // then it is what it was an instant ago
  for (int tries = 0; tries < kMostTries; ++tries) {
    const std::uint64_t tail = ApplyPublished(**group);
    if (tail == 0) break;
    read(**group, tail - 1);
    // acquire <- ring.reclaim: who frees an entry has come to its end
    SlotWord next;
    if ((*group)->header().reclaimed.load(std::memory_order_acquire) < tail ||
        ReadSlot(**group, tail, &next) == RingAnswer::kFull) {
      break;
    }
  }
  return {};
}

Result<std::vector<MemberAddress>> Attachment::MembersOf(
    const GroupName& name) {
  std::vector<MemberAddress> members;
  const Outcome done = ReadMembersOf(
      name, [&members](const GroupView& group, std::uint64_t position) {
        View view;
        ReadViewAt(group, position, &view);
        members.clear();
        for (const View::Item& item : view.items()) {
          members.push_back(item.address);
        }
      });
  if (!done) return done.failure();
  return members;
}

Result<std::size_t> Attachment::FirstMembersOf(
    const GroupName& name, std::span<MemberAddress> members) {
  std::size_t count = 0;
  const Outcome done =
      ReadMembersOf(name, [&](const GroupView& group, std::uint64_t position) {
        count = ReadFirstMembersAt(group, position, members);
      });
  if (!done) return done.failure();
  return count;
}

Result<GroupStats> Attachment::StatsOf(const GroupName& name) {
  const auto group = directory_->Find(name);
  if (!group) return group.failure();
  if (*group) return ReadGroupStats(**group, *region_);
  GroupStats none;
  none.ring_messages = geometry_.slot_count - geometry_.control_reserve();
  return none;
}

Result<std::vector<GroupName>> Attachment::GroupNames() {
  return directory_->Names();
}

// --- watching ----------------------------------------------------------------

Outcome Attachment::StartWatcher() {
  const alloc::CancelShield shield;
  if (watcher_ != nullptr) return {};
  auto watcher = alloc::ProcessWatcher::Start(region_, &OnGone, this);
  if (!watcher) return watcher.failure();
  // First: with a thread more its descriptor would have to wait for its number.
  if (const Outcome life = (*watcher)->PublishLife(); !life) return life;
  // Now, when it can still be refused: later nobody hears of it.
  if (const Outcome thread = (*watcher)->StartThread(); !thread) {
    (*watcher)->WithdrawLife();
    return thread;
  }
  watcher_ = std::move(*watcher);
  return {};
}

void Attachment::Watch(LeaseId lease) {
  const alloc::CancelShield shield;  // an event is being begun
  if (lease != region_->lease()) watcher_->Watch(lease);
}

}  // namespace zcb::ipc
