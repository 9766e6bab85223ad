// Several processes send to one group for a while; receivers, who read only,
// check that each sender's messages come in his order, and that all receivers
// have seen one and the same order of everything.
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "bench/clock.h"
#include "bench/crowd/member.h"
#include "bench/failure.h"
#include "bench/processes/children.h"
#include "bench/processes/measured_once.h"
#include "bench/processes/shared_count.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kMostSenders = 64;
constexpr std::size_t kMostReceivers = 4;
constexpr std::uint64_t kLooksEvery = 16;  // messages between two looks at the
                                           // clock and at the own ring

struct Options {
  std::uint64_t senders = 2;
  std::uint64_t receivers = 2;
  std::uint64_t duration_ms = 300;
};

struct Board {
  SharedCount ready;
  SharedCount start;
  SharedCount senders_done;
  SharedCount receivers_done;
  std::atomic<std::uint64_t> end_ns;
  std::array<std::atomic<std::uint64_t>, kMostSenders> sent;
  std::array<std::atomic<std::uint64_t>, kMostSenders> refused;
  std::array<std::atomic<std::uint64_t>, kMostReceivers> order;  // a hash
  std::array<std::atomic<std::uint64_t>, kMostReceivers> received;
};

class ManySenders {
 public:
  ManySenders(const Options& options, const MeasuredOnce& program)
      : options_(options), program_(program), board_(MakeShared<Board>()) {}

  Figures Measure() {
    std::vector<int> cpus{program_.places().first_cpu};
    cpus.insert(cpus.end(), program_.other_cpus().begin(),
                program_.other_cpus().end());
    for (std::size_t i = 0; i < Everybody(); ++i) {
      // Receivers first, from the last CPU down, so that with CPUs enough they
      // have theirs for themselves.
      const bool receives = i < options_.receivers;
      const std::size_t place = receives
                                    ? cpus.size() - 1 - i % cpus.size()
                                    : (i - options_.receivers) % cpus.size();
      children_.Start([this, i, receives, cpu = cpus[place]] {
        PinTo(cpu);
        receives ? Receive(i) : Send(i - options_.receivers);
      });
    }
    board_->ready.WaitFor(Count(Everybody()), "members");
    const std::uint64_t start_ns = MonotonicNs();
    // relaxed: carried by the start
    board_->end_ns.store(start_ns + options_.duration_ms * 1'000'000,
                         std::memory_order_relaxed);
    board_->start.Set(1);
    board_->senders_done.WaitFor(Count(options_.senders), "senders");
    board_->receivers_done.WaitFor(Count(options_.receivers), "receivers");
    return Report(static_cast<double>(MonotonicNs() - start_ns));
  }

 private:
  static std::uint32_t Count(std::size_t count) {
    return static_cast<std::uint32_t>(count);
  }
  std::size_t Everybody() const {
    return options_.senders + options_.receivers;
  }

  // Everybody is there, and begins at once.
  void AwaitStart(CrowdMember& member) {
    member.AwaitMembers(Everybody());
    board_->ready.Add(Count(Everybody()));
    board_->start.WaitWhile(0);
  }

  // relaxed, all of these: carried by the counts
  Figures Report(double took_ns) const {
    std::uint64_t all = 0, least = UINT64_MAX, most = 0, refused = 0;
    for (std::size_t i = 0; i < options_.senders; ++i) {
      const std::uint64_t sent =
          board_->sent[i].load(std::memory_order_relaxed);
      all += sent;
      least = std::min(least, sent);
      most = std::max(most, sent);
      refused += board_->refused[i].load(std::memory_order_relaxed);
    }
    for (std::size_t i = 0; i < options_.receivers; ++i) {
      if (board_->received[i].load(std::memory_order_relaxed) != all) {
        Fail("receiver {} has not all", i);
      }
      if (board_->order[i].load(std::memory_order_relaxed) !=
          board_->order[0].load(std::memory_order_relaxed)) {
        Fail("receivers 0 and {} have seen different orders", i);
      }
    }
    const auto count = static_cast<double>(all);
    return {{"messages_per_s", count * 1e9 / took_ns},
            {"least_share", static_cast<double>(least) *
                                static_cast<double>(options_.senders) / count},
            {"most_share", static_cast<double>(most) *
                               static_cast<double>(options_.senders) / count},
            {"refused_share", static_cast<double>(refused) /
                                  (count + static_cast<double>(refused))}};
  }

  // A sender is a member and reads what there is: nobody else's room depends
  // on one who does not.
  void Send(std::size_t index) {
    CrowdMember member(CrowdMember::Wait::kSpin);
    AwaitStart(member);
    // relaxed: carried by the start
    const std::uint64_t end_ns = board_->end_ns.load(std::memory_order_relaxed);
    std::uint64_t number = 0, refused = 0;
    while (MonotonicNs() < end_ns) {
      for (std::uint64_t i = 0; i < kLooksEvery; ++i) {
        while (!member.TrySend({index, number})) {
          ++refused;
          // Whoever holds the ring back may want this CPU.
          if (member.Drain() == 0) ::sched_yield();
        }
        ++number;
      }
      member.Drain();
    }
    board_->sent[index].store(number, std::memory_order_relaxed);
    board_->refused[index].store(refused, std::memory_order_relaxed);
    board_->senders_done.Add(Count(options_.senders));
    // Goes on reading, so that the others can finish.
    while (board_->receivers_done.value() < options_.receivers) {
      if (member.Drain() == 0) ::sched_yield();
    }
    for (;;) board_->start.WaitWhile(1);
  }

  void Receive(std::size_t index) {
    CrowdMember member(CrowdMember::Wait::kSpin);
    AwaitStart(member);
    std::array<std::uint64_t, kMostSenders> next{};
    std::uint64_t received = 0, order = 0;
    for (;;) {
      Stamp stamp;
      if (!member.TryNext(&stamp)) {
        if (HasAll(received)) break;
        ::sched_yield();
        continue;
      }
      if (stamp.sender >= options_.senders ||
          stamp.number != next[stamp.sender]) {
        Fail("message {} of sender {} is out of order", stamp.number,
             stamp.sender);
      }
      ++next[stamp.sender];
      ++received;
      // Depends on the place of every message before.
      order = (order ^ stamp.sender) * 0x9e37'79b9'7f4a'7c15U + stamp.number;
    }
    board_->order[index].store(order, std::memory_order_relaxed);
    board_->received[index].store(received, std::memory_order_relaxed);
    board_->receivers_done.Add(Count(options_.receivers));
    for (;;) board_->start.WaitWhile(1);
  }

  bool HasAll(std::uint64_t received) const {
    if (board_->senders_done.value() < options_.senders) return false;
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < options_.senders; ++i) {
      all += board_->sent[i].load(std::memory_order_relaxed);
    }
    return received >= all;
  }

  const Options options_;
  const MeasuredOnce& program_;
  Board* const board_;
  Children children_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  MeasuredOnce program("many_senders", "Several senders, one group.");
  Options options;
  program.Number("--senders", &options.senders, "how many", 1, kMostSenders);
  program.Number("--receivers", &options.receivers, "who only read", 1,
                 kMostReceivers);
  program.Number("--duration-ms", &options.duration_ms, "how long they send");
  return program.Run(argc, argv,
                     [&] { return ManySenders(options, program).Measure(); });
}
