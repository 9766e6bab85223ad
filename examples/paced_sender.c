/* Sends its input no faster than the slowest member of the group reads, and
 * never loses sight of the group: one poll(2) waits for input, for events, and
 * for room. The last message, an empty one, is sent by a call that waits
 * itself. paced_sender GROUP [PATIENCE_MS] < FILE    (readers: hello_group
 * GROUP)
 */
#include <corosync/cpg_zcb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static cpg_handle_t handle;
static size_t sent, received, refused;

static void must(int ok, const char* otherwise) {
  if (ok) return;
  fprintf(stderr, "paced_sender: %s\n", otherwise);
  exit(EXIT_FAILURE);
}

/* A sender gets its own messages, too: unread, they would fill the ring. */
static void read_events(void) {
  struct cpg_zcb_message event;
  cs_error_t error;
  while ((error = cpg_zcb_next(handle, &event)) == CS_OK)
    received += event.kind == CPG_ZCB_MESSAGE;
  must(error == CS_ERR_TRY_AGAIN, "cannot receive");
}

/* Input goes straight into shared memory. 0: its end. */
static ssize_t read_piece(void** piece) {
  const size_t piece_bytes = 4096;
  must(cpg_zcb_alloc(handle, piece_bytes, piece) == CS_OK, "no memory");
  const ssize_t got = read(STDIN_FILENO, *piece, piece_bytes);
  must(got >= 0, "cannot read");
  return got;
}

int main(int argc, char** argv) {
  must(argc == 2 || argc == 3, "want GROUP [PATIENCE_MS]");
  const int patience_ms = argc == 3 ? atoi(argv[2]) : -1;
  struct cpg_name group;
  group.length = (uint32_t)snprintf(group.value, 128, "%s", argv[1]);
  int event_fd, room_fd;
  must(cpg_model_initialize(&handle, CPG_MODEL_ZCB, 0, 0) == CS_OK, "no zcb");
  must(cpg_join(handle, &group) == CS_OK, "cannot join the group");
  must(cpg_fd_get(handle, &event_fd) == CS_OK, "no descriptor");
  must(cpg_zcb_send_fd_get(handle, &room_fd) == CS_OK, "no descriptor");

  void* piece;
  ssize_t length = -1; /* of the piece that is to be sent; -1: there is none */
  while (length != 0) {
    /* Without a piece, the room does not matter; with one, the input has to
     * wait. Events matter always: we might be the one that has not read. */
    struct pollfd ready[] = {
        {.fd = event_fd, .events = POLLIN},
        {.fd = length < 0 ? -1 : room_fd, .events = POLLIN},
        {.fd = length < 0 ? 0 : -1, .events = POLLIN}};
    must(poll(ready, 3, length < 0 ? -1 : patience_ms) != 0, "out of patience");
    read_events();
    if (ready[2].revents != 0) length = read_piece(&piece);
    if (length <= 0) continue;
    const cs_error_t error =
        cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, piece, (size_t)length);
    must(error == CS_OK || error == CS_ERR_TRY_AGAIN, "cannot send");
    if (error == CS_OK) {
      sent++, length = -1; /* and the piece is the group's */
    } else if (refused++ == 0) {
      fprintf(stderr, "no room\n"); /* room_fd is quiet until there is */
    }
  }

  /* The same for who has nothing else to do: wait in the call. CS_ERR_BUSY says
   * that we would wait for ourselves. */
  cs_error_t error;
  while ((error = cpg_zcb_mcast_timed(handle, CPG_TYPE_AGREED, piece, 0,
                                      patience_ms)) == CS_ERR_BUSY)
    read_events();
  must(error != CS_ERR_TIMEOUT, "out of patience");
  must(error == CS_OK, "cannot send");
  for (sent++; received < sent;) { /* our own come back last of all */
    struct pollfd ready = {.fd = event_fd, .events = POLLIN};
    poll(&ready, 1, -1);
    read_events();
  }
  printf("sent %zu messages, %s\n", sent, refused ? "some late" : "none late");
  must(cpg_finalize(handle) == CS_OK, "cannot finish");
}
