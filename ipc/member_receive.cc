// The data path in: from a place in the order to the sender's bytes.
#include "ipc/member.h"

#include <algorithm>
#include <cstring>

#include "allocator/prefetch.h"
#include "ipc/asymmetric_barrier.h"
#include "ipc/bell_ringer.h"
#include "ipc/member_table.h"
#include "ipc/message_header.h"
#include "ipc/message_place.h"
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

namespace {

// The header and the beginning of the payload, before it is known that the slot
// names a buffer: it need not. (The header of a page-aligned payload lies
// elsewhere; then it is two lines of payload.)
[[gnu::always_inline]] inline void PrefetchBuffer(
    const alloc::Allocator& allocator, SlotWord slot) {
  const std::byte* const buffer = allocator.Pointer(slot.ref());
  alloc::PrefetchToRead(buffer);
  alloc::PrefetchToRead(buffer + alloc::kLineBytes);
}

}  // namespace

// Of the messages behind the one at position_. Nothing is relied on that was
// read here.
[[gnu::always_inline]] inline void Member::PrefetchAhead() {
  constexpr std::uint64_t kSlotsPerLine =
      alloc::kCacheLineBytes / sizeof(std::uint64_t);
  std::uint64_t next = std::max(prefetched_below_, position_ + 1);
  for (; next <= position_ + prefetch_; ++next) {
    // A line of slots that nobody may have written yet is its publisher's.
    if (next % kSlotsPerLine == 0 && next == position_ + 1) break;
    // relaxed: a guess
    const SlotWord slot(group_.slot(next).load(std::memory_order_relaxed));
    if (slot.lap() != SlotWord::LapOf(next, group_.slot_shift())) break;
    if (!slot.is_control()) PrefetchBuffer(attachment_->allocator(), slot);
  }
  prefetched_below_ = next;
}

// Inline, as BeginNext(): called once each, and by every message.
[[gnu::always_inline]] inline Member::Found Member::BeginMessage(SlotWord slot,
                                                                 Event* event) {
  alloc::Allocator& allocator = attachment_->allocator();
  PrefetchBuffer(allocator, slot);
  PrefetchAhead();
  // In line, as a rule: then the buffer starts where the slot says.
  alloc::BufferRef buffer = slot.ref();
  std::uint64_t payload_bytes = allocator.LocateBytes(buffer);
  const std::byte* from = allocator.Pointer(buffer);
  const std::byte* payload = from + kHeaderBytes;
  if (payload_bytes > kHeaderBytes) [[likely]] {
    payload_bytes -= kHeaderBytes;
  } else {
    const auto message = MessagePlace::Of(allocator, slot.ref());
    if (!message) return Found::kNoBuffer;
    buffer = message->buffer().ref;
    payload_bytes = message->payload_bytes();
    from = message->Header(allocator, attachment_->geometry());
    payload = message->Payload(allocator);
  }
  MessageHeader header;  // copied once; checked, then used
  std::memcpy(&header, from, sizeof(header));
  if (header.magic != MessageHeader::kMagic || header.position != position_ ||
      header.group_slot != group_.group_slot() ||
      header.length_bytes > payload_bytes ||
      header.entry >= group_.entry_count()) [[unlikely]] {
    return Found::kBadHeader;
  }
  // Sent by somebody who had left: dropped, by everybody alike. An entry that
  // was given away since has left, too.
  const OrderWord leave(
      // acquire <- member.apply: records below our place are applied
      group_.entry(header.entry).leave.load(std::memory_order_acquire));
  if (leave.generation() != header.entry_generation ||
      (leave.is_set() && leave.position() < position_)) [[unlikely]] {
    return Found::kSkipped;
  }
  if (header.entry != entry_) pause_.Found();
  event->kind = Event::Kind::kMessage;
  event->payload = payload;
  event->buffer = buffer;
  event->length_bytes = header.length_bytes;
  event->sender = {header.node_id, header.pid};
  event->send_time_ns = header.send_time_ns;
  return Found::kMessage;
}

[[gnu::always_inline]] inline Outcome Member::BeginNext(Event* event,
                                                        Wanted wanted) {
  for (;;) {
    if (left() || own_leave_begun_) return {};
    SlotWord slot;
    const RingAnswer answer = ReadSlot(group_, position_, &slot);
    // The look at the entry comes after the look at the ring: evicted, what
    // was found there may be anything.
    if (answer == RingAnswer::kFull && IsMember()) {
      if (pause_.Wait()) continue;
      return {};
    }
    if (answer != RingAnswer::kOk) [[unlikely]] {
      return {Status::kLibrary, "damaged ring, or evicted from the group"};
    }
    event->sequence = position_;
    if (slot.is_control()) [[unlikely]] {
      if (wanted == Wanted::kMessage) return {};
      // Not its own end, if it was put out: it has not left.
      if (!IsMember()) return {Status::kLibrary, "evicted"};
      if (BeginControl(slot, event)) {
        // Others' entries are read as well, while we gate.
        if (!own_leave_begun_ && WasEvicted()) {
          return {Status::kLibrary, "evicted"};
        }
        counters_.received_views.LossyAdd(1);
        break;
      }
    } else {
      const Found found = BeginMessage(slot, event);
      if (!IsMember()) [[unlikely]]
        return {Status::kLibrary, "evicted"};
      if (found == Found::kMessage) [[likely]] {
        counters_.received_messages.LossyAdd(1);
        counters_.received_bytes.LossyAdd(event->length_bytes);
        break;
      }
      if (found == Found::kNoBuffer) {
        return {Status::kLibrary, "a slot names no buffer"};
      }
      if (found == Found::kBadHeader) {
        return {Status::kLibrary, "a damaged message header"};
      }
    }
    Advance();  // nothing for the application
  }
  ++depth_;
  ++position_;
  // For our senders. relaxed: a look that spares the line a store
  if (hints_.filled_below.load(std::memory_order_relaxed) < position_) {
    // release -> ring.hints: the slots below are filled
    hints_.filled_below.store(position_, std::memory_order_release);
  }
  return {};
}

Outcome Member::Begin(Event* event, Wanted wanted) {
  return BeginNext(event, wanted);
}

Outcome Member::Next(Event* event) {
  event->kind = Event::Kind::kNothing;
  Outcome begun = BeginNext(event, Wanted::kAny);
  if (const Outcome whole = CheckDamage(); !whole) [[unlikely]]
    begun = whole;
  if (!begun) [[unlikely]]
    event->kind = Event::Kind::kNothing;
  return begun;
}

Result<Event> Member::Next() {
  Result<Event> event{Event{}};
  Outcome begun = BeginNext(&*event, Wanted::kAny);
  if (const Outcome whole = CheckDamage(); !whole) [[unlikely]]
    begun = whole;
  if (!begun) [[unlikely]]
    event = begun.failure();
  return event;  // one object, and no copy of it
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
