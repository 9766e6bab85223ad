// The program's own malloc(): glibc's, or that of the library linked in front.
#include <cstdlib>

#include "bench/alloc_pair.h"

namespace {

struct ProgramMalloc {
  using Buffer = void*;
  static void* Alloc(std::size_t bytes) { return std::malloc(bytes); }
  static void Free(void* buffer) { std::free(buffer); }
};

}  // namespace

int main(int argc, char** argv) {
  return zcb::bench::RunAllocPairs<ProgramMalloc>(argc, argv);
}
