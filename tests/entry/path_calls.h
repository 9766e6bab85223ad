// Lets a test act just before the library uses a name: the attacker who always
// wins the race. Linked into a test program, these calls take the place of the
// C library's.
#ifndef ZCB_TESTS_ENTRY_PATH_CALLS_H_
#define ZCB_TESTS_ENTRY_PATH_CALLS_H_

#include <functional>

namespace zcb::testing {

struct PathCall {
  const char* function;
  int directory_fd;
  const char* name;
};

// Called before each call that takes a name, by the thread that makes it; calls
// that it makes itself are not reported. Empty: nobody is. Not thread-safe.
void OnPathCall(std::function<void(const PathCall&)> hook);

}  // namespace zcb::testing

#endif  // ZCB_TESTS_ENTRY_PATH_CALLS_H_
