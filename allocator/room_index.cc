#include "allocator/room_index.h"

#include <bit>

namespace zcb::alloc {
namespace {

// The cut of a slab that is neither one granule nor a whole unit.
constexpr std::uint32_t AlignedGranules(std::uint32_t granules_per_unit) {
  return granules_per_unit == kGranulesPerSmallUnit ? kGranulesPerSmallUnit : 8;
}

constexpr SizeClass AlignedCut(std::uint32_t granules) {
  SizeClass cut;
  cut.granules = granules;
  cut.count = 2;  // not a run
  return cut;
}

}  // namespace

RoomIndex::RoomIndex(std::uint32_t unit_count, std::uint32_t granules_per_unit)
    : granules_per_unit_(granules_per_unit),
      aligned_granules_(AlignedGranules(granules_per_unit)),
      memory_(sizeof(Lists) + unit_count * sizeof(Node)),
      lists_(memory_.as<Lists>()),
      nodes_(memory_.at<Node>(sizeof(Lists))) {
  static_assert(sizeof(Lists) % alignof(Node) == 0);
}

void RoomIndex::Insert(std::uint32_t unit, const GranuleMap& free) {
  const std::uint32_t count = free.free_count();
  const std::uint32_t run = free.LongestRun();
  const bool is_aligned =
      free.Find(AlignedCut(aligned_granules_)) != GranuleMap::kNoRoom;
  const List list = ListOf(count, run, is_aligned);
  std::uint32_t& first_plus_one = lists_->first_plus_one[list];
  if (first_plus_one == 0) {
    nodes_[unit] = {unit, unit, list};
    lists_->runs[count][is_aligned] |= std::uint64_t{1} << run;
    counts_ |= std::uint64_t{1} << count;
  } else {
    const std::uint32_t first = first_plus_one - 1;
    const std::uint32_t last = nodes_[first].previous;
    nodes_[unit] = {first, last, list};
    nodes_[last].next = unit;
    nodes_[first].previous = unit;
  }
  first_plus_one = unit + 1;
}

void RoomIndex::Remove(std::uint32_t unit) {
  const Node node = nodes_[unit];
  std::uint32_t& first_plus_one = lists_->first_plus_one[node.list];
  if (node.next == unit) {
    first_plus_one = 0;
    const std::uint32_t is_aligned = node.list % 2;
    const std::uint32_t run = node.list / 2 % kCounts;
    const std::uint32_t count = node.list / 2 / kCounts;
    std::uint64_t(&runs)[2] = lists_->runs[count];
    runs[is_aligned] &= ~(std::uint64_t{1} << run);
    if ((runs[0] | runs[1]) == 0) {
      counts_ &= ~(std::uint64_t{1} << count);
    }
    return;
  }
  nodes_[node.previous].next = node.next;
  nodes_[node.next].previous = node.previous;
  if (first_plus_one == unit + 1) first_plus_one = node.next + 1;
}

std::uint32_t RoomIndex::Find(const SizeClass& cut) const {
  const bool needs_alignment = !cut.is_run() && cut.granules > 1;
  // Every free granule starts a run of one.
  const std::uint64_t long_enough = ~std::uint64_t{0} << cut.granules;
  for (std::uint64_t counts = counts_ & long_enough; counts != 0;
       counts &= counts - 1) {
    const auto count = static_cast<std::uint32_t>(std::countr_zero(counts));
    for (const bool is_aligned : {false, true}) {
      if (needs_alignment && !is_aligned) continue;
      const std::uint64_t runs = lists_->runs[count][is_aligned] & long_enough;
      if (runs == 0) continue;
      const auto run = static_cast<std::uint32_t>(std::countr_zero(runs));
      return lists_->first_plus_one[ListOf(count, run, is_aligned)] - 1;
    }
  }
  return kNone;
}

std::uint32_t RoomIndex::OldestEmpty() const {
  const std::uint32_t all = granules_per_unit_;
  const std::uint32_t first_plus_one =
      lists_->first_plus_one[ListOf(all, all, true)];
  return first_plus_one == 0 ? kNone : nodes_[first_plus_one - 1].previous;
}

}  // namespace zcb::alloc
