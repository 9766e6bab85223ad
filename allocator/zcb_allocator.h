/*
 * The allocator's C interface: buffers in memory that processes share.
 *
 * Any process that has opened the same region allocates, fills, and passes
 * buffers on; any other frees them; any of them may be killed at any
 * instruction. No daemon, and no lock between processes.
 *
 * For every call, unless it says otherwise:
 *   Errors:   a zcb_status that is not ZCB_OK; outputs are written on ZCB_OK
 *             only; zcb_last_reason() says why in words. A caller's mistake is
 *             ZCB_INVALID_PARAM and changes nothing: a NULL argument, a pointer
 *             that is none of ours. ZCB_BAD_HANDLE: the allocator was opened
 *             before fork(2), by the parent; a child opens one of its own.
 *   Threads:  any thread, any number at a time; zcb_allocator_close() after
 *             the last of them.
 *   Signals:  not from signal handlers.
 *   Progress: never waits for another process, running, stopped or dead.
 *   Death:    a process killed inside a call leaves nothing that others wait
 *             for, nothing lost and nothing twice. What it had not given away
 *             goes back to the region.
 *   Output:   nothing is ever printed, and nobody's handlers are touched.
 *   ABI:      a struct begins with its size: set it to sizeof the struct. A
 *             later library may know more fields than the program, or fewer.
 *
 * The numbers of zcb_status are those of Corosync's cs_error_t: ZCB_OK is 1.
 * Compare with ZCB_OK, never with zero.
 */
#ifndef ZCB_ALLOCATOR_ZCB_ALLOCATOR_H_
#define ZCB_ALLOCATOR_ZCB_ALLOCATOR_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

typedef enum {
  ZCB_OK = 1,
  /** The region is damaged, or the kernel refused without a better name. */
  ZCB_LIBRARY = 2,
  /** The region was made by another layout version of zcb. */
  ZCB_VERSION = 3,
  /** Another process is just making or removing the region. */
  ZCB_TRY_AGAIN = 6,
  ZCB_INVALID_PARAM = 7,
  /** The region, the quota or the file system is full: free something. */
  ZCB_NO_MEMORY = 8,
  /** Inherited over fork(2), or not open. */
  ZCB_BAD_HANDLE = 9,
  /** A foreign owner, a wrong mode, or no permission. */
  ZCB_ACCESS = 11,
  ZCB_NOT_EXIST = 12,
  ZCB_NAME_TOO_LONG = 13,
  ZCB_EXIST = 14,
  /** A table of fixed size is full (processes, descriptors, locks). */
  ZCB_NO_RESOURCES = 18,
  ZCB_NOT_SUPPORTED = 19,
  /** More than the region could ever hold. */
  ZCB_TOO_BIG = 26
} zcb_status;

/** One process's allocator in one region. */
typedef struct zcb_allocator zcb_allocator;

/**
 * A buffer's place in the region, the same number in every process; what one
 * stores in shared memory and sends through queues instead of a pointer. Never
 * 0. It is a name and not a claim: it keeps nothing alive.
 */
typedef uint64_t zcb_ref;

/** One giving of one buffer: whoever takes it first has the buffer. Never 0. */
typedef uint64_t zcb_ticket;

/* --- opening ------------------------------------------------------------- */

enum { ZCB_PAGES_AUTO = 1, ZCB_PAGES_HUGE = 2, ZCB_PAGES_SMALL = 3 };
enum { ZCB_YES = 1, ZCB_NO = 2 };

/** In a field of bytes: none at all; for quota_bytes: no limit. */
#define ZCB_NONE UINT64_MAX
/** In idle_bytes: keep all. */
#define ZCB_ALL (UINT64_MAX - 1)

#define ZCB_NUMA_NODE(number) ((number) + 1)
#define ZCB_NUMA_NONE (-1)
#define ZCB_NUMA_LOCAL (-2)

/**
 * What to open, and how to use it. A field that is 0 or NULL: as the variable
 * says that is named beside it, else the default; so start from
 * struct zcb_options options = {sizeof options};
 */
struct zcb_options {
  /** sizeof(struct zcb_options) of the caller. */
  size_t size;
  /** The region: NAME, or NAME@GROUP to share it with a Unix group. ZCB_REGION,
   *  else "allocator". ("default" is the region of the process groups.) */
  const char* name;
  /** Where regions lie: an absolute path. ZCB_DIR, else /dev/shm. */
  const char* directory;

  /* What shapes the region; counts for the process that creates it. */

  /** 4 MiB to 128 GiB; address space, not memory. ZCB_REGION_BYTES, else 1 GiB.
   */
  uint64_t region_bytes;
  /** Backed by memory at once; at most an eighth. ZCB_PREFAULT_BYTES, else
   *  8 MiB. */
  uint64_t prefault_bytes;
  /** A hugetlbfs mount for the payload. ZCB_PAGES=...:MOUNT, else none. */
  const char* hugetlbfs_mount;
  /** ZCB_PAGES_AUTO: the best there are; HUGE: or fail; SMALL: 4 KiB.
   *  ZCB_PAGES. */
  uint32_t pages;
  /** What a process owns at a time: 2 MiB or 256 KiB. Default: by size. */
  uint32_t unit_bytes;
  /** Processes at a time, up to 4096. Default: 1024. */
  uint32_t process_count;
  /** ZCB_YES: the files stay when the last process closes. ZCB_KEEP, else no.
   */
  uint32_t keep;

  /* How this process uses it. */

  /** The most memory that this process may own. ZCB_QUOTA_BYTES, else none. */
  uint64_t quota_bytes;
  /** Empty memory that stays with this process for its next need.
   *  ZCB_SPARE_BYTES, else some tens of MiB. */
  uint64_t spare_bytes;
  /** Free memory of the region beyond this is given back to the system by
   *  whoever frees it. ZCB_IDLE_BYTES, else ZCB_ALL. */
  uint64_t idle_bytes;
  /** ZCB_YES: freed buffers are filled with 0xdd. ZCB_POISON, else no. */
  uint32_t poison;
  /** Where memory shall lie: ZCB_NUMA_NODE(n), ZCB_NUMA_LOCAL, ZCB_NUMA_NONE.
   *  ZCB_NUMA, else anywhere. */
  int32_t numa;
};

/**
 * Attaches to a region, or creates it. A process has one allocator per region:
 * opening it again gives the same pointer (the first options count), and each
 * success wants one zcb_allocator_close().
 *
 * @param options    NULL: all from the environment.
 * @param allocator  written on ZCB_OK.
 * @return ZCB_OK
 * @return ZCB_INVALID_PARAM  a field or a variable out of range, or no such
 *                            directory or group.
 * @return ZCB_NAME_TOO_LONG  a name over 64 bytes, a path over 3072.
 * @return ZCB_ACCESS         foreign or world-writable files; no permission.
 * @return ZCB_EXIST          the region belongs to something else, such as the
 *                            process groups: choose another name.
 * @return ZCB_VERSION        made by another layout version.
 * @return ZCB_LIBRARY        not a region, truncated, or damaged.
 * @return ZCB_NO_MEMORY      the file system cannot hold the least region.
 * @return ZCB_NO_RESOURCES   too many processes; no descriptor, no lock.
 * @return ZCB_NOT_SUPPORTED  huge pages were demanded and there are none; or a
 *                            kernel without what is needed.
 * @return ZCB_TRY_AGAIN      others were making or removing it, for too long.
 *
 * Blocks in the kernel perhaps, but never on a peer. Do not open one region
 * through two copies of this library in one process: each would take the
 * other's file locks away.
 */
zcb_status zcb_allocator_open(const struct zcb_options* options,
                              zcb_allocator** allocator);

/**
 * Lets go of the allocator; the last of its openers detaches. Then every
 * pointer into the region is void, buffers that were not freed go back to the
 * region by themselves, and the last process to detach removes the files. A
 * process that ends without this call is treated like one that was killed.
 *
 * @return ZCB_OK
 * @return ZCB_BAD_HANDLE  not an open allocator of this process.
 *
 * Threads: no other thread may be using it, or use it afterwards.
 */
zcb_status zcb_allocator_close(zcb_allocator* allocator);

/* --- buffers ------------------------------------------------------------- */

/**
 * A buffer of at least `bytes` (0 counts as 1), aligned to 64 bytes. What it
 * holds is whatever the last user left.
 *
 * @param buffer  written on ZCB_OK.
 * @return ZCB_OK
 * @return ZCB_NO_MEMORY  not now: the region, the quota or the file system is
 *                        full; it works again after frees.
 * @return ZCB_TOO_BIG    more than the region could ever hold.
 *
 * Progress: usually no atomic read-modify-write, no lock, no system call;
 *           now and then a short lock of this process.
 * Death:    the buffer goes back to the region.
 */
zcb_status zcb_alloc(zcb_allocator* allocator, size_t bytes, void** buffer);

/**
 * The same, beginning at a multiple of `alignment_bytes`: a power of two up to
 * 2 MiB. Freed like any other.
 *
 * @return ZCB_OK, ZCB_NO_MEMORY, ZCB_TOO_BIG
 * @return ZCB_INVALID_PARAM  no such alignment.
 * @return ZCB_NOT_SUPPORTED  larger than what a process of this region owns at
 *                            a time (the stats' unit_bytes).
 * Progress: a short lock of this process if more than 64 is asked for.
 */
zcb_status zcb_alloc_aligned(zcb_allocator* allocator, size_t bytes,
                             size_t alignment_bytes, void** buffer);

/**
 * Gives a buffer back: one that this process allocated or took.
 *
 * @return ZCB_OK
 * @return ZCB_INVALID_PARAM  not a live buffer of this process: outside the
 *                            region, misaligned, inside a buffer, free already,
 *                            given away, or another's; the reason says which.
 * @return ZCB_LIBRARY        a taken one, and the region's word for it is
 *                            damaged.
 * Progress: as zcb_alloc(); one that was taken costs an atomic
 *           read-modify-write.
 * Death:    it is free, or still this process's and goes back with it.
 */
zcb_status zcb_free(zcb_allocator* allocator, void* buffer);

/**
 * How many bytes the buffer has that starts there, whosever it is: at least as
 * many as were asked for. 0: no buffer starts there.
 */
size_t zcb_usable_size(zcb_allocator* allocator, const void* buffer);

/* --- passing on ---------------------------------------------------------- */

/**
 * A buffer's reference, to be sent or stored instead of the pointer.
 * @param buffer  the start of a buffer, whosever it is.
 * @return ZCB_OK
 * @return ZCB_INVALID_PARAM  no buffer starts there.
 * Progress: wait-free, no system call.
 */
zcb_status zcb_ref_of(zcb_allocator* allocator, const void* buffer,
                      zcb_ref* ref);

/**
 * Where the referenced buffer lies in this process. The reference may come from
 * anywhere: what this gives is the start of some buffer of the region, or an
 * error. Whether the buffer is still the one that was meant is between the
 * program and whoever owns it.
 * @return ZCB_OK
 * @return ZCB_INVALID_PARAM  no buffer starts there, or of another region.
 * Progress: wait-free, no system call.
 */
zcb_status zcb_ptr_of(zcb_allocator* allocator, zcb_ref ref, void** buffer);

/**
 * Gives a buffer away, with what is in it: nobody of this process may touch it
 * any more, and the first one who brings the ticket to zcb_take(), in any
 * process of the region (this one too), has it. Also one that was taken.
 *
 * @param ticket  written on ZCB_OK; passed on by whatever means there are: a
 *                pipe, a queue, a file. Good in this region only.
 * @return ZCB_OK
 * @return ZCB_INVALID_PARAM  as zcb_free(), with the same reasons; of two
 *                            threads that give one buffer, one wins.
 * @return ZCB_LIBRARY        a taken one, and its word is damaged.
 * Progress: wait-free.
 * Death:    when the giver dies or closes, a buffer that nobody has taken yet
 *           is free, and its ticket worthless.
 */
zcb_status zcb_give(zcb_allocator* allocator, void* buffer, zcb_ticket* ticket);

/**
 * Takes what a ticket names: the buffer is this process's, to use, to free, or
 * to give on. A ticket may come from anywhere and is checked.
 *
 * @param buffer  written on ZCB_OK.
 * @return ZCB_OK
 * @return ZCB_NOT_EXIST      used already, never given, or its giver has gone.
 * @return ZCB_INVALID_PARAM  no place of this region.
 * @return ZCB_NO_MEMORY      the file system is full; the ticket is still good.
 * @return ZCB_LIBRARY        the region is damaged.
 * Progress: lock-free; a lock of this process at the first buffer out of each
 *           64 KiB of another's memory.
 * Death:    a buffer that was taken goes back to the region like an own one.
 */
zcb_status zcb_take(zcb_allocator* allocator, zcb_ticket ticket, void** buffer);

/* --- care ---------------------------------------------------------------- */

/**
 * Takes back what other processes have freed of this one's memory. Calls that
 * need memory do it by themselves; this is for programs about to measure.
 * @return ZCB_OK
 */
zcb_status zcb_collect(zcb_allocator* allocator);

/**
 * Puts right what processes have left that are gone: their memory is for the
 * others from then on. Opening does it, and so does an allocation that would
 * fail. Any number of processes at once.
 * @param count  of processes; may be NULL.
 * @return ZCB_OK
 * Progress: makes a system call per process that lives.
 */
zcb_status zcb_reap_dead(zcb_allocator* allocator, uint32_t* count);

/**
 * Backs free memory of the region ahead of time, so that its first use costs no
 * page faults, with huge pages where there are any: 1 to 2 ms a unit.
 * @param bytes        of free memory that shall be ready.
 * @param ready_bytes  how many are: fewer if there is no more free memory; may
 *                     be NULL.
 * @return ZCB_OK
 * @return ZCB_NO_MEMORY  the file system is full; what was done stays.
 */
zcb_status zcb_prefault(zcb_allocator* allocator, uint64_t bytes,
                        uint64_t* ready_bytes);

/**
 * Keeps this process's mappings of the region from being swapped out, from the
 * first touch of each page on; prefault what must not fault at all.
 * @return ZCB_OK  also if they are locked already.
 * @return ZCB_NO_RESOURCES   RLIMIT_MEMLOCK is too small: the whole region
 *                            counts, touched or not. Nothing is locked.
 * @return ZCB_NOT_SUPPORTED  no such call in this kernel.
 */
zcb_status zcb_lock_memory(zcb_allocator* allocator);

/** Takes that back. @return ZCB_OK */
zcb_status zcb_unlock_memory(zcb_allocator* allocator);

/**
 * Gives free memory of the region back to the system, but for `keep_bytes`;
 * live buffers stay as they are.
 * @param given_back_bytes  may be NULL.
 * @return ZCB_OK
 */
zcb_status zcb_trim(zcb_allocator* allocator, uint64_t keep_bytes,
                    uint64_t* given_back_bytes);

/* --- figures ------------------------------------------------------------- */

struct zcb_allocator_stats {
  /** In: sizeof the caller's struct; out: bytes filled in. */
  size_t size;
  /** Buffers of this process's memory: handed out, not freed or given away. */
  uint64_t live_buffers;
  /** Free ones that its threads keep at hand. */
  uint64_t cached_buffers;
  /** Given away, and not freed yet by whoever has them. */
  uint64_t out_buffers;
  /** Taken from other processes, and not freed yet. */
  uint64_t taken_buffers;
  /** Memory it owns for buffers smaller than a unit, and for larger ones. */
  uint64_t owned_bytes;
  uint64_t extent_bytes;
  /** The region: its size, and how much of that is backed by memory. */
  uint64_t region_bytes;
  uint64_t committed_bytes;
  /** Of these, bytes that this process sees through huge pages. */
  uint64_t huge_bytes;
  /** Bytes of the best page found, and in words; a constant string. */
  uint64_t page_bytes;
  const char* page_kind;
  /** What a process owns at a time. */
  uint64_t unit_bytes;
  /** Processes attached, the dead that nobody has noticed included. */
  uint64_t processes;
  /** With poison on: buffers that were written to after they were freed. */
  uint64_t poison_damage;
};

/**
 * Fills in a report; a slow call. Exact while no other thread of this process
 * is in a call.
 * @return ZCB_OK
 * @return ZCB_INVALID_PARAM  a size too small for a single number.
 */
zcb_status zcb_stats(zcb_allocator* allocator,
                     struct zcb_allocator_stats* stats);

/** Where the region's bytes are; the sums add up to region_bytes. */
struct zcb_audit_report {
  /** In: sizeof the caller's struct; out: bytes filled in. */
  size_t size;
  /** What no death and no call leaves behind: 0, or the region is damaged. */
  uint64_t damage_count;
  /** What the dead have left, for the next one who needs memory to mend. */
  uint64_t repair_count;
  /** Seen once and gone at the second look: processes are at work. */
  uint64_t moving_count;
  uint64_t region_bytes;
  /** Nobody's. */
  uint64_t free_bytes;
  /** Of living processes: in use, at hand, or not cut into buffers yet. */
  uint64_t owned_bytes;
  /** Given or taken. */
  uint64_t held_bytes;
  /** In the rings of a message layer, or kept by its receivers. */
  uint64_t sent_bytes;
  /** Of dead processes that nobody has reaped yet. */
  uint64_t dead_bytes;
  uint64_t damaged_bytes;
  /** The first damage, else the first repair, in words; "" if neither. A
   *  constant string. And where: a unit's, line's or lease's number. */
  const char* first_finding;
  uint64_t first_index;
};

/**
 * Looks at every word of the region and proves the accounting: each byte is in
 * one place, and nothing is lost or doubled. Changes nothing. Exact when nobody
 * is at work; slow (it reads all metadata).
 * @return ZCB_OK  the audit was made: look at damage_count.
 * @return ZCB_INVALID_PARAM  a size too small for a single number.
 * @return ZCB_NO_MEMORY      no private memory for it.
 */
zcb_status zcb_audit(zcb_allocator* allocator, struct zcb_audit_report* report);

/* --- words --------------------------------------------------------------- */

/** What a status means, in a few words; a constant string, never NULL. */
const char* zcb_status_text(zcb_status status);

/**
 * Why the last call of this thread that failed did so; "" if none has. A
 * constant string: it stays valid, in any thread.
 */
const char* zcb_last_reason(void);

/** This library's version, "MAJOR.MINOR.PATCH"; a constant string. */
const char* zcb_version(void);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif /* ZCB_ALLOCATOR_ZCB_ALLOCATOR_H_ */
