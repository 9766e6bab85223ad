#include "allocator/open_allocators.h"

#include <atomic>
#include <new>
#include <utility>

#include "allocator/private_mapping.h"

namespace zcb::alloc {
namespace {

constinit std::atomic<OpenAllocators*> registry{nullptr};

}  // namespace

OpenAllocators* OpenAllocators::ForThisProcess() {
  // acquire <- open_allocators.make: the mutex is constructed.
  OpenAllocators* known = registry.load(std::memory_order_acquire);
  if (known != nullptr) return known;
  PrivateMapping memory(sizeof(OpenAllocators));
  if (!memory.ok()) return nullptr;
  auto* const made = new (memory.as<void>()) OpenAllocators;
  // acq_rel -> open_allocators.make: as above; acquire on failure for theirs.
  if (registry.compare_exchange_strong(known, made, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
    memory.Leak();
    return made;
  }
  return known;
}

Result<Allocator*> OpenAllocators::Open(std::shared_ptr<Region> region,
                                        const AllocatorOptions& options) {
  const std::lock_guard lock(mutex_);
  for (Entry* entry = first_; entry != nullptr; entry = entry->next) {
    if (&entry->allocator->region() != region.get()) continue;
    ++entry->open_count;
    return entry->allocator.get();
  }
  auto entry = std::make_unique<Entry>();
  auto allocator = Allocator::Create(std::move(region), options);
  if (!allocator) return allocator.failure();
  entry->allocator = std::move(*allocator);
  entry->next = first_;
  first_ = entry.release();
  return first_->allocator.get();
}

bool OpenAllocators::Close(const Allocator* allocator) {
  const std::lock_guard lock(mutex_);
  for (Entry** link = &first_; *link != nullptr; link = &(*link)->next) {
    Entry* const entry = *link;
    if (entry->allocator.get() != allocator) continue;
    if (--entry->open_count > 0) return true;
    *link = entry->next;
    delete entry;
    return true;
  }
  return false;
}

}  // namespace zcb::alloc
