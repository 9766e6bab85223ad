// One membership of one handle in one group: send, receive, keep, leave.
#ifndef ZCB_IPC_MEMBER_H_
#define ZCB_IPC_MEMBER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "allocator/buffer_ref.h"
#include "allocator/status.h"
#include "ipc/attachment.h"
#include "ipc/doorbell.h"
#include "ipc/entry_word.h"
#include "ipc/eviction.h"
#include "ipc/group_view.h"
#include "ipc/ring.h"
#include "ipc/statistics.h"
#include "ipc/view.h"

namespace zcb::ipc {

// What lies at the member's place in the order.
struct Event {
  enum class Kind : std::uint8_t {
    kNothing,  // the ring is read to its end
    kMessage,
    kView,  // somebody joined, left or died: see Member::view()
  };
  Kind kind = Kind::kNothing;
  std::uint64_t sequence = 0;

  // kMessage: the sender's bytes, in place, valid until Done() (or longer, if
  // retained). Shared with every other member: read only.
  const std::byte* payload = nullptr;
  std::uint64_t length_bytes = 0;
  alloc::BufferRef buffer;  // that holds it
  MemberAddress sender;
  std::uint64_t send_time_ns = 0;  // CLOCK_MONOTONIC; 0: not said

  // kView: the change; view() is the membership after it.
  ViewChange change;
};

// What a send does besides; the defaults cost nothing.
struct SendOptions {
  // Put out whoever has held the full ring back that long; 0: nobody.
  std::uint32_t evict_after_ms = 0;
  // Say in the message when it was sent.
  bool stamp_time = false;
};

// Thread safety: Send from any number of threads; Next/Done/Retain/Leave and
// the sleep calls from one thread at a time (cpg/ holds a handle's lock).
// Everything is lock-free across processes: no call waits for another process.
class Member {
 public:
  // Leaves as a process that goes: the others see "process down".
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // --- send ------------------------------------------------------------------
  // Publishes `length_bytes` of the live buffer whose payload starts at
  // `payload`: on success it has moved to the group, and the message is in the
  // order for ever, even if this process dies on its next instruction. On any
  // error the buffer is still the caller's.
  //
  // kInvalidParam  not the payload of a live buffer of this process
  // kTooBig        longer than the buffer
  // kTryAgain      the ring is full: some member has not read yet
  // kNotExist      the member has left (or is leaving)
  // kLibrary       damaged region, or this member was evicted
  Outcome Send(std::byte* payload, std::uint64_t length_bytes,
               const SendOptions& options = {});
  // What Send() does about members that hold a full ring back, for one that
  // waits: those who have done so for `evict_after_ms`, as this member has seen
  // it, are put out, and the room is there. Nanoseconds until the next one is
  // due, or 0: nobody is suspected, since the ring is not full or by this
  // member itself alone. 0 also for 0, which means never. Any thread.
  std::int64_t EvictLaggards(std::uint32_t evict_after_ms);

  // --- receive ---------------------------------------------------------------
  // Looks at the next event and begins it; every event but kNothing must be
  // ended by Done(). May be nested: events begun inside another one are the
  // following ones, and nothing is given back before the outermost Done().
  // kLibrary: the slot or the message in it is damaged, or evicted.
  Result<Event> Next();
  void Done();

  // Keeps a begun message beyond Done(). Attachment::Release() lets go.
  // kInvalidParam: not a begun message's payload; kNoResources: no free keep
  // record; kLibrary: evicted meanwhile.
  Outcome Retain(const Event& message);

  // True if Next() would find something, or fail. Wait-free, no system call.
  bool HasNext() const;

  // Whether this member was put out for not reading. What it read in place
  // before the call may have been overwritten meanwhile if it was, and was what
  // its sender had written if it was not. Stays true; then Next, Send, Retain
  // and Leave are kLibrary, and only the destructor helps.
  bool WasEvicted();

  // The membership after the last begun view event, sorted by (node, pid).
  const View& view() const { return view_; }

  // --- leave -----------------------------------------------------------------
  // Publishes the leave; go on with Next() until the view event that has this
  // member in it (left() is true after its Done()). kNotExist: has left.
  Outcome Leave();
  bool leaving() const { return leaving_.load(std::memory_order_relaxed); }
  bool left() const { return left_.load(std::memory_order_relaxed); }

  // --- sleep -----------------------------------------------------------------
  // Announces that this member sleeps: the next publisher rings its doorbell.
  // True if something can be dispatched already (then nobody may ring: do not
  // wait, or ring yourself).
  bool AnnounceSleep();
  // Ends it. True if the doorbell was (or may have been) rung: drain it.
  bool AnnounceAwake();
  // Rings the own bell, as if somebody had published.
  void RingSelf();

  // --- facts -----------------------------------------------------------------
  MemberAddress address() const { return address_; }
  // How full the ring is for a sender, 0..100: of what not all have read. What
  // all have read is given back first, if it makes a difference, and the dead
  // do not count.
  std::uint32_t RingFillPercent();
  // Whether this member's group has that name.
  bool IsIn(const GroupName& name) const;
  GroupStats ReadGroupStats() const;
  MemberCounters& counters() { return counters_; }
  Attachment& attachment() const { return *attachment_; }

 private:
  friend class Attachment;
  Member(std::shared_ptr<Attachment> attachment, const GroupView& group,
         Doorbell* bell);
  Outcome JoinRing();
  // Publishes a control record about this member; `position` where.
  RingAnswer PublishOwn(SlotWord::Control kind, std::uint64_t* position);
  EntryState& entry() const { return group_.entry(entry_); }
  // Whether the entry is as JoinRing() left it: neither put out nor reaped.
  bool IsMember() const {
    // acquire <- member.down, member.evict: what came before is seen, too
    return entry().word.load(std::memory_order_acquire) == as_member_.raw();
  }
  void ReclaimAsWeGo(std::uint64_t position, std::uint64_t length_bytes);
  // Why a send is refused by a ring that is full.
  Failure RefuseFull();
  LaggardWatch::Verdict JudgeLaggards(std::uint32_t evict_after_ms);
  // True if an event was begun; false: skip it.
  Result<bool> BeginMessage(SlotWord slot, Event* event);
  bool BeginControl(SlotWord slot, Event* event);
  // Reads from here on; published when no event is begun.
  void Advance();

  std::shared_ptr<Attachment> attachment_;
  GroupView group_;
  Doorbell* bell_;
  MemberAddress address_;
  std::uint16_t entry_ = 0;
  std::uint16_t entry_generation_ = 0;
  EntryWord as_member_;   // the entry's word while we are one
  bool in_ring_ = false;  // the entry is ours to give back
  // receiving side: one thread at a time
  std::uint64_t position_ = 0;  // next to begin; the shared cursor follows
  std::uint32_t depth_ = 0;     // events begun and not done
  bool own_leave_begun_ = false;
  std::uint64_t sleep_epoch_ = 0;
  View view_;
  // sending side: hints, any thread
  RingHints hints_;
  std::atomic<std::uint64_t> next_reclaim_{0};
  std::atomic<std::uint64_t> bytes_since_reclaim_{0};
  std::atomic<bool> leaving_{false};
  std::atomic<bool> left_{false};
  MemberCounters counters_;
  LaggardWatch laggards_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_MEMBER_H_
