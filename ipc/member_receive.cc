// The data path in: from a place in the order to the sender's bytes.
#include "ipc/member.h"

#include <cstring>

#include "ipc/asymmetric_barrier.h"
#include "ipc/bell_ringer.h"
#include "ipc/member_table.h"
#include "ipc/message_header.h"
#include "ipc/message_place.h"
#include "ipc/prefetch.h"
#include "ipc/reclaim.h"

namespace zcb::ipc {

using Phase = EntryWord::Phase;
using Control = SlotWord::Control;

void Member::Advance() {
  ++position_;
  if (depth_ == 0) {
    // release -> ring.consume: our last read below is over
    entry().cursor.store(position_, std::memory_order_release);
  }
}

Result<Event> Member::Next() {
  const Result<Event> event = BeginNext(Wanted::kAny);
  if (const Outcome whole = CheckDamage(); !whole) return whole.failure();
  return event;
}

Result<Event> Member::BeginNext(Wanted wanted) {
  Event event;
  for (;;) {
    if (left() || own_leave_begun_) return event;
    SlotWord slot;
    const RingAnswer answer = ReadSlot(group_, position_, &slot);
    // The look at the entry comes after the look at the ring: evicted, what
    // was found there may be anything.
    if (answer == RingAnswer::kFull && IsMember()) return event;
    if (answer != RingAnswer::kOk) {
      return {Status::kLibrary, "damaged ring, or evicted from the group"};
    }
    event.sequence = position_;
    if (slot.is_control()) {
      if (wanted == Wanted::kMessage) return event;
      // Not its own end, if it was put out: it has not left.
      if (!IsMember()) return {Status::kLibrary, "evicted"};
      if (BeginControl(slot, &event)) {
        // Others' entries are read as well, while we gate.
        if (!own_leave_begun_ && WasEvicted()) {
          return {Status::kLibrary, "evicted"};
        }
        counters_.received_views.LossyAdd(1);
        break;
      }
    } else {
      const auto begun = BeginMessage(slot, &event);
      if (!IsMember()) return {Status::kLibrary, "evicted"};
      if (!begun) return begun.failure();
      if (*begun) {
        counters_.received_messages.LossyAdd(1);
        counters_.received_bytes.LossyAdd(event.length_bytes);
        break;
      }
    }
    Advance();  // nothing for the application
  }
  ++depth_;
  ++position_;
  if (prefetch_ != 0) {
    PrefetchMessage(group_, position_ + prefetch_ - 1, attachment_->region());
  }
  // For our senders. relaxed: a look that spares the line a store
  if (hints_.filled_below.load(std::memory_order_relaxed) < position_) {
    // release -> ring.hints: the slots below are filled
    hints_.filled_below.store(position_, std::memory_order_release);
  }
  return event;
}

Result<bool> Member::BeginMessage(SlotWord slot, Event* event) {
  alloc::Allocator& allocator = attachment_->allocator();
  const auto message = MessagePlace::Of(allocator, slot.ref());
  if (!message) return {Status::kLibrary, "a slot names no buffer"};
  const std::byte* const payload = message->Payload(allocator);
  __builtin_prefetch(payload);
  MessageHeader header;  // copied once; checked, then used
  std::memcpy(&header, message->Header(allocator, attachment_->geometry()),
              sizeof(header));
  if (header.magic != MessageHeader::kMagic || header.position != position_ ||
      header.group_slot != group_.group_slot() ||
      header.length_bytes > message->payload_bytes() ||
      header.entry >= group_.entry_count()) {
    return {Status::kLibrary, "a damaged message header"};
  }
  // Sent by somebody who had left: dropped, by everybody alike. An entry that
  // was given away since has left, too.
  const OrderWord leave(
      // acquire <- member.apply: records below our place are applied
      group_.entry(header.entry).leave.load(std::memory_order_acquire));
  if (leave.generation() != header.entry_generation ||
      (leave.is_set() && leave.position() < position_)) {
    return false;
  }
  event->kind = Event::Kind::kMessage;
  event->payload = payload;
  event->buffer = message->buffer().ref;
  event->length_bytes = header.length_bytes;
  event->sender = {header.node_id, header.pid};
  event->send_time_ns = header.send_time_ns;
  return true;
}

bool Member::BeginControl(SlotWord slot, Event* event) {
  ApplyRecord(group_, slot, position_);
  if (!RecordCounts(group_, slot, position_)) return false;
  const bool is_self =
      slot.entry() == entry_ && slot.entry_generation() == entry_generation_;
  event->change.is_self = is_self;
  if (slot.control() == Control::kJoin) {
    event->change.kind = ViewChange::Kind::kJoin;
    if (is_self) {
      ReadViewAt(group_, position_, &view_);
      event->change.subject = address_;
    } else {
      EntryState& joiner = group_.entry(slot.entry());
      // relaxed, both: written before the JOIN that we read was published
      const MemberAddress address{
          joiner.node_id.load(std::memory_order_relaxed),
          joiner.pid.load(std::memory_order_relaxed)};
      if (!view_.Add({address, slot.entry(), slot.entry_generation()})) {
        return false;
      }
      event->change.subject = address;
      attachment_->FollowMember(group_, slot.entry());
    }
  } else {
    View::Item gone;
    if (!view_.Remove(slot.entry(), slot.entry_generation(), &gone)) {
      return false;  // it never was a member
    }
    event->change.subject = gone.address;
    event->change.kind = slot.control() == Control::kLeave
                             ? ViewChange::Kind::kLeave
                             : ViewChange::Kind::kProcessDown;
    own_leave_begun_ = is_self;
  }
  event->kind = Event::Kind::kView;
  return true;
}

void Member::Done() {
  if (depth_ == 0) return;
  --depth_;
  if (depth_ != 0) return;
  // release -> ring.consume: our last read below is over
  entry().cursor.store(position_, std::memory_order_release);
  if (own_leave_begun_) {
    // acquire <- member.claim: ours unless reaped
    std::uint64_t raw = entry().word.load(std::memory_order_acquire);
    const EntryWord word(raw);
    if (word.phase() == Phase::kMember &&
        word.generation() == entry_generation_) {
      // release -> member.claim: read to the end; failure relaxed: a
      // reclaimer has freed it already
      entry().word.compare_exchange_strong(
          raw, word.Become(Phase::kLeaving).raw(), std::memory_order_release,
          std::memory_order_relaxed);
    }
    leaving_.store(true, std::memory_order_relaxed);  // evicted: as if left
    left_.store(true, std::memory_order_relaxed);     // read by this thread
    attachment_->ReclaimGroup(group_, kReclaimAll);
  }
  // The cursor moved before we look who waits for that: room.wait.
  LightBarrier();
  if (SomebodyWaitsForRoom(group_)) {
    attachment_->ReclaimGroup(group_, kReclaimAll);
  }
  // A publisher may have stopped before its bell: whoever is awake rings.
  if (SomebodyMaySleep(group_)) attachment_->ringer().RingSleepers(group_);
}

bool Member::WasEvicted() {
  if (left()) return false;
  std::atomic<std::uint64_t>& cursor = entry().cursor;
  // A reader that must know whether its bytes were left alone while it read
  // them: all those loads, then this one of the entry. The store keeps them
  // apart: no load moves below a release, nor this release below a sequentially
  // consistent load (x86: loads in order; Arm: stlr, ldar). It stores what is
  // there; the entry is still ours, evicted or not. relaxed: our own
  // release -> ring.consume: nothing new
  cursor.store(cursor.load(std::memory_order_relaxed),
               std::memory_order_release);
  // seq_cst <-> member.evict: not evicted, hence nothing was given back that we
  // gate
  return entry().word.load(std::memory_order_seq_cst) != as_member_.raw();
}

Outcome Member::Retain(const Event& message) {
  if (message.kind != Event::Kind::kMessage || depth_ == 0) {
    return {Status::kInvalidParam, "not a message that was begun"};
  }
  if (!IsMember()) return {Status::kLibrary, "evicted"};
  return attachment_->Keep(Begun(message));
}

}  // namespace zcb::ipc
