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

#define PIECE_BYTES 4096

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

/* room_fd is quiet until it is worth another try. */
static void no_room(void) {
  if (refused++ == 0) fprintf(stderr, "no room\n");
}

/* Input goes straight into shared memory. NULL: none can be had just now. */
static void* new_piece(void) {
  void* piece = NULL;
  const cs_error_t error = cpg_zcb_alloc(handle, PIECE_BYTES, &piece);
  must(error == CS_OK || error == CS_ERR_NO_MEMORY, "no buffer");
  if (error == CS_ERR_NO_MEMORY) no_room();
  return piece;
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

  void* piece = NULL;
  ssize_t length = -1; /* of the input in the piece; -1: none; 0: its end */
  while (length != 0) {
    if (piece == NULL) piece = new_piece();
    /* Without a piece, or with one that is to be sent, the input has to wait;
     * else the room does not matter. Events matter always: we might be the one
     * that has not read. */
    const int wants_room = piece == NULL || length > 0;
    struct pollfd ready[] = {
        {.fd = event_fd, .events = POLLIN},
        {.fd = wants_room ? room_fd : -1, .events = POLLIN},
        {.fd = wants_room ? -1 : STDIN_FILENO, .events = POLLIN}};
    must(poll(ready, 3, wants_room ? patience_ms : -1) != 0, "out of patience");
    read_events();
    if (ready[2].revents != 0) {
      length = read(STDIN_FILENO, piece, PIECE_BYTES);
      must(length >= 0, "cannot read");
    }
    if (length <= 0) continue;
    const cs_error_t error =
        cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, piece, (size_t)length);
    must(error == CS_OK || error == CS_ERR_TRY_AGAIN, "cannot send");
    if (error == CS_OK) {
      sent++, length = -1, piece = NULL; /* it is the group's */
    } else {
      no_room();
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
