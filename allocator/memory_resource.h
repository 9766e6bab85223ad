// The standard library's containers in the region: std::pmr.
#ifndef ZCB_ALLOCATOR_MEMORY_RESOURCE_H_
#define ZCB_ALLOCATOR_MEMORY_RESOURCE_H_

#include <cstddef>
#include <memory_resource>

#include "allocator/allocator.h"

namespace zcb::alloc {

// Memory of a region as std::pmr wants it. The containers' nodes hold ordinary
// pointers, so a container is of use in this process only; what it is good for
// is values that are passed on by reference (a pmr string's or vector's bytes
// lie in the region), and memory that is shared with the other users of the
// region instead of being set aside. For structures that other processes walk
// there is OffsetPtr.
//
// Throws std::bad_alloc where Allocator::Alloc() or AllocAligned() fails, as
// std::pmr demands; nothing else throws. Alignments as of AllocAligned().
// Thread-safe. The allocator must outlive it, and it the containers.
class RegionResource final : public std::pmr::memory_resource {
 public:
  explicit RegionResource(Allocator& allocator) : allocator_(&allocator) {}
  Allocator& allocator() const { return *allocator_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* pointer, std::size_t bytes,
                     std::size_t alignment) override;
  // What one of them allocated, another one of the same allocator may free.
  bool do_is_equal(
      const std::pmr::memory_resource& other) const noexcept override;

  Allocator* allocator_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_MEMORY_RESOURCE_H_
