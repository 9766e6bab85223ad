#include "cpg/handle.h"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "cpg/process_state.h"
#include "cpg/spin.h"
#include "ipc/futex.h"

namespace zcb::cpg {

Handle::Handle(Model model, const Callbacks& callbacks,
               const HandleOptionValues& options,
               std::shared_ptr<ipc::Attachment> attachment,
               std::unique_ptr<ipc::Doorbell> bell)
    : model_(model),
      callbacks_(callbacks),
      attachment_(std::move(attachment)),
      bell_(std::move(bell)),
      options_(options) {}

Handle::~Handle() {
  EndPulled();
  if (stalled_) current_->Done();
}

// --- lock --------------------------------------------------------------------

void Handle::Acquire() {
  if (lock_.Lock()) WakeUp();
}

void Handle::Release() {
  if (lock_.depth() == 1) BeforeUnlock();
  lock_.Unlock();
}

void Handle::GiveWaySlow() {
  lock_.GiveWay();
  WakeUp();  // they have announced a sleep, as they gave up the lock
}

void Handle::WakeUp() {
  if (!asleep_) return;
  asleep_ = false;
  if (current_->AnnounceAwake() && asleep_on_ == ipc::Member::Bell::kDoorbell) {
    rung_ = true;
  }
}

ipc::Member::Bell Handle::ChooseBell() {
  using Bell = ipc::Member::Bell;
  const bool may_park = current_ != nullptr && !descriptor_shared_ &&
                        options_.park() == CPG_ZCB_PARK_FUTEX;
  if (waiters_ == 0) return may_park ? Bell::kFutex : Bell::kDoorbell;
  // relaxed: written under the lock that we have
  std::atomic<std::uint32_t>* const parked_on =
      parked_on_.load(std::memory_order_relaxed);
  if (waiters_hear_ == Bell::kFutex &&
      (!may_park || parked_on != current_->ParkWord())) {
    // They wait on a word that nobody is going to change any more: have them
    // come back and choose anew.
    ipc::FutexRing(parked_on);
    waiters_hear_ = Bell::kDoorbell;
  }
  return waiters_hear_;
}

bool Handle::PrepareSleep() {
  if (HasEvent()) return false;
  // With a shared descriptor a ringer that came too late may have left a byte
  // without a trace; nothing may stay in the bell when there is no event.
  if (rung_ || descriptor_shared_) {
    bell_->Drain();
    rung_ = rang_self_ = false;
  }
  if (current_ != nullptr) {
    asleep_ = true;
    asleep_on_ = ChooseBell();
    if (current_->AnnounceSleep(asleep_on_)) {
      WakeUp();
      return false;
    }
  }
  return !closing();
}

void Handle::BeforeUnlock() {
  DropRetired();
  if (closing()) {
    // We may have drained the ring that was to wake the others.
    if (waiters_ > 0) bell_->Ring();
    return;
  }
  if (!descriptor_shared_ && waiters_ == 0) {
    SayIfQuiet();
    return;
  }
  if (PrepareSleep()) return;
  // Who was told "nothing" and watches for edges has had the one of the byte
  // that lies in the bell: what has come since needs another.
  if (said_nothing_ && rang_self_) {
    bell_->Drain();
    rang_self_ = false;
  }
  said_nothing_ = false;
  Ring();
}

// A place once said needs no taking back when something comes: then its slot
// is filled. A thread that waits has announced its sleep, and who dispatches
// meanwhile and finds nothing leaves that as it is.
void Handle::SayIfQuiet() {
  if (current_ == nullptr || pulled_.member != nullptr || level_ != 0 ||
      stalled_ || totem_pending_) {
    return;
  }
  if (const auto place = current_->EmptyNext()) quiet_.Say(*place);
}

void Handle::Ring() {
  if (waiters_ > 0 && waiters_hear_ == ipc::Member::Bell::kFutex) {
    // relaxed: written under the lock that we have
    ipc::FutexRing(parked_on_.load(std::memory_order_relaxed));
    if (!descriptor_shared_) return;
  }
  if (rang_self_) return;
  bell_->Ring();
  rung_ = rang_self_ = true;
}

// --- close -------------------------------------------------------------------

void Handle::BeginClose() {
  // seq_cst <-> handle.close: a waiter that drains the bell below finds it set
  closing_.store(true, std::memory_order_seq_cst);
  bell_->Ring();
  // seq_cst <-> handle.close: named before its waiter looked whether we close
  if (auto* word = parked_on_.load(std::memory_order_seq_cst)) {
    ipc::FutexRing(word);
  }
  EndRoomWaits();
}

// --- wait --------------------------------------------------------------------

bool Handle::HasEvent() const {
  return stalled_.has_value() || totem_pending_ ||
         (current_ != nullptr ? current_->HasNext()
                              : attachment_->region().IsDamaged());
}

// One thread that waits. An object, since a cancelled thread leaves from inside
// the wait.
class Handle::Waiter {
 public:
  explicit Waiter(Handle* handle)
      : mark_(ProcessState::Find()->mark()), handle_(handle) {
    bell_ = handle_->ChooseBell();
    if (bell_ == ipc::Member::Bell::kFutex) {
      word_ = handle_->current_->ParkWord();
      // relaxed: read before our sleep is announced, so a ringer changes it
      seen_ = word_->load(std::memory_order_relaxed);
      // seq_cst <-> handle.close: before we look whether the handle closes
      handle_->parked_on_.store(word_, std::memory_order_seq_cst);
    }
    handle_->waiters_hear_ = bell_;
    ++handle_->waiters_;
  }
  ~Waiter() {
    if (!mark_.IsHere()) return;
    if (gave_up_lock_) (void)handle_->lock_.Lock();
    --handle_->waiters_;
    if (waited_ && bell_ == ipc::Member::Bell::kDoorbell) {
      handle_->rung_ = true;
    }
    handle_->WakeUp();
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // False: the time is up.
  bool Wait(ipc::Deadline deadline) {
    waited_ = true;
    if (handle_->lock_.depth() == 1) {
      gave_up_lock_ = true;
      handle_->lock_.Unlock();
    }
    return bell_ == ipc::Member::Bell::kFutex
               ? ipc::FutexWait(word_, seen_, deadline)
               : handle_->bell_->Wait(deadline);
  }

 private:
  ProcessState::Mark mark_;
  Handle* handle_;
  ipc::Member::Bell bell_;
  std::atomic<std::uint32_t>* word_ = nullptr;
  std::uint32_t seen_ = 0;
  bool waited_ = false;
  bool gave_up_lock_ = false;
};

namespace {

std::int64_t AtMostUntil(ipc::Deadline deadline, std::int64_t spin_ns) {
  if (deadline.never()) return spin_ns;
  return std::clamp<std::int64_t>(deadline.at_ns() - ipc::NowNs(), 0, spin_ns);
}

}  // namespace

Handle::Waited Handle::WaitForEvent(ipc::Deadline deadline) {
  if (closing()) return Waited::kClosing;
  // Whoever has no time neither looks longer nor sleeps.
  if (deadline.passed()) return Waited::kTimeout;
  if (options_.wait() == CPG_ZCB_WAIT_SPIN) return Spin(deadline);
  const ProcessState::Mark mark = ProcessState::Find()->mark();
  bool in_time = true;
  const bool spins = options_.spin_ns() != 0 && spin_budget_.ShouldSpin();
  bool is_wanted = false;
  const bool is_over_soon =
      SpinUntil(
          [&] {
            is_wanted = IsWanted();
            return is_wanted || !mark.IsHere() || HasEvent() || closing();
          },
          spins ? AtMostUntil(deadline, options_.spin_ns()) : 0) &&
      !is_wanted;
  if (!mark.IsHere()) return Waited::kInherited;
  if (spins && !is_wanted) spin_budget_.Note(is_over_soon);
  if (!is_over_soon) {
    Waiter waiter(this);
    if (PrepareSleep()) in_time = waiter.Wait(deadline);
  }
  if (!mark.IsHere()) return Waited::kInherited;
  if (closing()) return Waited::kClosing;
  // In time, but for nothing: whoever rings all the time must not keep a call
  // beyond its own.
  return HasEvent() || (in_time && !deadline.passed()) ? Waited::kLookAgain
                                                       : Waited::kTimeout;
}

Handle::Waited Handle::Spin(ipc::Deadline deadline) {
  constexpr std::int64_t kTurnNs = 20'000;
  const ProcessState::Mark mark = ProcessState::Find()->mark();
  for (;;) {
    (void)SpinUntil(
        [&] { return IsWanted() || !mark.IsHere() || HasEvent() || closing(); },
        AtMostUntil(deadline, kTurnNs));
    if (!mark.IsHere()) return Waited::kInherited;
    if (closing()) return Waited::kClosing;
    if (HasEvent()) return Waited::kLookAgain;
    if (deadline.passed()) return Waited::kTimeout;
    if (IsWanted()) {
      GiveWay();
    } else if (!SpinningHelps()) {
      sched_yield();
    }
  }
}

bool Handle::TakeSpuriousRing() {
  if (!descriptor_shared_) return false;
  rung_ = rang_self_ = false;
  return bell_->Drain();
}

int Handle::ShareDescriptor() {
  quiet_.Unsay();  // from now on every dispatch looks after the bell
  descriptor_shared_ = true;
  const int descriptor = bell_->descriptor();
  known_descriptor_.store(descriptor, std::memory_order_relaxed);  // see there
  return descriptor;
}

// --- membership --------------------------------------------------------------

bool Handle::AnyHolds(const ipc::Attachment& attachment,
                      const ipc::GroupName& group) {
  bool any = false;
  auto& handles = ProcessState::Find()->handles();
  handles.ForEachHandle([&](std::uint64_t id) {
    const auto pin = handles.Find(id);
    if (pin && pin->Holds(attachment, group)) any = true;
  });
  return any;
}

Outcome Handle::Join(const ipc::GroupName& group) {
  if (current_ != nullptr) {
    if (current_->WasEvicted()) {
      return {Status::kLibrary, "put out of its group: finalize"};
    }
    if (current_->leaving()) {
      return {Status::kTryAgain, "the own leave is not delivered yet"};
    }
    return {Status::kExist, "the handle is in a group"};
  }
  retired_.reserve(retired_.size() + 1);  // so that End() cannot fail
  auto joined = attachment_->Join(group, bell_.get());
  if (!joined) {
    if (joined.status() == Status::kExist && !AnyHolds(*attachment_, group)) {
      return {Status::kTryAgain, "its handle is finalized, but still in use"};
    }
    return joined.failure();
  }
  group_ = group;
  SetHeld(group);
  current_ = std::move(*joined);
  if (send_descriptor_ != nullptr) {
    current_->SetRoomBell(send_descriptor_->bell());
  }
  flow_control_.store(false, std::memory_order_relaxed);  // a hint
  memory_wanted_.Forget();
  // seq_cst <-> handle.pin, and release -> handle.join: senders may find it
  member_.store(current_.get(), std::memory_order_seq_cst);
  return {};
}

Outcome Handle::Leave(const ipc::GroupName& group) {
  // The member first: whatever group the handle is in when its name is read,
  // this one is left or it has left.
  ipc::Member* const member = SendingMember();
  if (member == nullptr || !IsHeld(group)) {
    return {Status::kNotExist, "not a member of that group"};
  }
  const Outcome left = member->Leave();
  if (left) EndRoomWaits();
  return left;
}

void Handle::End(ipc::Member* member) {
  member->Done();
  if (!member->left() || current_.get() != member) return;
  // seq_cst <-> handle.pin: exchanged before DropRetired() counts the senders
  member_.store(nullptr, std::memory_order_seq_cst);
  retired_.push_back(std::move(current_));
  SetHeld(std::nullopt);
  EndRoomWaits();
}

void Handle::SetHeld(const std::optional<ipc::GroupName>& group) {
  const std::lock_guard lock(held_mutex_);
  held_ = group;
}

bool Handle::Holds(const ipc::Attachment& attachment,
                   const ipc::GroupName& group) const {
  return !closing() && &attachment == attachment_.get() && IsHeld(group);
}

bool Handle::IsHeld(const ipc::GroupName& group) const {
  const std::lock_guard lock(held_mutex_);
  return held_ == group;
}

void Handle::DropRetired() {
  if (retired_.empty() || level_ != 0) return;
  ProcessState* state = ProcessState::Find();
  if (state == nullptr || state->handles().AnySender(id_)) return;
  retired_.clear();
}

bool Handle::UpdateFlowControl(std::uint32_t ring_fill_percent) {
  constexpr std::uint32_t kOnAbovePercent = 75;
  constexpr std::uint32_t kOffBelowPercent = 50;
  // relaxed, both: a hint that carries nothing with it
  bool enabled = flow_control_.load(std::memory_order_relaxed);
  if (ring_fill_percent > kOnAbovePercent) {
    enabled = true;
  } else if (ring_fill_percent < kOffBelowPercent) {
    enabled = false;
  }
  flow_control_.store(enabled, std::memory_order_relaxed);  // as above
  return enabled;
}

}  // namespace zcb::cpg
