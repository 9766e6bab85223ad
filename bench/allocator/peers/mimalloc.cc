// Peer: mimalloc's malloc().
#include "bench/allocator/peers/program_malloc.h"

int main(int argc, char** argv) {
  return zcb::bench::RunProgramMalloc("libmimalloc", argc, argv);
}
