#include "tests/allocator/instruction_count_paths.h"

using zcb::alloc::Allocator;
using zcb::alloc::BufferRef;

namespace {

// Inlined into each of them.
inline std::uint32_t LineOf(const zcb::Result<BufferRef>& ref) {
  return ref ? ref->line() : BufferRef::kMax;
}

}  // namespace

std::uint32_t counted_cpp_alloc_64(Allocator& allocator) {
  return LineOf(allocator.Alloc(64));
}

std::uint32_t counted_cpp_alloc_4096(Allocator& allocator) {
  return LineOf(allocator.Alloc(4096));
}

std::uint32_t counted_cpp_alloc_sized(Allocator& allocator, std::size_t bytes) {
  return LineOf(allocator.Alloc(bytes));
}

bool counted_cpp_free(Allocator& allocator, std::uint32_t line) {
  return allocator.Free(BufferRef(line)).ok();
}

void* counted_c_alloc(zcb_allocator* allocator, std::size_t bytes) {
  void* buffer = nullptr;
  return zcb_alloc(allocator, bytes, &buffer) == ZCB_OK ? buffer : nullptr;
}

bool counted_c_free(zcb_allocator* allocator, void* buffer) {
  return zcb_free(allocator, buffer) == ZCB_OK;
}
