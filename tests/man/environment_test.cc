// The defaults and ranges of variables that zcb(7) and docs/settings.md name
// are those of the code.
#include <corosync/cpg_zcb.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ipc/ipc_options.h"
#include "tests/support/temp_directory.h"

namespace zcb::man {
namespace {

// What a document says of a variable: its words, and its default.
struct Entry {
  std::string text;
  std::string default_value;
};
using Entries = std::map<std::string, Entry>;

// The word that begins there.
std::string WordAt(const std::string& text, std::size_t at) {
  return text.substr(at, text.find(' ', at) - at);
}

// Of "The default is X" or "X , the default"; empty: it does not say.
std::string DefaultOf(const std::string& text) {
  const std::string first = "The default is ";
  std::size_t at = text.find(first);
  if (at != std::string::npos) return WordAt(text, at + first.size());
  at = text.find(" , the default");
  if (at == std::string::npos) return "";
  const std::size_t blank = text.rfind(' ', at - 1);
  return WordAt(text, blank == std::string::npos ? 0 : blank + 1);
}

// The items of ENVIRONMENT, without macros.
Entries OfThePage() {
  Entries entries;
  std::ifstream page("docs/man/zcb.7");
  std::string line;
  std::string variable;
  while (std::getline(page, line)) {
    const std::string item = ".It Ev ";
    if (line.starts_with(item + "ZCB_")) {
      variable = line.substr(item.size());
      continue;
    }
    if (line == ".El") variable.clear();
    if (variable.empty()) continue;
    const bool is_macro = line[0] == '.' && line.find(' ') == 3;
    entries[variable].text += line.substr(is_macro ? 4 : 0) + " ";
  }
  for (auto& [name, entry] : entries) {
    entry.default_value = DefaultOf(entry.text);
  }
  return entries;
}

// The rows "| `ZCB_X` | value | `default` |".
Entries OfSettings() {
  Entries entries;
  std::ifstream page("docs/settings.md");
  std::string line;
  while (std::getline(page, line)) {
    if (!line.starts_with("| `ZCB_")) continue;
    std::erase(line, '`');
    std::vector<std::string> cells;
    for (std::size_t at = 2; at < line.size();) {
      const std::size_t end = line.find(" |", at);
      cells.push_back(line.substr(at, end - at));
      at = end == std::string::npos ? end : end + 3;
    }
    if (cells.size() == 3) entries[cells[0]] = {cells[1], cells[2]};
  }
  return entries;
}

using Settings = std::vector<std::pair<std::string, std::string>>;

// All that the environment can say to the layers below, as these read it;
// nullopt: refused.
std::optional<std::string> ReadIpc() {
  const auto ipc = ipc::IpcOptions::FromEnvironment();
  if (!ipc) return std::nullopt;
  const alloc::RegionOptions& region = ipc->region;
  const alloc::AllocatorOptions& allocator = ipc->allocator;
  std::string all = (region.directory.empty() ? "/dev/shm" : region.directory) +
                    " " + region.name + " " + region.hugetlbfs_mount;
  for (const std::uint64_t number : {
           region.region_bytes,
           region.prefault_bytes,
           static_cast<std::uint64_t>(region.pages),
           std::uint64_t{region.keep},
           std::uint64_t{region.handle_sigbus},
           allocator.quota_bytes,
           allocator.spare_bytes,
           allocator.magazine_bytes,
           allocator.idle_bytes,
           std::uint64_t{allocator.poison},
           static_cast<std::uint64_t>(allocator.numa_node),
           std::uint64_t{ipc->shape.ring_slots},
           std::uint64_t{ipc->shape.group_members},
           std::uint64_t{ipc->reclaim_pace.messages},
           ipc->reclaim_pace.bytes,
           std::uint64_t{ipc->prefetch},
           std::uint64_t{ipc->burst_pause_ns},
           std::uint64_t{ipc->node_id},
           // Not said is 0 to a process that begins.
           ipc->retain_bytes.value_or(0),
       }) {
    all += " " + std::to_string(number);
  }
  return all;
}

// What a new handle begins with, in a region of the test's own.
std::optional<std::string> ReadHandle() {
  cpg_handle_t handle = 0;
  if (cpg_model_initialize(&handle, CPG_MODEL_ZCB, nullptr, nullptr) != CS_OK) {
    return std::nullopt;
  }
  std::string all;
  for (const cpg_zcb_option_t option :
       {CPG_ZCB_OPTION_WAIT, CPG_ZCB_OPTION_SPIN_NS, CPG_ZCB_OPTION_PARK,
        CPG_ZCB_OPTION_EVICT_MS, CPG_ZCB_OPTION_SEND_TIME}) {
    std::uint64_t value = 0;
    EXPECT_EQ(cpg_zcb_option_get(handle, option, &value), CS_OK);
    all += " " + std::to_string(value);
  }
  EXPECT_EQ(cpg_finalize(handle), CS_OK);
  return all;
}

void Set(const Settings& settings) {
  for (const auto& [name, value] : settings) {
    setenv(name.c_str(), value.c_str(), 1);
  }
}
void Unset(const Settings& settings) {
  for (const auto& [name, value] : settings) unsetenv(name.c_str());
}

// Both, with these variables and no other.
std::optional<std::string> ReadWith(const Settings& settings) {
  Set(settings);
  const auto ipc = ReadIpc();
  // A region as the variables want it would be too much for a test.
  static const std::set<std::string> kOfHandles = {
      "ZCB_WAIT", "ZCB_SPIN_NS", "ZCB_PARK", "ZCB_EVICT_MS", "ZCB_SEND_TIME"};
  for (const auto& [name, value] : settings) {
    if (!kOfHandles.contains(name)) unsetenv(name.c_str());
  }
  static const zcb::testing::TempDirectory directory;
  const Settings own = {{"ZCB_DIR", directory.path()},
                        {"ZCB_REGION_BYTES", "4m"}};
  Set(own);
  const auto handle = ReadHandle();
  Unset(own);
  Unset(settings);
  if (!ipc || !handle) return std::nullopt;
  return *ipc + *handle;
}

// What a variable can be, for the rest of the table to be checked against.
struct Range {
  std::string variable;
  // In the documents' words; the second where they differ.
  std::string on_the_page;
  std::string in_settings;
  std::vector<std::string> taken;
  std::vector<std::string> refused;
  Settings others = {};  // that the first ones need
};

const std::string kTooLong(3072, 'x');
const std::string kLongest(3071, 'x');

const std::vector<Range>& Ranges() {
  static const std::vector<Range> ranges = {
      {"ZCB_DIR",
       "at most 3072 bytes",
       "at most 3072 bytes",
       {"/tmp", "/" + kLongest},
       {"tmp", "/" + kTooLong}},
      {"ZCB_REGION",
       "at most 64 bytes each",
       "at most 64 bytes each",
       {"a", std::string(64, 'a'), "a@" + std::string(64, 'a')},
       {"", ".a", "a/b", std::string(65, 'a'), "a@" + std::string(65, 'a')}},
      {"ZCB_REGION_BYTES",
       "4 MiB to 128 GiB",
       "4 MiB to 128 GiB",
       {"4m", "128g"},
       {"4194303", "137438953473", "1t", "1G"}},
      {"ZCB_PREFAULT_BYTES",
       "an eighth",
       "an eighth",
       {"0", "16m"},
       {"8M", "-1", "1t"}},
      {"ZCB_RING_SLOTS",
       "1024 to 32768",
       "1024 to 32768",
       {"1024", "32768"},
       {"512", "65536", "3000", "1k"}},
      {"ZCB_GROUP_MEMBERS",
       "1 to 4096",
       "1 to 4096",
       {"1", "4096"},
       {"0", "4097"},
       {{"ZCB_RING_SLOTS", "32768"}}},
      {"ZCB_PAGES",
       "at most 255 bytes",
       "at most 255 bytes",
       {"huge", "small", "auto:/a", "huge:/a",
        "auto:/" + std::string(254, 'a')},
       {"large", "small:/a", "auto:", "auto:/" + std::string(255, 'a')}},
      {"ZCB_KEEP", "1 :", "1:", {"1"}, {"2", "yes"}},
      {"ZCB_SIGBUS", "1 :", "1:", {"1"}, {"2", "yes"}},
      {"ZCB_QUOTA_BYTES", "no quota", "no quota", {"1m"}, {"all"}},
      {"ZCB_SPARE_BYTES", "a sixteenth", "a sixteenth", {"0", "1g"}, {"all"}},
      {"ZCB_MAGAZINE_BYTES",
       "64k to 16m",
       "64k to 16m",
       {"64k", "16m"},
       {"65535", "16777217"}},
      {"ZCB_RECLAIM_MESSAGES",
       "1 to 32768",
       "1 to 32768",
       {"1", "32768"},
       {"0", "32769"}},
      {"ZCB_RECLAIM_BYTES",
       "at least 4k",
       "at least 4k",
       {"4k", "1g"},
       {"4095"}},
      {"ZCB_PREFETCH", "0 to 64", "0 to 64", {"0", "64"}, {"65"}},
      {"ZCB_BURST_PAUSE_NS",
       "0 to 1000000",
       "0 to 1000000",
       {"0", "1000000"},
       {"1000001"}},
      {"ZCB_IDLE_BYTES", "all", "all", {"0", "16m"}, {"none"}},
      {"ZCB_NUMA", "local", "local", {"0", "local"}, {"-1", "all"}},
      {"ZCB_POISON", "1 :", "1:", {"1"}, {"2"}},
      {"ZCB_NODEID",
       "1 to 4294967295",
       "1 to 4294967295",
       {"2", "4294967295"},
       {"0", "4294967296"}},
      {"ZCB_WAIT",
       "park or spin",
       "adaptive, park or spin",
       {"park", "spin"},
       {"sleep"}},
      {"ZCB_SPIN_NS",
       "0 to 1000000000",
       "0 to 1000000000",
       {"0", "1000000000"},
       {"1000000001"}},
      {"ZCB_PARK",
       "descriptor",
       "futex or descriptor",
       {"descriptor"},
       {"poll"}},
      {"ZCB_EVICT_MS",
       "0 to 4294967295",
       "to 4294967295",
       {"1", "4294967295"},
       {"4294967296"}},
      {"ZCB_SEND_TIME", "or 1", "1:", {"1"}, {"2"}},
      {"ZCB_RETAIN_BYTES", "no limit", "no limit", {"1"}, {"-1", "all"}},
  };
  return ranges;
}

class EnvironmentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::vector<std::string> set;
    for (char** variable = environ; *variable != nullptr; ++variable) {
      const std::string text = *variable;
      if (text.starts_with("ZCB_"))
        set.push_back(text.substr(0, text.find('=')));
    }
    for (const std::string& name : set) unsetenv(name.c_str());
  }
};

TEST_F(EnvironmentTest, TheTableHasEveryVariableOfBothDocuments) {
  std::vector<std::string> names;
  for (const Range& range : Ranges()) names.push_back(range.variable);
  std::sort(names.begin(), names.end());
  for (const Entries& entries : {OfThePage(), OfSettings()}) {
    std::vector<std::string> described;
    for (const auto& [name, entry] : entries) described.push_back(name);
    EXPECT_EQ(described, names);
  }
}

TEST_F(EnvironmentTest, TheDefaultOfADocumentChangesNothing) {
  const auto defaults = ReadWith({});
  ASSERT_TRUE(defaults);
  for (const Entries& entries : {OfThePage(), OfSettings()}) {
    for (const auto& [name, entry] : entries) {
      EXPECT_NE(entry.default_value, "") << name << ": " << entry.text;
      EXPECT_EQ(ReadWith({{name, entry.default_value}}), defaults)
          << name << "=" << entry.default_value;
    }
  }
}

TEST_F(EnvironmentTest, TheRangeOfADocumentIsTaken) {
  const Entries page = OfThePage();
  const Entries settings = OfSettings();
  for (const Range& range : Ranges()) {
    const std::string& name = range.variable;
    EXPECT_NE(page.at(name).text.find(range.on_the_page), std::string::npos)
        << name << ": " << page.at(name).text;
    EXPECT_NE(settings.at(name).text.find(range.in_settings), std::string::npos)
        << name << ": " << settings.at(name).text;
    const auto without = ReadWith(range.others);
    for (const std::string& value : range.taken) {
      Settings with = range.others;
      with.emplace_back(name, value);
      const auto read = ReadWith(with);
      EXPECT_TRUE(read) << name << "=" << value;
      // It is not just any variable of that name.
      EXPECT_NE(read, without) << name << "=" << value;
    }
    for (const std::string& value : range.refused) {
      Settings with = range.others;
      with.emplace_back(name, value);
      EXPECT_FALSE(ReadWith(with)) << name << "=" << value;
    }
  }
}

// What the documents say of two of them together.
TEST_F(EnvironmentTest, ARingHasFourSlotsForEachMember) {
  EXPECT_TRUE(
      ReadWith({{"ZCB_RING_SLOTS", "1024"}, {"ZCB_GROUP_MEMBERS", "256"}}));
  EXPECT_FALSE(
      ReadWith({{"ZCB_RING_SLOTS", "1024"}, {"ZCB_GROUP_MEMBERS", "257"}}));
}

}  // namespace
}  // namespace zcb::man
