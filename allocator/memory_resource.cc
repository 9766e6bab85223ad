#include "allocator/memory_resource.h"

#include <new>

#include "allocator/abi.h"
#include "allocator/buffer_ref.h"
#include "allocator/status.h"

namespace zcb::alloc {

void* RegionResource::do_allocate(std::size_t bytes, std::size_t alignment) {
  const Result<BufferRef> ref =
      alignment <= kLineBytes ? allocator_->Alloc(bytes)
                              : allocator_->AllocAligned(bytes, alignment);
  if (!ref) throw std::bad_alloc();
  return allocator_->Pointer(*ref);
}

void RegionResource::do_deallocate(void* pointer, std::size_t, std::size_t) {
  // A container that gives back what it never got is broken beyond our help;
  // the allocator is not: it refuses.
  static_cast<void>(allocator_->FreePointer(pointer).ok());
}

bool RegionResource::do_is_equal(
    const std::pmr::memory_resource& other) const noexcept {
  const auto* const theirs = dynamic_cast<const RegionResource*>(&other);
  return theirs != nullptr && theirs->allocator_ == allocator_;
}

}  // namespace zcb::alloc
