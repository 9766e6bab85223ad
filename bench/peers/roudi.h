// The daemon of iceoryx 2.0 and what it needs, apart from any other one.
#ifndef ZCB_BENCH_PEERS_ROUDI_H_
#define ZCB_BENCH_PEERS_ROUDI_H_

#include <sys/types.h>

#include <cstddef>

namespace zcb::bench {

// One pool of chunks of one size. While it lives, this process and its children
// see a /dev/shm and a /tmp of their own where that is permitted (root), since
// the daemon is one for the machine; elsewhere it must be the only one. The
// first of them stays where it is: its mounts serve the following ones.
class Roudi {
 public:
  Roudi(std::size_t chunk_bytes, std::size_t chunks);
  ~Roudi();  // ends it, by its own way if it listens
  Roudi(const Roudi&) = delete;
  Roudi& operator=(const Roudi&) = delete;

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_ROUDI_H_
