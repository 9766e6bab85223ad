// The daemon of iceoryx 2.0 and what it needs, apart from any other one.
#ifndef ZCB_BENCH_PEERS_ROUDI_H_
#define ZCB_BENCH_PEERS_ROUDI_H_

#include <sys/types.h>

#include <cstddef>

namespace zcb::bench {

// The daemon is one for the machine. Where it is permitted (root), this process
// and its children see a /dev/shm and a /tmp of their own from here on;
// elsewhere it must be the only one. To be called before anything is put there.
void TakePlacesForRoudi();

// One pool of chunks of one size.
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
