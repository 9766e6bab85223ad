#include "allocator/extent_site.h"

#include "allocator/unit_word.h"

namespace zcb::alloc {
namespace {

// Units looked at after the first place that would do: what the best fit may
// cost, a few lines of unit words.
constexpr std::uint32_t kLookFurther = 128;

class Search {
 public:
  Search(const SharedTables& shared, ExtentSize size, LeaseId lease,
         UnitTable& units)
      : shared_(shared), size_(size), lease_(lease), units_(units) {}

  std::optional<ExtentSite> Run() {
    std::uint32_t gap = 0;  // free units seen just above `unit`
    std::uint32_t unit = shared_.unit_count();
    std::uint32_t left = kLookFurther;
    while (unit > 0 && left > 0 && !IsPerfect()) {
      --unit;
      if (WordOf(unit).kind() == UnitWord::Kind::kFree) {
        ++gap;
      } else {
        Judge(unit + 1, gap, true);
        gap = 0;
      }
      if (best_ || gap > size_.units) --left;
    }
    Judge(unit, gap, unit == 0);
    return best_;
  }

 private:
  UnitWord WordOf(std::uint32_t unit) const {
    // relaxed: only looks for a candidate
    return UnitWord(shared_.unit(unit).load(std::memory_order_relaxed));
  }
  bool IsPerfect() const { return best_ && best_cost_ == 0; }

  bool HasTailUnit(std::uint32_t unit) const {
    return size_.tail_granules != 0 && unit < shared_.unit_count() &&
           WordOf(unit).IsOwnedBy(lease_) &&
           units_.HasFirstGranules(unit, size_.tail_granules);
  }
  // Of a gap that is not whole we have not seen the lower end: any that is,
  // and is as good otherwise, is taken before it.
  void Judge(std::uint32_t first, std::uint32_t gap, bool is_whole) {
    if (gap < size_.units) return;
    ExtentSite site;
    site.has_tail_unit = HasTailUnit(first + gap);
    const std::uint32_t taken = site.UnitsToReserve(size_);
    if (gap < taken) return;
    site.first = first + gap - taken;
    const std::uint64_t most = shared_.unit_count();
    // One more unit taken weighs more than any gap.
    const std::uint64_t cost =
        (taken - size_.units) * 2 * most + (is_whole ? gap - taken : most);
    if (best_ && best_cost_ <= cost) return;
    best_ = site;
    best_cost_ = cost;
  }

  const SharedTables& shared_;
  ExtentSize size_;
  LeaseId lease_;
  UnitTable& units_;
  std::optional<ExtentSite> best_;
  std::uint64_t best_cost_ = 0;
};

}  // namespace

std::optional<ExtentSite> FindExtentSite(const SharedTables& shared,
                                         ExtentSize size, LeaseId lease,
                                         UnitTable& units) {
  return Search(shared, size, lease, units).Run();
}

}  // namespace zcb::alloc
