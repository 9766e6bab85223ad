// What the functions of one handle say to NULL and to what is no option.
#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {

Producers HandleErrors() {
  return {
      {"cpg_fd_get", CS_ERR_INVALID_PARAM, "FdIsNull",
       [] { return cpg_fd_get(NewHandle(), nullptr); }},
      {"cpg_max_atomic_msgsize_get", CS_ERR_INVALID_PARAM, "SizeIsNull",
       [] { return cpg_max_atomic_msgsize_get(NewHandle(), nullptr); }},
      {"cpg_context_get", CS_ERR_INVALID_PARAM, "ContextIsNull",
       [] { return cpg_context_get(NewHandle(), nullptr); }},
      {"cpg_local_get", CS_ERR_INVALID_PARAM, "NodeidIsNull",
       [] { return cpg_local_get(NewHandle(), nullptr); }},
      {"cpg_flow_control_state_get", CS_ERR_INVALID_PARAM, "StateIsNull",
       [] { return cpg_flow_control_state_get(NewHandle(), nullptr); }},
      {"cpg_zcb_option_set", CS_ERR_INVALID_PARAM, "NoSuchOption",
       [] {
         return cpg_zcb_option_set(NewHandle(),
                                   static_cast<cpg_zcb_option_t>(7), 0);
       }},
      {"cpg_zcb_option_set", CS_ERR_INVALID_PARAM, "NoSuchValue_OfWait",
       [] { return cpg_zcb_option_set(NewHandle(), CPG_ZCB_OPTION_WAIT, 3); }},
      {"cpg_zcb_option_set", CS_ERR_INVALID_PARAM,
       "NoSuchValue_MoreThanASecondOfSpinning",
       [] {
         return cpg_zcb_option_set(NewHandle(), CPG_ZCB_OPTION_SPIN_NS,
                                   1'000'000'001);
       }},
      {"cpg_zcb_option_set", CS_ERR_INVALID_PARAM,
       "NoSuchValue_EvictionBeyond32Bits",
       [] {
         return cpg_zcb_option_set(NewHandle(), CPG_ZCB_OPTION_EVICT_MS,
                                   std::uint64_t{1} << 32);
       }},
      {"cpg_zcb_option_get", CS_ERR_INVALID_PARAM, "NoSuchOption",
       [] {
         std::uint64_t value = 0;
         return cpg_zcb_option_get(NewHandle(),
                                   static_cast<cpg_zcb_option_t>(0), &value);
       }},
      {"cpg_zcb_option_get", CS_ERR_INVALID_PARAM, "ValueIsNull",
       [] {
         return cpg_zcb_option_get(NewHandle(), CPG_ZCB_OPTION_WAIT, nullptr);
       }},
  };
}

}  // namespace zcb::man
