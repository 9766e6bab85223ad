#include "bench/tune/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>

namespace zcb::bench::tune {
namespace {

constexpr std::size_t kBarCells = 24;
constexpr std::size_t kMostText = 44;

}  // namespace

Progress::Progress(bool is_silent)
    : is_silent_(is_silent), is_terminal_(isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() { Clear(); }

void Progress::Clear() {
  if (!is_shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  is_shown_ = false;
}

void Progress::Show(double done, unsigned runs, const std::string& what) {
  if (is_silent_ || !is_terminal_) return;
  const double share = std::clamp(done, 0.0, 1.0);
  const auto full =
      static_cast<std::size_t>(share * static_cast<double>(kBarCells));
  fmt::print(stderr, "\r\x1b[K[{}{}] {:>3.0f} %  {:>4} runs  {}",
             std::string(full, '#'), std::string(kBarCells - full, '.'),
             100 * share, runs, what.substr(0, kMostText));
  std::fflush(stderr);
  is_shown_ = true;
}

void Progress::Say(const std::string& line) {
  if (is_silent_) return;
  Clear();
  fmt::print(stderr, "{}\n", line);
}

}  // namespace zcb::bench::tune
