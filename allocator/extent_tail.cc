#include "allocator/extent_tail.h"

#include "allocator/buffer_place.h"
#include "allocator/granule_word.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {

void WriteTail(const SharedTables& shared, const ExtentTail& tail) {
  for (std::uint32_t g = 0; g < tail.size.tail_granules; ++g) {
    // release -> granule.publish: the unit is ours, the head not yet there.
    shared.granule(shared.FirstGranuleOf(tail.unit) + g)
        .store(GranuleWord::Make(kExtentTailClass, g, tail.size.units).raw(),
               std::memory_order_release);
  }
}

void ClearTail(const SharedTables& shared, const ExtentTail& tail) {
  for (std::uint32_t g = 0; g < tail.size.tail_granules; ++g) {
    // relaxed: granule.publish of what is cut here next carries it
    shared.granule(shared.FirstGranuleOf(tail.unit) + g)
        .store(0, std::memory_order_relaxed);
  }
}

ExtentTail TailInUseAt(const SharedTables& shared, std::uint32_t unit) {
  // acquire <- granule.publish: the head's words came later, and may be read.
  const GranuleWord word(shared.granule(shared.FirstGranuleOf(unit))
                             .load(std::memory_order_acquire));
  const std::uint32_t units = word.span();
  if (units == 0 || units > unit ||
      word != GranuleWord::Make(kExtentTailClass, 0, units)) {
    return {};
  }
  const std::uint32_t first = unit - units;
  // acquire <- unit.claim, unit.release: the granule word below it is backed by
  // memory; and if the extent has gone, so has the last reader of its bytes.
  const UnitWord head(shared.unit(first).load(std::memory_order_acquire));
  if (!head.IsExtentHead() || head.length_units() != units) return {};
  // acquire <- granule.publish: as above. An extent that is there throughout
  // holds both words throughout; one that is not may be taken for it by
  // mistake, until the next look.
  const GranuleWord first_word(shared.granule(shared.FirstGranuleOf(first))
                                   .load(std::memory_order_acquire));
  return {unit, CheckedExtent(head, first_word, first, shared)};
}

bool IsTailInUse(const SharedTables& shared, const ExtentTail& tail) {
  return TailInUseAt(shared, tail.unit).size == tail.size;
}

WaitingTails::WaitingTails(const SharedTables& shared, UnitTable& units)
    : shared_(shared),
      units_(units),
      tails_memory_(shared.unit_count() * sizeof(ExtentTail)),
      tails_(tails_memory_.as<ExtentTail>()) {}

void WaitingTails::Add(const ExtentTail& tail) {
  const std::lock_guard lock(mutex_);
  if (count_ < shared_.unit_count()) tails_[count_++] = tail;
}

std::uint32_t WaitingTails::Collect() {
  std::uint32_t given = 0;
  for (std::uint32_t i = 0;; ++i) {
    ExtentTail tail;
    {
      const std::lock_guard lock(mutex_);
      if (i >= count_) return given;
      if (IsTailInUse(shared_, tails_[i])) continue;
      tail = tails_[i];
      tails_[i--] = tails_[--count_];  // another one has moved to this place
    }
    ClearTail(shared_, tail);
    units_.GiveGranules(shared_.FirstGranuleOf(tail.unit),
                        tail.size.tail_granules);
    ++given;
  }
}

}  // namespace zcb::alloc
