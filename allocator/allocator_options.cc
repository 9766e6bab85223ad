#include "allocator/allocator_options.h"

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "allocator/parse_bytes.h"

namespace zcb::alloc {
namespace {

// The variable's bytes into `bytes`; false: it is no number.
bool ReadBytes(const char* variable, std::uint64_t* bytes) {
  const char* text = ::secure_getenv(variable);
  if (text == nullptr) return true;
  const std::optional<std::uint64_t> parsed = ParseBytes(text);
  if (parsed) *bytes = *parsed;
  return parsed.has_value();
}

bool ParseNode(std::string_view text, std::int32_t* node) {
  if (text == "none") {
    *node = AllocatorOptions::kNoNode;
    return true;
  }
  if (text == "local") {
    *node = AllocatorOptions::kLocalNode;
    return true;
  }
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  std::int32_t number = -1;
  const auto [rest, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || rest != end || number < 0) return false;
  *node = number;
  return true;
}

}  // namespace

Result<AllocatorOptions> AllocatorOptions::FromEnvironment() {
  AllocatorOptions options;
  if (!ReadBytes("ZCB_QUOTA_BYTES", &options.quota_bytes)) {
    return {Status::kInvalidParam,
            "ZCB_QUOTA_BYTES: digits with an optional k, m or g"};
  }
  if (!ReadBytes("ZCB_SPARE_BYTES", &options.spare_bytes)) {
    return {Status::kInvalidParam,
            "ZCB_SPARE_BYTES: digits with an optional k, m or g"};
  }
  if (!ReadBytes("ZCB_MAGAZINE_BYTES", &options.magazine_bytes) ||
      !options.Check()) {
    return {Status::kInvalidParam, "ZCB_MAGAZINE_BYTES: 64k to 16m"};
  }
  const char* const idle = ::secure_getenv("ZCB_IDLE_BYTES");
  if (idle != nullptr && std::string_view(idle) == "all") {
    options.idle_bytes = kKeepAll;
  } else if (!ReadBytes("ZCB_IDLE_BYTES", &options.idle_bytes)) {
    return {Status::kInvalidParam,
            "ZCB_IDLE_BYTES: all, or digits with an optional k, m or g"};
  }
  if (const char* text = ::secure_getenv("ZCB_POISON")) {
    const std::string_view value = text;
    if (value != "0" && value != "1") {
      return {Status::kInvalidParam, "ZCB_POISON: 0 or 1"};
    }
    options.poison = value == "1";
  }
  if (const char* text = ::secure_getenv("ZCB_NUMA")) {
    if (!ParseNode(text, &options.numa_node)) {
      return {Status::kInvalidParam, "ZCB_NUMA: none, local or a node number"};
    }
  }
  return options;
}

Outcome AllocatorOptions::Check() const {
  if (magazine_bytes < MagazineLimits::kLeastRotationBytes ||
      magazine_bytes > MagazineLimits::kMostRotationBytes) {
    return {Status::kInvalidParam, "a magazine has 64 KiB to 16 MiB a class"};
  }
  return {};
}

}  // namespace zcb::alloc
