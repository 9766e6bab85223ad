// Senders that wait for room: who says so, who looks once more, who is rung.
//
// What is waited for comes about when somebody's cursor moves, on the data path
// of a receiver, which only looks at one word of the group (Member::Done). The
// waiter pays for the order between the two: HeavyBarrier() after it has said
// that it waits, before it looks for room once more. Edge room.wait.
#include "ipc/asymmetric_barrier.h"
#include "ipc/bell_ringer.h"
#include "ipc/member.h"
#include "ipc/reclaim.h"
#include "ipc/ring.h"

namespace zcb::ipc {

bool Member::HasRoom() {
  RingPlace place;
  if (FindPlace(group_, group_.message_room(), &place) != RingAnswer::kFull) {
    return true;  // damage counts: the send will say so
  }
  if (attachment_->ReclaimGroup(group_, kReclaimAll) == 0 &&
      !attachment_->ReapLaggards(group_)) {
    return false;
  }
  return FindPlace(group_, group_.message_room(), &place) != RingAnswer::kFull;
}

Outcome Member::AskForRoom(const SendOptions& options) {
  bool reaped = false;
  RingPlace place;
  for (int tries = 0;
       tries < kMaxRingRetries &&
       FindPlace(group_, group_.message_room(), &place) == RingAnswer::kFull;
       ++tries) {
    if (!MakeRoom(options, &reaped)) return RefuseFull();
  }
  return {};  // damage counts: the send will say so
}

bool Member::HoldsRingBack() const {
  // acquire <- ring.reclaim: who stands here holds everybody back
  const std::uint64_t base =
      group_.header().reclaimed.load(std::memory_order_acquire);
  // relaxed: our own cursor
  return entry().cursor.load(std::memory_order_relaxed) <= base;
}

bool Member::HoldsMemory() const {
  // relaxed: our own cursor; acquire <- ring.tail: what lies below is filled
  return HoldsRingBack() &&
         entry().cursor.load(std::memory_order_relaxed) <
             group_.header().tail.load(std::memory_order_acquire);
}

bool Member::Announce() {
  const auto wanted = [this](RoomKind kind, bool is_armed) {
    return is_armed || room_waiters_[std::size_t(kind)] != 0;
  };
  const bool wants_memory = wanted(RoomKind::kMemory, room_bell_armed_.memory);
  const std::uint32_t wants =
      (wanted(RoomKind::kRing, room_bell_armed_.room) ? EntryState::kWantsRoom
                                                      : 0) |
      (wants_memory ? EntryState::kWantsMemory : 0);
  ++room_epoch_;
  // relaxed: carried by the room word
  entry().wants.store(wants, std::memory_order_relaxed);
  // seq_cst <-> room.wait: said before we look once more
  entry().room.store(
      SleepWord::Of(room_epoch_, SleepWord::State::kSleeping).raw(),
      std::memory_order_seq_cst);
  RaiseMaybe(&group_.header().room);
  if (wants_memory) attachment_->RaiseMemoryWait();
  return HeavyBarrier();
}

void Member::EndIfNobodyWaits() {
  if (room_waiters_[0] != 0 || room_waiters_[1] != 0 || room_bell_armed_.room ||
      room_bell_armed_.memory) {
    return;
  }
  // seq_cst <-> room.wait: ringers leave us alone from here
  entry().room.store(SleepWord::Of(room_epoch_, SleepWord::State::kAwake).raw(),
                     std::memory_order_seq_cst);
}

bool Member::AnnounceRoomWait(RoomKind kind) {
  const std::lock_guard lock(room_mutex_);
  ++room_waiters_[std::size_t(kind)];
  return Announce();
}

void Member::EndRoomWait(RoomKind kind) {
  const std::lock_guard lock(room_mutex_);
  --room_waiters_[std::size_t(kind)];
  EndIfNobodyWaits();
}

void Member::SetRoomBell(const Doorbell& bell) {
  // relaxed: carried by the next room word
  entry().room_bell_number.store(bell.name().number + 1,
                                 std::memory_order_relaxed);
}

bool Member::ArmRoomBell(Wants wants) {
  const std::lock_guard lock(room_mutex_);
  room_bell_armed_ = wants;
  return Announce();
}

void Member::DisarmRoomBell() {
  const std::lock_guard lock(room_mutex_);
  room_bell_armed_ = {};
  EndIfNobodyWaits();
}

}  // namespace zcb::ipc
