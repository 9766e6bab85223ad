#include "bench/allocator/peers/program_malloc.h"

#include <benchmark/benchmark.h>
#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "bench/allocator/suite.h"
#include "bench/failure.h"

namespace zcb::bench {
namespace {

struct ProgramMalloc {
  struct Home {};
  using Buffer = void*;
  explicit ProgramMalloc(Home&) {}
  static void* Alloc(std::size_t bytes) { return std::malloc(bytes); }
  static void Free(void* buffer) { std::free(buffer); }
  static void* Pointer(void* buffer) { return buffer; }
};

// A library that was not linked after all would show as good as glibc.
void CheckLibrary(std::string_view library) {
  Dl_info info{};
  void* const function = dlsym(RTLD_DEFAULT, "malloc");
  if (function == nullptr || dladdr(function, &info) == 0) {
    Fail("cannot find out whose malloc() this is");
  }
  const std::string path = info.dli_fname;
  if (path.find(library) == std::string::npos) {
    Fail("malloc() is that of {}, not of {}", path, library);
  }
  benchmark::AddCustomContext("malloc", path);
}

}  // namespace

int RunProgramMalloc(std::string_view library, int argc, char** argv) {
  return RunSuite(argc, argv, [library] {
    CheckLibrary(library);
    RegisterAll<ProgramMalloc>();
  });
}

}  // namespace zcb::bench
