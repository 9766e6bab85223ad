// Memory of a side's own, for transports that copy.
#ifndef ZCB_BENCH_PEERS_PRIVATE_BUFFER_H_
#define ZCB_BENCH_PEERS_PRIVATE_BUFFER_H_

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "bench/failure.h"

namespace zcb::bench {

// Aligned to a line, and all its pages are there.
class PrivateBuffer {
 public:
  PrivateBuffer() = default;
  explicit PrivateBuffer(std::size_t bytes) {
    constexpr std::size_t kLineBytes = 64;
    const std::size_t whole = (bytes + kLineBytes - 1) / kLineBytes;
    void* memory = std::aligned_alloc(kLineBytes, whole * kLineBytes);
    if (memory == nullptr) Fail("no memory for a buffer of {} B", bytes);
    std::memset(memory, 0, whole * kLineBytes);
    memory_.reset(static_cast<std::byte*>(memory));
  }
  std::byte* data() const { return memory_.get(); }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte[], Free> memory_;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_PRIVATE_BUFFER_H_
