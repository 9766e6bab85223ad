// The limits that zcb(7) names are those of the code.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "allocator/abi.h"
#include "cpg/handle_table.h"
#include "ipc/ipc_layout.h"
#include "tests/support/temp_directory.h"

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

std::size_t OpenDescriptors() {
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

TEST(LimitsTest, DescriptorsOfAProcessAreThoseThatThePageCounts) {
  std::ifstream page("docs/man/zcb.7");
  std::ostringstream text;
  text << page.rdbuf();
  const std::string all = text.str();
  const auto after = [&all](const std::string& words) {
    const std::size_t at = all.find(words);
    return at == std::string::npos ? 0
                                   : std::stoul(all.substr(at + words.size()));
  };
  const std::size_t of_region = after("A process needs ");
  const std::size_t of_handle = after(" descriptors for a region, ");
  const std::size_t of_sender = after(" for a handle (");
  const std::size_t of_join = after(".Xr cpg_zcb_send_fd_get 3 ) ,\n");

  const zcb::testing::TempDirectory directory;
  setenv("ZCB_DIR", directory.path().c_str(), 1);
  const std::size_t before = OpenDescriptors();
  const auto expect_more = [before](std::size_t wanted) {
    EXPECT_EQ(OpenDescriptors() - before, wanted);
  };
  cpg_handle_t first = 0;
  cpg_handle_t second = 0;
  ASSERT_EQ(cpg_initialize(&first, nullptr), CS_OK);
  expect_more(of_region + of_handle);
  ASSERT_EQ(cpg_initialize(&second, nullptr), CS_OK);
  expect_more(of_region + 2 * of_handle);
  int fd = -1;
  ASSERT_EQ(cpg_zcb_send_fd_get(second, &fd), CS_OK);
  expect_more(of_region + of_handle + of_sender);
  const cpg_name name = {1, "g"};
  ASSERT_EQ(cpg_join(first, &name), CS_OK);
  expect_more(of_region + of_handle + of_sender + of_join);
  EXPECT_EQ(cpg_finalize(first), CS_OK);
  EXPECT_EQ(cpg_finalize(second), CS_OK);
}

}  // namespace
}  // namespace zcb::man
