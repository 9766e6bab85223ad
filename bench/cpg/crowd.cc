#include "bench/cpg/crowd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>

#include "bench/clock.h"
#include "bench/cpg/client.h"
#include "bench/failure.h"

namespace zcb::bench {

Crowd::Crowd(std::size_t count, std::size_t small_count) {
  if (pipe2(stop_, O_CLOEXEC) != 0) Fail("no pipe");
  for (std::size_t i = 0; i < count; ++i) {
    const double first_ns = Fork(i, small_count);
    if (i == 0) very_first_ns_ = first_ns;
  }
}

Crowd::~Crowd() {
  close(stop_[1]);
  close(stop_[0]);
  for (const pid_t child : children_) waitpid(child, nullptr, 0);
}

// One more child; how long its first call took.
double Crowd::Fork(std::size_t number, std::size_t small_count) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) Fail("no pipe");
  const pid_t child = fork();
  if (child < 0) Fail("cannot fork");
  if (child == 0) {
    close(stop_[1]);
    close(ready[0]);
    dup2(ready[1], STDOUT_FILENO);
    BeOne(number, small_count);
  }
  children_.push_back(child);
  close(ready[1]);
  double first_ns = 0;
  const ssize_t got = read(ready[0], &first_ns, sizeof(first_ns));
  close(ready[0]);
  if (got != static_cast<ssize_t>(sizeof(first_ns))) {
    Fail("member {} of the crowd could not join", number);
  }
  return first_ns;
}

void Crowd::BeOne(std::size_t number, std::size_t small_count) {
  try {
    const std::uint64_t start = MonotonicNs();
    const cpg_handle_t handle = Initialize();
    const auto first_ns = static_cast<double>(MonotonicNs() - start);
    Join(handle, Named(kLargeGroup));
    if (number < small_count) Join(Initialize(), Named(kSmallGroup));
    if (write(STDOUT_FILENO, &first_ns, sizeof(first_ns)) < 0) _exit(1);
    close(STDOUT_FILENO);
    char none = 0;
    while (read(stop_[0], &none, 1) > 0) {
    }
    _exit(0);
  } catch (const std::exception& error) {
    fmt::print(stderr, "calls: {}\n", error.what());
  }
  _exit(1);
}

}  // namespace zcb::bench
