// The functions whose instructions instruction_count_test counts, one per row
// of its table, each no more than a call of the API.
//
// They lie in a source of their own, so that nothing of the caller is folded
// into them, and have C names, as callgrind then prints them.
#ifndef ZCB_TESTS_ALLOCATOR_INSTRUCTION_COUNT_PATHS_H_
#define ZCB_TESTS_ALLOCATOR_INSTRUCTION_COUNT_PATHS_H_

#include <cstddef>
#include <cstdint>

#include "allocator/allocator.h"
#include "allocator/zcb_allocator.h"

extern "C" {

// The buffer's line, or BufferRef::kMax.
std::uint32_t counted_cpp_alloc_64(zcb::alloc::Allocator& allocator);
std::uint32_t counted_cpp_alloc_4096(zcb::alloc::Allocator& allocator);
std::uint32_t counted_cpp_alloc_sized(zcb::alloc::Allocator& allocator,
                                      std::size_t bytes);
bool counted_cpp_free(zcb::alloc::Allocator& allocator, std::uint32_t line);

// The buffer, or nullptr.
void* counted_c_alloc(zcb_allocator* allocator, std::size_t bytes);
bool counted_c_free(zcb_allocator* allocator, void* buffer);

}  // extern "C"

#endif  // ZCB_TESTS_ALLOCATOR_INSTRUCTION_COUNT_PATHS_H_
