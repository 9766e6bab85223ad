#include "allocator/private_mapping.h"

#include <sys/mman.h>

#include "allocator/errno_saver.h"

namespace zcb::alloc {

PrivateMapping::PrivateMapping(std::size_t length_bytes) {
  const ErrnoSaver errno_saver;
  void* const base = ::mmap(nullptr, length_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return;
  if (::madvise(base, length_bytes, MADV_WIPEONFORK) != 0) {
    ::munmap(base, length_bytes);
    return;
  }
  base_ = base;
  length_bytes_ = length_bytes;
}

void PrivateMapping::Reset() {
  if (base_ != nullptr) ::munmap(base_, length_bytes_);
  base_ = nullptr;
}

}  // namespace zcb::alloc
