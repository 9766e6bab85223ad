#include "allocator/paranoid.h"

#include <cstdio>
#include <cstdlib>

namespace zcb::alloc {

void InvariantBroken(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: zcb: broken: %s\n", file, line, condition);
  std::abort();
}

}  // namespace zcb::alloc
