// The data path out: from a live buffer to a place in the order.
#include "ipc/member.h"

#include <new>

#include "allocator/buffer_word.h"
#include "allocator/prefetch.h"
#include "ipc/bell_ringer.h"
#include "ipc/deadline.h"
#include "ipc/message_header.h"
#include "ipc/message_place.h"
#include "ipc/reclaim.h"

namespace zcb::ipc {
namespace {

// Once per line of slots, and one line ahead: it was last read a lap ago, by
// everybody.
[[gnu::always_inline]] inline void PrefetchNextSlots(const GroupView& group,
                                                     std::uint64_t position) {
  constexpr std::uint64_t kSlotsPerLine =
      alloc::kCacheLineBytes / sizeof(std::uint64_t);
  if (position % kSlotsPerLine != kSlotsPerLine / 2) return;
  alloc::PrefetchToWrite(&group.slot(position + kSlotsPerLine));
}

}  // namespace

void Member::ReclaimAsWeGo(std::uint64_t position, std::uint64_t length_bytes) {
  // relaxed, all of these: hints; two threads that both reclaim do no harm
  const std::uint64_t bytes =
      bytes_since_reclaim_.load(std::memory_order_relaxed) + length_bytes;
  if (position < next_reclaim_.load(std::memory_order_relaxed) &&
      bytes < reclaim_pace_.bytes) {
    bytes_since_reclaim_.store(bytes, std::memory_order_relaxed);
    return;
  }
  next_reclaim_.store(position + reclaim_pace_.messages,
                      std::memory_order_relaxed);
  bytes_since_reclaim_.store(0, std::memory_order_relaxed);
  HelpTail(group_, position);
  attachment_->ReclaimGroup(group_, kReclaimAll, &own_first_);
}

LaggardWatch::Verdict Member::JudgeLaggards(RoomKind lacking,
                                            std::uint32_t evict_after_ms) {
  // Who was put out himself judges nobody.
  if (evict_after_ms == 0 || !IsMember()) return {};
  const LaggardWatch::Verdict verdict =
      laggards_.Judge(group_, attachment_->region(), entry_, lacking,
                      std::uint64_t{evict_after_ms} * 1'000'000,
                      static_cast<std::uint64_t>(NowNs()));
  // Gives the room back, and rings whoever sleeps, the evicted one included.
  if (verdict.evicted != 0) attachment_->ReclaimGroup(group_, kReclaimAll);
  return verdict;
}

LaggardWatch::Verdict Member::EvictLaggards(RoomKind lacking,
                                            std::uint32_t evict_after_ms) {
  LaggardWatch::Verdict all;
  for (;;) {
    const LaggardWatch::Verdict one = JudgeLaggards(lacking, evict_after_ms);
    all.evicted += one.evicted;
    all.next_due_ns = one.next_due_ns;
    // Behind who was put out the next one may stand, whose time is up, too.
    if (one.evicted == 0 || lacking == RoomKind::kMemory) return all;
  }
}

bool Member::MakeRoom(const SendOptions& options, bool* reaped) {
  if (attachment_->ReclaimGroup(group_, kReclaimAll) != 0) return true;
  // Somebody holds the ring back: is he alive?
  if (!*reaped && attachment_->ReapLaggards(group_)) {
    *reaped = true;
    return true;
  }
  // Has he had time enough?
  return options.evict_after_ms != 0 &&
         JudgeLaggards(RoomKind::kRing, options.evict_after_ms).evicted != 0;
}

Failure Member::RefuseFull() {
  if (!IsMember()) return WhyOut();
  counters_.refused_sends.Add(1);
  return {Status::kTryAgain, "the ring is full"};
}

Failure Member::WhyOut() const {
  return leaving() ? Failure{Status::kNotExist, "left or leaving"}
                   : Failure{Status::kLibrary, "evicted"};
}

Outcome Member::Send(std::byte* payload, std::uint64_t length_bytes,
                     const SendOptions& options) {
  alloc::Allocator& allocator = attachment_->allocator();
  // Before it is sent: the bytes may be where nobody else sees them.
  if (const Outcome whole = CheckDamage(); !whole) return whole;
  const auto live = attachment_->FindLivePayload(payload);
  if (!live) return live.failure();
  // The place itself is made where it is asked: kept, it would be a copy.
  const bool is_aligned = live->is_aligned;
  alloc::BufferPlace place;
  if (const Outcome begun = allocator.BeginSend(live->buffer, &place); !begun) {
    return begun;
  }
  // Where several send, another one may have turned it Free.
  alloc::PrefetchToWrite(place.word);
  if (length_bytes > MessagePlace(place, is_aligned).payload_bytes()) {
    allocator.CancelSend(place);
    return {Status::kTooBig, "longer than the buffer"};
  }
  // relaxed: Free, and ours alone to change until it is out
  const alloc::BufferWord home(place.word->load(std::memory_order_relaxed));
  auto* const header = new (MessagePlace(place, is_aligned)
                                .Header(allocator, attachment_->geometry()))
      MessageHeader{0,
                    length_bytes,
                    group_.group_slot(),
                    address_.node_id,
                    address_.pid,
                    entry_,
                    entry_generation_,
                    MessageHeader::kMagic,
                    0,
                    0,
                    {}};
  Failure failure{Status::kLibrary, "damaged ring"};
  bool reaped = false;
  bool wants_time = options.stamp_time;
  for (int tries = 0; tries < kMaxRingRetries; ++tries) {
    RingPlace slot;
    const RingAnswer answer =
        GuessPlace(group_, group_.message_room(), hints_, &slot)
            ? RingAnswer::kOk
            : FindPlace(group_, group_.message_room(), &slot, &hints_);
    if (answer == RingAnswer::kFull) {
      if (MakeRoom(options, &reaped)) continue;
      failure = RefuseFull();
      break;
    }
    if (answer != RingAnswer::kOk) break;
    // relaxed: set by this process alone
    if (leaving_.load(std::memory_order_relaxed) || !IsMember()) {
      failure = WhyOut();
      break;
    }
    header->position = slot.position;
    if (wants_time) {  // once: who is overtaken sent when it first tried
      // No system call where the clock source has a vDSO.
      header->send_time_ns = static_cast<std::uint64_t>(NowNs());
      wants_time = false;
    }
    // release -> buffer.leave: a reaper that finds the word finds the slot to
    // judge it by; only the unit's owner writes it while it is not out
    place.word->store(home.Send(group_.group_slot(), slot.position).raw(),
                      std::memory_order_release);
    allocator.CommitSend(place);
    if (TryFill(group_, slot,
                SlotWord::Message(
                    SlotWord::LapOf(slot.position, group_.slot_shift()),
                    MessagePlace(place, is_aligned).named()))) {
      // release -> ring.hints: the slots below are filled
      hints_.filled_below.store(slot.position + 1, std::memory_order_release);
      counters_.sent_messages.LossyAdd(1);
      counters_.sent_bytes.LossyAdd(length_bytes);
      if (SomebodyMaySleep(group_)) attachment_->ringer().RingSleepers(group_);
      // For the next ones, while the readers are busy with this one.
      allocator.PrefetchForAlloc(place);
      PrefetchNextSlots(group_, slot.position);
      ReclaimAsWeGo(slot.position, length_bytes);
      return {};
    }
  }
  allocator.CancelSend(place);
  return failure;
}

}  // namespace zcb::ipc
