// A member of the demo's group: CPG_MODEL_ZCB, messages pulled one by one.
#ifndef ZCB_TOOLS_DEMO_GROUP_MEMBER_H_
#define ZCB_TOOLS_DEMO_GROUP_MEMBER_H_

#include <corosync/cpg_zcb.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/demo/order.h"

namespace zcb::demo {

class GroupMember {
 public:
  // Attaches to the region and joins.
  GroupMember(const std::string& group, bool spins);
  ~GroupMember();
  GroupMember(const GroupMember&) = delete;
  GroupMember& operator=(const GroupMember&) = delete;

  // The next message; views on the way are noted. What it points to is good
  // until the next call. Take: false if there is none now. WaitFor...: by the
  // way the member waits, until there is one, or (ns of CLOCK_MONOTONIC) until
  // a time.
  bool Take(cpg_zcb_message* message);
  void WaitForMessage(cpg_zcb_message* message);
  void WaitUntil(std::uint64_t time_ns);
  // Waits for a view; messages on the way are dropped.
  void WaitForMembers(std::size_t count);
  void WaitForProcessDown();

  // nullptr: no room now.
  void* Alloc(std::size_t bytes);
  // False: no room now.
  bool Send(void* buffer, std::size_t length_bytes);

  const std::vector<ViewSeen>& views() const { return views_; }
  // Leaves, reads on up to its own leave, and tells what the process still has.
  void Leave(Report* report);

 private:
  enum class Found : std::uint8_t { kNothing, kMessage, kView };
  Found TakeNext(cpg_zcb_message* event);
  // Returns at once if it spins; otherwise when there may be something.
  void Rest(std::uint64_t time_ns);

  cpg_handle_t handle_ = 0;
  cpg_name group_{};
  int descriptor_ = -1;  // -1: spins
  bool left_ = false;
  std::uint64_t messages_ = 0;
  std::vector<ViewSeen> views_;
};

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_GROUP_MEMBER_H_
