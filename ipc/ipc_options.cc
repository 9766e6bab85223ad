#include "ipc/ipc_options.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "allocator/parse_bytes.h"

namespace zcb::ipc {
namespace {

// Digits, and nothing else; as it was if the variable is not set.
bool ReadNumber(const char* variable, std::uint32_t* number) {
  const char* const text = ::secure_getenv(variable);
  if (text == nullptr) return true;
  const std::string_view digits = text;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, *number);
  return error == std::errc() && rest == end;
}

Outcome ReadShape(IpcShape* shape) {
  if (!ReadNumber("ZCB_RING_SLOTS", &shape->ring_slots)) {
    return {Status::kInvalidParam, "ZCB_RING_SLOTS is no number"};
  }
  if (!ReadNumber("ZCB_GROUP_MEMBERS", &shape->group_members)) {
    return {Status::kInvalidParam, "ZCB_GROUP_MEMBERS is no number"};
  }
  return {};
}

Outcome ReadPace(ReclaimPace* pace) {
  if (!ReadNumber("ZCB_RECLAIM_MESSAGES", &pace->messages)) {
    return {Status::kInvalidParam, "ZCB_RECLAIM_MESSAGES is no number"};
  }
  if (const char* text = ::secure_getenv("ZCB_RECLAIM_BYTES")) {
    const auto bytes = alloc::ParseBytes(text);
    if (!bytes) {
      return {Status::kInvalidParam,
              "ZCB_RECLAIM_BYTES: digits with an optional k, m or g"};
    }
    pace->bytes = *bytes;
  }
  return {};
}

}  // namespace

Outcome ReclaimPace::Check() const {
  if (messages == 0 || messages > kMostMessages || bytes < kLeastBytes) {
    return {Status::kInvalidParam,
            "reclaiming comes after 1 to 32768 messages, or 4096 bytes and "
            "more"};
  }
  return {};
}

Outcome IpcOptions::Check() const {
  if (Outcome checked = IpcGeometry::Check(shape); !checked) return checked;
  if (prefetch > kMostPrefetch) {
    return {Status::kInvalidParam, "prefetching at most 64 messages ahead"};
  }
  if (burst_pause_ns > kMostBurstPauseNs) {
    return {Status::kInvalidParam, "a pause of at most 1000000 ns"};
  }
  return reclaim_pace.Check();
}

Result<IpcOptions> IpcOptions::FromEnvironment() {
  IpcOptions options;
  auto region = alloc::RegionOptions::FromEnvironment();
  if (!region) return region.failure();
  options.region = *region;
  auto allocator = alloc::AllocatorOptions::FromEnvironment();
  if (!allocator) return allocator.failure();
  options.allocator = *allocator;
  if (Outcome read = ReadShape(&options.shape); !read) return read.failure();
  if (Outcome read = ReadPace(&options.reclaim_pace); !read) {
    return read.failure();
  }
  if (!ReadNumber("ZCB_PREFETCH", &options.prefetch)) {
    return {Status::kInvalidParam, "ZCB_PREFETCH is no number"};
  }
  if (!ReadNumber("ZCB_BURST_PAUSE_NS", &options.burst_pause_ns)) {
    return {Status::kInvalidParam, "ZCB_BURST_PAUSE_NS is no number"};
  }
  if (!ReadNumber("ZCB_NODEID", &options.node_id) || options.node_id == 0) {
    return {Status::kInvalidParam, "ZCB_NODEID is no number above 0"};
  }
  if (const char* text = ::secure_getenv("ZCB_RETAIN_BYTES")) {
    options.retain_bytes = alloc::ParseBytes(text);
    if (!options.retain_bytes) {
      return {Status::kInvalidParam,
              "ZCB_RETAIN_BYTES: digits with an optional k, m or g"};
    }
  }
  if (Outcome checked = options.Check(); !checked) return checked.failure();
  return options;
}

}  // namespace zcb::ipc
