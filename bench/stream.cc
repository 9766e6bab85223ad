// Stream rate from one pinned process to another: as many messages as go
// through, the sender held back only by the transport's own "no room".
#include <cstdint>

#include "bench/clock.h"
#include "bench/exchange.h"
#include "bench/floor.h"
#include "bench/pair_program.h"
#include "bench/peers/all_peers.h"

namespace zcb::bench {
namespace {

constexpr unsigned kLimitSeconds = 300;
constexpr std::uint64_t kMessagesBetweenService = 64;
constexpr double kNsPerSecond = 1e9;

std::uint64_t DefaultMessages(std::size_t length_bytes) {
  if (length_bytes <= 4096) return 500'000;
  return length_bytes <= 65536 ? 50'000 : 4'000;
}

template <Peer P>
void SendAll(P& peer, const PairOptions& options) {
  for (std::uint64_t i = 0; i < options.count; ++i) {
    SendOne(peer, options.touch, i, options.length_bytes);
    if (i % kMessagesBetweenService == 0) peer.Service();
  }
}

// Timed from before the first send until the last message has been read.
template <Peer P>
PairFigures Run(P& peer, const PairOptions& options) {
  const auto first = [&](PairPage& page) {
    const TickClock clock;
    peer.Connect(Side::kFirst);
    const Floor before = MeasureFloor(page, Side::kFirst, clock);
    PassGate(page, Side::kFirst);
    const std::uint64_t start_ns = MonotonicNs();
    SendAll(peer, options);
    PassGate(page, Side::kFirst);
    const auto took_ns = static_cast<double>(page.second_time_ns - start_ns);
    const Floor after = MeasureFloor(page, Side::kFirst, clock);
    page.result.messages_per_s =
        static_cast<double>(options.count) * kNsPerSecond / took_ns;
    page.result.bytes_per_s =
        page.result.messages_per_s * static_cast<double>(options.length_bytes);
    page.result.floor_before_ns = before.one_line_ns;
    page.result.floor_after_ns = after.one_line_ns;
    page.result.two_line_floor_ns = before.two_lines_ns;
    StorePages(peer.Pages(), page.result);
  };
  const auto second = [&](PairPage& page) {
    const TickClock clock;
    peer.Connect(Side::kSecond);
    MeasureFloor(page, Side::kSecond, clock);
    OrderedReader reader(options.touch, options.length_bytes);
    PassGate(page, Side::kSecond);
    reader.ReceiveUpTo(peer, options.count);
    page.second_time_ns = MonotonicNs();
    PassGate(page, Side::kSecond);
    MeasureFloor(page, Side::kSecond, clock);
  };
  return RunPair(options.places, kLimitSeconds, first, second);
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using zcb::bench::PairFigures;
  return zcb::bench::RunPairProgram(
      argc, argv,
      {.name = "stream",
       .description = "Stream rate from one pinned process to another.",
       .columns = {{"messages_per_s", &PairFigures::messages_per_s},
                   {"MB_per_s", &PairFigures::bytes_per_s, 1e-6}},
       .default_count = zcb::bench::DefaultMessages,
       .run = [](const zcb::bench::PairOptions& options) {
         return zcb::bench::WithPeer(
             options.peer, options.length_bytes,
             [&](auto& peer) { return zcb::bench::Run(peer, options); });
       }});
}
