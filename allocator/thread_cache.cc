#include "allocator/thread_cache.h"

#include <pthread.h>
#include <sys/mman.h>

#include <mutex>
#include <new>

#include "allocator/paranoid.h"
#include "allocator/private_mapping.h"
#include "allocator/wiped_memory.h"

namespace zcb::alloc {

[[gnu::tls_model("initial-exec")]] constinit thread_local ThreadCacheAnchor
    thread_cache_anchor;

// What the threads of a process share here. It lies in memory that a forked
// child finds zeroed, which is how glibc's mutex looks when it is unlocked: a
// lock held by another thread at the moment of the fork is no lock any more.
struct ThreadCacheRegistry {
  std::mutex mutex;

  static ThreadCacheRegistry* Get();
  static void Link(ThreadCacheSet& set, ThreadCache& cache);
  static void Unlink(ThreadCacheSet& set, ThreadCache& cache);
  static void Close(ThreadCacheSet& set);
  static void Leave(ThreadCache& cache);
  // Paranoid builds, with the lock held: the list is linked both ways.
  static void Check(const ThreadCacheSet& set);
};

namespace {

constinit std::atomic<ThreadCacheRegistry*> registry{nullptr};
constinit std::atomic<std::uint64_t> last_id{0};

// The key lives as long as the library is loaded: a thread that ends after
// dlclose(3) must not be sent into code that is no longer there.
class ExitKey {
 public:
  ExitKey() { ok_ = ::pthread_key_create(&key_, &OnThreadExit) == 0; }
  ~ExitKey() {
    if (ok_) ::pthread_key_delete(key_);
  }
  bool ok() const { return ok_; }
  bool Arm() const {
    return ok_ && ::pthread_setspecific(key_, &thread_cache_anchor) == 0;
  }

 private:
  static void OnThreadExit(void* anchor_address) {
    auto& anchor = *static_cast<ThreadCacheAnchor*>(anchor_address);
    ThreadCache* cache = anchor.first;
    anchor = ThreadCacheAnchor{};
    while (cache != nullptr) {
      ThreadCache* const next = cache->next_of_thread;
      ThreadCacheRegistry::Leave(*cache);
      ::munmap(cache, sizeof(ThreadCache));
      cache = next;
    }
  }
  pthread_key_t key_{};
  bool ok_ = false;
};

const ExitKey& Key() {
  static const ExitKey key;
  return key;
}

}  // namespace

ThreadCacheRegistry* ThreadCacheRegistry::Get() {
  // acquire <- registry.make: the mutex is constructed.
  ThreadCacheRegistry* known = registry.load(std::memory_order_acquire);
  if (known != nullptr) return known;
  void* const memory = WipedMemory::Take(sizeof(ThreadCacheRegistry));
  if (memory == nullptr) return nullptr;
  auto* const made = new (memory) ThreadCacheRegistry;
  // release -> registry.make: as above; acquire on failure for theirs.
  if (registry.compare_exchange_strong(known, made, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
    return made;
  }
  return known;
}

void ThreadCacheRegistry::Check(const ThreadCacheSet& set) {
  const ThreadCache* before = nullptr;
  for (const ThreadCache* cache = set.first_; cache != nullptr;
       cache = cache->next_of_set) {
    ZCB_INVARIANT(cache->previous_of_set == before);
    ZCB_INVARIANT(cache->owner_id == set.id_);
    // relaxed: written under the lock
    ZCB_INVARIANT(cache->set.load(std::memory_order_relaxed) == &set);
    before = cache;
  }
}

void ThreadCacheRegistry::Link(ThreadCacheSet& set, ThreadCache& cache) {
  const std::lock_guard lock(Get()->mutex);
  const InvariantScope books([&] { Check(set); });
  cache.next_of_set = set.first_;
  if (set.first_ != nullptr) set.first_->previous_of_set = &cache;
  set.first_ = &cache;
  // relaxed: read under the lock, or by its own thread
  cache.set.store(&set, std::memory_order_relaxed);
}

void ThreadCacheRegistry::Unlink(ThreadCacheSet& set, ThreadCache& cache) {
  (cache.previous_of_set != nullptr ? cache.previous_of_set->next_of_set
                                    : set.first_) = cache.next_of_set;
  if (cache.next_of_set != nullptr) {
    cache.next_of_set->previous_of_set = cache.previous_of_set;
  }
}

void ThreadCacheRegistry::Close(ThreadCacheSet& set) {
  const std::lock_guard lock(Get()->mutex);
  const InvariantScope books([&] { Check(set); });
  for (ThreadCache* cache = set.first_; cache != nullptr;) {
    // The thread may unmap it as soon as it is let go.
    ThreadCache* const next = cache->next_of_set;
    set.flush_(set.context_, *cache);
    // release -> cache.orphan: we have finished with the cache.
    cache->set.store(nullptr, std::memory_order_release);
    cache = next;
  }
  set.first_ = nullptr;
}

// The cache's thread ends, or has no more use for it.
void ThreadCacheRegistry::Leave(ThreadCache& cache) {
  // First without the lock: in a forked child the set reads as zero, and the
  // registry may never have been used there.
  // acquire <- cache.orphan: the destructor has finished with the cache.
  if (cache.set.load(std::memory_order_acquire) == nullptr) return;
  const std::lock_guard lock(Get()->mutex);
  // relaxed: under the lock
  ThreadCacheSet* const set = cache.set.load(std::memory_order_relaxed);
  if (set == nullptr) return;
  const InvariantScope books([&] { Check(*set); });
  set->flush_(set->context_, cache);
  Unlink(*set, cache);
}

ThreadCacheSet::ThreadCacheSet(Flush flush, void* context,
                               std::uint64_t magazine_bytes)
    : flush_(flush), context_(context), magazine_bytes_(magazine_bytes) {
  if (ThreadCacheRegistry::Get() == nullptr || !Key().ok()) return;
  // relaxed: only has to be unique
  id_ = last_id.fetch_add(1, std::memory_order_relaxed) + 1;
}

void ThreadCacheSet::Close() {
  if (id_ != kNoId) ThreadCacheRegistry::Close(*this);
}

void ThreadCacheSet::ForEachCache(Visit visit, void* context) const {
  if (id_ == kNoId) return;
  const std::lock_guard lock(ThreadCacheRegistry::Get()->mutex);
  for (const ThreadCache* cache = first_; cache != nullptr;
       cache = cache->next_of_set) {
    visit(context, *cache);
  }
}

ThreadCache* ThreadCacheSet::FindSlow() const {
  ThreadCacheAnchor& anchor = thread_cache_anchor;
  ThreadCache** link = &anchor.first;
  while (ThreadCache* const cache = *link) {
    // acquire <- cache.orphan: the destructor has finished with the cache.
    ThreadCacheSet* const set = cache->set.load(std::memory_order_acquire);
    if (set == this) {
      anchor.cache = cache;
      anchor.owner_id = id_;
      return cache;
    }
    if (set == nullptr) {  // its allocator is gone
      *link = cache->next_of_thread;
      if (anchor.cache == cache) anchor.owner_id = 0;  // no allocator's id
      ::munmap(cache, sizeof(ThreadCache));
    } else {
      link = &cache->next_of_thread;
    }
  }
  return nullptr;
}

ThreadCache* ThreadCacheSet::FindOrMake() {
  if (ThreadCache* const cache = Find()) return cache;
  if (id_ == kNoId || !Key().Arm()) return nullptr;
  PrivateMapping memory(sizeof(ThreadCache));
  if (!memory.ok()) return nullptr;
  // Trivially constructible, and zero is what it starts with.
  auto* const cache = memory.as<ThreadCache>();
  memory.Leak();
  for (std::uint32_t c = 0; c < kClassCount; ++c) {
    cache->OfClass(c).Init(kMagazineLayout.first[CodeOf(c)],
                           MagazineLimits::Of(c, magazine_bytes_));
  }
  cache->owner_id = id_;
  cache->next_of_thread = thread_cache_anchor.first;
  thread_cache_anchor.first = cache;
  ThreadCacheRegistry::Link(*this, *cache);
  return FindSlow();
}

}  // namespace zcb::alloc
