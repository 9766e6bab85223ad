#include "tools/demo/pass.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "tools/demo/chunk.h"
#include "tools/demo/failure.h"

namespace zcb::demo {
namespace {

constexpr std::uint64_t kPatienceNs = 120'000'000'000;

Order OrderFor(const PassPlan& plan, const SampleFile& file) {
  Order order;
  order.group = plan.group;
  order.receiver_count = plan.receiver_count;
  order.spins = plan.spins;
  order.path = file.path();
  order.file_bytes = file.size_bytes();
  order.pace_ns = plan.pace_ns;
  order.paced_count = plan.paced_count;
  return order;
}

// Waits until everybody has ended, and kills whom the plan says, when it says
// that it is in the middle of the stream.
class Supervision {
 public:
  Supervision(Crew& crew, PassResult& result) : crew_(crew), result_(result) {}

  // Workers are numbered: receivers first, then the sender.
  void WaitForAll(std::size_t worker_count) {
    const std::uint64_t limit_ns = NowNs() + kPatienceNs;
    for (std::size_t ended = 0; ended < worker_count;) {
      const Crew::News news = crew_.Listen(limit_ns);
      if (news.ended) {
        CheckEnd(news);
        ++ended;
      } else {
        Note(news);
      }
    }
  }

 private:
  bool IsReceiver(std::size_t worker) const {
    return worker < result_.receivers.size();
  }

  void Note(const Crew::News& news) {
    if (!IsReceiver(news.worker)) {
      result_.sender = news.report;
      return;
    }
    PassResult::Receiver& receiver = result_.receivers[news.worker];
    receiver.report = news.report;
    if (news.report.kind != "progress") return;
    receiver.was_killed = true;
    crew_.Kill(news.worker);
  }

  void CheckEnd(const Crew::News& news) const {
    const bool was_killed =
        IsReceiver(news.worker) && result_.receivers[news.worker].was_killed;
    const bool as_wanted =
        was_killed
            ? WIFSIGNALED(news.status) && WTERMSIG(news.status) == SIGKILL
            : WIFEXITED(news.status) && WEXITSTATUS(news.status) == 0;
    if (!as_wanted) {
      Fail("process {} ended unexpectedly (wait status {:#x})",
           crew_.pid(news.worker), news.status);
    }
  }

  Crew& crew_;
  PassResult& result_;
};

}  // namespace

std::vector<const PassResult::Receiver*> PassResult::Survivors() const {
  std::vector<const Receiver*> survivors;
  for (const Receiver& receiver : receivers) {
    if (!receiver.was_killed) survivors.push_back(&receiver);
  }
  return survivors;
}

std::vector<std::uint64_t> PassResult::Latencies() const {
  std::vector<std::uint64_t> all;
  for (const Receiver* receiver : Survivors()) {
    const auto& some = receiver->report.latencies_ns;
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

double PassResult::Seconds() const {
  std::uint64_t end_ns = sender.begin_ns;
  for (const Receiver* receiver : Survivors()) {
    end_ns = std::max(end_ns, receiver->report.end_ns);
  }
  return static_cast<double>(end_ns - sender.begin_ns) / 1e9;
}

PassResult RunPass(const SignalGuard& signals, const PassPlan& plan,
                   const SampleFile& file, std::uint64_t seed) {
  PassResult result;
  Crew crew(signals);
  for (std::uint32_t i = 0; i < plan.receiver_count; ++i) {
    Order order = OrderFor(plan, file);
    order.role = "receive";
    order.hashes = plan.hashes;
    order.corrupts = plan.corrupts && i == 0;
    if (plan.spins) order.cpu = i + 1;
    const bool is_victim = plan.kills_one && i + 1 == plan.receiver_count;
    if (is_victim) order.report_at_byte = file.size_bytes() / 4 + 1;
    PassResult::Receiver receiver;
    receiver.pid = crew.pid(crew.Start(order));
    result.receivers.push_back(receiver);
  }
  Order order = OrderFor(plan, file);
  order.role = "send";
  if (plan.spins) order.cpu = 0;
  order.seed = seed;
  if (plan.kills_one) order.hold_at_byte = file.size_bytes() / 4 * 3;
  result.sender_pid = crew.pid(crew.Start(order));
  Supervision(crew, result).WaitForAll(plan.receiver_count + 1);
  return result;
}

}  // namespace zcb::demo
