// The totem side: the initial callback, rings of nodes.
#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {

SCENARIO(totem_asked_for) {
  Member member(CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
  (void)member.Dispatch();
  Observe("before_join", member.Seen());
  (void)member.Join("totem");
  member.Until("totem[1]@1");
  Observe("saw", member.Seen());
  member.Forget();
  member.RoundTrip();
  Observe("saw_later", member.Seen());
}

SCENARIO(totem_not_asked_for) {
  Member member;
  member.Enter("totem");
  member.RoundTrip();
  Observe("saw", member.Seen());
}

SCENARIO(totem_without_callback) {
  cpg_model_v1_data_t data{};
  data.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;
  cpg_handle_t handle = 0;
  const cpg_name name = Named("totem");
  Observe("initialize",
          Name(cpg_model_initialize(&handle, CPG_MODEL_V1,
                                    reinterpret_cast<cpg_model_data_t*>(&data),
                                    nullptr)));
  Observe("join", Name(cpg_join(handle, &name)));
  int fd = -1;
  (void)cpg_fd_get(handle, &fd);
  AwaitReadable(fd);
  Observe("dispatch", Name(cpg_dispatch(handle, CS_DISPATCH_ONE)));
}

SCENARIO(totem_after_each_first_join) {
  // The second handle's flag is its own.
  Member first(CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
  Member second(CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
  (void)first.Join("totem1");
  first.Until("totem[1]@1");
  (void)second.Join("totem2");
  second.Until("totem[1]@1");
  first.RoundTrip();
  Observe("first_saw", first.Seen());
  Observe("second_saw", second.Seen());
}

}  // namespace zcb::conformance
