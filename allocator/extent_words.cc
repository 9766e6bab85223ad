#include "allocator/extent_words.h"

#include "allocator/buffer_word.h"

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;

}  // namespace

// Ascending, so that of two claimers whose ranges overlap the upper one is
// never stopped by the lower one's tentative claim.
bool ExtentWords::ReserveAt(LeaseId lease, std::uint32_t first,
                            std::uint32_t units) {
  for (std::uint32_t i = 0; i < units; ++i) {
    // relaxed: the compare-and-swap checks it
    std::uint64_t seen =
        shared_.unit(first + i).load(std::memory_order_relaxed);
    // acquire <- unit.release: the last owner has finished with it.
    // release -> unit.claim: our lease was Alive before; a reaper of the slot's
    // last owner that finds our word finds that, too, and leaves it alone.
    // relaxed on failure: somebody else's now.
    if (UnitWord(seen).kind() != Kind::kFree ||
        !shared_.unit(first + i).compare_exchange_strong(
            seen, UnitWord(seen).Reserve(lease, units).raw(),
            std::memory_order_acq_rel, std::memory_order_relaxed)) {
      Unreserve(lease, first, i);
      return false;
    }
  }
  return true;
}

void ExtentWords::Unreserve(LeaseId lease, std::uint32_t first,
                            std::uint32_t units) {
  for (std::uint32_t i = units; i-- > 0;) {
    // relaxed: our own word
    std::uint64_t seen =
        shared_.unit(first + i).load(std::memory_order_relaxed);
    const UnitWord word(seen);
    if (word.kind() != Kind::kReserved || word.lease_slot() != lease.slot) {
      continue;  // forged, or we were taken for dead
    }
    // release -> unit.release: we have touched nothing that matters.
    shared_.unit(first + i).compare_exchange_strong(seen, word.Free().raw(),
                                                    std::memory_order_release,
                                                    std::memory_order_relaxed);
  }
}

std::optional<UnitWord> ExtentWords::OwnTailUnit(LeaseId lease,
                                                 std::uint32_t unit) {
  // relaxed: our own word
  std::uint64_t seen = shared_.unit(unit).load(std::memory_order_relaxed);
  const UnitWord word(seen);
  const UnitWord owned = word.Own(lease);
  // release -> unit.claim: the granule words say what we want them to, and are
  // backed by memory. relaxed on failure: somebody else's now.
  if (word.kind() != Kind::kReserved || word.lease_slot() != lease.slot ||
      !shared_.unit(unit).compare_exchange_strong(seen, owned.raw(),
                                                  std::memory_order_release,
                                                  std::memory_order_relaxed)) {
    return std::nullopt;
  }
  return owned;
}

UnitWord ExtentWords::Complete(LeaseId lease, std::uint32_t first,
                               std::uint32_t units) {
  for (std::uint32_t i = units; i-- > 0;) {
    // relaxed: our own words; only a reaper that took us for dead could have
    // changed them, and then the compare-and-swap of the head fails later
    std::uint64_t seen =
        shared_.unit(first + i).load(std::memory_order_relaxed);
    const UnitWord word(seen);
    const UnitWord next =
        i == 0 ? word.ExtentHead(lease, units) : word.Member(lease, i);
    // release -> unit.claim: the head last, so whoever sees it sees a whole
    // extent, its granule word, and its buffer word backed by memory.
    shared_.unit(first + i).compare_exchange_strong(
        seen, next.raw(), std::memory_order_release, std::memory_order_relaxed);
    if (i == 0) return next;
  }
  return {};
}

bool ExtentWords::IsLengthPossible(std::uint32_t first, UnitWord head) const {
  return head.length_units() != 0 &&
         head.length_units() <= shared_.unit_count() - first;
}

bool ExtentWords::Free(LeaseId lease, std::uint32_t first, UnitWord head) {
  if (!head.IsExtentHead() || !IsLengthPossible(first, head)) return false;
  const UnitWord freeing = head.Freeing(lease);
  std::uint64_t expected = head.raw();
  // acq_rel: acquire <- extent.orphan, release -> unit.release through the
  // members: our last use of the bytes precedes both. relaxed on failure:
  // somebody else frees it.
  if (!shared_.unit(first).compare_exchange_strong(expected, freeing.raw(),
                                                   std::memory_order_acq_rel,
                                                   std::memory_order_relaxed)) {
    return false;
  }
  FinishFreeing(first, freeing);
  return true;
}

// A member that was read before the head is found to be still this very
// Freeing (its epoch says so) belongs to this extent; and the member's own
// epoch makes the swap fail if that has changed since. So a process that slept
// here for an hour changes nothing.
void ExtentWords::FinishFreeing(std::uint32_t first, UnitWord freeing) {
  if (!IsLengthPossible(first, freeing)) return;
  SharedTables::Word& head = shared_.unit(first);
  for (std::uint32_t i = freeing.length_units(); i-- > 1;) {
    // acquire <- unit.claim: and before the look at the head.
    std::uint64_t seen =
        shared_.unit(first + i).load(std::memory_order_acquire);
    // acquire <- unit.release: and before the swap.
    if (head.load(std::memory_order_acquire) != freeing.raw()) return;
    const UnitWord word(seen);
    if (word.kind() != Kind::kMember || word.length_units() != i) continue;
    // acq_rel -> unit.release: whoever claims it next comes after the bytes'
    // last use.
    shared_.unit(first + i).compare_exchange_strong(seen, word.Free().raw(),
                                                    std::memory_order_acq_rel,
                                                    std::memory_order_relaxed);
  }
  std::uint64_t expected = freeing.raw();
  // release -> unit.release: the head last; its members are free.
  head.compare_exchange_strong(expected, freeing.Free().raw(),
                               std::memory_order_acq_rel,
                               std::memory_order_relaxed);
}

// Meets FreeIfOrphan(): one side turns the buffer word Free and then looks at
// the head by a read-modify-write; the other changes the head and then looks
// at the word. The two changes of the head have an order, so either the first
// side sees the orphan or the second sees the word Free.
bool ExtentWords::MakeOrphan(LeaseId lease, std::uint32_t first,
                             UnitWord head) {
  const UnitWord orphan = head.Orphan();
  std::uint64_t expected = head.raw();
  // release -> extent.orphan; acquire <- extent.orphan: the other side's look,
  // and with it its Free word. relaxed on failure: not ours to judge.
  if (!shared_.unit(first).compare_exchange_strong(expected, orphan.raw(),
                                                   std::memory_order_acq_rel,
                                                   std::memory_order_relaxed)) {
    return false;
  }
  const std::uint32_t granule = shared_.FirstGranuleOf(first);
  // acquire <- word.free: the last reader has finished with the bytes.
  if (BufferWord(shared_.sparse_word(granule)->load(std::memory_order_acquire))
          .is_free()) {
    Free(lease, first, orphan);
  }
  return true;
}

bool ExtentWords::FreeIfOrphan(LeaseId lease, std::uint32_t first) {
  // A read-modify-write that changes nothing: it reads the latest value.
  // acq_rel <-> extent.orphan: see MakeOrphan().
  const UnitWord head(
      shared_.unit(first).fetch_add(0, std::memory_order_acq_rel));
  if (head.kind() != Kind::kOrphanHead) return false;
  Free(lease, first, head);
  return true;
}

std::uint32_t ExtentWords::FreeReturnedOrphans(LeaseId lease) {
  std::uint32_t freed = 0;
  for (std::uint32_t unit = 0; unit < shared_.unit_count(); ++unit) {
    // acquire <- extent.orphan: the head's granule word is backed by memory
    const UnitWord head(shared_.unit(unit).load(std::memory_order_acquire));
    if (head.kind() != Kind::kOrphanHead) continue;
    // acquire <- word.free: the last reader has finished with the bytes
    const BufferWord word(shared_.sparse_word(shared_.FirstGranuleOf(unit))
                              ->load(std::memory_order_acquire));
    if (word.is_free() && Free(lease, unit, head)) ++freed;
  }
  return freed;
}

}  // namespace zcb::alloc
