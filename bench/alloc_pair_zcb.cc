// zcb's allocator through its C++ interface, in a region of its own.
#include <memory>

#include "allocator/allocator.h"
#include "allocator/buffer_ref.h"
#include "allocator/region.h"
#include "allocator/region_options.h"
#include "bench/alloc_pair.h"
#include "bench/failure.h"
#include "bench/process_pair.h"

namespace {

zcb::alloc::Allocator* region_allocator = nullptr;

struct ZcbMalloc {
  using Buffer = zcb::alloc::BufferRef;
  static Buffer Alloc(std::size_t bytes) {
    const auto got = region_allocator->Alloc(bytes);
    if (!got.ok()) zcb::bench::Fail("alloc: {}", got.reason());
    return *got;
  }
  static void Free(Buffer buffer) {
    if (!region_allocator->Free(buffer).ok()) zcb::bench::Fail("free");
  }
};

int Run(int argc, char** argv) {
  const auto options = zcb::alloc::RegionOptions::FromEnvironment();
  if (!options.ok()) zcb::bench::Fail("environment: {}", options.reason());
  auto region = zcb::alloc::Region::Open(*options);
  if (!region.ok()) zcb::bench::Fail("region: {}", region.reason());
  const auto allocator = zcb::alloc::Allocator::Create(*region);
  if (!allocator.ok()) zcb::bench::Fail("allocator: {}", allocator.reason());
  region_allocator = allocator->get();
  return zcb::bench::RunAllocPairs<ZcbMalloc>(argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const zcb::bench::PrivateRegion directory;
    return Run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "alloc_pair_zcb: {}\n", error.what());
    return 1;
  }
}
