/*
 * Closed process groups: the C API of Corosync's libcpg, as zcb provides it.
 *
 * Names, numbers, layouts and symbol versions are Corosync's, so programs
 * built for its libcpg.so.4 run on ours. Behind the calls there is no daemon:
 * members meet in one region of shared memory.
 *
 * For every call, unless it says otherwise:
 *   Errors:   CS_ERR_BAD_HANDLE: no such handle, finalized (by whomever), or
 *             inherited over fork(2); a child may initialize handles of its
 *             own. CS_ERR_LIBRARY: the region is damaged, which includes that
 *             somebody has cut one of its files; or this member was evicted:
 *             finalize the handle.
 *   Threads:  any thread, any number at a time. Those that dispatch a handle,
 *             take its events or describe one, join with it, or ask for a
 *             descriptor (that of cpg_fd_get() the first time only) are put in
 *             a row by a lock of that handle: they wait while a callback of the
 *             handle runs in another thread, and get their turn between two
 *             events, first come, first served. A dispatch that waits for
 *             events does not hold the lock. No other call waits for a
 *             callback: not a send, nor cpg_leave(), nor cpg_finalize().
 *   Signals:  not from signal handlers. A signal ends no call: a dispatch that
 *             waits goes on waiting when its handler returns, with and without
 *             SA_RESTART, and CS_ERR_INTERRUPT is never returned. A handler
 *             must not longjmp(3) out of a call of this library.
 *   Cancel:   a thread is cancelled (pthread_cancel(3)) only where a dispatch
 *             waits for events (or another call of corosync/cpg_zcb.h for what
 *             it waits for), and inside callbacks; no other call is a
 *             cancellation point. The handle is in order afterwards.
 *   Progress: never waits for another process, running, stopped or dead.
 *   Death:    a process killed at any instruction leaves nothing half done;
 *             the others get its CPG_REASON_PROCDOWN.
 *   errno:    left as it was. Nothing is ever printed.
 */
#ifndef COROSYNC_CPG_H_DEFINED
#define COROSYNC_CPG_H_DEFINED

#include <corosync/corotypes.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/** A connection to the groups; never 0. One group at a time per handle. */
typedef uint64_t cpg_handle_t;

/** A walk over groups and members; never 0. */
typedef uint64_t cpg_iteration_handle_t;

/** Asked-for delivery order. All four give CPG_TYPE_AGREED: total order. */
typedef enum {
  CPG_TYPE_UNORDERED = 0,
  CPG_TYPE_FIFO = 1,
  CPG_TYPE_AGREED = 2,
  CPG_TYPE_SAFE = 3
} cpg_guarantee_t;

typedef enum {
  CPG_FLOW_CONTROL_DISABLED = 0, /**< send on */
  CPG_FLOW_CONTROL_ENABLED = 1   /**< slow down: some member lags behind */
} cpg_flow_control_state_t;

/** Why a configuration change has this address in its left or joined list. */
typedef enum {
  CPG_REASON_UNDEFINED = 0, /**< in member lists */
  CPG_REASON_JOIN = 1,      /**< cpg_join() */
  CPG_REASON_LEAVE = 2,     /**< cpg_leave() */
  CPG_REASON_NODEDOWN = 3,  /**< its node left the cluster */
  CPG_REASON_NODEUP = 4,    /**< its node came (back) to the cluster */
  CPG_REASON_PROCDOWN = 5   /**< it finalized its handle, ended or was killed */
} cpg_reason_t;

typedef enum {
  CPG_ITERATION_NAME_ONLY = 1, /**< one entry per group */
  CPG_ITERATION_ONE_GROUP = 2, /**< one entry per member of the named group */
  CPG_ITERATION_ALL = 3        /**< one entry per member of every group */
} cpg_iteration_type_t;

/** The contract between library and program; see also corosync/cpg_zcb.h. */
typedef enum {
  CPG_MODEL_V1 = 1,
  CPG_MODEL_LAST = 0x7fffffff /**< none; makes room for other headers' models */
} cpg_model_t;

/** A member: node, process, and in left and joined lists a cpg_reason_t. */
struct cpg_address {
  uint32_t nodeid;
  uint32_t pid;
  uint32_t reason;
};

#define CPG_MAX_NAME_LENGTH 128

/** A group's name: `length` bytes, NULs allowed, compared byte by byte. */
struct cpg_name {
  uint32_t length;
  char value[CPG_MAX_NAME_LENGTH];
};

#define CPG_MEMBERS_MAX 128

/** What cpg_iteration_next() found. */
struct cpg_iteration_description_t {
  struct cpg_name group;
  uint32_t nodeid; /**< 0 with CPG_ITERATION_NAME_ONLY */
  uint32_t pid;    /**< 0 with CPG_ITERATION_NAME_ONLY */
};

/** The identity of a ring of nodes. */
struct cpg_ring_id {
  uint32_t nodeid;
  uint64_t seq;
};

/**
 * A message. `msg` is the program's own copy: writable, 64-byte aligned, never
 * NULL, and gone when the callback returns. `group_name` likewise.
 *
 * Of every callback of every model:
 *
 * Everything may be called inside. cpg_dispatch() delivers the events that
 * follow; what is sent is delivered later, never inside the send;
 * cpg_finalize(), here or in another thread, makes this the last callback and
 * the running dispatch return CS_ERR_BAD_HANDLE.
 *
 * It may end otherwise than by returning: by an exception (cpg_dispatch() lets
 * it pass), by longjmp(3) or siglongjmp(3) to a frame above the dispatch, by
 * pthread_exit(3), or because its thread is cancelled. Its event counts as
 * delivered; locks and places in the ring are given back before control leaves;
 * the handle, all its other events and all other threads go on. A jump that
 * stays inside the callback is its own affair, and one out of a nested dispatch
 * ends as many dispatches as it passes. Not noticed is what leaves by
 * setcontext(3) or __builtin_longjmp() and never comes back: the handle stays
 * locked. A coroutine that jumps out and does come back finds its dispatch
 * ended: CS_ERR_LIBRARY, and the handle has gone on without it.
 */
typedef void (*cpg_deliver_fn_t)(cpg_handle_t handle,
                                 const struct cpg_name* group_name,
                                 uint32_t nodeid, uint32_t pid, void* msg,
                                 size_t msg_len);

/**
 * A change of membership, at its place in the order of messages. The member
 * list is the group after the change, sorted by node, then process; it can be
 * longer than CPG_MEMBERS_MAX. Left and joined lists hold one entry together.
 * No list is NULL, even if it is empty; all of them are gone when the callback
 * returns.
 */
typedef void (*cpg_confchg_fn_t)(
    cpg_handle_t handle, const struct cpg_name* group_name,
    const struct cpg_address* member_list, size_t member_list_entries,
    const struct cpg_address* left_list, size_t left_list_entries,
    const struct cpg_address* joined_list, size_t joined_list_entries);

/**
 * The nodes of the ring. Without a cluster it comes once per handle, if asked
 * for by flag: after the callback of the first configuration change (also if
 * that one is NULL) and before what follows it. It is an event of its own;
 * under CPG_MODEL_ZCB a part of that change, and it does not come if that was
 * pulled (cpg_zcb_next()), which calls nobody. The ring is {own node id, 1},
 * and the list is this node.
 */
typedef void (*cpg_totem_confchg_fn_t)(cpg_handle_t handle,
                                       struct cpg_ring_id ring_id,
                                       uint32_t member_list_entries,
                                       const uint32_t* member_list);

/** For cpg_initialize(). A NULL callback: its events are dropped. */
typedef struct {
  cpg_deliver_fn_t cpg_deliver_fn;
  cpg_confchg_fn_t cpg_confchg_fn;
} cpg_callbacks_t;

/** What every model's data begins with. */
typedef struct {
  cpg_model_t model;
} cpg_model_data_t;

/** One totem callback after the handle's first configuration change. */
#define CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF 0x01

/** For CPG_MODEL_V1. A NULL callback: those events are dropped. */
typedef struct {
  cpg_model_t model; /**< not looked at: the argument counts */
  cpg_deliver_fn_t cpg_deliver_fn;
  cpg_confchg_fn_t cpg_confchg_fn;
  cpg_totem_confchg_fn_t cpg_totem_confchg_fn;
  unsigned int flags;
} cpg_model_v1_data_t;

/** cpg_model_initialize(): CPG_MODEL_V1, these callbacks, no flags or context.
 */
cs_error_t cpg_initialize(cpg_handle_t* handle, cpg_callbacks_t* callbacks);

/**
 * A new handle. The first one of a process attaches it to the region that the
 * environment names (ZCB_DIR, ZCB_REGION, ...), which lasts until it exits.
 *
 * @param handle      written always: the handle, or 0.
 * @param model       CPG_MODEL_V1, or CPG_MODEL_ZCB of corosync/cpg_zcb.h.
 * @param model_data  of that model, copied; NULL: no callbacks, no flags.
 * @param context     for cpg_context_get(); not looked at.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  handle is NULL, unknown model, unknown flag,
 *                               or an environment variable makes no sense.
 * @return CS_ERR_NAME_TOO_LONG  the environment names a region or a Unix group
 *                               by more than 64 bytes, a directory by more than
 *                               3072, or a hugetlbfs by more than 255.
 * @return CS_ERR_ACCESS         the region is another user's, its files are not
 *                               safe to use, or this process may not make files
 *                               beside them.
 * @return CS_ERR_VERSION        the region is another release's.
 * @return CS_ERR_LIBRARY        the region is damaged, or the process is
 *                               about to exit.
 * @return CS_ERR_NO_MEMORY      no memory, or no room in the file system.
 * @return CS_ERR_NO_RESOURCES   too many processes, handles, regions or
 *                               descriptors; no FIFO for the handle; or, with
 *                               ZCB_SIGBUS=1, no handler for that signal.
 * @return CS_ERR_NOT_SUPPORTED  huge pages were demanded and there are none,
 * the kernel is too old, or the region was made without room for groups.
 * @return CS_ERR_TRY_AGAIN      the region is just being made or removed.
 */
cs_error_t cpg_model_initialize(cpg_handle_t* handle, cpg_model_t model,
                                cpg_model_data_t* model_data, void* context);

/**
 * Ends a handle. The other members get CPG_REASON_PROCDOWN, the caller gets no
 * further callback. Waits for nobody: a dispatch that waits in another thread
 * returns CS_ERR_BAD_HANDLE, and the last call still inside the handle makes
 * the end final. Buffers from cpg_zcb_alloc() and kept messages stay. Open
 * iterations of the handle end, too.
 *
 * The descriptor of cpg_fd_get() becomes readable for threads that sleep in
 * poll(2) or select(2) on it, and is closed. (epoll(7) forgets closed
 * descriptors: do not rely on it to be woken.)
 *
 * @return CS_OK, CS_ERR_BAD_HANDLE (also: is being finalized already)
 */
cs_error_t cpg_finalize(cpg_handle_t handle);

/**
 * A descriptor for poll(2) and its kin, the same for the handle's life:
 * readable (level-triggered) when cpg_dispatch() has something to do, events
 * that are dropped for want of a callback included. With edge-triggered
 * epoll(7), dispatch CS_DISPATCH_ALL each time. Do not read, write or close it.
 * Works before cpg_join().
 * @return CS_OK, CS_ERR_BAD_HANDLE, CS_ERR_INVALID_PARAM (fd is NULL),
 *         CS_ERR_LIBRARY (damaged region)
 */
cs_error_t cpg_fd_get(cpg_handle_t handle, int* fd);

/**
 * A length in bytes up to which a message can be sent. CPG_MODEL_V1: 1,047,552,
 * as in Corosync, or what the region carries if that is less. CPG_MODEL_ZCB:
 * what the region carries (its size less 64 bytes), at most 2^32 - 1. Longer
 * ones can be sent, too, with either model, up to what the region carries, and
 * in one piece.
 * @return CS_OK, CS_ERR_BAD_HANDLE, CS_ERR_INVALID_PARAM (size is NULL)
 */
cs_error_t cpg_max_atomic_msgsize_get(cpg_handle_t handle, uint32_t* size);

/** The pointer given at initialization or set since.
 * @return CS_OK, CS_ERR_BAD_HANDLE, CS_ERR_INVALID_PARAM (NULL) */
cs_error_t cpg_context_get(cpg_handle_t handle, void** context);

/** Stores a pointer with the handle. @return CS_OK, CS_ERR_BAD_HANDLE */
cs_error_t cpg_context_set(cpg_handle_t handle, void* context);

/**
 * Runs the callbacks of pending events, in order.
 *
 * @param dispatch_types  CS_DISPATCH_ONE: one event, waiting for it if need be
 *                        (returns without one if the descriptor of cpg_fd_get()
 *                        was readable for an event that is gone).
 *                        CS_DISPATCH_ALL: until there is none. CS_DISPATCH_
 *                        ONE_NONBLOCKING: one if there is one. Any other value
 *                        is CS_DISPATCH_BLOCKING: for ever.
 * @return CS_OK
 * @return CS_ERR_TRY_AGAIN   ONE_NONBLOCKING, and there is none.
 * @return CS_ERR_BAD_HANDLE  also: finalized meanwhile, here or elsewhere.
 * @return CS_ERR_NO_MEMORY   no memory for the copy; the event comes again.
 * @return CS_ERR_LIBRARY     damaged region; this member was evicted; or a
 *                            coroutine that had jumped out of a callback came
 *                            back to it.
 *
 * Threads: those that dispatch one handle take turns; nesting is allowed.
 * Stack:   a few KiB. System calls: none while there is something to do, and
 *          cpg_fd_get() has not been called.
 */
cs_error_t cpg_dispatch(cpg_handle_t handle,
                        cs_dispatch_flags_t dispatch_types);

/**
 * Joins a group; it is created if need be. The first event will be the
 * configuration change that contains the caller. Sends work at once.
 * @return CS_OK
 * @return CS_ERR_NAME_TOO_LONG  more than CPG_MAX_NAME_LENGTH bytes.
 * @return CS_ERR_INVALID_PARAM  group is NULL.
 * @return CS_ERR_EXIST          the handle is in a group, or this process is in
 *                               that group through another handle. (One whose
 *                               cpg_leave() has returned is not in it.)
 * @return CS_ERR_TRY_AGAIN      the own leave is not delivered yet (dispatch);
 *                               or the other handle is finalized, but a thread
 *                               is still inside it.
 * @return CS_ERR_NO_RESOURCES   too many groups or members (those count who
 * have left, until all others have read that), or no descriptor or thread is
 * left.
 * @return CS_ERR_NO_MEMORY      no memory, or no room in the file system.
 * @return CS_ERR_ACCESS         this process has changed its user since it was
 *                               attached, and has joined nothing yet.
 * @return CS_ERR_LIBRARY        damaged region; evicted while joining; or the
 *                               handle was evicted from its group: finalize it.
 */
cs_error_t cpg_join(cpg_handle_t handle, const struct cpg_name* group);

/**
 * Leaves the group. Messages ordered before still come, then the
 * configuration change with the caller in the left list; after it the handle
 * can join again.
 * @return CS_OK
 * @return CS_ERR_NAME_TOO_LONG  more than CPG_MAX_NAME_LENGTH bytes.
 * @return CS_ERR_INVALID_PARAM  group is NULL.
 * @return CS_ERR_NOT_EXIST      not joined, leaving, or joined to another
 * group.
 * @return CS_ERR_LIBRARY        evicted: the others have seen it go already; or
 *                               damaged region.
 */
cs_error_t cpg_leave(cpg_handle_t handle, const struct cpg_name* group);

/**
 * Sends one message, gathered from any number of pieces, to every member of
 * the handle's group, the sender included. On CS_OK it has its place in the
 * order, and is delivered even if the sender is killed at once.
 * @param guarantee  not looked at.
 * @param iovec      pieces; may be NULL if iov_len is 0 (an empty message).
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  iovec is NULL, or the lengths overflow.
 * @return CS_ERR_NOT_EXIST      not joined, or leaving.
 * @return CS_ERR_TRY_AGAIN      the group's ring is full, or the region's
 * memory: a member has not read yet. Dispatch (you may be it) and try again.
 * @return CS_ERR_TOO_BIG        no region of this size could hold it.
 * @return CS_ERR_LIBRARY        damaged region, or this member was evicted.
 *
 * Progress: lock-free, any number of threads; no system call, as a rule.
 */
cs_error_t cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee,
                            const struct iovec* iovec, unsigned int iov_len);

/**
 * The members of any group, joined or not; none if there is no such group.
 *
 * @param member_list          room for CPG_MEMBERS_MAX entries; sorted by node,
 *                             then process; reasons are 0.
 * @param member_list_entries  output only: entries written, at most that many.
 * @return CS_OK
 * @return CS_ERR_NAME_TOO_LONG  more than CPG_MAX_NAME_LENGTH bytes.
 * @return CS_ERR_INVALID_PARAM  a NULL argument.
 * @return CS_ERR_NO_MEMORY      no memory with which to look at the group.
 * @return CS_ERR_LIBRARY        damaged region.
 */
cs_error_t cpg_membership_get(cpg_handle_t handle, struct cpg_name* groupName,
                              struct cpg_address* member_list,
                              int* member_list_entries);

/** This node's number: ZCB_NODEID (1 .. 2^32-1) when the process attached to
 * the region, 1 without it.
 * @return CS_OK, CS_ERR_BAD_HANDLE, CS_ERR_INVALID_PARAM (NULL) */
cs_error_t cpg_local_get(cpg_handle_t handle, unsigned int* local_nodeid);

/**
 * Whether to slow down. Enabled when more than 75 % of the group's ring is
 * filled with what not all members have read, until it is less than 50 %; and
 * after a send of this handle was refused for want of memory, until as much can
 * be had. Disabled while not joined.
 * @return CS_OK, CS_ERR_BAD_HANDLE, CS_ERR_INVALID_PARAM (NULL),
 *         CS_ERR_LIBRARY (damaged region)
 *
 * Progress: lock-free. Gives back what all have read; if that changes nothing,
 *           looks with a few system calls whether those behind are dead.
 */
cs_error_t cpg_flow_control_state_get(
    cpg_handle_t handle, cpg_flow_control_state_t* flow_control_enabled);

/**
 * A buffer in the region: 64-byte aligned, contents undefined. It belongs to
 * the process, not to the handle, until freed or (CPG_MODEL_ZCB) sent.
 *
 * @param size    bytes; 0 is allowed.
 * @param buffer  written on CS_OK.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  buffer is NULL.
 * @return CS_ERR_NO_MEMORY      no room now.
 * @return CS_ERR_TOO_BIG        no region of this size could hold it.
 * @return CS_ERR_LIBRARY        damaged region.
 *
 * Progress: wait-free and without system calls, as a rule.
 */
cs_error_t cpg_zcb_alloc(cpg_handle_t handle, size_t size, void** buffer);

/**
 * Gives a buffer back, from any thread, through any handle.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  not the start of a live buffer of this process
 *                               (foreign, inside, freed or sent already).
 * @return CS_ERR_LIBRARY        damaged region.
 */
cs_error_t cpg_zcb_free(cpg_handle_t handle, void* buffer);

/**
 * Sends one message.
 *
 * CPG_MODEL_V1: the message is what `msg` holds now; the buffer stays with the
 * caller, who may change, send or free it at once. Any readable memory will do.
 *
 * CPG_MODEL_ZCB: `msg` must be the start of a live buffer of cpg_zcb_alloc(),
 * and moves to the group: on CS_OK it is no longer the caller's. On any error
 * it still is.
 *
 * @param guarantee  not looked at.
 * @param msg_len    bytes; up to what fits into the buffer.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  msg is NULL and msg_len is not 0; or,
 * CPG_MODEL_ ZCB, not the start of a live buffer.
 * @return CS_ERR_TOO_BIG        longer than the buffer, or than any message.
 * @return CS_ERR_NOT_EXIST, CS_ERR_TRY_AGAIN, CS_ERR_LIBRARY
 *                               as cpg_mcast_joined().
 *
 * Progress: lock-free; CPG_MODEL_ZCB: no copy, no system call, no allocation.
 */
cs_error_t cpg_zcb_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee,
                                void* msg, size_t msg_len);

/**
 * Begins a walk over a snapshot taken now. Needs no join. `group` is for
 * CPG_ITERATION_ONE_GROUP, and NULL for the other types.
 * @return CS_OK
 * @return CS_ERR_NAME_TOO_LONG  more than CPG_MAX_NAME_LENGTH bytes.
 * @return CS_ERR_INVALID_PARAM  output is NULL, unknown type, group missing, or
 *                               given with another type.
 * @return CS_ERR_NO_MEMORY, CS_ERR_NO_RESOURCES  no memory; too many walks.
 * @return CS_ERR_LIBRARY        damaged region. (Groups whose names alone are
 *                               damaged are left out of ALL and NAME_ONLY.)
 */
cs_error_t cpg_iteration_initialize(
    cpg_handle_t handle, cpg_iteration_type_t iteration_type,
    const struct cpg_name* group, cpg_iteration_handle_t* cpg_iteration_handle);

/**
 * The next group or member. At the end, and ever after, CS_ERR_NO_SECTIONS;
 * the description is then left alone.
 * @return CS_OK, CS_ERR_NO_SECTIONS, CS_ERR_INVALID_PARAM (NULL),
 *         CS_ERR_BAD_HANDLE (also: the handle it came from is finalized)
 */
cs_error_t cpg_iteration_next(cpg_iteration_handle_t handle,
                              struct cpg_iteration_description_t* description);

/** Ends a walk. @return CS_OK, CS_ERR_BAD_HANDLE */
cs_error_t cpg_iteration_finalize(cpg_iteration_handle_t handle);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif /* COROSYNC_CPG_H_DEFINED */
