// A benchmark that cannot go on throws this; main() prints it.
#ifndef ZCB_BENCH_FAILURE_H_
#define ZCB_BENCH_FAILURE_H_

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace zcb::bench {

struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <typename... Args>
[[noreturn]] void Fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Failed(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_FAILURE_H_
