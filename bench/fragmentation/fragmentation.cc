// How a mixed load fragments a region, and what finding a place for an extent
// costs. Prints a few tables; no figure here depends on the machine but the
// times.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <string_view>
#include <vector>

#include "allocator/allocator.h"
#include "allocator/region.h"
#include "allocator/region_options.h"
#include "bench/failure.h"
#include "bench/fragmentation/mixed_load.h"
#include "bench/process_pair.h"

namespace {

using zcb::bench::Fragmentation;
using zcb::bench::KindWaste;
using zcb::bench::MixedLoad;

constexpr std::uint64_t kRegionBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kMaxExtentBytes = 32 << 20;
constexpr std::uint32_t kOperations = 100'000;
constexpr int kSamples = 10;
constexpr double kMebibyte = 1 << 20;

void PrintKinds(const Fragmentation& sample) {
  constexpr std::string_view kNames[] = {"slabs", "runs", "extents"};
  fmt::print("\n{:8} {:>8} {:>10} {:>12} {:>16}\n", "", "buffers", "asked MiB",
             "wasted", "worst, bytes");
  for (std::size_t k = 0; k < zcb::bench::kSizeKinds; ++k) {
    const KindWaste& kind = sample.kinds[k];
    fmt::print("{:8} {:>8} {:>10.1f} {:>10.2f} % {:>16}\n", kNames[k],
               kind.buffers, double(kind.asked_bytes) / kMebibyte,
               kind.share() * 100, kind.worst_bytes);
  }
}

// One pair, with what is live left as it is; the median of many batches.
void PrintPair(zcb::alloc::Allocator& allocator, std::uint64_t bytes) {
  constexpr int kBatches = 101;
  constexpr int kPairs = 200;
  std::vector<double> batches_ns;
  for (int batch = 0; batch < kBatches; ++batch) {
    const auto start = std::chrono::steady_clock::now();
    for (int pair = 0; pair < kPairs; ++pair) {
      const auto ref = allocator.Alloc(bytes);
      if (!ref) {
        fmt::print("  {:>6.1f} MiB: {}\n", double(bytes) / kMebibyte,
                   ref.reason());
        return;
      }
      if (!allocator.Free(*ref)) zcb::bench::Fail("free");
    }
    const std::chrono::duration<double, std::nano> took =
        std::chrono::steady_clock::now() - start;
    batches_ns.push_back(took.count() / kPairs);
  }
  std::nth_element(batches_ns.begin(), batches_ns.begin() + kBatches / 2,
                   batches_ns.end());
  fmt::print("  {:>6.1f} MiB: {:.0f} ns\n", double(bytes) / kMebibyte,
             batches_ns[kBatches / 2]);
}

void PrintPairs(std::string_view where, zcb::alloc::Allocator& allocator) {
  fmt::print("\nalloc and free of an extent, {}\n", where);
  for (const double mebibytes : {2.0, 2.1, 16.0, 16.1, 128.0}) {
    PrintPair(allocator, static_cast<std::uint64_t>(mebibytes * kMebibyte));
  }
}

void Run(std::uint64_t live_percent) {
  auto options = zcb::alloc::RegionOptions::FromEnvironment();
  if (!options.ok()) zcb::bench::Fail("environment: {}", options.reason());
  options->region_bytes = kRegionBytes;
  auto region = zcb::alloc::Region::Open(*options);
  if (!region.ok()) zcb::bench::Fail("region: {}", region.reason());
  const auto allocator = zcb::alloc::Allocator::Create(*region);
  if (!allocator.ok()) zcb::bench::Fail("allocator: {}", allocator.reason());

  PrintPairs("the region empty", **allocator);
  MixedLoad load(**allocator, {.live_bytes = kRegionBytes / 100 * live_percent,
                               .max_extent_bytes = kMaxExtentBytes});
  fmt::print("\n{:>10} {:>9} {:>8} {:>10} {:>12} {:>9} {:>15} {:>9}\n",
             "operations", "live MiB", "units", "free units", "largest gap",
             "external", "committed/live", "refusals");
  Fragmentation sample;
  for (int i = 1; i <= kSamples; ++i) {
    load.Run(kOperations / kSamples);
    sample = load.Measure();
    fmt::print("{:>10} {:>9.1f} {:>8} {:>10} {:>12} {:>9.2f} {:>15.2f} {:>9}\n",
               kOperations / kSamples * static_cast<std::uint32_t>(i),
               double(sample.live_bytes) / kMebibyte, sample.units,
               sample.free_units, sample.largest_gap_units, sample.external(),
               sample.committed_per_live_byte(), load.refusals());
  }
  PrintKinds(sample);
  PrintPairs("under this load", **allocator);
  load.FreeAll();
  const auto everything = (*allocator)->Alloc(kRegionBytes);
  fmt::print("\nafter freeing everything, the whole region as one buffer: {}\n",
             everything.ok() ? "yes" : everything.reason());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const zcb::bench::PrivateRegion directory;
    Run(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 50);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "fragmentation: {}\n", error.what());
    return 1;
  }
}
