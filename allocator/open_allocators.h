// The allocators that this process has opened through the C interface.
#ifndef ZCB_ALLOCATOR_OPEN_ALLOCATORS_H_
#define ZCB_ALLOCATOR_OPEN_ALLOCATORS_H_

#include <cstdint>
#include <memory>
#include <mutex>

#include "allocator/allocator.h"
#include "allocator/allocator_options.h"
#include "allocator/region.h"
#include "allocator/status.h"

namespace zcb::alloc {

// One allocator per region, however often it is opened: two libraries in one
// program may hand each other buffers, and a thread's fast path has room for
// one allocator only.
//
// Lies in memory that a forked child finds zeroed: no allocator is open there,
// and a mutex held by a thread that does not exist is free (zero is how glibc's
// looks when it is unlocked).
class OpenAllocators {
 public:
  // nullptr: no memory for it.
  static OpenAllocators* ForThisProcess();

  // The region's allocator, made if it is not open yet.
  Result<Allocator*> Open(std::shared_ptr<Region> region,
                          const AllocatorOptions& options);
  // False: not open here. The last of its openers ends it; no other thread may
  // use it then.
  bool Close(const Allocator* allocator);

 private:
  struct Entry {
    std::unique_ptr<Allocator> allocator;
    std::uint64_t open_count = 1;
    Entry* next = nullptr;
  };
  std::mutex mutex_;
  Entry* first_ = nullptr;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_OPEN_ALLOCATORS_H_
