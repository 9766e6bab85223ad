/*
 * An ordinary CPG program: compiled against the system's <corosync/cpg.h>,
 * linked with -lcpg, and knowing nothing of zcb. Calls every function: joins,
 * sends to itself in every way, receives, looks around, leaves. Exit code 0:
 * all was as it should be; otherwise the line that saw that it was not.
 */
#include <corosync/corotypes.h>
#include <corosync/cpg.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHECK(condition)                                      \
  do {                                                        \
    if (!(condition)) _exit(__LINE__ < 256 ? __LINE__ : 255); \
  } while (0)

static int joins;
static int leaves;
static int messages;
static char last[64];
static size_t last_length;

static void Deliver(cpg_handle_t handle, const struct cpg_name* group,
                    uint32_t nodeid, uint32_t pid, void* msg, size_t length) {
  (void)handle;
  CHECK(group->length == 5 && memcmp(group->value, "stock", 5) == 0);
  CHECK(nodeid != 0 && pid == (uint32_t)getpid());
  CHECK(length <= sizeof(last));
  memcpy(last, msg, length);
  last_length = length;
  memset(msg, 0, length); /* ours to change */
  ++messages;
}

static void Confchg(cpg_handle_t handle, const struct cpg_name* group,
                    const struct cpg_address* members, size_t member_count,
                    const struct cpg_address* left, size_t left_count,
                    const struct cpg_address* joined, size_t joined_count) {
  (void)handle;
  (void)group;
  if (joined_count == 1) {
    CHECK(joined[0].pid == (uint32_t)getpid());
    CHECK(joined[0].reason == CPG_REASON_JOIN);
    CHECK(member_count == 1 && members[0].pid == (uint32_t)getpid());
    ++joins;
  }
  if (left_count == 1) {
    CHECK(left[0].reason == CPG_REASON_LEAVE && member_count == 0);
    ++leaves;
  }
}

static void WaitReadable(int fd) {
  struct pollfd entry = {fd, POLLIN, 0};
  CHECK(poll(&entry, 1, -1) == 1 && entry.revents == POLLIN);
}

int main(void) {
  cpg_callbacks_t callbacks = {Deliver, Confchg};
  struct cpg_name group = {5, "stock"};
  struct cpg_address members[CPG_MEMBERS_MAX];
  struct cpg_iteration_description_t item;
  cpg_iteration_handle_t walk;
  cpg_flow_control_state_t flow;
  cpg_handle_t handle = 0;
  cpg_handle_t other = 0;
  unsigned int nodeid = 0;
  uint32_t most = 0;
  int count = 0;
  int fd = -1;
  void* buffer = NULL;
  struct iovec pieces[2] = {{"two ", 4}, {"pieces", 6}};

  CHECK(cpg_initialize(&handle, &callbacks) == CS_OK);
  CHECK(handle != 0);
  CHECK(cpg_model_initialize(&other, CPG_MODEL_V1, NULL, &group) == CS_OK);
  CHECK(cpg_context_get(other, &buffer) == CS_OK && buffer == &group);
  CHECK(cpg_context_set(other, &item) == CS_OK);
  CHECK(cpg_context_get(other, &buffer) == CS_OK && buffer == &item);
  CHECK(cpg_finalize(other) == CS_OK);
  CHECK(cpg_local_get(handle, &nodeid) == CS_OK && nodeid != 0);
  CHECK(cpg_max_atomic_msgsize_get(handle, &most) == CS_OK && most >= 1047552);
  CHECK(cpg_fd_get(handle, &fd) == CS_OK && fd >= 0);
  CHECK(cpg_dispatch(handle, CS_DISPATCH_ALL) == CS_OK);
  CHECK(cpg_join(handle, &group) == CS_OK);
  CHECK(cpg_join(handle, &group) == CS_ERR_EXIST);
  WaitReadable(fd);
  CHECK(cpg_dispatch(handle, CS_DISPATCH_ONE) == CS_OK && joins == 1);

  CHECK(cpg_mcast_joined(handle, CPG_TYPE_AGREED, pieces, 2) == CS_OK);
  WaitReadable(fd);
  CHECK(cpg_dispatch(handle, CS_DISPATCH_ONE) == CS_OK && messages == 1);
  CHECK(last_length == 10 && memcmp(last, "two pieces", 10) == 0);

  CHECK(cpg_zcb_alloc(handle, 32, &buffer) == CS_OK);
  memcpy(buffer, "buffer", 6);
  CHECK(cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 6) == CS_OK);
  memcpy(buffer, "edited", 6);
  CHECK(cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 6) == CS_OK);
  CHECK(cpg_zcb_free(handle, buffer) == CS_OK);
  CHECK(cpg_dispatch(handle, CS_DISPATCH_ALL) == CS_OK && messages == 3);
  CHECK(last_length == 6 && memcmp(last, "edited", 6) == 0);

  CHECK(cpg_membership_get(handle, &group, members, &count) == CS_OK);
  CHECK(count == 1 && members[0].nodeid == nodeid);
  CHECK(cpg_flow_control_state_get(handle, &flow) == CS_OK);
  CHECK(flow == CPG_FLOW_CONTROL_DISABLED);
  CHECK(cpg_iteration_initialize(handle, CPG_ITERATION_ONE_GROUP, &group,
                                 &walk) == CS_OK);
  CHECK(cpg_iteration_next(walk, &item) == CS_OK);
  CHECK(item.pid == (uint32_t)getpid());
  CHECK(cpg_iteration_next(walk, &item) == CS_ERR_NO_SECTIONS);
  CHECK(cpg_iteration_finalize(walk) == CS_OK);

  CHECK(cpg_leave(handle, &group) == CS_OK);
  CHECK(cpg_dispatch(handle, CS_DISPATCH_ALL) == CS_OK && leaves == 1);
  CHECK(cpg_finalize(handle) == CS_OK);
  CHECK(cpg_finalize(handle) == CS_ERR_BAD_HANDLE);
  return 0;
}
