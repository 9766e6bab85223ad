// A sender that is faster than its reader: bursts into a reader that sleeps,
// and a stream into one that takes its time over every message.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "bench/clock.h"
#include "bench/crowd/member.h"
#include "bench/failure.h"
#include "bench/processes/children.h"
#include "bench/processes/measured_once.h"
#include "bench/processes/shared_count.h"
#include "bench/processes/sleep_watch.h"
#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

// What fits into a ring that nobody reads: cpg_zcb_group_stats' ring_messages
// by default.
constexpr std::size_t kRoom = 3584;
constexpr std::size_t kDrainEvery = 64;

struct Options {
  std::uint64_t burst = 0;  // messages; 0: pressure instead
  bool waits = false;       // cpg_zcb_mcast_timed() instead of trying again
  std::uint64_t work_ns = 500;
  std::uint64_t rounds = 200;
  std::uint64_t messages = 100'000;
};

struct Board {
  SharedCount ready;
  SharedCount read;  // bursts, or all of the stream
  std::atomic<std::uint64_t> first_ns;
  std::atomic<std::uint64_t> last_ns;
};

class Reader {
 public:
  Reader(Board* board, const Options& options)
      : board_(*board), options_(options), member_(CrowdMember::Wait::kFutex) {
    member_.AwaitMembers(2);
    board_.ready.Add(1);
  }

  [[noreturn]] void ReadBursts() {
    for (std::uint32_t round = 1;; ++round) {
      Take();
      // relaxed, both: carried by the count
      board_.first_ns.store(MonotonicNs(), std::memory_order_relaxed);
      for (std::size_t i = 1; i < options_.burst; ++i) Take();
      board_.last_ns.store(MonotonicNs(), std::memory_order_relaxed);
      board_.read.Set(round);
    }
  }

  [[noreturn]] void ReadSlowly() {
    for (std::size_t i = 0; i < options_.messages; ++i) {
      Take();
      const std::uint64_t until_ns = MonotonicNs() + options_.work_ns;
      while (MonotonicNs() < until_ns) {
      }
    }
    board_.last_ns.store(MonotonicNs(), std::memory_order_relaxed);
    board_.read.Set(1);
    for (;;) member_.Await();
  }

 private:
  void Take() {
    const Stamp stamp = member_.Await();
    if (stamp.number != next_++) Fail("message {} was lost", next_ - 1);
  }

  Board& board_;
  const Options options_;
  CrowdMember member_;
  std::uint64_t next_ = 0;
};

class Sender {
 public:
  Sender(const Options& options, const MeasuredOnce& program)
      : options_(options), board_(MakeShared<Board>()) {
    const pid_t reader = children_.Start([&] {
      PinTo(program.places().second_cpu);
      Reader self(board_, options_);
      options_.burst != 0 ? self.ReadBursts() : self.ReadSlowly();
    });
    PinTo(program.places().first_cpu);
    reader_ = std::make_unique<SleepWatch>(reader);
    member_ = std::make_unique<CrowdMember>(CrowdMember::Wait::kSpin);
    member_->AwaitMembers(2);
    board_->ready.WaitFor(1, "the reader");
  }

  Figures SendBursts() {
    std::vector<double> send_ns, drain_ns, until_read_us;
    const auto count = static_cast<double>(options_.burst);
    std::uint64_t number = 0;
    for (std::uint32_t round = 1; round <= options_.rounds; ++round) {
      reader_->Await();
      const std::uint64_t start_ns = MonotonicNs();
      for (std::size_t i = 0; i < options_.burst; ++i) {
        if (!member_->TrySend({0, number++})) Fail("refused");
      }
      const std::uint64_t sent_ns = MonotonicNs();
      board_->read.WaitFor(round, "bursts read");
      member_->Drain();
      // relaxed, both: carried by the count
      const std::uint64_t first_ns =
          board_->first_ns.load(std::memory_order_relaxed);
      const std::uint64_t last_ns =
          board_->last_ns.load(std::memory_order_relaxed);
      send_ns.push_back(static_cast<double>(sent_ns - start_ns) / count);
      until_read_us.push_back(static_cast<double>(last_ns - start_ns) / 1000);
      if (options_.burst > 1) {
        drain_ns.push_back(static_cast<double>(last_ns - first_ns) /
                           (count - 1));
      }
    }
    Figures figures{{"send_p50_ns", Quantile(send_ns, 0.5)},
                    {"send_p99_ns", Quantile(send_ns, 0.99)},
                    {"until_read_p50_us", Quantile(until_read_us, 0.5)},
                    {"until_read_p99_us", Quantile(until_read_us, 0.99)}};
    if (options_.burst > 1) {
      figures.emplace_back("drain_p50_ns", Quantile(drain_ns, 0.5));
      figures.emplace_back("drain_p99_ns", Quantile(drain_ns, 0.99));
    }
    return figures;
  }

  Figures SendStream() {
    const TickClock clock;
    std::vector<double> wait_us;  // sends that found no room at first
    std::uint64_t refused = 0;
    const std::uint64_t start_ns = MonotonicNs();
    const std::uint64_t cpu_start_ns = ThreadCpuNs();
    for (std::size_t i = 0; i < options_.messages; ++i) {
      // It is a member, too; only the reader is to hold the ring back.
      if (i % kDrainEvery == 0) member_->Drain();
      if (member_->TrySend({0, i})) continue;
      ++refused;
      const std::uint64_t start = clock.Now();
      refused += options_.waits ? WaitAndSend(i) : TryAndSend(i);
      wait_us.push_back(static_cast<double>(clock.Now() - start) *
                        clock.NsPerTick() / 1000);
    }
    const auto cpu_ns = static_cast<double>(ThreadCpuNs() - cpu_start_ns);
    board_->read.WaitFor(1, "all read");
    // relaxed: carried by the count
    const auto took_ns = static_cast<double>(
        board_->last_ns.load(std::memory_order_relaxed) - start_ns);
    const auto count = static_cast<double>(options_.messages);
    return {{"messages_per_s", count * 1e9 / took_ns},
            {"send_cpu_ns", cpu_ns / count},
            {"refused_share", static_cast<double>(refused) /
                                  (count + static_cast<double>(refused))},
            {"waited_share", static_cast<double>(wait_us.size()) / count},
            {"wait_p50_us", Quantile(wait_us, 0.5)},
            {"wait_p99_us", Quantile(wait_us, 0.99)}};
  }

 private:
  // How often it was refused.
  std::uint64_t TryAndSend(std::uint64_t number) {
    std::uint64_t refused = 0;
    for (; !member_->TrySend({0, number}); ++refused) member_->Drain();
    return refused;
  }
  std::uint64_t WaitAndSend(std::uint64_t number) {
    std::uint64_t refused = 0;
    for (; !member_->SendTimed({0, number}); ++refused) member_->Drain();
    return refused;
  }

  const Options options_;
  Board* const board_;
  Children children_;
  std::unique_ptr<SleepWatch> reader_;
  std::unique_ptr<CrowdMember> member_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  MeasuredOnce program("burst", "A sender that is faster than its reader.");
  Options options;
  program.Number("--burst", &options.burst,
                 "messages into a reader that sleeps; 0: a stream into one "
                 "that is slow",
                 0, kRoom);
  program.Flag("--wait", &options.waits,
               "stream: wait for room instead of trying again");
  program.Number("--work-ns", &options.work_ns,
                 "stream: how long the reader takes over a message");
  program.Number("--rounds", &options.rounds, "bursts");
  program.Number("--messages", &options.messages, "of the stream");
  return program.Run(argc, argv, [&] {
    Sender sender(options, program);
    return options.burst != 0 ? sender.SendBursts() : sender.SendStream();
  });
}
