#include "bench/machine_load.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "bench/clock.h"

namespace zcb::bench {
namespace {

// More than this share of the machine, and more than what the kernel's books,
// which count ticks, can be wrong by.
constexpr double kDisturbedShare = 0.05;
constexpr double kTicksOfDoubt = 3;

double SecondsPerTick() {
  return 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) * 1e-6;
}

double UsedBy(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

// utime and stime stand behind the name in parentheses.
double UsedByProcess(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  constexpr int kFieldsBeforeTimes = 11;
  std::string skipped;
  for (int i = 0; i < kFieldsBeforeTimes; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) * SecondsPerTick();
}

}  // namespace

LoadWatch::LoadWatch(pid_t daemon) : daemon_(daemon), before_(ReadBooks()) {}

LoadWatch::Books LoadWatch::ReadBooks() const {
  Books books;
  books.at_ns = MonotonicNs();
  std::ifstream file("/proc/stat");
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0;
  double interrupt = 0, soft_interrupt = 0, stolen = 0;
  file >> name >> user >> nice >> system >> idle >> waiting >> interrupt >>
      soft_interrupt >> stolen;
  books.worked_s =
      (user + nice + system + interrupt + soft_interrupt) * SecondsPerTick();
  books.stolen_s = stolen * SecondsPerTick();
  books.own_s = UsedBy(RUSAGE_SELF) + UsedBy(RUSAGE_CHILDREN);
  if (daemon_ > 0) books.own_s += UsedByProcess(daemon_);
  return books;
}

MachineLoad LoadWatch::Read() const {
  const Books now = ReadBooks();
  const double cpu_s = static_cast<double>(now.at_ns - before_.at_ns) * 1e-9 *
                       static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
  const double others_s = std::max(
      0.0, (now.worked_s - before_.worked_s) - (now.own_s - before_.own_s));
  const double stolen_s = now.stolen_s - before_.stolen_s;
  const double limit_s =
      std::max(kDisturbedShare * cpu_s, kTicksOfDoubt * SecondsPerTick());
  return {.others = others_s / cpu_s,
          .stolen = stolen_s / cpu_s,
          .is_disturbed = others_s > limit_s || stolen_s > limit_s};
}

}  // namespace zcb::bench
