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
 *   - cpg_zcb_mcast_joined() moves the buffer to the group;
 *   - the deliver callback gets the sender's own bytes, read only, in place;
 *   - a message can be kept beyond its callback, without a copy;
 *   - messages can be pulled, without callbacks.
 */
#define CPG_MODEL_ZCB ((cpg_model_t)0x7a6362)

/** One totem callback after the handle's first configuration change. */
#define CPG_MODEL_ZCB_DELIVER_INITIAL_TOTEM_CONF 0x01

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
 * @return CS_ERR_TOO_BIG        more than the region could ever hold.
 * @return CS_ERR_NO_MEMORY      not now; free something, or let others read.
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
 * @param msg  the message that is being delivered to this thread, or the last
 *             one of cpg_zcb_next().
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  no such message is open on this handle.
 * @return CS_ERR_NOT_SUPPORTED  the handle is not of CPG_MODEL_ZCB.
 * @return CS_ERR_NO_RESOURCES   this process keeps too many messages.
 * @return CS_ERR_LIBRARY        evicted meanwhile: the bytes are not safe.
 *
 * Progress: lock-free, no system call.
 * Death:    whoever notices the process's death lets go for it.
 */
cs_error_t cpg_zcb_retain(cpg_handle_t handle, const void* msg);

/**
 * Lets go of a kept message: any thread, also after cpg_leave() and
 * cpg_finalize(). The last one that lets go frees it.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  this process keeps no such message.
 * @return CS_ERR_BAD_HANDLE     kept before fork(2), by the parent.
 *
 * Progress: lock-free, no system call.
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
};

/**
 * Takes the next event without a callback. What it hands out is valid until
 * the next call of this function or of cpg_dispatch() on the handle, its end,
 * or, called inside a callback, the end of that; a message also longer, with
 * cpg_zcb_retain().
 *
 * @param message  written on CS_OK.
 * @return CS_OK
 * @return CS_ERR_TRY_AGAIN      there is none.
 * @return CS_ERR_NOT_EXIST      not joined; or the own leave has come through.
 * @return CS_ERR_INVALID_PARAM  message is NULL.
 * @return CS_ERR_NOT_SUPPORTED  the handle is not of CPG_MODEL_ZCB.
 * @return CS_ERR_NO_MEMORY      no memory for the list of members; try again.
 *
 * Threads:  one at a time uses what it hands out.
 * Progress: wait-free, no system call, no allocation for messages (if
 *           cpg_fd_get() was called, a system call or two when it finds the
 *           ring empty).
 */
cs_error_t cpg_zcb_next(cpg_handle_t handle, struct cpg_zcb_message* message);

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
  /** Messages this process keeps. */
  uint64_t kept_messages;
  /** Processes attached. */
  uint64_t processes;
};

/**
 * Fills in a report; a slow call, for demos, tests and monitoring.
 * @return CS_OK
 * @return CS_ERR_INVALID_PARAM  info is NULL, or its size is too small for a
 *                               single number.
 * @return CS_ERR_NO_MEMORY      no memory.
 */
cs_error_t cpg_zcb_region_info(cpg_handle_t handle,
                               struct cpg_zcb_region_info* info);

/**
 * Takes back, now, what all members have read: a slow call, for programs that
 * are about to measure memory. Sends and allocs do it by themselves.
 *
 * @return CS_OK, CS_ERR_BAD_HANDLE
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
