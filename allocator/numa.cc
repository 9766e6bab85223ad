#include "allocator/numa.h"

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>

#include "allocator/errno_saver.h"
#include "allocator/proc_file.h"

namespace zcb::alloc {
namespace {

class ThisMachine final : public NumaTopology {
 public:
  ThisMachine() {
    const ErrnoSaver errno_saver;
    ForEachLine("/sys/devices/system/node/has_memory",
                [&](std::string_view line) { nodes_ = ParseNodeList(line); });
  }
  Nodes NodesWithMemory() const override { return nodes_; }
  std::uint32_t CurrentNode() const override {
    unsigned cpu = 0;
    unsigned node = 0;
    return ::getcpu(&cpu, &node) == 0 ? node : 0;
  }
  bool Prefer(std::byte* base, std::uint64_t length_bytes,
              std::uint32_t node) const override {
    constexpr std::size_t kBits = sizeof(unsigned long) * CHAR_BIT;
    std::array<unsigned long, (CommitByte::kMaxNode + 1) / kBits + 1> mask{};
    if (node > CommitByte::kMaxNode) return false;
    mask[node / kBits] = 1UL << (node % kBits);
    const ErrnoSaver errno_saver;
    // The kernel takes one bit less than it is told.
    return ::syscall(SYS_mbind, base, length_bytes, MPOL_PREFERRED, mask.data(),
                     mask.size() * kBits + 1, 0) == 0;
  }

 private:
  Nodes nodes_;
};

}  // namespace

NumaTopology::Nodes ParseNodeList(std::string_view text) {
  NumaTopology::Nodes nodes;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    std::uint32_t first = 0;
    auto [rest, error] = std::from_chars(at, end, first);
    if (error != std::errc()) break;
    std::uint32_t last = first;
    if (rest < end && *rest == '-') {
      const auto upper = std::from_chars(rest + 1, end, last);
      if (upper.ec != std::errc()) break;
      rest = upper.ptr;
    }
    for (std::uint32_t node = first; node <= last && node < nodes.size();
         ++node) {
      nodes.set(node);
    }
    if (rest == end || *rest != ',') break;
    at = rest + 1;
  }
  return nodes;
}

const NumaTopology& NumaTopology::OfThisMachine() {
  // Never destroyed: allocators may outlive the statics of the program.
  static const NumaTopology& machine = *new ThisMachine;
  return machine;
}

NumaPlacement::NumaPlacement(const AllocatorOptions& options)
    : topology_(options.topology != nullptr ? *options.topology
                                            : NumaTopology::OfThisMachine()) {
  const NumaTopology::Nodes nodes = topology_.NodesWithMemory();
  has_many_nodes_ = nodes.count() > 1;
  if (!has_many_nodes_) return;
  const std::int32_t node = options.numa_node;
  if (node == AllocatorOptions::kLocalNode ||
      (node >= 0 && static_cast<std::size_t>(node) < nodes.size() &&
       nodes.test(static_cast<std::size_t>(node)))) {
    preference_ = node;
  }
}

std::optional<std::uint32_t> NumaPlacement::Wanted() const {
  if (preference_ == AllocatorOptions::kNoNode) return std::nullopt;
  return preference_ == AllocatorOptions::kLocalNode
             ? topology_.CurrentNode()
             : static_cast<std::uint32_t>(preference_);
}

Outcome NumaPlacement::Commit(Region& region, std::uint32_t first_unit,
                              std::uint32_t unit_count) const {
  if (!has_many_nodes_) return region.CommitUnits(first_unit, unit_count);
  const std::uint64_t unit_bytes = region.geometry().unit_bytes;
  std::uint64_t unit = first_unit;
  const std::uint64_t end = unit + unit_count;
  while (unit < end) {
    // The units of one huge page have one byte.
    const std::uint64_t page = unit * unit_bytes / kHugePageBytes;
    const std::uint64_t next_unit =
        ((page + 1) * kHugePageBytes + unit_bytes - 1) / unit_bytes;
    const auto index = static_cast<std::uint32_t>(unit);
    unit = next_unit;
    if (region.IsUnitCommitted(index)) continue;
    // Without a preference: where the kernel takes memory by itself.
    const std::optional<std::uint32_t> wanted = Wanted();
    const bool is_bound =
        wanted && topology_.Prefer(region.data() + page * kHugePageBytes,
                                   kHugePageBytes, *wanted);
    if (Outcome committed = region.CommitUnits(
            index, 1, is_bound ? *wanted : topology_.CurrentNode());
        !committed) {
      return committed;
    }
  }
  return region.CommitUnits(first_unit, unit_count);
}

}  // namespace zcb::alloc
