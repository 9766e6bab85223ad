/*
 * Compiled twice: once with our headers (-DFACTS=OurAbiFacts), once with
 * those of the system (-DFACTS=TheirAbiFacts -DTHEIRS).
 */
#include "tests/cpg/abi_facts.h"

#if !defined(THEIRS)
#include <corosync/cpg.h>
#define HAVE_HEADER 1
#elif __has_include("/usr/include/corosync/cpg.h")
#include "/usr/include/corosync/cpg.h"
#define HAVE_HEADER 1
#else
#define HAVE_HEADER 0
#endif

#if HAVE_HEADER

#define NUMBER(name) {#name, (long long)(name)}
#define LAYOUT(type)                            \
  {"sizeof " #type, (long long)sizeof(type)}, { \
    "alignof " #type, (long long)_Alignof(type) \
  }
#define PLACE(type, field)                                           \
  {#type "." #field, (long long)offsetof(type, field)}, {            \
    "sizeof " #type "." #field, (long long)sizeof(((type*)0)->field) \
  }
/* Does not compile if the prototype differs in kind. */
#define FUNCTION(name, result, ...)                            \
  {"function " #name, (long long)__builtin_types_compatible_p( \
                          __typeof__(&name), result (*)(__VA_ARGS__))}

static const struct AbiFact kFacts[] = {
    NUMBER(CPG_TYPE_UNORDERED),
    NUMBER(CPG_TYPE_FIFO),
    NUMBER(CPG_TYPE_AGREED),
    NUMBER(CPG_TYPE_SAFE),
    NUMBER(CPG_FLOW_CONTROL_DISABLED),
    NUMBER(CPG_FLOW_CONTROL_ENABLED),
    NUMBER(CPG_REASON_UNDEFINED),
    NUMBER(CPG_REASON_JOIN),
    NUMBER(CPG_REASON_LEAVE),
    NUMBER(CPG_REASON_NODEDOWN),
    NUMBER(CPG_REASON_NODEUP),
    NUMBER(CPG_REASON_PROCDOWN),
    NUMBER(CPG_ITERATION_NAME_ONLY),
    NUMBER(CPG_ITERATION_ONE_GROUP),
    NUMBER(CPG_ITERATION_ALL),
    NUMBER(CPG_MODEL_V1),
    NUMBER(CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF),
    NUMBER(CPG_MAX_NAME_LENGTH),
    NUMBER(CPG_MEMBERS_MAX),
    NUMBER(CS_DISPATCH_ONE),
    NUMBER(CS_DISPATCH_ALL),
    NUMBER(CS_DISPATCH_BLOCKING),
    NUMBER(CS_DISPATCH_ONE_NONBLOCKING),
    NUMBER(CS_FALSE),
    NUMBER(CS_TRUE),
    NUMBER(CS_MAX_NAME_LENGTH),
    NUMBER(CS_TIME_END),
    NUMBER(CS_IPC_TIMEOUT_MS),
    NUMBER(CS_TRACK_CURRENT),
    NUMBER(CS_TRACK_CHANGES),
    NUMBER(CS_TRACK_CHANGES_ONLY),
    NUMBER(CS_TIME_MS_IN_SEC),
    NUMBER(CS_TIME_US_IN_SEC),
    NUMBER(CS_TIME_NS_IN_SEC),
    NUMBER(CS_TIME_US_IN_MSEC),
    NUMBER(CS_TIME_NS_IN_MSEC),
    NUMBER(CS_TIME_NS_IN_USEC),
    NUMBER(CS_OK),
    NUMBER(CS_ERR_LIBRARY),
    NUMBER(CS_ERR_VERSION),
    NUMBER(CS_ERR_INIT),
    NUMBER(CS_ERR_TIMEOUT),
    NUMBER(CS_ERR_TRY_AGAIN),
    NUMBER(CS_ERR_INVALID_PARAM),
    NUMBER(CS_ERR_NO_MEMORY),
    NUMBER(CS_ERR_BAD_HANDLE),
    NUMBER(CS_ERR_BUSY),
    NUMBER(CS_ERR_ACCESS),
    NUMBER(CS_ERR_NOT_EXIST),
    NUMBER(CS_ERR_NAME_TOO_LONG),
    NUMBER(CS_ERR_EXIST),
    NUMBER(CS_ERR_NO_SPACE),
    NUMBER(CS_ERR_INTERRUPT),
    NUMBER(CS_ERR_NAME_NOT_FOUND),
    NUMBER(CS_ERR_NO_RESOURCES),
    NUMBER(CS_ERR_NOT_SUPPORTED),
    NUMBER(CS_ERR_BAD_OPERATION),
    NUMBER(CS_ERR_FAILED_OPERATION),
    NUMBER(CS_ERR_MESSAGE_ERROR),
    NUMBER(CS_ERR_QUEUE_FULL),
    NUMBER(CS_ERR_QUEUE_NOT_AVAILABLE),
    NUMBER(CS_ERR_BAD_FLAGS),
    NUMBER(CS_ERR_TOO_BIG),
    NUMBER(CS_ERR_NO_SECTIONS),
    NUMBER(CS_ERR_CONTEXT_NOT_FOUND),
    NUMBER(CS_ERR_TOO_MANY_GROUPS),
    NUMBER(CS_ERR_SECURITY),
    LAYOUT(cpg_handle_t),
    LAYOUT(cpg_iteration_handle_t),
    LAYOUT(cpg_guarantee_t),
    LAYOUT(cpg_flow_control_state_t),
    LAYOUT(cpg_reason_t),
    LAYOUT(cpg_iteration_type_t),
    LAYOUT(cpg_model_t),
    LAYOUT(cs_dispatch_flags_t),
    LAYOUT(cs_error_t),
    LAYOUT(cs_time_t),
    LAYOUT(cs_name_t),
    LAYOUT(cs_version_t),
    LAYOUT(struct cpg_name),
    LAYOUT(struct cpg_address),
    LAYOUT(struct cpg_iteration_description_t),
    LAYOUT(struct cpg_ring_id),
    LAYOUT(cpg_callbacks_t),
    LAYOUT(cpg_model_data_t),
    LAYOUT(cpg_model_v1_data_t),
    PLACE(struct cpg_name, length),
    PLACE(struct cpg_name, value),
    PLACE(struct cpg_address, nodeid),
    PLACE(struct cpg_address, pid),
    PLACE(struct cpg_address, reason),
    PLACE(struct cpg_iteration_description_t, group),
    PLACE(struct cpg_iteration_description_t, nodeid),
    PLACE(struct cpg_iteration_description_t, pid),
    PLACE(struct cpg_ring_id, nodeid),
    PLACE(struct cpg_ring_id, seq),
    PLACE(cpg_callbacks_t, cpg_deliver_fn),
    PLACE(cpg_callbacks_t, cpg_confchg_fn),
    PLACE(cpg_model_data_t, model),
    PLACE(cpg_model_v1_data_t, model),
    PLACE(cpg_model_v1_data_t, cpg_deliver_fn),
    PLACE(cpg_model_v1_data_t, cpg_confchg_fn),
    PLACE(cpg_model_v1_data_t, cpg_totem_confchg_fn),
    PLACE(cpg_model_v1_data_t, flags),
    PLACE(cs_name_t, length),
    PLACE(cs_name_t, value),
    PLACE(cs_version_t, releaseCode),
    PLACE(cs_version_t, majorVersion),
    PLACE(cs_version_t, minorVersion),
    FUNCTION(cpg_initialize, cs_error_t, cpg_handle_t*, cpg_callbacks_t*),
    FUNCTION(cpg_model_initialize, cs_error_t, cpg_handle_t*, cpg_model_t,
             cpg_model_data_t*, void*),
    FUNCTION(cpg_finalize, cs_error_t, cpg_handle_t),
    FUNCTION(cpg_fd_get, cs_error_t, cpg_handle_t, int*),
    FUNCTION(cpg_max_atomic_msgsize_get, cs_error_t, cpg_handle_t, uint32_t*),
    FUNCTION(cpg_context_get, cs_error_t, cpg_handle_t, void**),
    FUNCTION(cpg_context_set, cs_error_t, cpg_handle_t, void*),
    FUNCTION(cpg_dispatch, cs_error_t, cpg_handle_t, cs_dispatch_flags_t),
    FUNCTION(cpg_join, cs_error_t, cpg_handle_t, const struct cpg_name*),
    FUNCTION(cpg_leave, cs_error_t, cpg_handle_t, const struct cpg_name*),
    FUNCTION(cpg_mcast_joined, cs_error_t, cpg_handle_t, cpg_guarantee_t,
             const struct iovec*, unsigned int),
    FUNCTION(cpg_membership_get, cs_error_t, cpg_handle_t, struct cpg_name*,
             struct cpg_address*, int*),
    FUNCTION(cpg_local_get, cs_error_t, cpg_handle_t, unsigned int*),
    FUNCTION(cpg_flow_control_state_get, cs_error_t, cpg_handle_t,
             cpg_flow_control_state_t*),
    FUNCTION(cpg_zcb_alloc, cs_error_t, cpg_handle_t, size_t, void**),
    FUNCTION(cpg_zcb_free, cs_error_t, cpg_handle_t, void*),
    FUNCTION(cpg_zcb_mcast_joined, cs_error_t, cpg_handle_t, cpg_guarantee_t,
             void*, size_t),
    FUNCTION(cpg_iteration_initialize, cs_error_t, cpg_handle_t,
             cpg_iteration_type_t, const struct cpg_name*,
             cpg_iteration_handle_t*),
    FUNCTION(cpg_iteration_next, cs_error_t, cpg_iteration_handle_t,
             struct cpg_iteration_description_t*),
    FUNCTION(cpg_iteration_finalize, cs_error_t, cpg_iteration_handle_t),
    FUNCTION(qb_to_cs_error, cs_error_t, int),
    FUNCTION(hdb_error_to_cs, cs_error_t, int),
    FUNCTION(cs_strerror, const char*, cs_error_t),
    {"callback cpg_deliver_fn_t",
     (long long)__builtin_types_compatible_p(
         cpg_deliver_fn_t, void (*)(cpg_handle_t, const struct cpg_name*,
                                    uint32_t, uint32_t, void*, size_t))},
    {"callback cpg_confchg_fn_t",
     (long long)__builtin_types_compatible_p(
         cpg_confchg_fn_t,
         void (*)(cpg_handle_t, const struct cpg_name*,
                  const struct cpg_address*, size_t, const struct cpg_address*,
                  size_t, const struct cpg_address*, size_t))},
    {"callback cpg_totem_confchg_fn_t",
     (long long)__builtin_types_compatible_p(
         cpg_totem_confchg_fn_t, void (*)(cpg_handle_t, struct cpg_ring_id,
                                          uint32_t, const uint32_t*))},
};

const struct AbiFact* FACTS(size_t* count) {
  *count = sizeof(kFacts) / sizeof(kFacts[0]);
  return kFacts;
}

#else

const struct AbiFact* FACTS(size_t* count) {
  *count = 0;
  return 0;
}

#endif
