// CS_ERR_LIBRARY of everything that looks at a region of which somebody has cut
// a file, once this process knows that.
#include <set>

#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {

Producers TruncatedErrors() {
  // Those that ask nothing of the region.
  const std::set<std::string> kUntouched = {"cpg_finalize",
                                            "cpg_context_get",
                                            "cpg_context_set",
                                            "cpg_local_get",
                                            "cpg_zcb_option_get",
                                            "cpg_zcb_option_set",
                                            "cpg_max_atomic_msgsize_get"};
  Producers all;
  for (const auto& entry : CallsOfAHandle()) {
    if (kUntouched.contains(entry.first)) continue;
    const CallOfAHandle call = entry.second;
    all.push_back({entry.first, CS_ERR_LIBRARY, "FileIsTruncated", [call] {
                     const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
                     CutDataFile(member);
                     return call(member);
                   }});
  }
  all.push_back({"cpg_zcb_release", CS_ERR_LIBRARY, "FileIsTruncated", [] {
                   const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
                   const void* const message = TakenMessage(member);
                   MustBeOk(cpg_zcb_retain(member, message));
                   CutDataFile(member);
                   return cpg_zcb_release(message);
                 }});
  return all;
}

}  // namespace zcb::man
