#include "allocator/region_registry.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace zcb::alloc {
namespace {

constinit std::atomic<RegionRegistry*> g_registry{nullptr};

}  // namespace

RegionRegistry* RegionRegistry::ForThisProcess() {
  // acquire <- registry.install: the registry is whole.
  RegionRegistry* current = g_registry.load(std::memory_order_acquire);
  while (current == nullptr || !current->guard().IsOurs()) {
    auto fresh = std::make_unique<RegionRegistry>();
    if (!fresh->guard().IsOurs()) return nullptr;
    // release -> registry.install: the registry is whole.
    // acquire <- registry.install: another thread was faster; use his.
    if (g_registry.compare_exchange_strong(current, fresh.get(),
                                           std::memory_order_acq_rel,
                                           std::memory_order_acquire)) {
      return fresh.release();
    }
  }
  return current;
}

std::shared_ptr<Region> RegionRegistry::Find(
    FileId meta_id, std::unique_lock<std::mutex>* held) {
  for (;;) {
    const auto entry =
        std::find_if(entries_.begin(), entries_.end(),
                     [&](const Entry& e) { return e.meta_id == meta_id; });
    if (entry == entries_.end()) return nullptr;
    if (std::shared_ptr<Region> region = entry->region.lock()) return region;
    removed_.wait(*held);
  }
}

bool RegionRegistry::OwnsLockFile(FileId lock_id) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& e) { return e.lock_id == lock_id; });
}

void RegionRegistry::Add(FileId meta_id, FileId lock_id,
                         std::weak_ptr<Region> region) {
  entries_.push_back({meta_id, lock_id, std::move(region)});
}

void RegionRegistry::Remove(FileId meta_id) {
  std::erase_if(entries_, [&](const Entry& e) { return e.meta_id == meta_id; });
  removed_.notify_all();
}

}  // namespace zcb::alloc
