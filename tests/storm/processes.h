// What the kernel says of processes.
#ifndef ZCB_TESTS_STORM_PROCESSES_H_
#define ZCB_TESTS_STORM_PROCESSES_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace zcb::storm {

// What it says of `pid` and each of its threads; with `stacks`, also
// their stacks, if there is a gdb.
std::string DescribeProcess(pid_t pid, bool stacks);

// All children of this process, orphans of theirs included.
std::vector<pid_t> Children();

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_PROCESSES_H_
