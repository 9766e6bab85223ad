// What ends a worker, or the demo: main() prints it, or reports it.
#ifndef ZCB_TOOLS_DEMO_FAILURE_H_
#define ZCB_TOOLS_DEMO_FAILURE_H_

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace zcb::demo {

struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <typename... Args>
[[noreturn]] void Fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Failed(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_FAILURE_H_
