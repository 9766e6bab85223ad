// A kernel, or a container's filter, that refuses system calls.
#ifndef ZCB_TESTS_SUPPORT_REFUSED_CALLS_H_
#define ZCB_TESTS_SUPPORT_REFUSED_CALLS_H_

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace zcb::testing {

struct RefusedCall {
  long number;
  int error;
  std::uint32_t argument = 0;  // only with this as the third; 0: with any
};

// From now on these fail with their errno, in this thread and all that it
// starts, for ever. False: not to be had here.
inline bool RefuseCalls(std::initializer_list<RefusedCall> calls) {
  std::vector<sock_filter> program;
  const auto load = [&program](std::size_t offset) {
    program.push_back(
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  };
  for (const RefusedCall& call : calls) {
    load(offsetof(seccomp_data, nr));
    const std::uint8_t skipped = call.argument == 0 ? 1 : 3;
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                               static_cast<std::uint32_t>(call.number), 0,
                               skipped));
    if (call.argument != 0) {
      load(offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t));
      program.push_back(
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call.argument, 0, 1));
    }
    program.push_back(
        BPF_STMT(BPF_RET | BPF_K,
                 SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(call.error)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()),
                          program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace zcb::testing

#endif  // ZCB_TESTS_SUPPORT_REFUSED_CALLS_H_
