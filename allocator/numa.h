// On which node of a NUMA machine memory is taken.
#ifndef ZCB_ALLOCATOR_NUMA_H_
#define ZCB_ALLOCATOR_NUMA_H_

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "allocator/allocator_options.h"
#include "allocator/region.h"
#include "allocator/region_header.h"
#include "allocator/status.h"

namespace zcb::alloc {

// The nodes of a machine and what can be asked of its kernel. An interface
// only so that tests can be on a machine of two nodes. Any thread.
struct NumaTopology {
  using Nodes = std::bitset<CommitByte::kMaxNode + 1>;

  NumaTopology() = default;
  NumaTopology(const NumaTopology&) = delete;
  NumaTopology& operator=(const NumaTopology&) = delete;
  virtual ~NumaTopology() = default;

  // Those that have memory.
  virtual Nodes NodesWithMemory() const = 0;
  // Of the CPU that the calling thread runs on; it may be another one by now.
  virtual std::uint32_t CurrentNode() const = 0;
  // Pages of this range that do not exist yet shall come from the node if it
  // has any left. False: the kernel does not want to. Changes no page that is
  // there.
  virtual bool Prefer(std::byte* base, std::uint64_t length_bytes,
                      std::uint32_t node) const = 0;

  // The machine that we run on: /sys, getcpu(2), mbind(2). Lives for ever.
  static const NumaTopology& OfThisMachine();
};

// The kernel's lists, such as "0-3,7"; what is no such list ends it.
NumaTopology::Nodes ParseNodeList(std::string_view text);

// Where one allocator wants its memory. On a machine with one node, or for a
// preference that it does not have, there is none, and nothing is asked of the
// kernel.
class NumaPlacement {
 public:
  explicit NumaPlacement(const AllocatorOptions& options);

  // The node to take units on now; nullopt: any.
  std::optional<std::uint32_t> Wanted() const;

  // Region::CommitUnits(), with the preference for what is a hole. What the
  // kernel had been told about a range stays with it, also for others.
  Outcome Commit(Region& region, std::uint32_t first_unit,
                 std::uint32_t unit_count) const;

 private:
  const NumaTopology& topology_;
  bool has_many_nodes_ = false;
  std::int32_t preference_ = AllocatorOptions::kNoNode;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_NUMA_H_
