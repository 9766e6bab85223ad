// The limits that zcb(7) names are those of the code.
#include <gtest/gtest.h>

#include <corosync/cpg.h>

#include <fstream>
#include <map>
#include <string>

#include "allocator/abi.h"
#include "cpg/handle_table.h"
#include "ipc/ipc_layout.h"

namespace zcb::man {
namespace {

// The rows ".It what Ta how much" of the page.
std::map<std::string, std::string> Rows() {
  std::map<std::string, std::string> rows;
  std::ifstream page("docs/man/zcb.7");
  std::string line;
  while (std::getline(page, line)) {
    const std::size_t middle = line.find(" Ta ");
    if (!line.starts_with(".It ") || middle == std::string::npos) continue;
    rows[line.substr(4, middle - 4)] = line.substr(middle + 4);
  }
  return rows;
}

TEST(LimitsTest, OfThePageAreThoseOfTheCode) {
  using alloc::RegionLimits;
  using ipc::IpcLimits;
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  const std::map<std::string, std::string> limits = {
      {"region", number(RegionLimits::kMinRegionBytes >> 20) + " MiB to " +
                     number(RegionLimits::kMaxRegionBytes >> 30) + " GiB"},
      {"processes attached to a region", number(RegionLimits::kDefaultLeases)},
      {"group names in a region's life", number(IpcLimits::kDefaultGroups)},
      {"bytes of a group name", number(CPG_MAX_NAME_LENGTH)},
      {"members of a group", number(IpcLimits::kDefaultEntries) + "; " +
                                 number(IpcLimits::kMaxEntries) +
                                 " can be set"},
      {"messages in a group's ring",
       number(IpcLimits::kDefaultSlots - 2 * IpcLimits::kDefaultEntries) +
           "; " + number(IpcLimits::kMaxSlots - 2) + " can be set"},
      {"bytes of a message", "those of the region less 64"},
      {"messages of a region kept by a process",
       number(IpcLimits::kDefaultKeepRecords)},
      {"handles and walks of a process",
       number(cpg::HandleTable<int>::kMaxHandles) + " each"},
      {"regions of a process", "64"},  // ProcessState::kMaxAttachments
  };
  EXPECT_EQ(Rows(), limits);
}

}  // namespace
}  // namespace zcb::man
