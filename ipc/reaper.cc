#include "ipc/reaper.h"

#include "allocator/buffer_word.h"
#include "ipc/attachment.h"
#include "ipc/bell_ringer.h"
#include "ipc/entry_word.h"
#include "ipc/member_table.h"
#include "ipc/message_place.h"
#include "ipc/reclaim.h"
#include "ipc/ring.h"

namespace zcb::ipc {
namespace {

struct JudgeContext {
  const alloc::Allocator* allocator;
  const IpcGeometry* geometry;
};

void DownEntries(const GroupView& group, alloc::LeaseId dead) {
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    std::atomic<std::uint64_t>& word = group.entry(i).word;
    // acquire <- member.claim: whose entry it is
    std::uint64_t raw = word.load(std::memory_order_acquire);
    const EntryWord seen(raw);
    if (seen.is_occupied() && seen.lease() == dead) {
      // acq_rel <-> member.down: once; it names the dead generation, so it
      // cannot hit a successor. Failure relaxed: another reaper's.
      word.compare_exchange_strong(raw, seen.Down().raw(),
                                   std::memory_order_acq_rel,
                                   std::memory_order_relaxed);
    }
  }
}

}  // namespace

bool IsPublished(const alloc::Allocator& allocator, const IpcGeometry& geometry,
                 alloc::BufferRef ref, alloc::BufferWord word) {
  if (word.group_slot() >= geometry.group_count) return false;
  const GroupView group(allocator.region(), geometry, word.group_slot());
  // acquire <- ring.reclaim: a position below it is not in the ring
  const std::uint64_t base =
      group.header().reclaimed.load(std::memory_order_acquire);
  // The one position from `base` on whose low bits the word names.
  const std::uint64_t ahead =
      (word.sequence_low() - base) & alloc::BufferWord::kSequenceMask;
  if (ahead >= group.slot_count()) return false;
  SlotWord slot;
  // The slot itself decides, never the tail, which may lag behind.
  if (ReadSlot(group, base + ahead, &slot) != RingAnswer::kOk ||
      slot.is_control()) {
    return false;
  }
  const auto message = MessagePlace::Of(allocator, slot.ref());
  return message && message->buffer().ref == ref;
}

bool Reap(Attachment* attachment, alloc::LeaseId dead) {
  alloc::Region& region = attachment->region();
  const auto still_dead = [&] {
    // acquire <- lease.death: still this generation's corpse
    return alloc::LeaseWord(
               region.lease_word(dead.slot).load(std::memory_order_acquire))
        .IsDead(dead.generation);
  };
  if (!still_dead()) return true;
  // Damaged: others see what there is, and do it.
  if (region.IsDamaged()) return false;
  // Its end is told before its memory is looked after, which takes longer. Who
  // has published and died before its bell has its bell rung here, too.
  bool is_whole =
      attachment->directory().ForEachGroup([&](const GroupView& group) {
        DownEntries(group, dead);
        // Another reaper may have died between the two.
        PublishMissing(group);
        attachment->ringer().RingSleepers(group);
      });
  is_whole =
      attachment->keeps().ReapKeeps(&attachment->allocator(), dead) && is_whole;
  JudgeContext judge{&attachment->allocator(), &attachment->geometry()};
  const bool has_units = attachment->allocator().ReapUnits(
      dead,
      [](void* context, alloc::BufferRef ref, alloc::BufferWord word) {
        const auto* asked = static_cast<const JudgeContext*>(context);
        return IsPublished(*asked->allocator, *asked->geometry, ref, word);
      },
      &judge);
  is_whole = attachment->directory().ReapClaims(dead) && has_units && is_whole;
  UnlinkBellsOf(region, dead,
                // relaxed: a number that the dead wrote; cut by the callee
                region.lease_record(dead.slot).bell_count.load(
                    std::memory_order_relaxed));
  attachment->directory().ForEachGroup([&](const GroupView& group) {
    // Whom the dead held back can go on.
    if (SomebodyWaitsForRoom(group)) {
      attachment->ReclaimGroup(group, kReclaimAll);
    }
  });
  attachment->RingForMemory();
  if (is_whole && !region.IsDamaged()) region.FreeDeadLease(dead);
  return is_whole;
}

}  // namespace zcb::ipc
