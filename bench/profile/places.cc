#include "bench/profile/places.h"

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "allocator/abi.h"
#include "allocator/region.h"
#include "allocator/thread_cache.h"
#include "ipc/group_header.h"
#include "ipc/group_name.h"
#include "ipc/group_view.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kPhases = 4;
struct alignas(alloc::kCacheLineBytes) MarkWord {
  std::atomic<std::uint64_t> word;
};
MarkWord marks[kPhases];

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

}  // namespace

void Mark(Phase phase) {
  marks[std::size_t(phase)].word.store(1, std::memory_order_relaxed);
}

Places::Places() {
  for (std::size_t i = 0; i < kPhases; ++i) {
    Add("mark " + std::to_string(i), &marks[i], sizeof(marks[i].word));
  }
}

void Places::Add(std::string_view name, const void* start,
                 std::size_t size_bytes) {
  places_.push_back(
      {std::string(name), reinterpret_cast<std::uintptr_t>(start), size_bytes});
}

void Places::AddRegion(ipc::Attachment& attachment, std::string_view group_name,
                       ipc::MemberAddress self) {
  const alloc::Region& region = attachment.region();
  const alloc::Geometry& g = region.geometry();
  const auto between = [&](const char* name, std::uint64_t from,
                           std::uint64_t to) {
    Add(name, region.meta<std::byte>(from), to - from);
  };
  between("shared lease words", g.leases_offset, g.units_offset);
  between("shared unit words", g.units_offset, g.committed_offset);
  between("shared granule words", g.granules_offset, g.dense_words_offset);
  between("shared buffer words", g.dense_words_offset, g.dense_hints_offset);
  between("shared hints", g.dense_hints_offset, g.touched_offset);
  // A buffer is a header and its payload: the reader tells them apart.
  Add("shared data", region.data(), g.region_bytes);

  const auto group = attachment.directory().Find(ipc::GroupName(group_name));
  if (!group || !*group) std::abort();
  const ipc::GroupView& view = **group;
  ipc::GroupHeader& header = view.header();
  Add("shared tail", &header.tail, alloc::kCacheLineBytes);
  Add("shared reclaimed", &header.reclaimed, alloc::kCacheLineBytes);
  Add("shared sleep and room", &header.sleep, alloc::kCacheLineBytes);
  Add("shared entry count", &header.entry_high, alloc::kCacheLineBytes);
  Add("shared slots", &view.slot(0), view.slot_count() * sizeof(std::uint64_t));
  for (std::uint32_t i = 0; i < view.EntryHigh(); ++i) {
    ipc::EntryState& entry = view.entry(i);
    // relaxed, both: written before the views that we have read
    const bool is_own =
        entry.node_id.load(std::memory_order_relaxed) == self.node_id &&
        entry.pid.load(std::memory_order_relaxed) == self.pid;
    const std::string whose = is_own ? "shared own " : "shared other's ";
    Add(whose + "entry", &entry.word, alloc::kCacheLineBytes);
    Add(whose + "sleep", &entry.sleep, alloc::kCacheLineBytes);
    Add(whose + "cursor", &entry.cursor, alloc::kCacheLineBytes);
  }
  if (const alloc::ThreadCache* cache = alloc::thread_cache_anchor.cache) {
    Add("magazines", cache, sizeof(*cache));
  }
}

bool Places::Write(const std::string& path) const {
  const File file(std::fopen(path.c_str(), "we"));
  const File maps(std::fopen("/proc/self/maps", "re"));
  if (file == nullptr || maps == nullptr) return false;
  for (const Place& place : places_) {
    std::fprintf(file.get(), "%" PRIxPTR " %zx %s\n", place.start,
                 place.size_bytes, place.name.c_str());
  }
  std::fputs("maps\n", file.get());
  char line[4096];
  while (std::fgets(line, sizeof(line), maps.get()) != nullptr) {
    std::fputs(line, file.get());
  }
  return std::ferror(file.get()) == 0;
}

}  // namespace zcb::bench
