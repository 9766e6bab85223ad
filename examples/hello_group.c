/* A chat in a closed process group: what you type goes to every member, and all
 * see the same lines, joins and leaves in the same order. It is written to
 * Corosync's plain CPG API and runs with Corosync's library as well.
 *   hello_group GROUP      (in several terminals; end with Ctrl-D) */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int still_in = 1;
static void must(cs_error_t error, const char* what) {
  if (error == CS_OK) return;
  fprintf(stderr, "hello_group: %s: error %d\n", what, (int)error);
  exit(EXIT_FAILURE);
}

static void on_message(cpg_handle_t handle, const struct cpg_name* group,
                       uint32_t nodeid, uint32_t pid, void* msg, size_t size) {
  (void)handle, (void)group, (void)nodeid;
  dprintf(1, "%u: %.*s", pid, (int)size, (const char*)msg);
}

static void on_view(cpg_handle_t handle, const struct cpg_name* group,
                    const struct cpg_address* members, size_t member_count,
                    const struct cpg_address* left, size_t left_count,
                    const struct cpg_address* joined, size_t joined_count) {
  (void)handle, (void)group, (void)members;
  for (size_t i = 0; i < joined_count; i++) dprintf(1, "%u in", joined[i].pid);
  for (size_t i = 0; i < left_count; i++) dprintf(1, "%u out", left[i].pid);
  dprintf(1, ", %zu here\n", member_count);
  if (left_count > 0 && left[0].pid == (uint32_t)getpid()) still_in = 0;
}

int main(int argc, char** argv) {
  cpg_callbacks_t callbacks = {on_message, on_view};
  struct pollfd ready[2] = {{.events = POLLIN}, {.fd = 0, .events = POLLIN}};
  struct cpg_name group = {0};
  cpg_handle_t handle;
  must(argc == 2 ? CS_OK : CS_ERR_INVALID_PARAM, "want a group");
  group.length = (uint32_t)snprintf(group.value, 128, "%s", argv[1]);
  must(cpg_initialize(&handle, &callbacks), "initialize");
  must(cpg_join(handle, &group), "join");
  must(cpg_fd_get(handle, &ready[0].fd), "no descriptor");
  while (still_in) {
    char line[4096];
    poll(ready, 2, -1); /* the group, and the keyboard */
    must(cpg_dispatch(handle, CS_DISPATCH_ALL), "dispatch");
    if (ready[1].revents == 0) continue;
    const ssize_t got = read(0, line, sizeof(line));
    struct iovec text = {.iov_base = line, .iov_len = (size_t)got};
    if (got > 0) {
      must(cpg_mcast_joined(handle, CPG_TYPE_AGREED, &text, 1), "send");
    } else { /* end of input: leave, and read on up to our own leave */
      must(cpg_leave(handle, &group), "leave");
      ready[1].fd = -1;
    }
  }
  return cpg_finalize(handle) != CS_OK;
}
