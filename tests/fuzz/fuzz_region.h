// A small region of a fuzz target's own.
#ifndef ZCB_TESTS_FUZZ_FUZZ_REGION_H_
#define ZCB_TESTS_FUZZ_FUZZ_REGION_H_

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "ipc/attachment.h"
#include "ipc/group_name.h"

namespace zcb::fuzz {

// Also without NDEBUG: what a target promises beside not crashing.
#define ZCB_FUZZ_CHECK(condition)                                          \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

inline ipc::IpcOptions OptionsIn(const std::string& directory) {
  ipc::IpcOptions options;
  options.region.directory = directory;
  options.region.name = std::string("r");  // g++ 12 warns of the other
  options.region.region_bytes = 4 << 20;   // 16 units of 256 KiB
  options.region.prefault_bytes = 0;
  options.region.lease_count = 64;
  return options;
}

inline ipc::GroupName Named(std::string_view text) {
  return ipc::GroupName({text.data(), text.size()});
}

inline std::shared_ptr<ipc::Attachment> MustOpen(
    const ipc::IpcOptions& options) {
  auto opened = ipc::Attachment::Open(options);
  if (!opened) std::fprintf(stderr, "%s\n", opened.reason());
  ZCB_FUZZ_CHECK(opened.ok());
  return *opened;
}

}  // namespace zcb::fuzz

#endif  // ZCB_TESTS_FUZZ_FUZZ_REGION_H_
