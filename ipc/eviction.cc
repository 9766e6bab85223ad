#include "ipc/eviction.h"

#include <algorithm>
#include <new>

#include "ipc/member_table.h"
#include "ipc/ring.h"

namespace zcb::ipc {
namespace {

using Phase = EntryWord::Phase;

// Whether the ring has no room for a message.
bool IsFull(const GroupView& group, std::uint64_t* reclaimed) {
  CatchUpTail(group);
  // acquire <- ring.tail: what lies below the tail is filled
  const std::uint64_t tail =
      group.header().tail.load(std::memory_order_acquire);
  // acquire <- ring.reclaim: who stands here holds everybody back
  *reclaimed = group.header().reclaimed.load(std::memory_order_acquire);
  return tail > *reclaimed && tail - *reclaimed >= group.message_room();
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

std::uint64_t LaggardWatch::SinceOf(const Suspect& seen) const {
  for (std::size_t i = 0; i < suspect_count_; ++i) {
    const Suspect& known = (*suspects_)[i];
    if (known.entry == seen.entry && known.generation == seen.generation &&
        known.cursor == seen.cursor) {
      return known.since_ns;
    }
  }
  return seen.since_ns;
}

LaggardWatch::Verdict LaggardWatch::Judge(const GroupView& group,
                                          const alloc::Region& region,
                                          std::uint16_t self,
                                          std::uint64_t limit_ns,
                                          std::uint64_t now_ns) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return {0, limit_ns};  // another thread is at it
  Verdict verdict;
  std::uint64_t reclaimed = 0;
  Suspects seen{};
  std::size_t seen_count = 0;
  const std::uint32_t high = IsFull(group, &reclaimed) ? group.EntryHigh() : 0;
  for (std::uint32_t i = 0; i < high; ++i) {
    if (i == self) continue;
    EntryState& entry = group.entry(i);
    // acquire <- member.claim: whose cursor it is
    const EntryWord word(entry.word.load(std::memory_order_acquire));
    if (!IsEvictable(entry, word) || !IsLeaseAlive(region, word.lease())) {
      continue;
    }
    // acquire <- ring.consume: where it stands
    const std::uint64_t cursor = entry.cursor.load(std::memory_order_acquire);
    if (cursor > reclaimed) continue;
    Suspect suspect{static_cast<std::uint16_t>(i), word.generation(), cursor,
                    now_ns};
    suspect.since_ns = SinceOf(suspect);
    const std::uint64_t waited_ns = now_ns - suspect.since_ns;
    if (waited_ns >= limit_ns) {
      if (Evict(group, suspect.entry, word)) ++verdict.evicted;
      continue;
    }
    const std::uint64_t due_ns = limit_ns - waited_ns;
    verdict.next_due_ns = verdict.next_due_ns == 0
                              ? due_ns
                              : std::min(verdict.next_due_ns, due_ns);
    if (seen_count < kMostSuspects) seen[seen_count++] = suspect;
  }
  if (seen_count != 0 && suspects_ == nullptr) {
    suspects_.reset(new (std::nothrow) Suspects);
    if (suspects_ == nullptr) seen_count = 0;  // the next look begins anew
  }
  suspect_count_ = seen_count;
  std::copy_n(seen.begin(), seen_count,
              seen_count == 0 ? seen.begin() : suspects_->begin());
  return verdict;
}

}  // namespace zcb::ipc
