// A thread's magazines, one set per allocator that it uses.
#ifndef ZCB_ALLOCATOR_THREAD_CACHE_H_
#define ZCB_ALLOCATOR_THREAD_CACHE_H_

#include <atomic>
#include <cstdint>

#include "allocator/magazine.h"
#include "allocator/magazine_limits.h"

namespace zcb::alloc {

class ThreadCacheSet;

// Used by its thread only, except that the allocator's destructor empties it.
// Lies in memory that a forked child finds zeroed: every magazine empty.
struct ThreadCache {
  Magazine magazines[kCodeCount];  // by granule code; [0] stays empty
  // The allocator's set, nullptr once the allocator is gone. Written under the
  // registry's lock.
  std::atomic<ThreadCacheSet*> set;
  std::uint64_t owner_id;
  ThreadCache* next_of_thread;
  ThreadCache* next_of_set;  // both under the registry's lock
  ThreadCache* previous_of_set;
  std::uint32_t lines[kMagazineLayout.total];

  Magazine& OfCode(GranuleCode code) { return magazines[code]; }
  Magazine& OfClass(std::uint32_t size_class) {
    return magazines[size_class + 1];  // CodeOf(), without the narrowing
  }
  const Magazine& OfClass(std::uint32_t size_class) const {
    return magazines[size_class + 1];
  }
};

// The fast path's way to its cache. Found by the allocator's id, which is
// never used twice, so a stale entry of a dead allocator cannot match.
struct ThreadCacheAnchor {
  std::uint64_t owner_id = 0;
  ThreadCache* cache = nullptr;
  ThreadCache* first = nullptr;  // all caches of this thread
};
static_assert(sizeof(ThreadCacheAnchor) <= 48, "static TLS is scarce");

[[gnu::tls_model(
    "initial-exec")]] extern constinit thread_local ThreadCacheAnchor
    thread_cache_anchor;

// All caches of one allocator.
//
// A thread's end is noticed through a pthread key, made once per process and
// deleted when the library is unloaded.
class ThreadCacheSet {
 public:
  // Empties a cache into the allocator; called for a thread that ends, under
  // the registry's lock, hence never while the allocator is being destroyed.
  using Flush = void (*)(void* context, ThreadCache& cache);

  // id() is kNoId if no thread's end could be noticed: then Find() and
  // FindOrMake() return nullptr, and everything goes without magazines.
  // `magazine_bytes`: AllocatorOptions'.
  ThreadCacheSet(Flush flush, void* context,
                 std::uint64_t magazine_bytes = MagazineLimits::kRotationBytes);
  // Flushes every thread's cache. No other thread may use the allocator then.
  void Close();
  ThreadCacheSet(const ThreadCacheSet&) = delete;
  ThreadCacheSet& operator=(const ThreadCacheSet&) = delete;

  static constexpr std::uint64_t kNoId = ~std::uint64_t{0};
  std::uint64_t id() const { return id_; }
  std::uint64_t magazine_bytes() const { return magazine_bytes_; }

  // This thread's cache, put under the anchor; nullptr: it has none.
  ThreadCache* Find() const {
    return thread_cache_anchor.owner_id == id_ ? thread_cache_anchor.cache
                                               : FindSlow();
  }
  // The same, made if need be; nullptr: no memory for it.
  ThreadCache* FindOrMake();

  // For audits: every thread's cache, under the registry's lock. The threads
  // must be quiet.
  using Visit = void (*)(void* context, const ThreadCache& cache);
  void ForEachCache(Visit visit, void* context) const;

 private:
  friend struct ThreadCacheRegistry;
  ThreadCache* FindSlow() const;

  Flush flush_;
  void* context_;
  std::uint64_t magazine_bytes_;
  std::uint64_t id_ = kNoId;
  ThreadCache* first_ = nullptr;  // under the registry's lock
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_THREAD_CACHE_H_
