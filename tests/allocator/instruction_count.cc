// Calls each function of instruction_count_paths.h often, with a magazine that
// is warm. instruction_count_test runs this under callgrind.
#include <array>
#include <cstdio>
#include <memory>

#include "allocator/allocator.h"
#include "allocator/region.h"
#include "allocator/zcb_allocator.h"
#include "tests/allocator/instruction_count_paths.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

constexpr int kCalls = 1000;
// Of different classes: all of them take the same path.
constexpr std::array<std::size_t, 4> kSizesBytes{1, 200, 5000, 100'000};

// What --config=opt gives, and nothing that adds instructions of its own.
constexpr bool IsBuiltAsShipped() {
#if defined(__OPTIMIZE__) && defined(NDEBUG) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  return true;
#else
  return false;
#endif
}

// Calls `alloc`, which gives a buffer of `bytes`, and the free. Before that
// others bring such a buffer into this thread's magazine.
template <typename Function>
bool Repeat(Allocator& allocator, std::size_t bytes, Function alloc) {
  const auto first = allocator.Alloc(bytes);
  bool good = first && allocator.Free(*first).ok();
  for (int i = 0; i < kCalls && good; ++i) {
    const std::uint32_t line = alloc(allocator);
    good = line != BufferRef::kMax && counted_cpp_free(allocator, line);
  }
  return good;
}

bool CallCpp(const testing::TempDirectory& directory) {
  const auto region = Region::Open(directory.Options());
  if (!region) return false;
  const auto owner = Allocator::Create(*region);
  if (!owner) return false;
  Allocator& allocator = **owner;
  bool good = Repeat(allocator, 64, counted_cpp_alloc_64) &&
              Repeat(allocator, 4096, counted_cpp_alloc_4096);
  for (const std::size_t bytes : kSizesBytes) {
    good = good && Repeat(allocator, bytes, [bytes](Allocator& mine) {
             return counted_cpp_alloc_sized(mine, bytes);
           });
  }
  return good;
}

// The same with the C interface.
bool RepeatC(zcb_allocator* allocator, std::size_t bytes) {
  void* first = nullptr;
  bool good = zcb_alloc(allocator, bytes, &first) == ZCB_OK &&
              zcb_free(allocator, first) == ZCB_OK;
  for (int i = 0; i < kCalls && good; ++i) {
    void* const buffer = counted_c_alloc(allocator, bytes);
    good = buffer != nullptr && counted_c_free(allocator, buffer);
  }
  return good;
}

bool CallC(const testing::TempDirectory& directory) {
  struct zcb_options options{};
  options.size = sizeof options;
  options.name = "c";
  options.directory = directory.path().c_str();
  options.region_bytes = 8 * kUnitBytes;
  options.unit_bytes = kUnitBytes;
  zcb_allocator* allocator = nullptr;
  bool good = zcb_allocator_open(&options, &allocator) == ZCB_OK;
  for (const std::size_t bytes : kSizesBytes) {
    good = good && RepeatC(allocator, bytes);
  }
  return good && zcb_allocator_close(allocator) == ZCB_OK;
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
  if (!CallCpp(directory) || !CallC(directory)) {
    std::fputs("a call failed\n", stderr);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace zcb::alloc

int main() { return zcb::alloc::Main(); }
