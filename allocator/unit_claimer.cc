#include "allocator/unit_claimer.h"

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;

constexpr Failure kFull{Status::kNoMemory,
                        "every unit of the region is in use"};
// Each lost race for a unit means that another process got one; after so many
// in a row the caller may as well be told that memory is short.
constexpr int kClaimPasses = 64;
// Regions with fewer units are looked through in less time than it takes to
// commit a hundredth of a unit.
constexpr std::uint32_t kUnitsPerBlindHole = 1024;

}  // namespace

UnitClaimer::UnitClaimer(const SharedTables& shared, LeaseId lease,
                         UnitLedger& ledger, const AllocatorOptions& options)
    : shared_(shared),
      lease_(lease),
      ledger_(ledger),
      placement_(options),
      // relaxed: a hint. One less than it says: the first claim looks.
      abandonments_seen_(
          shared.region().abandonments().load(std::memory_order_relaxed) - 1) {}

std::optional<ClaimedUnit> UnitClaimer::TryClaim(std::uint32_t unit,
                                                 UnitWord seen) {
  const UnitWord ours = seen.Own(lease_);
  std::uint64_t expected = seen.raw();
  // release -> unit.claim: the granule words are backed by memory.
  // acquire <- unit.release: the last owner has finished with it all.
  // relaxed on failure: somebody else's now.
  if (!shared_.unit(unit).compare_exchange_strong(expected, ours.raw(),
                                                  std::memory_order_acq_rel,
                                                  std::memory_order_relaxed)) {
    return std::nullopt;
  }
  return ClaimedUnit{unit, ours, seen.kind() == Kind::kAbandoned};
}

void UnitClaimer::Release(std::uint32_t unit, UnitWord owned, UnitWord next) {
  std::uint64_t expected = owned.raw();
  // release -> unit.release: our last use of everything in the unit. relaxed
  // on failure: we let go of it anyway.
  shared_.unit(unit).compare_exchange_strong(expected, next.raw(),
                                             std::memory_order_release,
                                             std::memory_order_relaxed);
  if (next.kind() == Kind::kAbandoned) {
    // relaxed: only asks for a look
    shared_.region().abandonments().fetch_add(1, std::memory_order_relaxed);
    return;
  }
  // relaxed: a hint; of two threads that lower it, one may win
  if (unit < first_committed_.load(std::memory_order_relaxed)) {
    first_committed_.store(unit, std::memory_order_relaxed);
  }
  // relaxed: a hint
  holes_without_look_.store(0, std::memory_order_relaxed);
}

void UnitClaimer::Rewind() {
  // relaxed: a hint
  first_committed_.store(0, std::memory_order_relaxed);
}

std::uint32_t UnitClaimer::CountFree() const {
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < shared_.unit_count(); ++i) {
    // relaxed: a statistic
    count += UnitWord(shared_.unit(i).load(std::memory_order_relaxed)).kind() ==
             Kind::kFree;
  }
  return count;
}

bool UnitClaimer::MayBeAbandoned() {
  // relaxed: hints; before giving up all units are looked at
  return shared_.region().abandonments().load(std::memory_order_relaxed) !=
         abandonments_seen_.load(std::memory_order_relaxed);
}

std::optional<UnitClaimer::Candidate> UnitClaimer::FindAbandoned(
    std::uint32_t from) const {
  for (std::uint32_t i = from; i < shared_.unit_count(); ++i) {
    // relaxed: only looks for a candidate
    const UnitWord word(shared_.unit(i).load(std::memory_order_relaxed));
    if (word.kind() == Kind::kAbandoned) return Candidate{i, word, true};
  }
  return std::nullopt;
}

std::optional<UnitClaimer::Candidate> UnitClaimer::FindFree(bool holes) {
  const std::optional<std::uint32_t> node = placement_.Wanted();
  const std::uint32_t count = shared_.unit_count();
  // relaxed: hints, all of them
  const std::uint32_t hint =
      node ? 0 : first_committed_.load(std::memory_order_relaxed);
  const std::uint32_t blind =
      holes_without_look_.load(std::memory_order_relaxed);
  const bool is_blind = holes && !node && blind > 0;
  if (is_blind) {
    holes_without_look_.store(blind - 1, std::memory_order_relaxed);
  }
  enum : std::uint32_t { kBest, kHole, kElsewhere, kNothing };
  std::uint32_t best = kNothing;
  Candidate found{};
  for (std::uint32_t n = 0; n < count; ++n) {
    const std::uint32_t i = hint + n < count ? hint + n : hint + n - count;
    // relaxed: only looks for a candidate
    const UnitWord word(shared_.unit(i).load(std::memory_order_relaxed));
    if (word.kind() != Kind::kFree) continue;
    const std::uint8_t byte = shared_.region().CommitByteOf(i);
    const bool is_committed = byte != CommitByte::kHole;
    if (!is_committed && !holes) continue;
    const std::uint32_t rank = !is_committed                       ? kHole
                               : !node                             ? kBest
                               : CommitByte::NodeOf(byte) == *node ? kBest
                                                                   : kElsewhere;
    if (rank > best || (rank == best && i > found.unit)) continue;
    best = rank;
    found = Candidate{i, word, is_committed};
    if (rank == kBest || is_blind) break;
  }
  if (best == kNothing) return std::nullopt;
  if (node) return found;
  // relaxed: a hint. Below the lowest hole nothing is free at all.
  first_committed_.store(found.unit, std::memory_order_relaxed);
  if (best == kHole && !is_blind) {
    // relaxed: a hint
    holes_without_look_.store(count / kUnitsPerBlindHole,
                              std::memory_order_relaxed);
  }
  return found;
}

// Also for an adopted unit: its owner may have died before this step.
Outcome UnitClaimer::MakeReady(const ClaimedUnit& unit) const {
  if (const Outcome backed = placement_.Commit(shared_.region(), unit.index, 1);
      !backed) {
    return backed;
  }
  if (unit.was_abandoned) return {};
  // What an extent's owner may have left here.
  const std::uint32_t first = shared_.FirstGranuleOf(unit.index);
  for (std::uint32_t g = 0; g < shared_.granules_per_unit(); ++g) {
    // relaxed: invisible until granule.publish says more
    shared_.granule(first + g).store(0, std::memory_order_relaxed);
  }
  return {};
}

Result<ClaimedUnit> UnitClaimer::Claim(Want want) {
  if (!ledger_.TryTake(1)) return UnitLedger::kOverQuota;
  std::optional<Failure> no_memory;
  bool holes = true;                  // until one cannot be committed
  std::uint32_t first_abandoned = 0;  // those below cannot be either
  bool look_for_abandoned = want == Want::kAbandonedOnly || MayBeAbandoned();
  for (int pass = 0; pass < kClaimPasses; ++pass) {
    std::optional<Candidate> found;
    if (look_for_abandoned) {
      // relaxed: a hint; before the look, so that none slips by
      const std::uint32_t abandonments =
          shared_.region().abandonments().load(std::memory_order_relaxed);
      found = FindAbandoned(first_abandoned);
      if (!found) {
        look_for_abandoned = false;
        // relaxed: a hint
        if (first_abandoned == 0) {
          abandonments_seen_.store(abandonments, std::memory_order_relaxed);
        }
      }
    }
    if (!found && want == Want::kAny) found = FindFree(holes);
    if (!found && want == Want::kAny) found = FindAbandoned(first_abandoned);
    if (!found) break;
    // Before the claim: once the word names an owner, others read them.
    Outcome ready = shared_.CommitGranuleWords(found->unit);
    if (ready) {
      const std::optional<ClaimedUnit> unit =
          TryClaim(found->unit, found->word);
      if (!unit) continue;
      ready = MakeReady(*unit);
      if (ready) return *unit;
      Release(unit->index, unit->word,
              unit->was_abandoned ? unit->word.Abandon() : unit->word.Free());
    }
    // The file system is full; what is committed already may still serve.
    no_memory = ready.failure();
    if (found->word.kind() == Kind::kAbandoned) {
      first_abandoned = found->unit + 1;
    } else if (holes) {
      holes = false;
    } else {
      break;
    }
  }
  ledger_.Give(1);
  if (no_memory) return *no_memory;
  if (want == Want::kAny) {
    // relaxed: only asks others for a look
    shared_.region().pressure().fetch_add(1, std::memory_order_relaxed);
  }
  return kFull;
}

}  // namespace zcb::alloc
