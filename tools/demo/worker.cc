#include "tools/demo/worker.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <string_view>

#include "tools/demo/failure.h"

namespace zcb::demo {
namespace {

void RunOn(std::int64_t cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  sched_setaffinity(0, sizeof(set), &set);  // if it may; else wherever
}

Report Run(const Order& order) {
  RunOn(order.cpu);
  if (order.role == "send") return RunSender(order);
  if (order.role == "receive") return RunReceiver(order);
  if (order.role == "observe") return RunObserver();
  Fail("no such role: {}", order.role);
}

}  // namespace

void Tell(const Report& report) {
  const std::string line = nlohmann::json(report).dump() + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write(STDOUT_FILENO, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) Fail("the driver does not listen");
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

int RunWorker(const std::string& order_json) {
  try {
    const auto order = nlohmann::json::parse(order_json).get<Order>();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != order.driver_pid) return 1;  // it died before we asked
    Tell(Run(order));
    return 0;
  } catch (const std::exception& error) {
    Report report;
    report.kind = "failed";
    report.why = error.what();
    Tell(report);
    return 1;
  }
}

}  // namespace zcb::demo
