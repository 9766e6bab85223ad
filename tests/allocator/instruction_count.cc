// Calls each function of instruction_count_paths.h often, with a magazine that
// is warm. instruction_count_test runs this under callgrind.
#include <cstdio>
#include <memory>

#include "allocator/allocator.h"
#include "allocator/region.h"
#include "tests/allocator/instruction_count_paths.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

constexpr int kCalls = 1000;

// What --config=opt gives, and nothing that adds instructions of its own.
constexpr bool IsBuiltAsShipped() {
#if defined(__OPTIMIZE__) && defined(NDEBUG) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  return true;
#else
  return false;
#endif
}

// One buffer of that size into this thread's magazine, by other functions than
// those that are counted.
bool Warm(Allocator& allocator, std::uint64_t bytes) {
  const auto ref = allocator.Alloc(bytes);
  return ref && allocator.Free(*ref).ok();
}

// `alloc` gives a buffer of `bytes`.
template <typename Function>
bool Repeat(Allocator& allocator, std::uint64_t bytes, Function alloc) {
  bool good = Warm(allocator, bytes);
  for (int i = 0; i < kCalls && good; ++i) {
    const std::uint32_t line = alloc(allocator);
    good = line != BufferRef::kMax && counted_cpp_free(allocator, line);
  }
  return good;
}

bool RunCpp(Allocator& allocator) {
  bool good = Repeat(allocator, 64, counted_cpp_alloc_64) &&
              Repeat(allocator, 4096, counted_cpp_alloc_4096);
  for (const std::size_t bytes : {1, 200, 5000, 100'000}) {
    good = good && Repeat(allocator, bytes, [bytes](Allocator& mine) {
             return counted_cpp_alloc_sized(mine, bytes);
           });
  }
  return good;
}

int Main() {
  if (!IsBuiltAsShipped()) {
    std::fputs(
        "instructions are counted in an optimised build only: "
        "bazel test --config=opt, or tools/dev test\n",
        stderr);
    return 2;
  }
  const testing::TempDirectory directory;
  const auto region = Region::Open(directory.Options());
  if (!region) {
    std::fprintf(stderr, "no region: %s\n", region.reason());
    return 1;
  }
  const auto allocator = Allocator::Create(*region);
  if (!allocator) {
    std::fprintf(stderr, "no allocator: %s\n", allocator.reason());
    return 1;
  }
  if (!RunCpp(**allocator)) {
    std::fputs("an Alloc or Free failed\n", stderr);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace zcb::alloc

int main() { return zcb::alloc::Main(); }
