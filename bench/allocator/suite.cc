#include "bench/allocator/suite.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "bench/process_pair.h"

namespace zcb::bench {

int RunSuite(int argc, char** argv, const std::function<void()>& register_all) {
  try {
    const PrivateRegion directory;
    register_all();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return 1;
  }
}

}  // namespace zcb::bench
