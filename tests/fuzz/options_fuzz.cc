// What people write into environment variables, and names.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "allocator/allocator_options.h"
#include "allocator/parse_bytes.h"
#include "allocator/region_options.h"
#include "allocator/zcb_options.h"
#include "ipc/attachment.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_region.h"

namespace zcb::fuzz {
namespace {

constexpr std::array<const char*, 20> kVariables = {
    "ZCB_DIR",
    "ZCB_REGION",
    "ZCB_REGION_BYTES",
    "ZCB_PAGES",
    "ZCB_KEEP",
    "ZCB_QUOTA_BYTES",
    "ZCB_SPARE_BYTES",
    "ZCB_IDLE_BYTES",
    "ZCB_POISON",
    "ZCB_NUMA",
    "ZCB_NODEID",
    "ZCB_RETAIN_BYTES",
    "ZCB_PREFAULT_BYTES",
    "ZCB_MAGAZINE_BYTES",
    "ZCB_RING_SLOTS",
    "ZCB_GROUP_MEMBERS",
    "ZCB_RECLAIM_MESSAGES",
    "ZCB_RECLAIM_BYTES",
    "ZCB_PREFETCH",
    "ZCB_BURST_PAUSE_NS",
};

void CheckName(const std::string& name) {
  alloc::RegionOptions options;
  options.name = name;
  if (!options.Check()) return;
  // It becomes a file's name.
  ZCB_FUZZ_CHECK(!name.empty() && name.size() <= 2 * 64 + 1);
  ZCB_FUZZ_CHECK(name.find('/') == std::string::npos);
  ZCB_FUZZ_CHECK(name.find('\0') == std::string::npos);
  ZCB_FUZZ_CHECK(name.front() != '.');
}

void CheckOptions() {
  const auto region = alloc::RegionOptions::FromEnvironment();
  if (region) {
    ZCB_FUZZ_CHECK(region->Check().ok());
    ZCB_FUZZ_CHECK(region->directory.empty() || region->directory[0] == '/');
    CheckName(region->name);
  }
  const auto ipc = ipc::IpcOptions::FromEnvironment();
  if (ipc) {
    ZCB_FUZZ_CHECK(region.ok() && ipc->node_id != 0);
    ZCB_FUZZ_CHECK(ipc->Check().ok() && ipc->allocator.Check().ok());
  }
  const auto open = alloc::ReadOpenOptions(nullptr);
  if (open) ZCB_FUZZ_CHECK(region.ok());
}

}  // namespace
}  // namespace zcb::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  using namespace zcb::fuzz;  // NOLINT: the entry's name is given
  for (const char* variable : kVariables) unsetenv(variable);
  FuzzInput input(bytes, size);
  while (!input.is_empty()) {
    const char* const variable = kVariables[input.Below(kVariables.size())];
    const std::string text(input.Text(input.Below(80)));
    setenv(variable, text.c_str(), 1);
    CheckName(text);
    if (const auto parsed = zcb::alloc::ParseBytes(text)) {
      ZCB_FUZZ_CHECK(!text.empty() && text[0] >= '0' && text[0] <= '9');
      ZCB_FUZZ_CHECK(text.size() < 20 || text[0] <= '1' || *parsed == 0 ||
                     text[0] == '0');
    }
  }
  CheckOptions();
  for (const char* variable : kVariables) unsetenv(variable);
  return 0;
}
