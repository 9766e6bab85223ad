// Three ways for the receivers to be there: busy, asleep until a message comes,
// attached and not reading.
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/crowd/fan_out_peer.h"
#include "bench/failure.h"
#include "bench/processes/children.h"
#include "bench/processes/measured_once.h"
#include "bench/processes/shared_count.h"
#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

enum class Readers { kBusy, kSleep, kAttached };

constexpr std::size_t kMostReceivers = 256;
constexpr std::size_t kMessagesPerChunk = 64;  // of a stream
constexpr std::size_t kServiceEvery = 64;

struct Options {
  std::string peer = "zcb";
  Readers readers = Readers::kAttached;
  std::uint64_t receivers = 1;
  std::uint64_t messages = 200'000;  // of a stream
  std::uint64_t rounds = 200;        // single messages, or chunks
};

struct Board {
  SharedCount attached;
  SharedCount order;  // raised for receivers that do not read by themselves
  SharedCount done;   // cumulative: receivers that have the message, or drained
  alignas(64) std::array<std::atomic<std::uint64_t>, kMostReceivers> told_ns;
};

class FanOut {
 public:
  FanOut(const Options& options, FanOutPeer* peer, std::vector<int> other_cpus)
      : options_(options),
        peer_(*peer),
        other_cpus_(std::move(other_cpus)),
        board_(MakeShared<Board>()) {}

  Figures Measure(int own_cpu) {
    PinTo(own_cpu);
    peer_.SetUp(options_.receivers, &children_);
    for (std::size_t i = 0; i < options_.receivers; ++i) {
      receivers_.Start([this, i] { BeReceiver(i); });
    }
    board_->attached.WaitFor(Receivers(), "receivers");
    peer_.AwaitReceivers(options_.receivers);
    switch (options_.readers) {
      case Readers::kBusy:
        return SendStream(0);
      case Readers::kSleep: {
        Figures figures = SendToSleepers();
        for (auto& figure : SendStream(options_.rounds)) {
          figures.push_back(std::move(figure));
        }
        return figures;
      }
      case Readers::kAttached:
        return SendToAttached();
    }
    return {};
  }

 private:
  std::uint32_t Receivers() const {
    return static_cast<std::uint32_t>(options_.receivers);
  }

  // --- the sender
  // -------------------------------------------------------------

  // Chunks that nobody reads meanwhile. A chunk pays for giving back the one
  // before, which had been read by then.
  Figures SendToAttached() {
    std::vector<double> cpu_ns;
    std::uint64_t number = 0;
    for (std::uint32_t round = 0; round <= options_.rounds; ++round) {
      const std::uint64_t start_ns = ThreadCpuNs();
      for (std::size_t i = 0; i < peer_.room(); ++i) {
        if (!peer_.TrySend(number++)) Fail("refused, and nobody reads");
      }
      const auto took_ns = static_cast<double>(ThreadCpuNs() - start_ns);
      if (round > 0) {  // the first finds everything cold
        cpu_ns.push_back(took_ns / static_cast<double>(peer_.room()));
      }
      peer_.Service();
      board_->order.Set(round + 1);
      board_->done.WaitFor((round + 1) * Receivers(), "drained");
      if (peer_.may_lose()) continue;
      for (std::size_t i = 0; i < options_.receivers; ++i) {
        // relaxed: carried by the count
        if (board_->told_ns[i].load(std::memory_order_relaxed) != number) {
          Fail("receiver {} lacks messages", i);
        }
      }
    }
    return {{"send_p50_ns", Quantile(cpu_ns, 0.5)},
            {"send_p90_ns", Quantile(cpu_ns, 0.9)}};
  }

  // Single messages to receivers that all sleep.
  Figures SendToSleepers() {
    std::vector<double> send_ns, first_us, last_us;
    for (std::uint32_t round = 0; round < options_.rounds; ++round) {
      receivers_.AwaitSleep();
      const std::uint64_t start_ns = MonotonicNs();
      if (!peer_.TrySend(round)) Fail("refused, and all have read");
      send_ns.push_back(static_cast<double>(MonotonicNs() - start_ns));
      board_->done.WaitFor((round + 1) * Receivers(), "told");
      std::uint64_t first_ns = UINT64_MAX, last_ns = 0;
      for (std::size_t i = 0; i < options_.receivers; ++i) {
        // relaxed: carried by the count
        const std::uint64_t told_ns =
            board_->told_ns[i].load(std::memory_order_relaxed);
        first_ns = std::min(first_ns, told_ns);
        last_ns = std::max(last_ns, told_ns);
      }
      first_us.push_back(static_cast<double>(first_ns - start_ns) / 1000);
      last_us.push_back(static_cast<double>(last_ns - start_ns) / 1000);
      peer_.Service();
    }
    return {{"wake_all_p50_ns", Quantile(send_ns, 0.5)},
            {"first_p50_us", Quantile(first_us, 0.5)},
            {"first_p99_us", Quantile(first_us, 0.99)},
            {"last_p50_us", Quantile(last_us, 0.5)},
            {"last_p99_us", Quantile(last_us, 0.99)}};
  }

  // As fast as it goes, until the last receiver has the last message.
  Figures SendStream(std::uint64_t first) {
    const TickClock clock;
    std::vector<double> chunk_ns;
    const std::uint64_t start_ns = MonotonicNs();
    const std::uint64_t cpu_start_ns = ThreadCpuNs();
    std::uint64_t chunk_start = clock.Now();
    for (std::uint64_t i = 1; i <= options_.messages; ++i) {
      while (!peer_.TrySend(first + i - 1)) {
        peer_.Service();
        if (SharesCpu()) ::sched_yield();
      }
      if (i % kServiceEvery == 0) peer_.Service();
      if (i % kMessagesPerChunk != 0) continue;
      const std::uint64_t now = clock.Now();
      chunk_ns.push_back(static_cast<double>(now - chunk_start) *
                         clock.NsPerTick() / kMessagesPerChunk);
      chunk_start = now;
    }
    const auto cpu_ns = static_cast<double>(ThreadCpuNs() - cpu_start_ns);
    board_->done.WaitFor((static_cast<std::uint32_t>(first) + 1) * Receivers(),
                         "all read");
    const auto took_ns = static_cast<double>(MonotonicNs() - start_ns);
    const auto count = static_cast<double>(options_.messages);
    return {{"messages_per_s", count * 1e9 / took_ns},
            {"deliveries_per_s",
             count * 1e9 / took_ns * static_cast<double>(options_.receivers)},
            {"send_cpu_ns", cpu_ns / count},
            {"send_p50_ns", Quantile(chunk_ns, 0.5)},
            {"send_p90_ns", Quantile(chunk_ns, 0.9)}};
  }

  // --- a receiver
  // -------------------------------------------------------------

  // Whether two of those that are busy have one CPU.
  bool SharesCpu() const { return options_.receivers > other_cpus_.size(); }

  void BeReceiver(std::size_t index) {
    PinTo(other_cpus_[index % other_cpus_.size()]);
    peer_.Attach(index, options_.readers == Readers::kSleep);
    board_->attached.Add(Receivers());
    switch (options_.readers) {
      case Readers::kBusy:
        Read(0, options_.messages, [this] { return TakeBusy(); });
        board_->done.Add(Receivers());
        break;
      case Readers::kSleep:
        AwaitSingles(index);
        Read(options_.rounds, options_.messages,
             [this] { return peer_.Await(); });
        board_->done.Add((static_cast<std::uint32_t>(options_.rounds) + 1) *
                         Receivers());
        break;
      case Readers::kAttached:
        DrainWhenAsked(index);
        break;
    }
    for (;;) board_->order.WaitWhile(board_->order.value());
  }

  template <typename Take>
  void Read(std::uint64_t first, std::uint64_t count, Take take) {
    for (std::uint64_t i = first; i < first + count; ++i) {
      const std::uint64_t number = take();
      if (number != i) Fail("message {} came in place of {}", number, i);
    }
  }

  std::uint64_t TakeBusy() {
    for (;;) {
      if (const auto number = peer_.TryReceive()) return *number;
      if (SharesCpu()) ::sched_yield();
    }
  }

  void AwaitSingles(std::size_t index) {
    for (std::uint32_t round = 0; round < options_.rounds; ++round) {
      const std::uint64_t number = peer_.Await();
      // relaxed: carried by the count
      board_->told_ns[index].store(MonotonicNs(), std::memory_order_relaxed);
      if (number != round) Fail("message {} in place of {}", number, round);
      board_->done.Add((round + 1) * Receivers());
    }
  }

  // Says in place of a time how many messages it has had.
  void DrainWhenAsked(std::size_t index) {
    std::uint64_t count = 0;
    for (std::uint32_t round = 0; round <= options_.rounds; ++round) {
      board_->order.WaitWhile(round);
      while (const auto number = peer_.TryReceive()) {
        if (!peer_.may_lose() && *number != count) {
          Fail("message {} in place of {}", *number, count);
        }
        ++count;
      }
      // relaxed: carried by the count
      board_->told_ns[index].store(count, std::memory_order_relaxed);
      board_->done.Add((round + 1) * Receivers());
    }
  }

  const Options options_;
  FanOutPeer& peer_;
  const std::vector<int> other_cpus_;
  Board* const board_;
  Children children_;   // the peer's own
  Children receivers_;  // end first
};

}  // namespace

int FanOutMain(int argc, char** argv, std::vector<FanOutPeerName> peers) {
  MeasuredOnce program("fan_out", "One sender, many receivers.");
  Options options;
  options.peer = peers.front().name;
  std::string readers = "attached";
  std::vector<std::string> names;
  for (const FanOutPeerName& peer : peers) names.push_back(peer.name);
  program.Choice("--peer", &options.peer, "what carries the messages", names);
  program.Choice("--wait", &readers, "what the receivers do",
                 {"busy", "sleep", "attached"});
  program.Number("--receivers", &options.receivers, "how many", 1,
                 kMostReceivers);
  program.Number("--messages", &options.messages, "of a stream");
  program.Number("--rounds", &options.rounds,
                 "sleep: single messages; attached: chunks");
  return program.Run(argc, argv, [&] {
    options.readers = readers == "busy"    ? Readers::kBusy
                      : readers == "sleep" ? Readers::kSleep
                                           : Readers::kAttached;
    const auto found =
        std::ranges::find(peers, options.peer, &FanOutPeerName::name);
    const auto peer = found->make();
    if (options.readers == Readers::kSleep && !peer->can_block()) {
      Fail("{} is not measured asleep", options.peer);
    }
    FanOut fan_out(options, peer.get(), program.other_cpus());
    return fan_out.Measure(program.places().first_cpu);
  });
}

}  // namespace zcb::bench
