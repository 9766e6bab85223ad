// One cpg_handle_t: its model and callbacks, its place in a group, its sleep.
#ifndef ZCB_CPG_HANDLE_H_
#define ZCB_CPG_HANDLE_H_

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "allocator/status.h"
#include "allocator/wiped_object.h"
#include "cpg/callback_frame.h"
#include "cpg/handle_options.h"
#include "cpg/memory_wanted.h"
#include "cpg/open_messages.h"
#include "cpg/quiet_place.h"
#include "cpg/send_descriptor.h"
#include "cpg/spin.h"
#include "cpg/turn_lock.h"
#include "ipc/attachment.h"
#include "ipc/deadline.h"
#include "ipc/doorbell.h"
#include "ipc/group_name.h"
#include "ipc/member.h"

namespace zcb::cpg {

class DispatchCall;

enum class Model : std::uint8_t { kV1, kZcb };

// What the program gave to cpg_model_initialize().
struct Callbacks {
  cpg_deliver_fn_t deliver = nullptr;          // kV1
  cpg_zcb_deliver_fn_t deliver_zcb = nullptr;  // kZcb
  cpg_confchg_fn_t confchg = nullptr;
  cpg_totem_confchg_fn_t totem_confchg = nullptr;
  bool wants_initial_totem = false;
};

// A message as the program sees it; with CPG_MODEL_V1 it sees a copy.
cpg_zcb_message Describe(const ipc::Event& event, const void* data);

// Threads: what does not say otherwise wants Handle::Lock. Senders take no
// lock; they find the member through SendingMember().
//
// Sleep. The bell must be rung for whoever waits for it: a thread in Wait(), or
// the program itself once it has the descriptor. So whenever the lock is given
// up and somebody may wait, either the member is announced asleep (others ring)
// or something is pending and we ring ourselves. While the lock is held the
// member is awake and nobody rings. All that wait hear one bell, the doorbell
// or a futex: ChooseBell().
class Handle : public alloc::WipedObject<Handle> {
 public:
  Handle(Model model, const Callbacks& callbacks,
         const HandleOptionValues& options,
         std::shared_ptr<ipc::Attachment> attachment,
         std::unique_ptr<ipc::Doorbell> bell);
  // By the last one inside: the others see "process down".
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  // The handle's lock; a thread may take it again inside.
  void Acquire();
  void Release();
  class Lock {
   public:
    explicit Lock(Handle* handle) : handle_(handle) { handle_->Acquire(); }
    ~Lock() { handle_->Release(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    Handle* handle_;
  };

  // --- without the lock ----------------------------------------------------
  cpg_handle_t id() const { return id_; }
  void set_id(cpg_handle_t id) { id_ = id; }  // before it can be found
  Model model() const { return model_; }
  ipc::Attachment& attachment() const { return *attachment_; }
  HandleOptions& options() { return options_; }
  const HandleOptions& options() const { return options_; }
  // Whether to slow down, with hysteresis.
  bool UpdateFlowControl(std::uint32_t ring_fill_percent);
  // What sends (and allocations) of this handle could not have.
  MemoryWanted& memory_wanted() { return memory_wanted_; }
  // True: a dispatch that does not wait finds nothing and does nothing. Loads
  // alone; false says nothing.
  bool IsQuiet() const { return quiet_.Holds(); }

  // The member through which to send now; nullptr: not joined. Only under a
  // pin of kind kSender, and only as long.
  ipc::Member* SendingMember() const {
    // seq_cst <-> handle.pin: read after the sender was counted; also
    // acquire <- handle.join: the member is whole
    return member_.load(std::memory_order_seq_cst);
  }

  // Keeps a message that is open on this handle. kInvalidParam: there is no
  // such message; else as Attachment::Keep().
  Outcome Retain(const void* payload) const;
  // The length of an open message in bytes; nullopt: there is no such message.
  std::optional<std::uint64_t> OpenLength(const void* payload) const;

  // Ends the handle: wakes every waiter. The caller holds the closing pin.
  void BeginClose();
  bool closing() const {
    // seq_cst <-> handle.close: read after the bell was drained, set before it
    // is rung
    return closing_.load(std::memory_order_seq_cst);
  }

  // Only under a pin of kind kSender: another thread's callback must not hold
  // up a thread that leaves, which may be what that callback waits for.
  Outcome Leave(const ipc::GroupName& group);
  // What ShareDescriptor() has said, or -1. relaxed: the number of a bell that
  // was made before the handle
  int known_descriptor() const {
    return known_descriptor_.load(std::memory_order_relaxed);
  }

  // True if it is open and a member of that group. Takes no other lock.
  bool Holds(const ipc::Attachment& attachment,
             const ipc::GroupName& group) const;

  // --- under the lock ------------------------------------------------------
  Outcome Join(const ipc::GroupName& group);
  int ShareDescriptor();
  bool descriptor_shared() const { return descriptor_shared_; }
  // Takes a ring out of the bell that no event belongs to. True if there was.
  bool TakeSpuriousRing();

  enum class Step { kNothing, kDone, kFailed };
  // Runs the callback of the next event, for that call, which may be abandoned
  // afterwards: then leave the handle alone. kFailed: `*error` says why.
  Step DispatchNext(DispatchCall* call, cs_error_t* error);
  cs_error_t PullNext(cpg_zcb_message* message);
  // Several messages, or one view; `*count` says how many, on CS_OK.
  cs_error_t PullBatch(cpg_zcb_message* messages, std::size_t capacity,
                       std::size_t* count);
  // Ends what PullNext() or PullBatch() handed out last.
  void EndPulled();
  // What is known of an open message; nullopt: there is no such message.
  std::optional<cpg_zcb_message> DescribeOpen(const void* payload) const;
  // Waits until there may be an event, giving up the lock meanwhile (not if
  // it is held by a callback further out), in the way that the options say.
  // kInherited: this is a child now; leave the handle alone.
  enum class Waited : std::uint8_t {
    kLookAgain,
    kClosing,
    kTimeout,
    kInherited
  };
  Waited WaitForEvent(ipc::Deadline deadline);
  // Between two events: lets those have the lock that want it (likewise).
  void GiveWay() {
    if (IsWanted()) [[unlikely]]
      GiveWaySlow();
  }

  // --- room for sends: see handle_room.cc ------------------------------------
  // Under the lock: the descriptor of cpg_zcb_send_fd_get().
  Result<int> ShareSendDescriptor();
  // Any thread, under a sender's pin: puts out who has had the time that the
  // options say. How many, and nanoseconds until it is worth while again; 0:
  // never.
  ipc::LaggardWatch::Verdict EvictWhoeverIsDue(
      ipc::Member* member, ipc::Member::RoomKind lacking) const;
  // Any thread, under a sender's pin: a send through `member` was refused.
  void OnRefused(ipc::Member* member, ipc::Member::RoomKind kind);
  // Any thread, under a sender's pin: waits until a send may be tried. CS_OK,
  // CS_ERR_TIMEOUT, CS_ERR_BUSY, CS_ERR_NOT_EXIST, CS_ERR_LIBRARY,
  // CS_ERR_TOO_BIG, CS_ERR_BAD_HANDLE.
  cs_error_t WaitForRoom(std::uint64_t length_bytes, ipc::Deadline deadline);
  // Whoever dispatches or pulls says so: who waits for room must know whether
  // it would wait for itself. relaxed: compared with the own thread alone
  void NoteReader() {
    reader_.store(pthread_self(), std::memory_order_relaxed);
  }

 private:
  friend class DispatchCall;

  static bool AnyHolds(const ipc::Attachment& attachment,
                       const ipc::GroupName& group);
  void SetHeld(const std::optional<ipc::GroupName>& group);
  bool IsHeld(const ipc::GroupName& group) const;
  bool HasEvent() const;
  // Says so if there is nothing to dispatch and the bell is nobody's business.
  void SayIfQuiet();
  // Announces sleep unless there is an event; true if it did: whoever waits
  // may wait, and will be rung.
  bool PrepareSleep();
  void WakeUp();
  void BeforeUnlock();
  void Ring();
  // The bell for whoever waits now: what they hear already, or what is best.
  ipc::Member::Bell ChooseBell();
  // Whether others wait for the lock, and it can be given up.
  void GiveWaySlow();
  bool IsWanted() const { return lock_.Wanted() && lock_.depth() == 1; }
  // Looks without sleeping, until the deadline.
  Waited Spin(ipc::Deadline deadline);
  class Waiter;
  class RoomWaiter;
  // Who may read what this handle has not: nobody before the calling thread
  // does; one that is in a call now; or the one that has done so last. Any
  // thread.
  enum class Reader : std::uint8_t { kNone, kInside, kLast };
  Reader FindReader();
  // Wakes whoever waits for room, and the program that polls for it.
  void EndRoomWaits();

  // Begins the next event (or takes up the one that failed); kNothing if none.
  Result<ipc::Event> Begin();
  // Ends an event of `member`; if that was the own leave, the handle has left.
  void End(ipc::Member* member);
  void DropRetired();
  void CallTotem(DispatchCall* call);
  void DeliverView(DispatchCall* call, CallbackFrame* frame);
  Step DeliverMessage(DispatchCall* call, CallbackFrame* frame,
                      cs_error_t* error);
  CallbackFrame* FrameAt(std::size_t level);
  std::optional<ipc::BegunMessage> FindOpen(const void* payload) const {
    const auto open = open_.Find(payload);
    return open ? open : open_batch_.Find(payload);
  }
  // What was pulled and has that payload; nullptr: none.
  const ipc::Event* FindPulled(const void* payload) const;
  // What a pull hands out, once it is begun.
  cs_error_t HandOut(const ipc::Event& begun, cpg_zcb_message* message);

  const Model model_;
  const Callbacks callbacks_;
  cpg_handle_t id_ = 0;
  const std::shared_ptr<ipc::Attachment> attachment_;
  // Before the members, which it must outlive.
  const std::unique_ptr<ipc::Doorbell> bell_;

  // word      written by        read by        edge it carries
  // member_   Join, End (lock)  senders        handle.join (member -> pointer)
  // closing_  BeginClose        waiters        handle.close (with the bell)
  // parked_on_, room_parked_on_  waiters       BeginClose  handle.close
  // send_descriptor_shared_  ShareSendDescriptor  senders  handle.send_bell
  // reader_            NoteReader           FindReader (a value)
  // known_descriptor_  ShareDescriptor      all      (a value)
  std::atomic<ipc::Member*> member_{nullptr};
  std::atomic<bool> closing_{false};
  // The words that threads wait on, in the region; changed, they wake.
  std::atomic<std::atomic<std::uint32_t>*> parked_on_{nullptr};
  std::atomic<std::atomic<std::uint32_t>*> room_parked_on_{nullptr};
  std::atomic<SendDescriptor*> send_descriptor_shared_{nullptr};
  std::atomic<pthread_t> reader_{};
  std::atomic<int> known_descriptor_{-1};
  std::atomic<bool> flow_control_{false};
  MemoryWanted memory_wanted_;
  HandleOptions options_;
  // Place 0 is for what was pulled, `level + 1` for a callback's message.
  static constexpr std::size_t kPulledPlace = 0;
  OpenMessages open_;
  OpenMessages open_batch_;  // by place in the pulled batch
  QuietPlace quiet_;

  TurnLock lock_;  // guards what follows
  std::unique_ptr<ipc::Member> current_;
  // Left, but senders or frames may still hold a pointer.
  std::vector<std::unique_ptr<ipc::Member>> retired_;
  ipc::GroupName group_;
  mutable std::mutex held_mutex_;  // guards held_; the innermost lock
  std::optional<ipc::GroupName> held_;

  bool descriptor_shared_ = false;
  std::unique_ptr<SendDescriptor> send_descriptor_;  // once it was asked for
  SpinBudget spin_budget_;
  std::uint32_t waiters_ = 0;
  ipc::Member::Bell waiters_hear_ = ipc::Member::Bell::kDoorbell;
  ipc::Member::Bell asleep_on_ = ipc::Member::Bell::kDoorbell;
  bool asleep_ = false;        // announced
  bool rung_ = false;          // there may be a byte in the bell
  bool rang_self_ = false;     // there is: we wrote it, and drained none since
  bool said_nothing_ = false;  // to the program, by the last look for an event

  std::optional<ipc::Event> stalled_;  // begun, but no memory to deliver it
  bool totem_pending_ = false;
  bool totem_done_ = false;
  std::size_t level_ = 0;  // callbacks running, one in the other
  std::vector<std::unique_ptr<CallbackFrame>> frames_;  // by level

  struct Pulled {
    ipc::Member* member = nullptr;  // with an event not ended
    ipc::Event event;
    std::vector<cpg_address> members;
    // Of a batch, instead of `event`. Room for the largest, once there was one.
    std::vector<ipc::Event> batch;
    std::size_t batch_count = 0;
  };
  Pulled pulled_;
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_HANDLE_H_
