// A process's part in the groups of one region: what its handles share.
//
// ipc/ is usable without cpg/: Open() an Attachment, Join() a group, then
// Alloc/Send and Next/Done on the Member.   START READING AT ring.h
#ifndef ZCB_IPC_ATTACHMENT_H_
#define ZCB_IPC_ATTACHMENT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "allocator/allocator.h"
#include "allocator/private_mapping.h"
#include "allocator/process_watcher.h"
#include "allocator/region.h"
#include "allocator/status.h"
#include "ipc/aligned_pages.h"
#include "ipc/begun_message.h"
#include "ipc/bell_ringer.h"
#include "ipc/doorbell.h"
#include "ipc/group_directory.h"
#include "ipc/group_name.h"
#include "ipc/group_set.h"
#include "ipc/ipc_layout.h"
#include "ipc/ipc_options.h"
#include "ipc/keep_table.h"
#include "ipc/member_address.h"
#include "ipc/message_header.h"
#include "ipc/message_place.h"
#include "ipc/statistics.h"

namespace zcb::ipc {

struct OwnFirst;
class Member;

// A payload that can be sent or freed: its buffer, and where the header goes.
struct LivePayload {
  alloc::BufferRef buffer;
  bool is_aligned = false;  // see message_place.h
};

// Thread-safe. One per process and region; handles share it.
class Attachment : public std::enable_shared_from_this<Attachment> {
 public:
  // The process's attachment to the region the options name; the same object
  // again while it lives. Errors of Region::Open(), and kNotSupported: the
  // region was created without room for groups.
  static Result<std::shared_ptr<Attachment>> Open(const IpcOptions& options);
  ~Attachment();
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  // False in a child of fork(2): nothing else may be called there.
  bool IsOurs() const { return region_->IsOurs(); }
  alloc::Region& region() const { return *region_; }
  alloc::Allocator& allocator() const { return *allocator_; }
  std::uint32_t node_id() const { return node_id_; }

  // --- buffers with room for the message header ----------------------------
  // A live buffer whose payload has at least `payload_bytes`; the pointer is
  // to the payload, 64-byte aligned. Errors of Allocator::Alloc(); kTooBig also
  // for what the quota of this process could never hold.
  Result<std::byte*> AllocPayload(std::uint64_t payload_bytes);
  // The same with a payload at a multiple of `alignment_bytes`: a power of two
  // up to 2 MiB (256 KiB in a region of small units). Above 64 the header lies
  // outside the buffer, so a page holds nothing but payload; what is aligned
  // to more than 64 bytes is aligned to a page. Errors of
  // Allocator::AllocAligned().
  Result<std::byte*> AllocAlignedPayload(std::uint64_t payload_bytes,
                                         std::uint64_t alignment_bytes);
  // Whether AllocPayload() would succeed just now; its error.
  Outcome TryPayload(std::uint64_t payload_bytes);
  // kInvalidParam: not the payload of a live buffer of this process.
  Outcome FreePayload(const void* payload);
  // The buffer of a payload pointer, if one of ours is live there.
  Result<LivePayload> FindLivePayload(const void* payload) const {
    const auto in_line = allocator_->RefOf(reinterpret_cast<const void*>(
        reinterpret_cast<std::uintptr_t>(payload) - kHeaderBytes));
    // A buffer with a page-aligned payload begins where pages do.
    if (in_line && in_line->line() % MessagePlace::kLinesPerPage != 0 &&
        allocator_->IsLive(*in_line)) [[likely]] {
      return LivePayload{*in_line};
    }
    return FindAnyPayload(payload);
  }
  std::uint64_t LargestPayloadBytes() const;
  // Payload bytes that fit into a live buffer of ours; 0 if it is none.
  std::uint64_t UsablePayloadBytes(const void* payload) const;

  // --- groups --------------------------------------------------------------
  // Joins: on success the join is in the group's order, and the first event of
  // the member is the view that contains it. `bell` must outlive the Member.
  //
  // kExist        this process is a member of that group already; a member
  //               whose leave is in the order is none any more
  // kNoResources  no room for a group, a member or a thread
  // kNoMemory     the file system is full
  // kLibrary      damaged region
  // With Membership::kMany a process may be in a group several times (each
  // member sees the others as others); then there is no kExist.
  enum class Membership : std::uint8_t { kOnePerProcess, kMany };
  Result<std::unique_ptr<Member>> Join(
      const GroupName& name, Doorbell* bell,
      Membership membership = Membership::kOnePerProcess);

  // Buries the dead of a group, and watches its living from now on: what a
  // process that is no member does before it asks who is. A system call only
  // for processes not looked at before.
  void LookAtMembersOf(const GroupName& name);
  // Members of a group now, sorted by (node, pid); empty if there is no such
  // group. A snapshot: stale when you get it.
  Result<std::vector<MemberAddress>> MembersOf(const GroupName& name);
  // The same, as many as there is room for; how many were written. No memory is
  // allocated, and no system call made for a group that this process has looked
  // at before.
  Result<std::size_t> FirstMembersOf(const GroupName& name,
                                     std::span<MemberAddress> members);
  // Figures of a group; if there is none, of one that nobody has used.
  Result<GroupStats> StatsOf(const GroupName& name);
  // Every group that has a name, in no particular order. kNoMemory.
  Result<std::vector<GroupName>> GroupNames();

  // A doorbell for a handle. kNoResources: descriptors or bells used up.
  Result<std::unique_ptr<Doorbell>> MakeDoorbell();

  // --- kept messages ---------------------------------------------------------
  // All of these from any thread. Keeps a message that a member of this process
  // has begun and not ended, or that it keeps already. kNoResources: too many
  // are kept, or too many bytes; kLibrary: evicted, or ended meanwhile.
  Outcome Keep(const BegunMessage& message) {
    return keeps_->Keep(allocator_.get(), message);
  }
  // Keeps once more what this process keeps; also after the member left.
  // kInvalidParam: it keeps no message whose payload starts there.
  Outcome KeepAgain(const void* payload) { return keeps_->KeepAgain(payload); }
  // The same for a moment, whatever the limits; ended by Release(). Its length
  // in bytes.
  Result<std::uint64_t> Borrow(const void* payload) {
    return keeps_->Borrow(payload);
  }
  // Lets one keep go. kInvalidParam: as above.
  Outcome Release(const void* payload);
  // IpcOptions::retain_bytes, from now on; 0: no limit.
  void SetRetainBytes(std::uint64_t bytes) { keeps_->SetByteLimit(bytes); }
  std::uint64_t RetainBytes() const { return keeps_->ByteLimit(); }

  // --- repair ----------------------------------------------------------------
  // Reaps a lease if its process is gone; harmless otherwise.
  void ReapIfGone(alloc::LeaseId lease);
  // Reclaims every ring; how many positions. No system call, unless it rings.
  std::uint64_t ReclaimAllGroups();
  // What this process has sent to groups that it has joined; what others have
  // sent is left to them, as long as there is room. What came back.
  std::uint64_t ReclaimOwn();
  // The same, and reaps every dead process; true if anything moved.
  bool RelievePressure();

  struct Stats {
    alloc::AllocatorStats allocator;
    std::uint64_t kept_messages = 0;       // by this process
    std::uint64_t kept_bytes = 0;          // of payload, by this process
    std::uint64_t unreclaimed = 0;         // ring positions in use, region-wide
    std::uint64_t live_leases = 0;         // processes attached, region-wide
    std::uint64_t region_out_buffers = 0;  // words not Free, units in use
  };
  // Exact when nobody is sending.
  Stats ReadStats();

  // --- for the parts of ipc/
  // --------------------------------------------------
  const IpcGeometry& geometry() const { return geometry_; }
  GroupDirectory& directory() { return *directory_; }
  KeepTable& keeps() { return *keeps_; }
  BellRinger& ringer() { return *ringer_; }
  const ReclaimPace& reclaim_pace() const { return reclaim_pace_; }
  std::uint32_t prefetch() const { return prefetch_; }
  std::uint32_t burst_pause_ns() const { return burst_pause_ns_; }
  // Reclaims a group, and wakes whoever that (or a dead publisher) left asleep,
  // and senders that wait for room.
  std::uint64_t ReclaimGroup(const GroupView& group, std::uint64_t most,
                             OwnFirst* own = nullptr);
  // Rings the senders that wait for room in a group, if it has some, or for
  // memory in any group, if some has come back.
  void RingForRoom(const GroupView& group, bool memory_came_back);
  void RingForMemory();
  // Senders of this process are going to wait for memory.
  void RaiseMemoryWait();
  // Looks for the dead among those that hold a group's ring back.
  bool ReapLaggards(const GroupView& group);
  // Watches a member's process from now on.
  void Watch(alloc::LeaseId lease);
  // Sees to it that a member's end is told here: watches its process; or, if
  // its entry is nobody's already, publishes what the one who was to do it may
  // have left undone.
  void FollowMember(const GroupView& group, std::uint16_t index);

 private:
  Attachment() = default;
  Result<LivePayload> FindAnyPayload(const void* payload) const;
  bool IsMemberOf(const GroupView& group) const;
  bool RecordOwnEvictions(const GroupView& group);
  template <typename Read>
  Outcome ReadMembersOf(const GroupName& name, Read&& read);
  Outcome StartWatcher();
  bool ReapAllDead();                         // true if somebody was dead
  bool ReapIfDead(std::uint16_t lease_slot);  // true if it was, and is reaped
  // What a join can do for the region at a bounded price: see the definition.
  void ReapBeforeJoin(const GroupView& group);
  std::atomic<std::uint64_t>& MemoryWait() const;
  GroupSet joined_;
  // Senders of this process have waited for memory: a free of ours may be it.
  std::atomic<bool> memory_waited_for_{false};

  // Destroyed from the bottom up: the watcher first, the region last.
  std::shared_ptr<alloc::Region> region_;
  IpcGeometry geometry_;
  std::uint32_t node_id_ = 1;
  ReclaimPace reclaim_pace_;
  std::uint32_t prefetch_ = 0;
  std::uint32_t burst_pause_ns_ = 0;
  std::uint64_t most_payload_bytes_ = 0;  // of this process: it has a quota
  std::unique_ptr<alloc::Allocator> allocator_;
  std::unique_ptr<GroupDirectory> directory_;
  std::unique_ptr<AlignedPages> aligned_pages_;
  std::unique_ptr<KeepTable> keeps_;
  std::unique_ptr<BellRinger> ringer_;
  // By lease slot: the generation that LookAtMembersOf() has us watch.
  alloc::PrivateMapping looked_at_memory_;
  std::atomic<std::uint32_t>* looked_at_ = nullptr;
  std::mutex join_mutex_;  // guards joins, what follows, and the watcher
  std::uint32_t next_bell_ = 0;
  std::uint16_t next_look_ = 0;  // lease slot, of ReapBeforeJoin()
  std::unique_ptr<alloc::ProcessWatcher> watcher_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_ATTACHMENT_H_
