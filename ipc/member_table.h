// Members of a group in shared memory: claim an entry, publish and apply the
// records that say who came and went, in the group's own order.
#ifndef ZCB_IPC_MEMBER_TABLE_H_
#define ZCB_IPC_MEMBER_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "allocator/lease_word.h"
#include "allocator/region.h"
#include "allocator/status.h"
#include "ipc/entry_word.h"
#include "ipc/group_view.h"
#include "ipc/member_address.h"
#include "ipc/slot_word.h"
#include "ipc/view.h"

namespace zcb::ipc {

struct ClaimedEntry {
  std::uint16_t index = 0;
  std::uint16_t generation = 0;
};

// Free -> Joining for `lease`, and fills in the rest. From here on the entry
// gates reclaiming at the tail as it was. kNoResources: every entry is taken.
Result<ClaimedEntry> ClaimEntry(const GroupView& group, alloc::LeaseId lease,
                                MemberAddress address,
                                std::uint32_t bell_number);
// Joining -> Free, before anything was published; put out meanwhile: lets go.
void UnclaimEntry(const GroupView& group, const ClaimedEntry& entry,
                  alloc::LeaseId lease);
// Moves a Joining entry's cursor to the tail, so that a ring that is full does
// not lock behind the joiner. Its owner alone.
std::uint64_t RaiseCursorToTail(const GroupView& group, std::uint16_t index);

// Does to the member table what the record at `position` says; whoever reads
// or reclaims the record does it, all with the same result.
void ApplyRecord(const GroupView& group, SlotWord record,
                 std::uint64_t position);
// Whether the record at `position`, applied, changed the membership: the first
// of several does.
bool RecordCounts(const GroupView& group, SlotWord record,
                  std::uint64_t position);
// Applies every record that a joiner at `position` has to know.
void ApplyUpTo(const GroupView& group, std::uint64_t position);
// Applies everything published, read by its members or not; the tail up to
// which that is.
std::uint64_t ApplyPublished(const GroupView& group);
// Whether the entry, whose word was just loaded, is a member's as of
// `position`, everything up to there applied.
bool IsMemberAt(const EntryState& entry, EntryWord word,
                std::uint64_t position);
// The members as of `position`, everything up to there applied.
void ReadViewAt(const GroupView& group, std::uint64_t position, View* view);
// The first of them in the view's order, as many as there is room for; how many
// were written. No memory is allocated.
std::size_t ReadFirstMembersAt(const GroupView& group, std::uint64_t position,
                               std::span<MemberAddress> members);

// A Down or Evicted entry needs a record in the order that says so. Idempotent,
// by anyone, concurrently: exactly one record is found or published. False: no
// room just now (or damage); whoever meets the entry next tries again.
bool PublishDown(const GroupView& group, std::uint16_t index,
                 std::uint16_t generation);
// The same for every entry that needs one: who was to publish it may have died
// before he did.
void PublishMissing(const GroupView& group);
// {*, generation} -> Free{generation + 1}: the LEAVE or PROCDOWN at `base` is
// being reclaimed. Nothing if somebody else has moved past it, and not for an
// Evicted entry, which is still its process's.
void FreeEntry(const GroupView& group, std::uint16_t index,
               std::uint16_t generation, std::uint64_t base);
// Down{generation} -> Free, if its record has left the ring already.
void FreeIfPassed(const GroupView& group, std::uint16_t index,
                  std::uint16_t generation);
// The member at the entry goes for good: its entry names no lease any more, and
// the order says that it went (or said so before). `has_left`: its own leave
// was read to the end, and frees the entry unless that was put out.
void GiveUpEntry(const GroupView& group, const ClaimedEntry& entry,
                 alloc::LeaseId lease, bool has_left);

// Whether that very process still lives, as far as anybody has noticed.
bool IsLeaseAlive(const alloc::Region& region, alloc::LeaseId lease);

}  // namespace zcb::ipc

#endif  // ZCB_IPC_MEMBER_TABLE_H_
