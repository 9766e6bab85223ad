#include "bench/processes/sleep_watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "bench/clock.h"
#include "bench/failure.h"

namespace zcb::bench {
namespace {

constexpr std::uint64_t kPatienceNs = 60'000'000'000;

}  // namespace

SleepWatch::SleepWatch(pid_t pid)
    : stat_(::open(fmt::format("/proc/{}/stat", pid).c_str(),
                   O_RDONLY | O_CLOEXEC)) {
  if (stat_ < 0) Fail("process {} has ended", pid);
}

SleepWatch::~SleepWatch() { ::close(stat_); }

bool SleepWatch::IsAsleep() const {
  std::array<char, 512> text;
  const ssize_t length = ::pread(stat_, text.data(), text.size(), 0);
  if (length <= 0) Fail("a process has ended");
  const std::string_view line(text.data(), static_cast<std::size_t>(length));
  // The letter behind the last bracket: a name may hold anything.
  const std::size_t bracket = line.rfind(')');
  if (bracket == std::string_view::npos || bracket + 2 >= line.size()) {
    Fail("a process without a state");
  }
  const char state = line[bracket + 2];
  if (state == 'Z' || state == 'X') Fail("a process has ended");
  return state == 'S';
}

void SleepWatch::Await() const {
  const std::uint64_t end_ns = MonotonicNs() + kPatienceNs;
  while (!IsAsleep()) {
    if (MonotonicNs() > end_ns) Fail("somebody never sleeps");
  }
}

}  // namespace zcb::bench
