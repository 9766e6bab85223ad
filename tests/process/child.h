// What the process that is going to be killed does it with.
#ifndef ZCB_TESTS_PROCESS_CHILD_H_
#define ZCB_TESTS_PROCESS_CHILD_H_

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "allocator/zcb_allocator.h"
#include "tests/process/tracee.h"
#include "tests/support/child_process.h"

namespace zcb::steps {

// The group of all survivors.
inline constexpr std::string_view kGroup = "steps";
// Groups for what would disturb there.
inline constexpr std::string_view kSlowGroup = "steps-slow";
inline constexpr std::string_view kPairGroup = "steps-pair";
inline constexpr std::string_view kOtherGroup = "steps-other";

// Message i of a batch has that many bytes, and i more.
inline constexpr std::size_t kBatchBytes = 2000;

inline cpg_name Named(std::string_view text) {
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(text.size());
  text.copy(name.value, sizeof(name.value));
  return name;
}

// Both directions, once each.
struct Meeting {
  zcb::testing::Gate child_came;
  zcb::testing::Gate driver_came;
};

struct Child {
  Board* board = nullptr;
  Meeting* meeting = nullptr;
  std::string fresh_name;  // that no group has yet
  cpg_handle_t handle = 0;
  void* buffer = nullptr;
  const void* kept = nullptr;
  std::array<void*, 32> many{};
  zcb_allocator* allocator = nullptr;

  // Lets the driver do what the operation says for that moment.
  void Meet() {
    meeting->child_came.Signal();
    meeting->driver_came.Wait();
  }
};

// A process of the harness that cannot go on says why and ends.
inline void Must(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "steps: process %d: %s\n", getpid(), what);
  _exit(90);
}

// A handle of CPG_MODEL_ZCB.
void Attach(Child& child);
void JoinGroup(cpg_handle_t handle, std::string_view group);
// Takes what is there; how many messages.
int TakeAll(cpg_handle_t handle);
// The next message, whatever views lie before it; it must be there.
cpg_zcb_message TakeMessage(cpg_handle_t handle);
cs_error_t SendBytes(cpg_handle_t handle, std::size_t bytes);
// Until the ring is full.
void FillRing(cpg_handle_t handle);

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_CHILD_H_
