/* Buffers that change hands: one process fills them, another one reads them
 * where they lie and frees them. What goes through the pipe is 8 bytes each, a
 * ticket; a pipe, a socket or a queue of your own will do.
 *   allocator              (starts the second process by itself) */
#include "allocator/zcb_allocator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUFFERS = 1000, BYTES = 100000 };

static void must(zcb_status status, const char* what) {
  if (status == ZCB_OK) return;
  fprintf(stderr, "allocator: %s: %s (%s)\n", what, zcb_status_text(status),
          zcb_last_reason());
  exit(EXIT_FAILURE);
}

/* Each process opens for itself, after fork: an allocator is not inherited. */
static zcb_allocator* open_region(void) {
  struct zcb_options options = {.size = sizeof options,
                                .name = "allocator-example",
                                .region_bytes = 16 << 20};
  zcb_allocator* allocator;
  must(zcb_allocator_open(&options, &allocator), "open");
  return allocator;
}

static void fill_and_give(int pipe_end) {
  zcb_allocator* allocator = open_region();
  for (int i = 0; i < BUFFERS; i++) {
    zcb_ticket ticket;
    zcb_status status;
    void* buffer;
    /* The region is small: when it is full, the taker has not freed yet. */
    while ((status = zcb_alloc(allocator, BYTES, &buffer)) == ZCB_NO_MEMORY)
      usleep(100);
    must(status, "alloc");
    memset(buffer, i, BYTES);
    must(zcb_give(allocator, buffer, &ticket), "give"); /* not ours any more */
    if (write(pipe_end, &ticket, sizeof ticket) != sizeof ticket) exit(1);
  }
  /* What is given and not yet taken would be withdrawn with its giver. */
  struct zcb_allocator_stats stats = {.size = sizeof stats};
  do {
    must(zcb_collect(allocator), "collect");
    must(zcb_stats(allocator, &stats), "stats");
  } while (stats.out_buffers > 0 && usleep(100) == 0);
  must(zcb_allocator_close(allocator), "close");
}

static int take_and_free(int pipe_end) {
  zcb_allocator* allocator = open_region();
  zcb_ticket ticket;
  int count = 0;
  while (read(pipe_end, &ticket, sizeof ticket) == sizeof ticket) {
    void* buffer;
    must(zcb_take(allocator, ticket, &buffer), "take");
    if (((unsigned char*)buffer)[BYTES - 1] == (unsigned char)count) count++;
    must(zcb_free(allocator, buffer), "free"); /* goes home by itself */
  }
  struct zcb_audit_report report = {.size = sizeof report};
  must(zcb_audit(allocator, &report), "audit");
  printf("took %d buffers of %d bytes; damage in the region: %d\n", count,
         BYTES, (int)report.damage_count);
  must(zcb_allocator_close(allocator), "close");
  return count == BUFFERS && report.damage_count == 0 ? 0 : 1;
}

int main(void) {
  int ends[2], status;
  if (pipe(ends) != 0) return EXIT_FAILURE;
  const pid_t taker = fork();
  if (taker == 0) {
    close(ends[1]);
    return take_and_free(ends[0]);
  }
  close(ends[0]);
  fill_and_give(ends[1]);
  close(ends[1]); /* the taker reads the end */
  return waitpid(taker, &status, 0) == taker && status == 0 ? 0 : 1;
}
