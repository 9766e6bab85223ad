#include "allocator/region_options.h"

#include <cstdlib>
#include <limits>
#include <optional>
#include <string_view>

#include "allocator/parse_bytes.h"

namespace zcb::alloc {
namespace {

bool IsNameCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

Outcome CheckNamePart(std::string_view part) {
  if (part.empty()) return {Status::kInvalidParam, "a region name is empty"};
  if (part.size() > RegionOptions::kMaxNameBytes) {
    return {Status::kNameTooLong, "a region or group name over 64 bytes"};
  }
  if (part.front() == '.') {
    return {Status::kInvalidParam, "a region name that begins with a dot"};
  }
  for (char c : part) {
    if (!IsNameCharacter(c)) {
      return {Status::kInvalidParam,
              "a region name may hold letters, digits, '.', '_' and '-'"};
    }
  }
  return {};
}

Outcome CheckPath(std::string_view path, std::size_t max_bytes) {
  if (path.empty()) return {};
  if (path.front() != '/') {
    return {Status::kInvalidParam, "a directory must be an absolute path"};
  }
  if (path.size() > max_bytes) {
    return {Status::kNameTooLong, "a directory's path is too long"};
  }
  if (path.find('\0') != std::string_view::npos) {
    return {Status::kInvalidParam, "a directory's path holds a NUL"};
  }
  return {};
}

// auto | huge | small | auto:MOUNT | huge:MOUNT
bool ParsePages(std::string_view text, RegionOptions* options) {
  const std::size_t colon = text.find(':');
  const std::string_view policy = text.substr(0, colon);
  if (policy == "auto") {
    options->pages = PagePolicy::kAuto;
  } else if (policy == "huge") {
    options->pages = PagePolicy::kHuge;
  } else if (policy == "small") {
    options->pages = PagePolicy::kSmall;
  } else {
    return false;
  }
  if (colon == std::string_view::npos) return true;
  const std::string_view mount = text.substr(colon + 1);
  if (options->pages == PagePolicy::kSmall || mount.empty()) return false;
  options->hugetlbfs_mount = std::string(mount);
  return true;
}

// Bytes; as they were if the variable is not set.
bool ReadBytes(const char* name, std::uint64_t* bytes) {
  const char* const text = ::secure_getenv(name);
  if (text == nullptr) return true;
  const std::optional<std::uint64_t> parsed = ParseBytes(text);
  if (parsed) *bytes = *parsed;
  return parsed.has_value();
}

// 0 or 1; as it was if the variable is not set.
bool ReadSwitch(const char* name, bool* is_on) {
  const char* const text = ::secure_getenv(name);
  if (text == nullptr) return true;
  const std::string_view value = text;
  *is_on = value == "1";
  return value == "0" || value == "1";
}

}  // namespace

Result<RegionOptions> RegionOptions::FromEnvironment() {
  RegionOptions options;
  // secure_getenv: a program with raised privileges does not let its caller
  // choose the files that it opens.
  if (const char* text = ::secure_getenv("ZCB_DIR")) options.directory = text;
  if (const char* text = ::secure_getenv("ZCB_REGION")) options.name = text;
  if (!ReadBytes("ZCB_REGION_BYTES", &options.region_bytes)) {
    return {Status::kInvalidParam,
            "ZCB_REGION_BYTES: digits with an optional k, m or g"};
  }
  if (!ReadBytes("ZCB_PREFAULT_BYTES", &options.prefault_bytes)) {
    return {Status::kInvalidParam,
            "ZCB_PREFAULT_BYTES: digits with an optional k, m or g"};
  }
  if (const char* text = ::secure_getenv("ZCB_PAGES")) {
    if (!ParsePages(text, &options)) {
      return {Status::kInvalidParam,
              "ZCB_PAGES: auto, huge, small, auto:MOUNT or huge:MOUNT"};
    }
  }
  if (!ReadSwitch("ZCB_KEEP", &options.keep)) {
    return {Status::kInvalidParam, "ZCB_KEEP: 0 or 1"};
  }
  if (!ReadSwitch("ZCB_SIGBUS", &options.handle_sigbus)) {
    return {Status::kInvalidParam, "ZCB_SIGBUS: 0 or 1"};
  }
  if (Outcome checked = options.Check(); !checked) return checked.failure();
  return options;
}

Outcome RegionOptions::Check() const {
  const std::size_t at = name.find('@');
  if (Outcome part = CheckNamePart(std::string_view(name).substr(0, at));
      !part) {
    return part;
  }
  if (at != std::string::npos) {
    if (Outcome part = CheckNamePart(std::string_view(name).substr(at + 1));
        !part) {
      return part;
    }
  }
  if (Outcome path = CheckPath(directory, kMaxDirectoryBytes); !path) {
    return path;
  }
  if (Outcome path = CheckPath(hugetlbfs_mount, kMaxMountBytes); !path) {
    return path;
  }
  if (region_bytes < RegionLimits::kMinRegionBytes ||
      region_bytes > RegionLimits::kMaxRegionBytes) {
    return {Status::kInvalidParam, "a region has 4 MiB to 128 GiB"};
  }
  if (unit_bytes != 0 && unit_bytes != kUnitBytes &&
      unit_bytes != kSmallUnitBytes) {
    return {Status::kInvalidParam, "units have 2 MiB or 256 KiB"};
  }
  if (lease_count == 0 || lease_count > RegionLimits::kMaxLeases) {
    return {Status::kInvalidParam, "a region has 1 to 4096 leases"};
  }
  if (client_area_bytes > kMaxClientAreaBytes) {
    return {Status::kInvalidParam, "a client area of more than 64 GiB"};
  }
  if (pages != PagePolicy::kAuto && pages != PagePolicy::kHuge &&
      pages != PagePolicy::kSmall) {
    return {Status::kInvalidParam, "no such page policy"};
  }
  return {};
}

}  // namespace zcb::alloc
