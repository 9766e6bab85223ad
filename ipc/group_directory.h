// Names to groups: a table of words, each naming a prepared name record.
//
// word              written by                        edge
// directory word i  creators: 0 -> record + 1, once   group.link
// NameRecord        its claimer, until it is linked   group.link
//
// Every name has one probe order over the directory (from its hash, upwards,
// wrapping round). A creator prepares a record and the group's pages, then puts
// the record into the first empty word of that order by compare-and-swap; who
// loses looks at what won. So two creators of one name get one group. Nothing
// is ever taken out: a region remembers its groups' names until its files are
// removed, and group slot i is directory word i.
#ifndef ZCB_IPC_GROUP_DIRECTORY_H_
#define ZCB_IPC_GROUP_DIRECTORY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "allocator/region.h"
#include "allocator/status.h"
#include "ipc/group_name.h"
#include "ipc/group_view.h"
#include "ipc/ipc_layout.h"

namespace zcb::ipc {

// Stateless but for where things are; thread-safe, lock-free. A creator that
// dies before it links leaves a claimed record for its reaper.
class GroupDirectory {
 public:
  GroupDirectory(alloc::Region* region, const IpcGeometry& geometry)
      : region_(region), geometry_(geometry) {}

  // The group of that name; nullopt if there is none. kLibrary: damaged;
  // kNoMemory: its pages cannot be had.
  Result<std::optional<GroupView>> Find(const GroupName& name) const;
  // Find, or make. kNoResources: the directory is full; kNoMemory.
  Result<GroupView> FindOrMake(const GroupName& name);

  // The group in a slot that is linked. kNoMemory: its pages cannot be had.
  Result<GroupView> At(std::uint32_t slot) const { return View(slot); }
  // Every group there is. False: the pages of some cannot be had, and these
  // were left out.
  template <typename Visit>
  bool ForEachGroup(Visit visit) const {
    bool is_whole = true;
    const std::atomic<std::uint64_t>* const words = &Word(0);
    for (std::uint32_t i = 0; i < geometry_.group_count; ++i) {
      // acquire <- group.link: pages committed, name written
      if (words[i].load(std::memory_order_acquire) == 0) [[likely]]
        continue;
      if (const auto group = View(i)) {
        visit(*group);
      } else {
        is_whole = false;
      }
    }
    return is_whole;
  }
  // Those of all groups; damaged ones are left out. kNoMemory.
  Result<std::vector<GroupName>> Names() const;

  // Gives back records that a Dead lease had claimed and not linked. False: not
  // all, for want of memory.
  bool ReapClaims(alloc::LeaseId dead);

 private:
  std::atomic<std::uint64_t>& Word(std::uint32_t slot) const;
  // With memory behind it; the same for a view of a group.
  Result<NameRecord*> Record(std::uint64_t index) const;
  Result<GroupView> View(std::uint32_t slot) const;
  // Where the record lies: as it was when it was linked, if nobody damages it.
  // kLibrary: the word points nowhere (damaged).
  Result<std::span<const char>> NameOf(std::uint64_t word) const;
  Result<std::uint64_t> PrepareRecord(const GroupName& name);
  // Whether the directory points at that record.
  bool IsLinked(std::uint64_t index) const;

  alloc::Region* region_;
  IpcGeometry geometry_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_GROUP_DIRECTORY_H_
