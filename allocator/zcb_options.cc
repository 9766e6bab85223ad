#include "allocator/zcb_options.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>

namespace zcb::alloc {
namespace {

using Options = struct zcb_options;

constexpr const char* kDefaultName = "allocator";

// The fields of the caller's struct; all set that we do not know must be zero,
// or the caller wants something that will not happen.
Result<Options> CopyKnown(const Options* options) {
  Options known{};
  if (options == nullptr) return known;
  if (options->size < sizeof(Options)) {
    return {Status::kInvalidParam, "options->size is not set"};
  }
  const auto* const bytes = reinterpret_cast<const std::byte*>(options);
  if (std::any_of(bytes + sizeof(Options), bytes + options->size,
                  [](std::byte byte) { return byte != std::byte{0}; })) {
    return {Status::kInvalidParam, "options of a newer library"};
  }
  return *options;
}

// `none` and `all`: what ZCB_NONE and ZCB_ALL mean for this field.
void TakeBytes(std::uint64_t given, std::uint64_t none, std::uint64_t all,
               std::uint64_t* bytes) {
  if (given == 0) return;
  *bytes = given == ZCB_NONE ? none : given == ZCB_ALL ? all : given;
}

bool TakeChoice(std::uint32_t given, bool* choice) {
  if (given == 0) return true;
  *choice = given == ZCB_YES;
  return given == ZCB_YES || given == ZCB_NO;
}

bool TakePages(std::uint32_t given, PagePolicy* pages) {
  switch (given) {
    case 0:
      return true;
    case ZCB_PAGES_AUTO:
      *pages = PagePolicy::kAuto;
      return true;
    case ZCB_PAGES_HUGE:
      *pages = PagePolicy::kHuge;
      return true;
    case ZCB_PAGES_SMALL:
      *pages = PagePolicy::kSmall;
      return true;
    default:
      return false;
  }
}

bool TakeNode(std::int32_t given, std::int32_t* node) {
  if (given == 0) return true;
  if (given == ZCB_NUMA_NONE) {
    *node = AllocatorOptions::kNoNode;
  } else if (given == ZCB_NUMA_LOCAL) {
    *node = AllocatorOptions::kLocalNode;
  } else {
    *node = given - 1;
  }
  return given >= ZCB_NUMA_LOCAL;
}

Outcome TakeRegion(const Options& given, RegionOptions* region) {
  if (given.name != nullptr) region->name = given.name;
  if (given.directory != nullptr) region->directory = given.directory;
  if (given.hugetlbfs_mount != nullptr) {
    region->hugetlbfs_mount = given.hugetlbfs_mount;
  }
  if (given.region_bytes != 0) region->region_bytes = given.region_bytes;
  if (given.unit_bytes != 0) region->unit_bytes = given.unit_bytes;
  if (given.process_count != 0) region->lease_count = given.process_count;
  TakeBytes(given.prefault_bytes, 0, region->region_bytes,
            &region->prefault_bytes);
  if (!TakePages(given.pages, &region->pages)) {
    return {Status::kInvalidParam, "no such kind of pages"};
  }
  if (!TakeChoice(given.keep, &region->keep)) {
    return {Status::kInvalidParam, "keep is neither ZCB_YES nor ZCB_NO"};
  }
  return {};
}

Outcome TakeAllocator(const Options& given, AllocatorOptions* allocator) {
  TakeBytes(given.quota_bytes, AllocatorOptions::kNoQuota,
            AllocatorOptions::kNoQuota, &allocator->quota_bytes);
  TakeBytes(given.spare_bytes, 0, AllocatorOptions::kKeepAll,
            &allocator->spare_bytes);
  TakeBytes(given.idle_bytes, 0, AllocatorOptions::kKeepAll,
            &allocator->idle_bytes);
  if (!TakeChoice(given.poison, &allocator->poison)) {
    return {Status::kInvalidParam, "poison is neither ZCB_YES nor ZCB_NO"};
  }
  if (!TakeNode(given.numa, &allocator->numa_node)) {
    return {Status::kInvalidParam, "no such NUMA node"};
  }
  return {};
}

}  // namespace

Result<OpenOptions> ReadOpenOptions(const Options* options) {
  const Result<Options> given = CopyKnown(options);
  if (!given) return given.failure();
  Result<RegionOptions> region = RegionOptions::FromEnvironment();
  if (!region) return region.failure();
  Result<AllocatorOptions> allocator = AllocatorOptions::FromEnvironment();
  if (!allocator) return allocator.failure();
  OpenOptions read{std::move(*region), *allocator};
  // The process groups' region has another layout inside, and that name.
  if (::secure_getenv("ZCB_REGION") == nullptr) {
    read.region.name = kDefaultName;
  }
  if (Outcome taken = TakeRegion(*given, &read.region); !taken) {
    return taken.failure();
  }
  if (Outcome taken = TakeAllocator(*given, &read.allocator); !taken) {
    return taken.failure();
  }
  return read;
}

}  // namespace zcb::alloc
