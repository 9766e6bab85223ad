/*
 * What programs that were compiled against allocator/zcb_allocator.h rely on:
 * numbers, sizes, places, prototypes. Compiled as C and as C++; a line that
 * has to change means a new soname. Structs grow at their ends only.
 */
#ifndef ZCB_TESTS_ALLOCATOR_ZCB_ALLOCATOR_ABI_H_
#define ZCB_TESTS_ALLOCATOR_ZCB_ALLOCATOR_ABI_H_

#include <assert.h>
#include <stddef.h>

#include "allocator/zcb_allocator.h"

#define PIN(expression, value) \
  static_assert((long long)(expression) == (value), #expression)
#define PLACE(type, field, offset, bytes)    \
  PIN(offsetof(struct type, field), offset); \
  PIN(sizeof(((struct type*)0)->field), bytes)

/* cs_error_t's numbers. */
PIN(ZCB_OK, 1);
PIN(ZCB_LIBRARY, 2);
PIN(ZCB_VERSION, 3);
PIN(ZCB_TRY_AGAIN, 6);
PIN(ZCB_INVALID_PARAM, 7);
PIN(ZCB_NO_MEMORY, 8);
PIN(ZCB_BAD_HANDLE, 9);
PIN(ZCB_ACCESS, 11);
PIN(ZCB_NOT_EXIST, 12);
PIN(ZCB_NAME_TOO_LONG, 13);
PIN(ZCB_EXIST, 14);
PIN(ZCB_NO_RESOURCES, 18);
PIN(ZCB_NOT_SUPPORTED, 19);
PIN(ZCB_TOO_BIG, 26);

PIN(ZCB_PAGES_AUTO, 1);
PIN(ZCB_PAGES_HUGE, 2);
PIN(ZCB_PAGES_SMALL, 3);
PIN(ZCB_YES, 1);
PIN(ZCB_NO, 2);
PIN(ZCB_NONE, -1);
PIN(ZCB_ALL, -2);
PIN(ZCB_NUMA_NODE(0), 1);
PIN(ZCB_NUMA_NONE, -1);
PIN(ZCB_NUMA_LOCAL, -2);

PIN(sizeof(zcb_status), 4);
PIN(sizeof(zcb_ref), 8);
PIN(sizeof(zcb_ticket), 8);

PIN(sizeof(struct zcb_options), 96);
PLACE(zcb_options, size, 0, 8);
PLACE(zcb_options, name, 8, 8);
PLACE(zcb_options, directory, 16, 8);
PLACE(zcb_options, region_bytes, 24, 8);
PLACE(zcb_options, prefault_bytes, 32, 8);
PLACE(zcb_options, hugetlbfs_mount, 40, 8);
PLACE(zcb_options, pages, 48, 4);
PLACE(zcb_options, unit_bytes, 52, 4);
PLACE(zcb_options, process_count, 56, 4);
PLACE(zcb_options, keep, 60, 4);
PLACE(zcb_options, quota_bytes, 64, 8);
PLACE(zcb_options, spare_bytes, 72, 8);
PLACE(zcb_options, idle_bytes, 80, 8);
PLACE(zcb_options, poison, 88, 4);
PLACE(zcb_options, numa, 92, 4);

PIN(sizeof(struct zcb_allocator_stats), 120);
PLACE(zcb_allocator_stats, size, 0, 8);
PLACE(zcb_allocator_stats, live_buffers, 8, 8);
PLACE(zcb_allocator_stats, cached_buffers, 16, 8);
PLACE(zcb_allocator_stats, out_buffers, 24, 8);
PLACE(zcb_allocator_stats, taken_buffers, 32, 8);
PLACE(zcb_allocator_stats, owned_bytes, 40, 8);
PLACE(zcb_allocator_stats, extent_bytes, 48, 8);
PLACE(zcb_allocator_stats, region_bytes, 56, 8);
PLACE(zcb_allocator_stats, committed_bytes, 64, 8);
PLACE(zcb_allocator_stats, huge_bytes, 72, 8);
PLACE(zcb_allocator_stats, page_bytes, 80, 8);
PLACE(zcb_allocator_stats, page_kind, 88, 8);
PLACE(zcb_allocator_stats, unit_bytes, 96, 8);
PLACE(zcb_allocator_stats, processes, 104, 8);
PLACE(zcb_allocator_stats, poison_damage, 112, 8);

PIN(sizeof(struct zcb_audit_report), 104);
PLACE(zcb_audit_report, size, 0, 8);
PLACE(zcb_audit_report, damage_count, 8, 8);
PLACE(zcb_audit_report, repair_count, 16, 8);
PLACE(zcb_audit_report, moving_count, 24, 8);
PLACE(zcb_audit_report, region_bytes, 32, 8);
PLACE(zcb_audit_report, free_bytes, 40, 8);
PLACE(zcb_audit_report, owned_bytes, 48, 8);
PLACE(zcb_audit_report, held_bytes, 56, 8);
PLACE(zcb_audit_report, sent_bytes, 64, 8);
PLACE(zcb_audit_report, dead_bytes, 72, 8);
PLACE(zcb_audit_report, damaged_bytes, 80, 8);
PLACE(zcb_audit_report, first_finding, 88, 8);
PLACE(zcb_audit_report, first_index, 96, 8);

/* Does not compile if a prototype differs in kind. */
struct ZcbFunctions {
  zcb_status (*open)(const struct zcb_options*, zcb_allocator**);
  zcb_status (*close)(zcb_allocator*);
  zcb_status (*alloc)(zcb_allocator*, size_t, void**);
  zcb_status (*alloc_aligned)(zcb_allocator*, size_t, size_t, void**);
  zcb_status (*free)(zcb_allocator*, void*);
  size_t (*usable_size)(zcb_allocator*, const void*);
  zcb_status (*ref_of)(zcb_allocator*, const void*, zcb_ref*);
  zcb_status (*ptr_of)(zcb_allocator*, zcb_ref, void**);
  zcb_status (*give)(zcb_allocator*, void*, zcb_ticket*);
  zcb_status (*take)(zcb_allocator*, zcb_ticket, void**);
  zcb_status (*collect)(zcb_allocator*);
  zcb_status (*reap_dead)(zcb_allocator*, uint32_t*);
  zcb_status (*prefault)(zcb_allocator*, uint64_t, uint64_t*);
  zcb_status (*lock_memory)(zcb_allocator*);
  zcb_status (*unlock_memory)(zcb_allocator*);
  zcb_status (*trim)(zcb_allocator*, uint64_t, uint64_t*);
  zcb_status (*stats)(zcb_allocator*, struct zcb_allocator_stats*);
  zcb_status (*audit)(zcb_allocator*, struct zcb_audit_report*);
  const char* (*status_text)(zcb_status);
  const char* (*last_reason)(void);
  const char* (*version)(void);
};
#define ZCB_FUNCTIONS                       \
  {zcb_allocator_open, zcb_allocator_close, \
   zcb_alloc,          zcb_alloc_aligned,   \
   zcb_free,           zcb_usable_size,     \
   zcb_ref_of,         zcb_ptr_of,          \
   zcb_give,           zcb_take,            \
   zcb_collect,        zcb_reap_dead,       \
   zcb_prefault,       zcb_lock_memory,     \
   zcb_unlock_memory,  zcb_trim,            \
   zcb_stats,          zcb_audit,           \
   zcb_status_text,    zcb_last_reason,     \
   zcb_version}

#ifdef __cplusplus
extern "C" {
#endif
/* The same functions, as a C program finds them. */
extern const struct ZcbFunctions kZcbFunctionsOfC;
#ifdef __cplusplus
}
#endif

#endif /* ZCB_TESTS_ALLOCATOR_ZCB_ALLOCATOR_ABI_H_ */
