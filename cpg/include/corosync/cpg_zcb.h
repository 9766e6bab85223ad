/*
 * What zcb adds to Corosync's CPG API: messages that are never copied.
 *
 * What the head of corosync/cpg.h says about errors, threads, signals,
 * progress, death and errno holds here, too.
 */
#ifndef COROSYNC_CPG_ZCB_H_DEFINED
#define COROSYNC_CPG_ZCB_H_DEFINED

#include <corosync/cpg.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/**
 * The zero-copy model. A library that does not know it answers
 * CS_ERR_INVALID_PARAM to cpg_model_initialize(), and one can fall back to
 * CPG_MODEL_V1. Members of both models may share a group. The differences:
 *   - cpg_zcb_mcast_joined() moves the buffer to the group. One buffer is one
 *     message: sending it again, sending from inside it, or the second of two
 *     threads that send it is CS_ERR_INVALID_PARAM. cpg_mcast_joined() copies,
 *     also from a live buffer, which stays the caller's;
 *   - the deliver callback gets the sender's own bytes, read only, in place;
 *   - a message can be kept beyond its callback, without a copy;
 *   - messages can be pulled, without callbacks.
 */
#define CPG_MODEL_ZCB ((cpg_model_t)0x7a6362)

/** One totem callback after the handle's first configuration change. */
#define CPG_MODEL_ZCB_DELIVER_INITIAL_TOTEM_CONF 0x01
/** CPG_ZCB_OPTION_SEND_TIME of the handle is 1 from the start. */
#define CPG_MODEL_ZCB_SEND_TIME 0x02

/**
 * cpg_zcb_alloc() with a buffer at a multiple of `alignment`, sent and freed
 * like any other. Above 64 nothing but payload lies in its pages: what zcb
 * writes beside a message is elsewhere then. Receivers find it aligned alike.
 *
 * @param size       bytes; 0 gives a buffer that can be sent with length 0.
 * @param alignment  a power of two; at most 2 MiB (256 KiB in a region below
 *                   64 MiB). What exceeds 64 is aligned to a page at least.
 * @param buffer     written on CS_OK only.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  buffer is NULL, or no such alignment.
 * @return CS_ERR_NOT_SUPPORTED  the alignment is larger than a unit of this
 *                               region.
 * @return CS_ERR_TOO_BIG        more than the region, or the quota of this
 *                               process, could ever hold.
 * @return CS_ERR_NO_MEMORY      not now; free something, or let others read.
 * @return CS_ERR_LIBRARY        damaged region.
 * @return CS_ERR_BAD_HANDLE     no such handle, or it is a parent's.
 */
cs_error_t cpg_zcb_alloc_aligned(cpg_handle_t handle, size_t size,
                                 size_t alignment, void** buffer);

/**
 * A message: the bytes that every member of the group reads, in place. 64-byte
 * aligned, never NULL, read only; valid until the callback returns, or longer
 * with cpg_zcb_retain().
 */
typedef void (*cpg_zcb_deliver_fn_t)(cpg_handle_t handle,
                                     const struct cpg_name* group_name,
                                     uint32_t nodeid, uint32_t pid,
                                     const void* msg, size_t msg_len);

/** For CPG_MODEL_ZCB. A NULL callback: those events are dropped. */
typedef struct {
  cpg_model_t model; /**< not looked at: the argument counts */
  cpg_zcb_deliver_fn_t cpg_deliver_fn;
  cpg_confchg_fn_t cpg_confchg_fn;
  cpg_totem_confchg_fn_t cpg_totem_confchg_fn;
  unsigned int flags;
} cpg_model_zcb_data_t;

/**
 * Keeps a message beyond its callback (or beyond the next cpg_zcb_next()).
 * Each success wants one cpg_zcb_release().
 *
 * @param msg  a message that is being delivered on this handle, in whichever
 *             thread; the last one of cpg_zcb_next(), or one of the last batch
 *             of cpg_zcb_next_batch(); or one that this process keeps already,
 *             whatever has become of its group.
 * @return CS_OK
 * @return CS_ERR_BAD_HANDLE     no such handle.
 * @return CS_ERR_INVALID_PARAM  no such message is open on this handle, nor
 *                               kept by this process.
 * @return CS_ERR_NOT_SUPPORTED  the handle is not of CPG_MODEL_ZCB.
 * @return CS_ERR_NO_RESOURCES   this process keeps too many messages of the
 *                               region, or too many bytes
 *                               (CPG_ZCB_OPTION_RETAIN_BYTES). What is kept
 *                               twice counts twice.
 * @return CS_ERR_NO_MEMORY      no room in the file system.
 * @return CS_ERR_LIBRARY        evicted meanwhile: the bytes are not safe; or
 *                               damaged region.
 *
 * Threads:  any. Does not wait for a callback that runs in another thread; who
 *           calls sees to it that the callback has not returned (if it has:
 *           CS_ERR_INVALID_PARAM or CS_ERR_LIBRARY).
 * Progress: lock-free across processes; a mutex of this process. A system call
 *           where the table of kept messages grows.
 * Death:    whoever notices the process's death lets go for it.
 */
cs_error_t cpg_zcb_retain(cpg_handle_t handle, const void* msg);

/**
 * Lets go of a kept message: any thread, also after cpg_leave() and
 * cpg_finalize(). The last one that lets go frees it.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  this process keeps no such message.
 * @return CS_ERR_BAD_HANDLE     kept before fork(2), by the parent (once the
 *                               child has initialized a handle of its own:
 *                               CS_ERR_INVALID_PARAM).
 * @return CS_ERR_LIBRARY        damaged region.
 *
 * Progress: lock-free across processes; a mutex of this process. A system call
 *           where senders wait for memory: they are told.
 */
cs_error_t cpg_zcb_release(const void* msg);

/** What cpg_zcb_next() found. */
typedef enum {
  CPG_ZCB_MESSAGE = 1, /**< a message */
  CPG_ZCB_VIEW = 2     /**< a change of membership */
} cpg_zcb_kind_t;

struct cpg_zcb_message {
  /** The message; or the members after the change, an array of struct
   *  cpg_address sorted by node, then process. Read only, never NULL. */
  const void* data;
  /** Bytes of data. */
  size_t length;
  /** The sender; or who joined or left. */
  uint32_t nodeid;
  uint32_t pid;
  /** Place in the group's order; the same number at every member. Grows, with
   *  gaps. */
  uint64_t sequence;
  /** A cpg_zcb_kind_t. */
  uint32_t kind;
  /** CPG_ZCB_VIEW: a cpg_reason_t; CPG_REASON_JOIN and CPG_REASON_NODEUP
   *  joined, the others left. Otherwise 0. */
  uint32_t reason;
  /** CPG_ZCB_MESSAGE: when it was sent, in nanoseconds of CLOCK_MONOTONIC; 0 if
   *  its sender does not say (CPG_ZCB_OPTION_SEND_TIME). Otherwise 0. */
  uint64_t send_time_ns;
};

/**
 * Takes the next event without a callback. What it hands out is valid until
 * the next call of this function, of cpg_zcb_next_batch() or of cpg_dispatch()
 * on the handle, its end, or, called inside a callback, the end of that; a
 * message also longer, with cpg_zcb_retain().
 *
 * @param message  written on CS_OK.
 * @return CS_OK
 * @return CS_ERR_TRY_AGAIN      there is none.
 * @return CS_ERR_NOT_EXIST      not joined; or the own leave has come through.
 * @return CS_ERR_INVALID_PARAM  message is NULL.
 * @return CS_ERR_NOT_SUPPORTED  the handle is not of CPG_MODEL_ZCB.
 * @return CS_ERR_NO_MEMORY      no memory for the list of members; try again.
 * @return CS_ERR_LIBRARY        damaged region, or this member was evicted:
 * then what the last call handed out is not safe either, unless it is kept.
 *
 * Threads:  one at a time uses what it hands out.
 * Progress: wait-free, no system call, no allocation for messages (if
 *           cpg_fd_get() was called, a system call or two when it finds the
 *           ring empty).
 */
cs_error_t cpg_zcb_next(cpg_handle_t handle, struct cpg_zcb_message* message);

/**
 * cpg_zcb_next() that waits.
 *
 * @param timeout_ms  how long, in milliseconds; negative: for ever; 0: not.
 * @return as cpg_zcb_next(), but for CS_ERR_TRY_AGAIN:
 * @return CS_ERR_TIMEOUT     none came in time.
 * @return CS_ERR_BAD_HANDLE  also: finalized meanwhile.
 *
 * Signals:  a handled signal does not end the wait.
 * Progress: how it waits is CPG_ZCB_OPTION_WAIT and CPG_ZCB_OPTION_PARK.
 */
cs_error_t cpg_zcb_next_timed(cpg_handle_t handle,
                              struct cpg_zcb_message* message, int timeout_ms);

/* --- several messages at a time ------------------------------------------ */

/** Most messages that one cpg_zcb_next_batch() hands out. */
#define CPG_ZCB_MAX_BATCH 64

/**
 * Sends several messages, in their order: each as cpg_zcb_mcast_joined() would,
 * for less than as many calls cost. No transaction: messages of other senders
 * may come between them, and what was sent stays sent. Under CPG_MODEL_ZCB each
 * buffer that was sent has moved to the group, the others are the caller's;
 * under CPG_MODEL_V1 all stay the caller's.
 *
 * @param messages  each one's buffer and length, as for cpg_zcb_mcast_joined():
 *                  a message, not a piece of one.
 * @param count     of messages; 0 sends nothing.
 * @param sent      how many were sent: those at the front. Written unless
 *                  it is NULL or there is no such handle.
 * @return CS_OK                 all were sent.
 * @return CS_ERR_INVALID_PARAM  messages or sent is NULL.
 * @return as cpg_zcb_mcast_joined() for message number *sent, the first that
 *         was not sent: CS_ERR_TRY_AGAIN, the ring took no more.
 *
 * Threads:  any number; as cpg_zcb_mcast_joined(). With
 *           CPG_ZCB_OPTION_SEND_TIME messages sent together may have one time.
 * Progress: lock-free across processes; no system call while nobody sleeps.
 * Death:    killed inside, what was ordered is delivered, and the memory of the
 *           others comes back: as between two sends.
 */
cs_error_t cpg_zcb_mcast_batch(cpg_handle_t handle, cpg_guarantee_t guarantee,
                               const struct iovec* messages, unsigned int count,
                               unsigned int* sent);

/**
 * cpg_zcb_next() for several messages: as many as are there, up to `capacity`
 * and CPG_ZCB_MAX_BATCH. A view comes alone, so all messages of a batch are of
 * one view. The messages stay open together, and hold their places in the ring
 * together, until the next call: of this function, of cpg_zcb_next() or of
 * cpg_dispatch(). Any of them can be kept, described and forwarded meanwhile.
 *
 * @param messages  the first *count of them are written on CS_OK.
 * @param capacity  of messages, in messages; at least 1.
 * @param count     written on CS_OK, and then at least 1.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  messages or count is NULL, or capacity is 0.
 * @return as cpg_zcb_next() otherwise. What is damaged behind messages that are
 *         whole is said by the next call.
 *
 * Threads:  one at a time uses what it hands out.
 * Progress: as cpg_zcb_next(); the first batch of a handle allocates.
 */
cs_error_t cpg_zcb_next_batch(cpg_handle_t handle,
                              struct cpg_zcb_message* messages,
                              unsigned int capacity, unsigned int* count);

/**
 * cpg_dispatch() that ends when its time is up; for both models.
 *
 * @param dispatch_types  CS_DISPATCH_ONE: one event, waiting for it.
 *                        CS_DISPATCH_BLOCKING: events until the time is up.
 *                        The other two do not wait at any rate.
 * @param timeout_ms      as for cpg_zcb_next_timed().
 * @return as cpg_dispatch(), and
 * @return CS_ERR_TIMEOUT  ONE: no event came in time. BLOCKING: the time is up.
 */
cs_error_t cpg_zcb_dispatch_timed(cpg_handle_t handle,
                                  cs_dispatch_flags_t dispatch_types,
                                  int timeout_ms);

/**
 * What is known of a message: its sequence number, its time, its sender. For
 * the messages that callbacks get, in both models.
 *
 * @param msg      the message that a callback of this handle was given and has
 *                 not returned from, the last one of cpg_zcb_next(), or one of
 *                 the last batch of cpg_zcb_next_batch().
 * @param message  written on CS_OK.
 * @return CS_OK
 * @return CS_ERR_BAD_HANDLE
 * @return CS_ERR_INVALID_PARAM  message is NULL, or no such message is open on
 *                               this handle.
 * @return CS_ERR_LIBRARY        damaged region.
 *
 * Threads: that which runs the callback; others wait until it has returned.
 */
cs_error_t cpg_zcb_describe(cpg_handle_t handle, const void* msg,
                            struct cpg_zcb_message* message);

/**
 * Sends a message on to the handle's group: one that this process keeps, or
 * that is open on the handle. One copy: a buffer belongs to the process that
 * allocated it, whose death would free it under the new receivers.
 *
 * @param msg      the message, from its beginning.
 * @param msg_len  bytes to send, from the beginning; at most its length.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  this process neither keeps such a message nor
 *                               has it open on the handle.
 * @return CS_ERR_TOO_BIG        more bytes than the message has; or than any of
 *                               the handle's region, which may be another one
 *                               than that of a kept message.
 * @return as cpg_mcast_joined() otherwise. The message stays as it was.
 *
 * Threads: any. Another thread may let go of a kept message meanwhile; an open
 *          one must stay open.
 */
cs_error_t cpg_zcb_forward(cpg_handle_t handle, cpg_guarantee_t guarantee,
                           const void* msg, size_t msg_len);

/* --- when sends are refused ---------------------------------------------- */

/**
 * Waits until a send can succeed: until the group's ring has room, and memory
 * for a message of that length can be had. Another sender may be faster:
 * send, and on CS_ERR_TRY_AGAIN wait again (cpg_zcb_mcast_timed() does that).
 *
 * @param length      bytes that the send will have to allocate; 0: none, room
 *                    in the ring is enough (CPG_MODEL_ZCB, where the buffer is
 *                    there already).
 * @param timeout_ms  in milliseconds; negative: for ever; 0: only look.
 * @return CS_OK
 * @return CS_ERR_TIMEOUT    no room in time.
 * @return CS_ERR_BUSY       this handle has not read the oldest message of the
 *                           full ring, or of what may hold the memory, and
 *                           nobody else reads it: dispatch first. That is, the
 *                           call comes from a callback of the handle; or no
 *                           other thread is in a call that reads it, and none
 *                           but the calling one has read it last, or has not
 *                           come back for a second.
 * @return CS_ERR_NOT_EXIST  not joined, or leaving.
 * @return CS_ERR_TOO_BIG    no region of this size, or not the quota of this
 *                           process, could hold it.
 * @return CS_ERR_LIBRARY    evicted, or a file of the region was truncated.
 *                           (Other damage is for the send to find.)
 * @return CS_ERR_BAD_HANDLE no such handle, or finalized meanwhile.
 *
 * Threads:  any number.
 * Signals:  a handled signal does not end the wait.
 * Progress: waits for other members to read, which is what it is for; asleep,
 *           whatever CPG_ZCB_OPTION_WAIT and CPG_ZCB_OPTION_PARK say. For
 *           memory that other processes hold it looks again now and then, every
 *           64 milliseconds at least, since nobody says when it is free.
 * Death:    of the member that holds the ring back, ends the wait.
 */
cs_error_t cpg_zcb_wait(cpg_handle_t handle, size_t length, int timeout_ms);

/**
 * A descriptor for poll(2) and its kin, the same for the handle's life:
 * readable until a send is refused with CS_ERR_TRY_AGAIN, or (in a group) an
 * allocation with CS_ERR_NO_MEMORY, and again when it is worth another try. Do
 * not read, write or close it.
 *
 * It is about the ring of the handle's group, and with CPG_ZCB_OPTION_EVICT_MS
 * also about the time of members that do not read. When memory was what lacked,
 * it is readable again as soon as any message of a group that was there at the
 * refusal has been read by all, or this process frees a buffer or releases a
 * message; nobody tells when another process frees one of its own. After
 * cpg_leave() or an eviction it is readable: the next send says why.
 *
 * @param fd  written on CS_OK.
 * @return CS_OK
 * @return CS_ERR_BAD_HANDLE
 * @return CS_ERR_INVALID_PARAM  fd is NULL.
 * @return CS_ERR_NO_RESOURCES   no descriptor, or no doorbell, is left.
 * @return CS_ERR_NO_MEMORY      no memory, or no room in the file system.
 * @return CS_ERR_LIBRARY        damaged region.
 */
cs_error_t cpg_zcb_send_fd_get(cpg_handle_t handle, int* fd);

/**
 * cpg_zcb_mcast_joined() that waits, as cpg_zcb_wait() does, while it would be
 * refused with CS_ERR_TRY_AGAIN.
 *
 * @param timeout_ms  in milliseconds; negative: for ever; 0: one try.
 * @return as cpg_zcb_mcast_joined(), but for CS_ERR_TRY_AGAIN:
 * @return CS_ERR_TIMEOUT  no room in time; nothing was sent.
 * @return CS_ERR_BUSY     as cpg_zcb_wait(); nothing was sent.
 */
cs_error_t cpg_zcb_mcast_timed(cpg_handle_t handle, cpg_guarantee_t guarantee,
                               void* msg, size_t msg_len, int timeout_ms);

/** cpg_mcast_joined() that waits; returns as cpg_zcb_mcast_timed(). */
cs_error_t cpg_zcb_mcastv_timed(cpg_handle_t handle, cpg_guarantee_t guarantee,
                                const struct iovec* iovec, unsigned int iov_len,
                                int timeout_ms);

/* --- options ---------------------------------------------------------------
 */

/** What cpg_zcb_option_set() sets. */
typedef enum {
  /** How calls of this handle wait for events (for room they sleep): a
   *  cpg_zcb_wait_t. ZCB_WAIT. */
  CPG_ZCB_OPTION_WAIT = 1,
  /** How long CPG_ZCB_WAIT_ADAPTIVE looks before it sleeps, in nanoseconds; at
   *  most 1,000,000,000. 20,000, about what a wake costs. ZCB_SPIN_NS. */
  CPG_ZCB_OPTION_SPIN_NS = 2,
  /** What a waiting call sleeps on: a cpg_zcb_park_t. ZCB_PARK. */
  CPG_ZCB_OPTION_PARK = 3,
  /** Senders of this handle put out a member that has held the full ring back
   *  for that many milliseconds without reading a message, or, where memory
   *  cannot be had, the oldest message of a ring that is not full; 0, the
   *  default: never. The limit of the strictest sender counts. To the others it
   *  is CPG_REASON_PROCDOWN; its own calls are CS_ERR_LIBRARY from then on, and
   *  its descriptor is readable: finalize, and join with a fresh handle. What
   *  it keeps stays valid. ZCB_EVICT_MS. */
  CPG_ZCB_OPTION_EVICT_MS = 4,
  /** 1: messages sent through this handle carry their time. ZCB_SEND_TIME. */
  CPG_ZCB_OPTION_SEND_TIME = 5,
  /** Most bytes of payload that this process keeps in this region (not this
   *  handle alone); 0, the default: no such limit. ZCB_RETAIN_BYTES. */
  CPG_ZCB_OPTION_RETAIN_BYTES = 6
} cpg_zcb_option_t;

/** Values of CPG_ZCB_OPTION_WAIT. */
typedef enum {
  CPG_ZCB_WAIT_ADAPTIVE = 0, /**< look for a while, then sleep */
  CPG_ZCB_WAIT_PARK = 1,     /**< sleep at once */
  CPG_ZCB_WAIT_SPIN = 2      /**< look for ever: a core is spent on it */
} cpg_zcb_wait_t;

/** Values of CPG_ZCB_OPTION_PARK. */
typedef enum {
  CPG_ZCB_PARK_FUTEX = 0,     /**< a futex in the region, once joined */
  CPG_ZCB_PARK_DESCRIPTOR = 1 /**< poll(2) on the descriptor */
} cpg_zcb_park_t;

/**
 * Sets an option; it holds from the next call on. The environment variable that
 * an option names sets it for all handles that are initialized afterwards;
 * ZCB_RETAIN_BYTES, while it is set, sets it for the process at each of these.
 *
 * @return CS_OK
 * @return CS_ERR_BAD_HANDLE
 * @return CS_ERR_INVALID_PARAM  no such option, or no such value of it.
 *
 * Threads: any.
 */
cs_error_t cpg_zcb_option_set(cpg_handle_t handle, cpg_zcb_option_t option,
                              uint64_t value);

/** Reads an option. @return CS_OK, CS_ERR_BAD_HANDLE, CS_ERR_INVALID_PARAM (no
 *  such option; value is NULL) */
cs_error_t cpg_zcb_option_get(cpg_handle_t handle, cpg_zcb_option_t option,
                              uint64_t* value);

/* --- statistics ------------------------------------------------------------
 */

/** A group now, and what this handle has done in it. */
struct cpg_zcb_group_stats {
  /** In: sizeof the caller's struct; out: bytes filled in. */
  size_t size;

  /* The group. Figures of one moment, not all of the same. */
  /** Members. */
  uint64_t members;
  /** Messages and views ordered so far. */
  uint64_t ordered;
  /** Messages that the ring has room for. */
  uint64_t ring_messages;
  /** Places of the ring in use: read by not all members yet. */
  uint64_t ring_used;
  /** How far the member that has read least is behind, in messages and views,
   *  and who it is. */
  uint64_t slowest_behind;
  uint32_t slowest_nodeid;
  uint32_t slowest_pid;
  /** Members put out for not reading, since the group was made. */
  uint64_t evictions;

  /* The handle, since its last join; 0 if it is not in this group. What was
   * sent is exact if one thread sends at a time; where several do, any number
   * of sends may be missing, and a figure may be smaller than it was. */
  uint64_t sent_messages;
  uint64_t sent_bytes;
  /** Sends refused with CS_ERR_TRY_AGAIN, and allocations with
   *  CS_ERR_NO_MEMORY. */
  uint64_t refused_sends;
  uint64_t received_messages;
  uint64_t received_bytes;
  uint64_t received_views;
};

/**
 * Statistics of a group: that of the handle, or any.
 *
 * @param group  NULL: the group that the handle is in.
 * @param stats  written on CS_OK.
 * @return CS_OK                 also for a group that nobody has joined yet.
 * @return CS_ERR_BAD_HANDLE
 * @return CS_ERR_NOT_EXIST      group is NULL, and the handle is in none.
 * @return CS_ERR_NAME_TOO_LONG  more than CPG_MAX_NAME_LENGTH bytes.
 * @return CS_ERR_INVALID_PARAM  stats is NULL, or its size is too small for a
 *                               single number.
 * @return CS_ERR_NO_MEMORY      no memory with which to look at the group.
 * @return CS_ERR_LIBRARY        damaged region.
 *
 * Threads:  any; does not wait for callbacks.
 * Progress: wait-free; no system call for a group that the process knows.
 */
cs_error_t cpg_zcb_group_stats_get(cpg_handle_t handle,
                                   const struct cpg_name* group,
                                   struct cpg_zcb_group_stats* stats);

/* --- the region ------------------------------------------------------------
 */

/** The state of the region, for people. Exact when nobody is sending. */
struct cpg_zcb_region_info {
  /** In: sizeof the caller's struct; out: bytes filled in. */
  size_t size;
  /** What pages the payload really has, in words; a constant string. */
  const char* page_kind;
  /** Bytes of the best page found. */
  uint64_t page_bytes;
  /** Payload bytes that are backed by memory, region-wide. */
  uint64_t committed_bytes;
  /** Of these, bytes that this process sees through huge pages. */
  uint64_t huge_bytes;
  /** Buffers this process has from cpg_zcb_alloc(), not yet sent or freed. */
  uint64_t live_buffers;
  /** Buffers on their way or kept, region-wide. */
  uint64_t out_buffers;
  /** Messages this process keeps; what is kept twice counts twice. */
  uint64_t kept_messages;
  /** Processes attached. */
  uint64_t processes;
  /** Bytes of payload of the messages this process keeps, counted likewise. */
  uint64_t kept_bytes;
};

/**
 * Fills in a report; a slow call, for demos, tests and monitoring.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  info is NULL, or its size is too small for a
 *                               single number.
 * @return CS_ERR_NO_MEMORY      no memory.
 * @return CS_ERR_LIBRARY        damaged region.
 */
cs_error_t cpg_zcb_region_info(cpg_handle_t handle,
                               struct cpg_zcb_region_info* info);

/**
 * Takes back, now, what all members have read: a slow call, for programs that
 * are about to measure memory. Sends and allocs do it by themselves.
 *
 * @return CS_OK, CS_ERR_BAD_HANDLE, CS_ERR_LIBRARY (damaged region)
 */
cs_error_t cpg_zcb_collect(cpg_handle_t handle);

/** This library's version, "MAJOR.MINOR.PATCH"; a constant string. */
const char* cpg_zcb_version(void);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* COROSYNC_CPG_ZCB_H_DEFINED */
