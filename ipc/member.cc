// Joining, leaving and sleeping. The data path is in member_send.cc and
// member_receive.cc.
#include "ipc/member.h"

#include <unistd.h>

#include <algorithm>

#include "ipc/bell_ringer.h"
#include "ipc/member_table.h"
#include "ipc/reclaim.h"
#include "ipc/sleep_word.h"

namespace zcb::ipc {
namespace {

// Messages leave two places for each entry, and no entry has more records in
// the ring: its next join waits until its last end is reclaimed, and only who
// stands at the reclaimed end, with its join behind it, has two ends (it was
// put out, and left).
constexpr Failure kNoRoomForRecord{Status::kLibrary, "damaged ring"};

}  // namespace

using Phase = EntryWord::Phase;
using Control = SlotWord::Control;

Member::Member(std::shared_ptr<Attachment> attachment, const GroupView& group,
               Doorbell* bell)
    : attachment_(std::move(attachment)),
      group_(group),
      bell_(bell),
      address_{attachment_->node_id(), static_cast<std::uint32_t>(getpid())},
      prefetch_(attachment_->prefetch()),
      pause_(attachment_->burst_pause_ns()),
      view_(group.entry_count(), group.EntryHigh() + std::size_t{1}),
      reclaim_pace_(attachment_->reclaim_pace()) {}

RingAnswer Member::PublishOwn(Control kind, std::uint64_t* position) {
  for (int tries = 0; tries < kMaxRingRetries; ++tries) {
    RingPlace place;
    if (kind == Control::kJoin) {
      // A ring that is full must not lock behind the joiner's old cursor.
      RaiseCursorToTail(group_, entry_);
    }
    const RingAnswer answer = FindPlace(group_, group_.slot_count(), &place);
    if (answer == RingAnswer::kFull) {
      // Only records beyond their reserve can fill it; make room.
      if (attachment_->ReclaimGroup(group_, kReclaimAll) == 0 &&
          !attachment_->ReapLaggards(group_)) {
        return answer;
      }
      continue;
    }
    if (answer != RingAnswer::kOk) return answer;
    const SlotWord record =
        SlotWord::Record(SlotWord::LapOf(place.position, group_.slot_shift()),
                         kind, entry_, entry_generation_);
    if (TryPublish(group_, place, record)) {
      *position = place.position;
      return RingAnswer::kOk;
    }
  }
  return RingAnswer::kDamaged;
}

Outcome Member::JoinRing() {
  const alloc::LeaseId lease = attachment_->region().lease();
  auto claimed = ClaimEntry(group_, lease, address_, bell_->name().number);
  if (!claimed) {
    // Entries of those who have gone, whose records were still in the ring, or
    // who were put out and have let go since.
    attachment_->ReclaimGroup(group_, kReclaimAll);
    claimed = ClaimEntry(group_, lease, address_, bell_->name().number);
  }
  if (!claimed) return claimed.failure();
  entry_ = claimed->index;
  entry_generation_ = claimed->generation;
  // The epoch goes on from the entry's last user, so that a ringer that was
  // late for him cannot hit our first sleep. relaxed: ours since the claim
  sleep_epoch_ =
      SleepWord(entry().sleep.load(std::memory_order_relaxed)).epoch() + 1;
  room_epoch_ =
      SleepWord(entry().room.load(std::memory_order_relaxed)).epoch() + 1;
  entry().room.store(SleepWord::Of(room_epoch_, SleepWord::State::kAwake).raw(),
                     std::memory_order_relaxed);
  entry().room_bell_number.store(0, std::memory_order_relaxed);
  // relaxed: published by the sleeper's own seq_cst store later
  entry().sleep.store(
      SleepWord::Of(sleep_epoch_, SleepWord::State::kAwake).raw(),
      std::memory_order_relaxed);
  std::uint64_t position = 0;
  const RingAnswer answer = PublishOwn(Control::kJoin, &position);
  if (answer != RingAnswer::kOk) {
    UnclaimEntry(group_, *claimed, lease);
    return kNoRoomForRecord;
  }
  in_ring_ = true;
  position_ = position;
  // release -> ring.consume: nothing below our join is ours to read
  entry().cursor.store(position, std::memory_order_release);
  ApplyUpTo(group_, position);
  // relaxed: our own entry; only a reaper of the dead would race
  std::uint64_t raw = entry().word.load(std::memory_order_relaxed);
  const EntryWord joining(raw);
  as_member_ = joining.Become(Phase::kMember);
  if (joining.phase() != Phase::kJoining ||
      // release -> member.claim: in the order now; failure relaxed: put out,
      // or reaped
      !entry().word.compare_exchange_strong(raw, as_member_.raw(),
                                            std::memory_order_release,
                                            std::memory_order_relaxed)) {
    return {Status::kLibrary, "put out, or declared dead, while joining"};
  }
  if (SomebodyMaySleep(group_)) attachment_->ringer().RingSleepers(group_);
  return CheckDamage();
}

Outcome Member::Leave() {
  if (!left() && !IsMember()) return {Status::kLibrary, "evicted"};
  // relaxed: two threads that leave at once are told apart by the exchange
  if (leaving_.exchange(true, std::memory_order_relaxed)) {
    return {Status::kNotExist, "left or leaving"};
  }
  std::uint64_t position = 0;
  const RingAnswer answer = PublishOwn(Control::kLeave, &position);
  if (answer != RingAnswer::kOk) {
    leaving_.store(false, std::memory_order_relaxed);  // nothing happened
    return kNoRoomForRecord;
  }
  if (SomebodyMaySleep(group_)) attachment_->ringer().RingSleepers(group_);
  return CheckDamage();
}

Member::~Member() {
  if (!in_ring_ || !attachment_->IsOurs()) return;
  GiveUpEntry(group_, {entry_, entry_generation_},
              attachment_->region().lease(), left());
  attachment_->ReclaimGroup(group_, kReclaimAll);
}

// --- sleep -----------------------------------------------------------------

bool Member::AnnounceSleep(Bell bell) {
  ++sleep_epoch_;
  // seq_cst <-> bell.sleep: said before we look once more
  entry().sleep.store(
      SleepWord::Of(sleep_epoch_, bell == Bell::kFutex
                                      ? SleepWord::State::kParked
                                      : SleepWord::State::kSleeping)
          .raw(),
      std::memory_order_seq_cst);
  RaiseMaybe(&group_.header().sleep);
  return HasNext();
}

bool Member::AnnounceAwake() {
  // relaxed: only a ringer of this very sleep changes it besides us, and then
  // the answer is the same
  const SleepWord seen(entry().sleep.load(std::memory_order_relaxed));
  if (seen.state() == SleepWord::State::kAwake) return false;
  // seq_cst <-> bell.sleep: ringers leave us alone from here
  entry().sleep.store(
      SleepWord::Of(sleep_epoch_, SleepWord::State::kAwake).raw(),
      std::memory_order_seq_cst);
  return true;
}

void Member::RingSelf() { bell_->Ring(); }

bool Member::HasNext() const {
  if (!CheckDamage()) return true;
  if (left() || own_leave_begun_) return false;
  SlotWord slot;
  // Damage counts as something, and so does eviction: Next() will say so.
  return ReadSlot(group_, position_, &slot) != RingAnswer::kFull || !IsMember();
}

std::optional<EmptyPlace> Member::EmptyNext() const {
  if (left() || own_leave_begun_ || !CheckDamage()) return std::nullopt;
  const std::atomic<std::uint64_t>& slot = group_.slot(position_);
  // relaxed: read for its value, which is looked for again later
  const SlotWord word(slot.load(std::memory_order_relaxed));
  if (word.lap() != LapBefore(group_, position_)) return std::nullopt;
  return EmptyPlace{&slot, word.raw()};
}

// --- facts -------------------------------------------------------------------

std::uint32_t Member::RingFillPercent() {
  const auto percent = [this] {
    return std::min<std::uint64_t>(
        ApproxUsed(group_) * 100 / group_.message_room(), 100);
  };
  // Below this no caller slows down, and the true figure is lower still.
  constexpr std::uint64_t kLookCloserPercent = 50;
  if (percent() >= kLookCloserPercent &&
      attachment_->ReclaimGroup(group_, kReclaimAll) == 0 &&
      attachment_->ReapLaggards(group_)) {
    attachment_->ReclaimGroup(group_, kReclaimAll);
  }
  return static_cast<std::uint32_t>(percent());
}

bool Member::IsIn(const GroupName& name) const {
  const auto group = attachment_->directory().Find(name);
  return group.ok() && group->has_value() &&
         (*group)->group_slot() == group_.group_slot();
}

GroupStats Member::ReadGroupStats() const {
  return ipc::ReadGroupStats(group_, attachment_->region());
}

}  // namespace zcb::ipc
