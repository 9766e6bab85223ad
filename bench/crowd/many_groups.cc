// One process in many groups: what a message costs that goes to each in turn,
// and what a group costs in which nothing happens.
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/crowd/member.h"
#include "bench/failure.h"
#include "bench/processes/measured_once.h"
#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kMessagesPerChunk = 2048;  // over all groups

struct Options {
  std::uint64_t groups = 16;
  std::uint64_t rounds = 100;
};

void Check(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

class ManyGroups {
 public:
  explicit ManyGroups(const Options& options) : options_(options) {
    for (std::size_t i = 0; i < options.groups; ++i) {
      members_.push_back(std::make_unique<CrowdMember>(
          CrowdMember::Wait::kSpin, "group-" + std::to_string(i)));
      members_.back()->AwaitMembers(1);
    }
  }

  Figures Measure() {
    Figures figures;
    MeasureTurns(&figures);
    MeasureOneOfMany(&figures);
    MeasureEmptyDispatch(&figures);
    MeasureDescriptors(&figures);
    return figures;
  }

 private:
  using Times = std::vector<double>;

  double PerMessage(std::uint64_t start, std::uint64_t end) const {
    return static_cast<double>(end - start) * clock_.NsPerTick() /
           static_cast<double>(kMessagesPerChunk);
  }

  // To each group in turn, then all of it is read, group by group.
  void MeasureTurns(Figures* figures) {
    Times send_ns, receive_ns;
    for (std::size_t round = 0; round <= options_.rounds; ++round) {
      const std::uint64_t start = clock_.Now();
      for (std::size_t i = 0; i < kMessagesPerChunk; ++i) {
        if (!members_[i % members_.size()]->TrySend({0, i})) Fail("refused");
      }
      const std::uint64_t sent = clock_.Now();
      std::size_t count = 0;
      for (const auto& member : members_) count += member->Drain();
      const std::uint64_t received = clock_.Now();
      if (count != kMessagesPerChunk) Fail("{} messages came back", count);
      if (round == 0) continue;  // finds everything cold
      send_ns.push_back(PerMessage(start, sent));
      receive_ns.push_back(PerMessage(sent, received));
    }
    figures->emplace_back("send_p50_ns", Quantile(send_ns, 0.5));
    figures->emplace_back("receive_p50_ns", Quantile(receive_ns, 0.5));
    figures->emplace_back("messages_per_s", 1e9 / (Quantile(send_ns, 0.5) +
                                                   Quantile(receive_ns, 0.5)));
  }

  // Only the first group is used: against the same with one group, the
  // difference is what the others cost by being there.
  void MeasureOneOfMany(Figures* figures) {
    Times both_ns;
    for (std::size_t round = 0; round <= options_.rounds; ++round) {
      const std::uint64_t start = clock_.Now();
      for (std::size_t i = 0; i < kMessagesPerChunk; ++i) {
        if (!members_[0]->TrySend({0, i})) Fail("refused");
        Stamp stamp;
        if (!members_[0]->TryNext(&stamp) || stamp.number != i) {
          Fail("message {} did not come back", i);
        }
      }
      if (round > 0) both_ns.push_back(PerMessage(start, clock_.Now()));
    }
    figures->emplace_back("one_group_p50_ns", Quantile(both_ns, 0.5));
  }

  // All handles are asked, and none has anything.
  void MeasureEmptyDispatch(Figures* figures) {
    Times per_group_ns;
    for (std::size_t round = 0; round <= options_.rounds; ++round) {
      const std::uint64_t start = clock_.Now();
      for (const auto& member : members_) {
        Check(cpg_dispatch(member->handle(), CS_DISPATCH_ALL), "cpg_dispatch");
      }
      if (round == 0) continue;
      per_group_ns.push_back(static_cast<double>(clock_.Now() - start) *
                             clock_.NsPerTick() /
                             static_cast<double>(members_.size()));
    }
    figures->emplace_back("idle_dispatch_p50_ns", Quantile(per_group_ns, 0.5));
  }

  // From a send to some group until epoll_wait(2) over all has named it and it
  // has been read.
  void MeasureDescriptors(Figures* figures) {
    const int watch = ::epoll_create1(EPOLL_CLOEXEC);
    if (watch < 0) Fail("no epoll");
    for (std::size_t i = 0; i < members_.size(); ++i) {
      int fd = -1;
      Check(cpg_fd_get(members_[i]->handle(), &fd), "cpg_fd_get");
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      if (::epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event) != 0) Fail("no watch");
    }
    Times event_us;
    const std::size_t count = options_.rounds * 10;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t target = i * 7 % members_.size();
      const std::uint64_t start = clock_.Now();
      if (!members_[target]->TrySend({0, i})) Fail("refused");
      for (bool found = false; !found;) {
        std::array<epoll_event, 16> events;
        const int ready = ::epoll_wait(watch, events.data(), events.size(), -1);
        for (int e = 0; e < ready; ++e) {
          const std::uint64_t at = events[static_cast<std::size_t>(e)].data.u64;
          found = members_[at]->Drain() != 0 || found;
        }
      }
      event_us.push_back(static_cast<double>(clock_.Now() - start) *
                         clock_.NsPerTick() / 1000);
    }
    ::close(watch);
    figures->emplace_back("by_epoll_p50_us", Quantile(event_us, 0.5));
  }

  const Options options_;
  const TickClock clock_;
  std::vector<std::unique_ptr<CrowdMember>> members_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  MeasuredOnce program("many_groups", "One process in many groups.");
  Options options;
  program.Number("--groups", &options.groups, "how many", 1, 1024);
  program.Number("--rounds", &options.rounds, "chunks of messages");
  return program.Run(argc, argv, [&] {
    PinTo(program.places().first_cpu);
    return ManyGroups(options).Measure();
  });
}
