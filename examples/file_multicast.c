/* Multicasts a file to a group. Receivers write it out of the sender's own
 * buffers, in place: between the processes nothing is ever copied.
 *   file_multicast receive GROUP > COPY     (first, and as many as you like)
 *   file_multicast send FILE GROUP
 */
#include <corosync/cpg_zcb.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct chunk { /* one message: where its bytes belong, then the bytes */
  uint64_t offset, file_bytes;
  unsigned char bytes[];
};
static cpg_handle_t handle;
static size_t member_count; /* of the group, by the last view we met */
static void must(int ok, const char* otherwise) {
  if (ok) return;
  fprintf(stderr, "file_multicast: %s\n", otherwise);
  exit(EXIT_FAILURE);
}

/* Takes the next event, if there is one: a message, or a view (who is in the
 * group from here on). Every member meets the same events in the same order.
 * What an event points to is ours until the next call. */
static int take_next(struct cpg_zcb_message* event) {
  const cs_error_t error = cpg_zcb_next(handle, event);
  must(error == CS_OK || error == CS_ERR_TRY_AGAIN, "cannot receive");
  if (error == CS_OK && event->kind == CPG_ZCB_VIEW)
    member_count = event->length / sizeof(struct cpg_address);
  return error == CS_OK;
}

static void wait_next(struct cpg_zcb_message* event) {
  struct pollfd bell = {.events = POLLIN};
  must(cpg_fd_get(handle, &bell.fd) == CS_OK, "no descriptor");
  while (!take_next(event)) poll(&bell, 1, -1);
}

/* "Try again" and "no memory" mean: some member has not read yet. It may be
 * us, since senders get their own messages; then let the others run. */
static int no_room(cs_error_t error) {
  struct cpg_zcb_message own;
  if (error == CS_OK) return 0;
  must(error == CS_ERR_TRY_AGAIN || error == CS_ERR_NO_MEMORY, "cannot send");
  while (take_next(&own)) continue;
  must(member_count > 1, "every receiver has gone");
  return sched_yield() == 0;
}

static void send_file(int file) {
  static const size_t sizes[] = {4096, 100, 1 << 20, 1 << 16}; /* in turn */
  const off_t end = lseek(file, 0, SEEK_END);
  struct cpg_zcb_message event;
  must(end > 0, "no such file, or nothing in it");
  while (member_count < 2) wait_next(&event); /* us, and somebody to listen */
  for (off_t at = 0, i = 0; at < end; i++) {
    const size_t room = sizeof(struct chunk) + sizes[i % 4];
    void* buffer; /* in shared memory: pread(2) puts the bytes there */
    while (no_room(cpg_zcb_alloc(handle, room, &buffer)));
    struct chunk* chunk = buffer;
    const ssize_t got = pread(file, chunk->bytes, room - sizeof(*chunk), at);
    must(got > 0, "cannot read the whole file");
    chunk->offset = (uint64_t)at, chunk->file_bytes = (uint64_t)end;
    while (no_room(cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer,
                                        sizeof(*chunk) + (size_t)got)));
    at += got; /* sent: all will get it, and the buffer is not ours any more */
  }
}

static void receive_file(void) {
  uint32_t sender = 0;
  for (uint64_t at = 0, end = 1; at < end;) {
    struct cpg_zcb_message event;
    wait_next(&event);
    must(event.kind == CPG_ZCB_MESSAGE || event.pid != sender, "sender gone");
    if (event.kind == CPG_ZCB_VIEW) continue;
    const struct chunk* chunk = event.data; /* the sender's own: read only */
    must(event.length > sizeof(*chunk) && chunk->offset == at, "came too late");
    const size_t size = event.length - sizeof(*chunk);
    must(fwrite(chunk->bytes, 1, size, stdout) == size, "cannot write");
    sender = event.pid, at += size, end = chunk->file_bytes;
  }
}

int main(int argc, char** argv) {
  const int sends = argc == 4 && strcmp(argv[1], "send") == 0;
  const int receives = argc == 3 && strcmp(argv[1], "receive") == 0;
  must(sends || receives, "want: receive GROUP, or: send FILE GROUP");
  struct cpg_name group;
  group.length = (uint32_t)snprintf(group.value, 128, "%s", argv[argc - 1]);
  must(cpg_model_initialize(&handle, CPG_MODEL_ZCB, 0, 0) == CS_OK, "no zcb");
  must(cpg_join(handle, &group) == CS_OK, "cannot join the group");
  sends ? send_file(open(argv[2], O_RDONLY)) : receive_file();
  must(fflush(stdout) == 0 && cpg_finalize(handle) == CS_OK, "cannot finish");
}
