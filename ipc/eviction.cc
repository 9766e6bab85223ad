#include "ipc/eviction.h"

#include <algorithm>
#include <new>

#include "ipc/member_table.h"
#include "ipc/ring.h"

namespace zcb::ipc {
namespace {

using Phase = EntryWord::Phase;

// Where the ring begins and ends.
struct RingEnds {
  std::uint64_t reclaimed = 0;
  std::uint64_t tail = 0;
};

RingEnds EndsOf(const GroupView& group) {
  CatchUpTail(group);
  RingEnds ends;
  // acquire <- ring.tail: what lies below the tail is filled
  ends.tail = group.header().tail.load(std::memory_order_acquire);
  // acquire <- ring.reclaim: who stands here holds everybody back
  ends.reclaimed = group.header().reclaimed.load(std::memory_order_acquire);
  return ends;
}

// Whether what is not reclaimed may be why a sender lacks it: any message may
// be one of those that fill the memory.
bool IsInTheWay(const GroupView& group, const RingEnds& ends,
                RoomKind lacking) {
  return ends.tail > ends.reclaimed &&
         (lacking == RoomKind::kMemory ||
          ends.tail - ends.reclaimed >= group.message_room());
}

// A member; or a joiner, which holds the ring like one. Not a joiner that has
// not yet reset its leave word: the record of its end could not be applied. Not
// one that is Leaving: it has read its LEAVE, whose reclaiming frees it.
bool IsEvictable(const EntryState& entry, EntryWord word) {
  if (word.phase() == Phase::kMember) return true;
  // acquire <- member.apply: reset for this life, or maybe set since
  return word.phase() == Phase::kJoining &&
         OrderWord(entry.leave.load(std::memory_order_acquire)).generation() ==
             word.generation();
}

}  // namespace

bool Evict(const GroupView& group, std::uint16_t index, EntryWord seen) {
  std::uint64_t expected = seen.raw();
  // seq_cst <-> member.evict: from here on it gates no more, and what it has
  // not read may be given back: its next look at the entry tells it so. Failure
  // relaxed: it left, died, or another sender was first.
  if (!group.entry(index).word.compare_exchange_strong(
          expected, seen.Become(Phase::kEvicted).raw(),
          std::memory_order_seq_cst, std::memory_order_relaxed)) {
    return false;
  }
  // relaxed: a count for people
  group.header().evictions.fetch_add(1, std::memory_order_relaxed);
  // False: no room just now. Whoever reclaims next does it.
  static_cast<void>(PublishDown(group, index, seen.generation()));
  return true;
}

std::uint64_t LaggardWatch::SinceOf(std::uint32_t index,
                                    std::uint16_t generation,
                                    std::uint64_t cursor,
                                    std::uint64_t now_ns) {
  Suspect& known = suspects_[index];
  if (!known.is_one || known.generation != generation ||
      known.cursor != cursor) {
    known = {true, generation, cursor, now_ns};
  }
  return known.since_ns;
}

LaggardWatch::Verdict LaggardWatch::Judge(const GroupView& group,
                                          const alloc::Region& region,
                                          std::uint16_t self, RoomKind lacking,
                                          std::uint64_t limit_ns,
                                          std::uint64_t now_ns) {
  const RingEnds ends = EndsOf(group);
  if (!IsInTheWay(group, ends, lacking)) return {};
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return {0, limit_ns};  // another thread is at it
  if (suspects_ == nullptr) {
    suspects_.reset(new (std::nothrow) Suspect[group.entry_count()]);
  }
  if (suspects_ == nullptr) return {0, limit_ns};  // maybe next time
  Verdict verdict;
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    if (i == self) continue;
    EntryState& entry = group.entry(i);
    // acquire <- member.claim: whose cursor it is
    const EntryWord word(entry.word.load(std::memory_order_acquire));
    if (!IsEvictable(entry, word) || !IsLeaseAlive(region, word.lease())) {
      suspects_[i].is_one = false;
      continue;
    }
    // acquire <- ring.consume: where it stands
    const std::uint64_t cursor = entry.cursor.load(std::memory_order_acquire);
    if (cursor >= ends.tail) {
      suspects_[i].is_one = false;  // it has read all
      continue;
    }
    const std::uint64_t waited_ns =
        now_ns - SinceOf(i, word.generation(), cursor, now_ns);
    if (cursor > ends.reclaimed) continue;  // nobody waits for it yet
    if (waited_ns >= limit_ns) {
      if (Evict(group, static_cast<std::uint16_t>(i), word)) ++verdict.evicted;
      continue;
    }
    const std::uint64_t due_ns = limit_ns - waited_ns;
    verdict.next_due_ns = verdict.next_due_ns == 0
                              ? due_ns
                              : std::min(verdict.next_due_ns, due_ns);
  }
  return verdict;
}

}  // namespace zcb::ipc
