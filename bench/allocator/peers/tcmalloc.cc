// Peer: tcmalloc's, of gperftools malloc().
#include "bench/allocator/peers/program_malloc.h"

int main(int argc, char** argv) {
  return zcb::bench::RunProgramMalloc("libtcmalloc_minimal", argc, argv);
}
