#include "allocator/adoption.h"

#include <array>

#include "allocator/buffer_place.h"
#include "allocator/granule_map.h"
#include "allocator/granule_word.h"

namespace zcb::alloc {
namespace {

struct Inventory {
  std::array<SlabShape, kGranulesPerUnit> slabs;
  std::uint32_t slab_count = 0;
  GranuleMap free;
  ExtentTail tail;
};

Inventory TakeStock(const SharedTables& shared, std::uint32_t unit) {
  Inventory stock;
  const std::uint32_t granules_per_unit = shared.granules_per_unit();
  const std::uint32_t first = shared.FirstGranuleOf(unit);
  GranuleMap unassigned = GranuleMap::AllFree(granules_per_unit);
  stock.tail = TailInUseAt(shared, unit);
  // Whatever the words there say: it goes as a whole.
  unassigned.Take(0, stock.tail.size.tail_granules);
  std::array<GranuleWord, kGranulesPerUnit> words;
  for (std::uint32_t g = 0; g < granules_per_unit; ++g) {
    // acquire <- granule.publish: the slab's words are backed by memory.
    words[g] =
        GranuleWord(shared.granule(first + g).load(std::memory_order_acquire));
  }
  for (std::uint32_t g = 0; g < granules_per_unit; ++g) {
    const SlabShape slab = CheckedShape(words[g], first + g, granules_per_unit);
    if (!slab.ok() || words[g].granules_to_head() != 0) continue;
    const std::uint32_t granules = slab.cut().granules;
    if (!unassigned.IsFree(g, granules)) continue;  // inside another: damage
    stock.slabs[stock.slab_count++] = slab;
    unassigned.Take(g, granules);
  }
  for (std::uint32_t g = 0; g < granules_per_unit; ++g) {
    if (!unassigned.IsFree(g, 1)) continue;
    const GranuleWord word = words[g];
    // A part of a slab whose head says nothing, or what extents left here.
    const bool is_remnant =
        !word.is_valid() || word.size_class() == kExtentClass ||
        word.size_class() == kExtentTailClass ||
        (CheckedShape(word, first + g, granules_per_unit).ok() &&
         word.granules_to_head() != 0);
    if (is_remnant) stock.free.Give(g, 1);
  }
  return stock;
}

}  // namespace

Result<ExtentTail> AdoptUnit(const SharedTables& shared, SlabTable& slabs,
                             UnitTable& units, const ClaimedUnit& unit) {
  const Inventory stock = TakeStock(shared, unit.index);
  for (std::uint32_t i = 0; i < stock.slab_count; ++i) {
    if (const Outcome backed = shared.CommitSlab(stock.slabs[i]); !backed) {
      return backed.failure();
    }
  }
  units.Insert(unit, GranuleMap());
  for (std::uint32_t i = 0; i < stock.slab_count; ++i) {
    slabs.Adopt(stock.slabs[i]);
  }
  for (std::uint32_t g = 0; g < shared.granules_per_unit(); ++g) {
    if (stock.free.IsFree(g, 1)) {
      // relaxed: granule.publish of what is cut here next carries it
      shared.granule(shared.FirstGranuleOf(unit.index) + g)
          .store(0, std::memory_order_relaxed);
    }
  }
  units.GiveRest(unit.index, stock.free);
  return stock.tail;
}

}  // namespace zcb::alloc
