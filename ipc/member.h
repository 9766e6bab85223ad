// One membership of one handle in one group: send, receive, keep, leave.
#ifndef ZCB_IPC_MEMBER_H_
#define ZCB_IPC_MEMBER_H_

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "allocator/buffer_ref.h"
#include "allocator/status.h"
#include "allocator/wiped_object.h"
#include "ipc/attachment.h"
#include "ipc/begun_message.h"
#include "ipc/burst_pause.h"
#include "ipc/doorbell.h"
#include "ipc/entry_word.h"
#include "ipc/eviction.h"
#include "ipc/group_view.h"
#include "ipc/reclaim.h"
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

// A slot that the next event will fill, and what is in it until then.
struct EmptyPlace {
  const std::atomic<std::uint64_t>* slot = nullptr;
  std::uint64_t raw = 0;
};

// Thread safety: Send and Leave from any number of threads; Next/Done/Retain
// and the sleep calls from one thread at a time (cpg/ holds a handle's lock).
// Everything is lock-free across processes: no call waits for another process.
class Member : public alloc::WipedObject<Member> {
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
  // Whether a Send() would find room just now, having done for it what Send()
  // does; kTryAgain and the others as Send(). For who has work to do before.
  Outcome AskForRoom(const SendOptions& options);
  // Sends several messages, each a piece's bytes in a buffer of its own, in
  // their order, one as good as a Send() of it. It is no transaction: messages
  // of others may come between, and an error leaves `*sent` of them in the
  // order and the others the caller's; it is about message `*sent`. Cheaper
  // than as many calls: what a send writes besides its place is written for
  // several at a time. Those written together carry one time.
  Outcome SendBatch(std::span<const iovec> messages, std::size_t* sent,
                    const SendOptions& options = {});
  // What Send() does about members that hold a full ring back, for one that
  // waits: those who have done so for `evict_after_ms`, as this member has seen
  // it, are put out, until there is room. How many, and nanoseconds until the
  // next one is due; 0: the ring is not full, or waits for nobody who could be
  // put out. 0 also for 0, which means never. For memory, once what all have
  // read was reclaimed, those who stand at the ring's end are put out, whether
  // it is full or not: then look whether there is enough, and if not, call
  // again. Any thread.
  using RoomKind = ipc::RoomKind;
  LaggardWatch::Verdict EvictLaggards(RoomKind lacking,
                                      std::uint32_t evict_after_ms);

  // --- receive ---------------------------------------------------------------
  // Looks at the next event and begins it; every event but kNothing must be
  // ended by Done(). May be nested: events begun inside another one are the
  // following ones, and nothing is given back before the outermost Done().
  // kLibrary: the slot or the message in it is damaged, a file of the region
  // was truncated, or evicted.
  Result<Event> Next();
  // The same, into an event that is there; of another kind than kMessage, what
  // belongs to messages alone stays as it was. kNothing on an error, too.
  Outcome Next(Event* event);
  // kLibrary: a file of the region was truncated. What was read in place before
  // the call may be zeros.
  Outcome CheckDamage() const { return attachment_->region().CheckDamage(); }
  void Done();
  // Begins several messages at once, as many as are there and there is room
  // for in `events`; how many, 0 for none. A view comes alone. Each is an event
  // as Next() begins it; they can be ended together, by DoneBatch(), which
  // moves the cursor once. What is damaged in the middle is said by the next
  // call; kLibrary: nothing is begun.
  Result<std::size_t> NextBatch(std::span<Event> events);
  void DoneBatch(std::size_t count);

  // Keeps a begun message beyond Done(). Attachment::Release() lets go.
  // kInvalidParam: not a begun message's payload; kNoResources: too many are
  // kept, or too many bytes; kLibrary: evicted meanwhile.
  Outcome Retain(const Event& message);
  // What Attachment::Keep() wants, so that other threads can retain it, too.
  BegunMessage Begun(const Event& message) const {
    return {message.payload,  message.buffer,       group_.group_slot(),
            message.sequence, message.length_bytes, entry_};
  }

  // True if Next() would find something, or fail. Wait-free, no system call.
  bool HasNext() const;
  // Where Next() will find something; nullopt: it would now, or never again.
  // The slot stays mapped as long as the attachment.
  std::optional<EmptyPlace> EmptyNext() const;

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
  // Announces that this member sleeps: the next publisher rings its doorbell,
  // or (kFutex) ParkWord(). True if something can be dispatched already (then
  // nobody may ring: do not wait, or ring yourself).
  enum class Bell : std::uint8_t { kDoorbell, kFutex };
  bool AnnounceSleep(Bell bell = Bell::kDoorbell);
  // Ends it. True if the bell was (or may have been) rung: drain a doorbell.
  bool AnnounceAwake();
  // What to read before AnnounceSleep(kFutex), and to wait on while unchanged.
  // It is there as long as the region is mapped.
  std::atomic<std::uint32_t>* ParkWord() const { return &entry().bell; }
  // Rings the own bell, as if somebody had published.
  void RingSelf();

  // --- room ------------------------------------------------------------------
  // Any thread; the mutex behind it is private to the process. To wait:
  //   seen = RoomWord()->load(); AnnounceRoomWait(for);
  //   if (!HasRoom()) FutexWait(RoomWord(), seen, ...); EndRoomWait(for);
  // Reclaims, and looks. A snapshot: another sender may be faster.
  bool HasRoom();
  // Says that senders of this member wait, until EndRoomWait(). Whoever makes
  // room from now on changes RoomWord() and rings the room bell. False: who
  // reads is not sure to see it (no membarrier(2)): look again now and then.
  bool AnnounceRoomWait(RoomKind kind);
  void EndRoomWait(RoomKind kind);
  std::atomic<std::uint32_t>* RoomWord() const { return &entry().room_bell; }
  // A doorbell to ring besides; it must outlive the member. While armed, for
  // what was named last, the announcement stands without any thread that waits.
  void SetRoomBell(const Doorbell& bell);
  struct Wants {
    bool room = false;
    bool memory = false;
  };
  bool ArmRoomBell(Wants wants);
  void DisarmRoomBell();
  // Whether the ring waits for this very member to read; or the memory of what
  // it has not read does.
  bool HoldsRingBack() const;
  bool HoldsMemory() const;
  // No longer a member, as far as anybody else is concerned.
  bool IsOut() const { return !IsMember(); }

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
  // True: a ring that was full may have room now. Reaps once for `*reaped`.
  bool MakeRoom(const SendOptions& options, bool* reaped);
  // Why a send is refused by a ring that is full.
  Failure RefuseFull();
  // Why it is, by a member that is none any more.
  Failure WhyOut() const;
  class Batch;  // see member_batch.cc
  LaggardWatch::Verdict JudgeLaggards(RoomKind lacking,
                                      std::uint32_t evict_after_ms);
  enum class Wanted : std::uint8_t { kAny, kMessage };
  // Fills in an event that is kNothing so far. kMessage: kNothing also at a
  // view.
  Outcome BeginNext(Event* event, Wanted wanted);
  // The same, not in line.
  Outcome Begin(Event* event, Wanted wanted);
  enum class Found : std::uint8_t { kMessage, kSkipped, kNoBuffer, kBadHeader };
  Found BeginMessage(SlotWord slot, Event* event);
  // True if an event was begun; false: skip it.
  bool BeginControl(SlotWord slot, Event* event);
  // Reads from here on; published when no event is begun.
  void Advance();
  void PrefetchAhead();

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
  std::uint64_t prefetched_below_ = 0;  // the buffers of these positions
  bool own_leave_begun_ = false;
  const std::uint32_t prefetch_;  // messages ahead; 0: none
  BurstPause pause_;
  std::uint64_t sleep_epoch_ = 0;
  View view_;
  // sending side: hints, any thread
  RingHints hints_;
  std::atomic<std::uint64_t> next_reclaim_{0};
  OwnFirst own_first_;
  const ReclaimPace reclaim_pace_;
  std::atomic<std::uint64_t> bytes_since_reclaim_{0};
  std::atomic<bool> leaving_{false};
  std::atomic<bool> left_{false};
  // waiting for room
  bool Announce();          // under room_mutex_
  void EndIfNobodyWaits();  // likewise
  std::mutex room_mutex_;   // guards what follows
  std::uint64_t room_epoch_ = 0;
  std::array<std::uint32_t, 2> room_waiters_{};  // by RoomKind
  Wants room_bell_armed_;
  MemberCounters counters_;
  LaggardWatch laggards_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_MEMBER_H_
