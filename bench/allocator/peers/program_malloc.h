// Peers: malloc() and free(), glibc's or those of a library linked in front.
#ifndef ZCB_BENCH_ALLOCATOR_PEERS_PROGRAM_MALLOC_H_
#define ZCB_BENCH_ALLOCATOR_PEERS_PROGRAM_MALLOC_H_

#include <string_view>

namespace zcb::bench {

// main() of such a program; fails unless malloc() comes from a library of that
// name.
int RunProgramMalloc(std::string_view library, int argc, char** argv);

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_PEERS_PROGRAM_MALLOC_H_
