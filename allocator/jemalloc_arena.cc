#include "allocator/jemalloc_arena.h"

#include <jemalloc/jemalloc.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <utility>

#include "allocator/errno_saver.h"
#include "allocator/jemalloc_arena_pages.h"

namespace zcb::alloc {

// What jemalloc calls back. The hooks run under locks of jemalloc, so they must
// not get back into it: ArenaPages and the allocator's extents work without
// malloc(). Where something under them calls it all the same (a pressure hook
// of the layer above), jemalloc serves it from its arena 0.
struct JemallocArena::Extents : extent_hooks_t {
  Extents(Allocator& allocator, std::uint64_t chunk_bytes)
      : extent_hooks_t{}, pages(allocator, chunk_bytes) {
    alloc = &OnAlloc;
    dalloc = &OnDalloc;
    destroy = &OnDestroy;
    split = &OnSplit;
    merge = &OnMerge;
    // Left out, which means no: commit, decommit, purge_lazy, purge_forced.
    // Memory of the region is committed and given back to the system in whole
    // units, by the allocator when it gets the chunk back.
  }

  static ArenaPages& PagesOf(extent_hooks_t* hooks) {
    return static_cast<Extents*>(hooks)->pages;
  }

  static void* OnAlloc(extent_hooks_t* hooks, void* new_address,
                       std::size_t bytes, std::size_t alignment, bool* zero,
                       bool* commit, unsigned /*arena*/) {
    // With opt.retain, its default, jemalloc first asks for more than it needs,
    // not committed, and keeps the rest as long as the arena lives. Refused, it
    // asks for just what it needs. (Granted, the mix that JemallocArenaOptions
    // speaks of held 2.2 region bytes per live byte instead of 1.26.)
    if (!*commit || new_address != nullptr) return nullptr;
    const ErrnoSaver errno_saver;
    std::byte* const pages = PagesOf(hooks).Take(bytes, alignment);
    if (pages != nullptr && *zero) std::memset(pages, 0, bytes);
    return pages;
  }

  static bool OnDalloc(extent_hooks_t* hooks, void* address, std::size_t bytes,
                       bool /*committed*/, unsigned /*arena*/) {
    const ErrnoSaver errno_saver;
    return !PagesOf(hooks).Give(address, bytes);
  }

  static void OnDestroy(extent_hooks_t* hooks, void* address, std::size_t bytes,
                        bool /*committed*/, unsigned /*arena*/) {
    const ErrnoSaver errno_saver;
    PagesOf(hooks).Give(address, bytes);
  }

  static bool OnSplit(extent_hooks_t* /*hooks*/, void* /*address*/,
                      std::size_t /*bytes*/, std::size_t /*bytes_a*/,
                      std::size_t /*bytes_b*/, bool /*committed*/,
                      unsigned /*arena*/) {
    return false;
  }

  static bool OnMerge(extent_hooks_t* hooks, void* a, std::size_t /*bytes_a*/,
                      void* b, std::size_t /*bytes_b*/, bool /*committed*/,
                      unsigned /*arena*/) {
    return !PagesOf(hooks).AreInOneChunk(a, b);
  }

  ArenaPages pages;
};

namespace {

constexpr Failure kInherited{Status::kBadHandle,
                             "inherited over fork: attach anew"};
constexpr Failure kMoreThanAll{Status::kTooBig, "more than the whole region"};
constexpr Failure kNotOurs{Status::kInvalidParam, "not memory of this arena"};

// 0, or an errno.
template <typename T>
int Set(const char* name, unsigned arena, T value) {
  std::array<char, 48> full{};
  std::snprintf(full.data(), full.size(), "arena.%u.%s", arena, name);
  return mallctl(full.data(), nullptr, nullptr, static_cast<void*>(&value),
                 sizeof(T));
}

int Do(const char* name, unsigned arena) {
  std::array<char, 48> full{};
  std::snprintf(full.data(), full.size(), "arena.%u.%s", arena, name);
  return mallctl(full.data(), nullptr, nullptr, nullptr, 0);
}

std::size_t Statistic(const char* name, unsigned arena) {
  std::array<char, 48> full{};
  std::snprintf(full.data(), full.size(), "stats.arenas.%u.%s", arena, name);
  std::size_t value = 0;
  std::size_t length = sizeof value;
  return mallctl(full.data(), &value, &length, nullptr, 0) == 0 ? value : 0;
}

// Before 5.3 an arena's own tables would get into the region, too.
bool KeepsItsTablesPrivate() {
  const char* version = nullptr;
  std::size_t length = sizeof version;
  unsigned major = 0;
  unsigned minor = 0;
  return mallctl("version", static_cast<void*>(&version), &length, nullptr,
                 0) == 0 &&
         std::sscanf(version, "%u.%u", &major, &minor) == 2 &&
         std::pair(major, minor) >= std::pair(5U, 3U);
}

}  // namespace

Result<std::unique_ptr<JemallocArena>> JemallocArena::Create(
    Allocator& allocator, const JemallocArenaOptions& options) {
  const ErrnoSaver errno_saver;
  if (!allocator.region().IsOurs()) return kInherited;
  if (!KeepsItsTablesPrivate()) {
    return Failure{Status::kNotSupported, "needs jemalloc 5.3 or later"};
  }
  std::unique_ptr<Extents> extents(new (std::nothrow)
                                       Extents(allocator, options.chunk_bytes));
  if (extents == nullptr || !extents->pages.ok()) {
    return Failure{Status::kNoMemory, "no private memory for the page tables"};
  }
  // Made with jemalloc's own hooks, which from then on serve its tables; ours
  // are put under it before it has any extent.
  unsigned index = 0;
  std::size_t length = sizeof index;
  if (mallctl("arenas.create", &index, &length, nullptr, 0) != 0) {
    return Failure{Status::kNoResources, "jemalloc has no arena left"};
  }
  std::unique_ptr<JemallocArena> arena(
      new (std::nothrow) JemallocArena(allocator, std::move(extents), index));
  if (arena == nullptr) {
    (void)Do("destroy", index);
    return Failure{Status::kNoMemory, "no private memory"};
  }
  void* const hooks = static_cast<extent_hooks_t*>(arena->extents_.get());
  if (Set("extent_hooks", index, hooks) != 0) {
    return Failure{Status::kLibrary, "jemalloc refuses the extent hooks"};
  }
  if (Set("dirty_decay_ms", index,
          static_cast<ssize_t>(options.keep_freed_ms)) != 0) {
    return Failure{Status::kInvalidParam, "jemalloc refuses keep_freed_ms"};
  }
  return arena;
}

// No thread cache. It would have to be one for each thread and arena, made and
// destroyed by us, or a thread's end would leave its memory behind; and
// jemalloc's own, given an arena, still hands out blocks of any other.
JemallocArena::JemallocArena(Allocator& allocator,
                             std::unique_ptr<Extents> extents, unsigned index)
    : allocator_(allocator),
      extents_(std::move(extents)),
      index_(index),
      flags_(MALLOCX_ARENA(index) | MALLOCX_TCACHE_NONE) {}

JemallocArena::~JemallocArena() {
  const ErrnoSaver errno_saver;
  if (!allocator_.region().IsOurs() || Do("destroy", index_) != 0) {
    // jemalloc goes on pointing to them.
    extents_.release()->pages.Close();
  }
}

Outcome JemallocArena::Check(std::size_t bytes, std::size_t alignment) const {
  const Region& region = allocator_.region();
  if (!region.IsOurs()) return kInherited;
  if (!std::has_single_bit(alignment)) {
    return Failure{Status::kInvalidParam, "alignment is not a power of two"};
  }
  const std::uint64_t region_bytes = region.geometry().region_bytes;
  if (bytes > region_bytes || alignment > region_bytes) return kMoreThanAll;
  return {};
}

// `make` gives a block of `bytes`, or nullptr.
template <typename Make>
Result<void*> JemallocArena::Try(std::size_t bytes, Make make) {
  void* block = make();
  if (block != nullptr) return block;
  // What is kept of the freed ones is kept in pieces of other sizes.
  Trim();
  block = make();
  if (block != nullptr) return block;
  // jemalloc rounds up to its classes, and then needs a page more.
  if (nallocx(bytes, 0) >= allocator_.region().geometry().region_bytes) {
    return kMoreThanAll;
  }
  return Failure{Status::kNoMemory, "the region is full"};
}

Result<void*> JemallocArena::Allocate(std::size_t bytes,
                                      std::size_t alignment) {
  if (const Outcome checked = Check(bytes, alignment); !checked) {
    return checked.failure();
  }
  const int flags = flags_ | MALLOCX_LG_ALIGN(std::countr_zero(alignment));
  const std::size_t size = std::max<std::size_t>(bytes, 1);
  const Result<void*> block = Try(size, [&] { return mallocx(size, flags); });
  if (block && !extents_->pages.OffsetOf(*block)) {
    dallocx(*block, MALLOCX_TCACHE_NONE);
    return Failure{Status::kNotSupported,
                   "called from below: the arena is asking for memory"};
  }
  return block;
}

Outcome JemallocArena::Deallocate(void* block) {
  if (!allocator_.region().IsOurs()) return kInherited;
  if (block == nullptr) return {};
  if (!extents_->pages.OffsetOf(block)) return kNotOurs;
  dallocx(block, flags_);
  return {};
}

Result<void*> JemallocArena::Reallocate(void* block, std::size_t bytes,
                                        std::size_t alignment) {
  if (block == nullptr) return Allocate(bytes, alignment);
  if (const Outcome checked = Check(bytes, alignment); !checked) {
    return checked.failure();
  }
  if (!extents_->pages.OffsetOf(block)) return kNotOurs;
  const int flags = flags_ | MALLOCX_LG_ALIGN(std::countr_zero(alignment));
  const std::size_t size = std::max<std::size_t>(bytes, 1);
  return Try(size, [&] { return rallocx(block, size, flags); });
}

std::size_t JemallocArena::UsableBytes(const void* block) const {
  return extents_->pages.OffsetOf(block) ? sallocx(block, flags_) : 0;
}

std::optional<std::uint64_t> JemallocArena::OffsetOf(
    const void* address) const {
  return extents_->pages.OffsetOf(address);
}

void JemallocArena::Trim() {
  if (allocator_.region().IsOurs()) (void)Do("purge", index_);
}

JemallocArenaStats JemallocArena::Stats() const {
  JemallocArenaStats stats;
  if (!allocator_.region().IsOurs()) return stats;
  // jemalloc's figures stand still until its epoch is set.
  std::uint64_t epoch = 1;
  (void)mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch);
  stats.live_bytes = Statistic("small.allocated", index_) +
                     Statistic("large.allocated", index_);
  const ArenaPages::Counts counts = extents_->pages.Count();
  stats.extent_bytes = counts.taken_bytes;
  stats.region_bytes = counts.chunk_bytes;
  return stats;
}

}  // namespace zcb::alloc
