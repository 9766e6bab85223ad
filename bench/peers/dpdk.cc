// Peer: DPDK's rte_ring and rte_mempool, without huge pages, in two processes
// of which the library was set up before they were forked. One ring and one
// pool for each direction. The pools are without their per-core caches, which
// two processes that believe to be the same core would break.
#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kRotationBytes = 4 << 20;  // as the others
constexpr std::size_t kLeastObjects = 8;
constexpr std::size_t kMostObjects = 1024;
constexpr unsigned kRingSlots = 2048;  // never full: more than objects
constexpr std::size_t kMemoryMib = 64;
constexpr std::size_t kLargestBytes = 2 << 20;

// What an object begins with: rings and pools pass on pointers, no lengths.
struct alignas(kLineBytes) Object {
  std::size_t length_bytes;
  std::byte* payload() { return reinterpret_cast<std::byte*>(this + 1); }
};

void StartEal() {
  static bool is_up = false;
  if (is_up) return;  // once in a process
  std::vector<std::string> words = {"bench",
                                    "--no-huge",
                                    "--no-pci",
                                    "--no-shconf",
                                    "--no-telemetry",
                                    "--log-level=error",
                                    "--lcores=0",
                                    "-m",
                                    std::to_string(kMemoryMib)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  if (::rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) <
      0) {
    Fail("rte_eal_init: {}", ::rte_strerror(rte_errno));
  }
  is_up = true;
}

class DpdkPeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"dpdk", Wait::kBusy,
              "rte_ring (one sender, one receiver) and rte_mempool"},
  };
  static std::size_t LargestBytes(const Variant&) { return kLargestBytes; }

  explicit DpdkPeer(const PeerSetup& setup) {
    StartEal();
    const std::size_t object_bytes = sizeof(Object) + setup.largest_bytes;
    const auto objects = static_cast<unsigned>(
        std::clamp(kRotationBytes / object_bytes, kLeastObjects, kMostObjects));
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      lanes_[i].ring =
          ::rte_ring_create(fmt::format("ring{}", i).c_str(), kRingSlots,
                            SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
      lanes_[i].pool = ::rte_mempool_create(
          fmt::format("pool{}", i).c_str(), objects,
          static_cast<unsigned>(object_bytes), 0, 0, nullptr, nullptr, nullptr,
          nullptr, SOCKET_ID_ANY, RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET);
      if (lanes_[i].ring == nullptr || lanes_[i].pool == nullptr) {
        Fail("rte_ring or rte_mempool: {}", ::rte_strerror(rte_errno));
      }
    }
  }
  ~DpdkPeer() {
    for (const Lane& lane : lanes_) {
      ::rte_ring_free(lane.ring);
      ::rte_mempool_free(lane.pool);
    }
  }
  DpdkPeer(const DpdkPeer&) = delete;
  DpdkPeer& operator=(const DpdkPeer&) = delete;

  void Connect(Side side) {
    const std::size_t index = side == Side::kFirst ? 0 : 1;
    out_ = lanes_[index];
    in_ = lanes_[1 - index];
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    void* memory = nullptr;
    if (::rte_mempool_get(out_.pool, &memory) != 0) return {};
    prepared_ = static_cast<Object*>(memory);
    prepared_->length_bytes = length_bytes;
    return {prepared_->payload(), length_bytes};
  }

  bool Send() { return ::rte_ring_enqueue(out_.ring, prepared_) == 0; }

  bool Receive(const auto& reader) {
    void* memory = nullptr;
    if (::rte_ring_dequeue(in_.ring, &memory) != 0) return false;
    auto* object = static_cast<Object*>(memory);
    reader(std::span<const std::byte>(object->payload(), object->length_bytes));
    ::rte_mempool_put(in_.pool, memory);
    return true;
  }

  void Service() {}

 private:
  // One direction.
  struct Lane {
    rte_ring* ring = nullptr;
    rte_mempool* pool = nullptr;
  };
  std::array<Lane, 2> lanes_;
  Lane out_;
  Lane in_;
  Object* prepared_ = nullptr;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::DpdkPeer>(argc, argv, "dpdk");
}
