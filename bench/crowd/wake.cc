// What a send costs when its receiver sleeps and when it does not, and how long
// the receiver takes until it runs; beside the bare ways to wake a process. One
// of each in turn, forwards and backwards, thousands of times.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/crowd/bare_wake.h"
#include "bench/crowd/member.h"
#include "bench/failure.h"
#include "bench/processes/children.h"
#include "bench/processes/measured_once.h"
#include "bench/processes/shared_count.h"
#include "bench/processes/sleep_watch.h"
#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

enum class Way : std::uint8_t {
  kFloorFutex,
  kZcbFutex,
  kFloorEventfd,
  kFloorPipe,
  kZcbDescriptor,
  kZcbAwake,  // the receiver looks all the time
};
struct NamedWay {
  Way way;
  const char* name;  // before "_send_p50_ns" and so on
};
constexpr std::array<NamedWay, 6> kWays = {{
    {Way::kFloorFutex, "floor_futex"},
    {Way::kZcbFutex, "zcb_futex"},
    {Way::kFloorEventfd, "floor_eventfd"},
    {Way::kFloorPipe, "floor_pipe"},
    {Way::kZcbDescriptor, "zcb_descriptor"},
    {Way::kZcbAwake, "zcb_awake"},
}};

// Which comes as number `turn`: A B C ... C B A.
const NamedWay& WayAt(std::uint64_t turn) {
  const std::uint64_t place = turn % (2 * kWays.size());
  return kWays[place < kWays.size() ? place : 2 * kWays.size() - 1 - place];
}

struct Board {
  SharedCount ready;
  BareFutex futex;
  std::atomic<std::uint64_t> told_ns;
  // Turns that are over. Polled: nobody is woken for it.
  alignas(64) std::atomic<std::uint64_t> turns;
};

struct Times {
  std::vector<double> send_ns;
  std::vector<double> until_ns;  // the receiver runs
};

class Wakes {
 public:
  Wakes(std::uint64_t turns, const MeasuredOnce& program)
      : turns_(turns), board_(MakeShared<Board>()) {
    const pid_t receiver = children_.Start([&] {
      PinTo(program.places().second_cpu);
      BeReceiver();
    });
    PinTo(program.places().first_cpu);
    receiver_ = std::make_unique<SleepWatch>(receiver);
    member_ = std::make_unique<CrowdMember>(CrowdMember::Wait::kSpin);
    member_->AwaitMembers(2);
    board_->ready.WaitFor(1, "the receiver");
  }

  Figures Measure() {
    std::array<Times, kWays.size()> times;
    for (std::uint64_t turn = 0; turn < turns_; ++turn) {
      const Way way = WayAt(turn).way;
      Settle(way);
      const std::uint64_t start_ns = MonotonicNs();
      Wake(way, turn);
      const std::uint64_t sent_ns = MonotonicNs();
      // acquire: the time was written before
      while (board_->turns.load(std::memory_order_acquire) <= turn) {
      }
      member_->Drain();
      if (turn < 2 * kWays.size()) continue;  // finds everything cold
      Times& its = times[static_cast<std::size_t>(way)];
      its.send_ns.push_back(static_cast<double>(sent_ns - start_ns));
      // relaxed: carried by the count
      its.until_ns.push_back(static_cast<double>(
          board_->told_ns.load(std::memory_order_relaxed) - start_ns));
    }
    Figures figures;
    for (const NamedWay& way : kWays) {
      Times& its = times[static_cast<std::size_t>(way.way)];
      const std::string name = way.name;
      for (const auto& [text, share] :
           {std::pair{"p50", 0.5}, std::pair{"p99", 0.99}}) {
        figures.emplace_back(name + "_send_" + text + "_ns",
                             Quantile(its.send_ns, share));
        figures.emplace_back(name + "_until_" + text + "_ns",
                             Quantile(its.until_ns, share));
      }
    }
    return figures;
  }

 private:
  // Asleep; or, if it is to look all the time, well in its loop.
  void Settle(Way way) const {
    constexpr std::uint64_t kLoopNs = 20'000;
    if (way != Way::kZcbAwake) return receiver_->Await();
    const std::uint64_t end_ns = MonotonicNs() + kLoopNs;
    while (MonotonicNs() < end_ns) {
    }
  }

  void Wake(Way way, std::uint64_t turn) {
    switch (way) {
      case Way::kFloorFutex:
        return board_->futex.Wake();
      case Way::kFloorEventfd:
        return event_.Wake();
      case Way::kFloorPipe:
        return pipe_.Wake();
      case Way::kZcbFutex:
      case Way::kZcbDescriptor:
      case Way::kZcbAwake:
        if (!member_->TrySend({0, turn})) Fail("refused");
    }
  }

  [[noreturn]] void BeReceiver() {
    CrowdMember member(CrowdMember::Wait::kFutex);
    member.AwaitMembers(2);
    board_->ready.Add(1);
    std::uint32_t futexes = 0;
    for (std::uint64_t turn = 0;; ++turn) {
      switch (WayAt(turn).way) {
        case Way::kFloorFutex:
          board_->futex.Await(futexes++);
          break;
        case Way::kFloorEventfd:
          event_.Await();
          break;
        case Way::kFloorPipe:
          pipe_.Await();
          break;
        case Way::kZcbFutex:
          Take(member, CrowdMember::Wait::kFutex, turn);
          break;
        case Way::kZcbDescriptor:
          Take(member, CrowdMember::Wait::kDescriptor, turn);
          break;
        case Way::kZcbAwake:
          Take(member, CrowdMember::Wait::kSpin, turn);
          break;
      }
      // relaxed: carried by the count
      board_->told_ns.store(MonotonicNs(), std::memory_order_relaxed);
      // release: the time is there
      board_->turns.store(turn + 1, std::memory_order_release);
    }
  }

  static void Take(CrowdMember& member, CrowdMember::Wait wait,
                   std::uint64_t turn) {
    member.SetWait(wait);
    if (member.Await().number != turn) {
      Fail("not the message that was sent");
    }
  }

  const std::uint64_t turns_;
  const BareEvent event_;
  const BarePipe pipe_;
  Board* const board_;
  Children children_;
  std::unique_ptr<SleepWatch> receiver_;
  std::unique_ptr<CrowdMember> member_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  MeasuredOnce program("wake", "What it costs to wake a receiver.");
  std::uint64_t wakes = 1000;
  program.Number("--wakes", &wakes, "of each kind", 20);
  return program.Run(argc, argv, [&] {
    return Wakes(wakes * kWays.size(), program).Measure();
  });
}
