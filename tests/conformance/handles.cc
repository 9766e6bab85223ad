// Handles: initialize, finalize, handle numbers, and what is asked of a handle
// without a group.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

constexpr cpg_handle_t kUntouched = 77;

cs_error_t Initialize(cpg_handle_t* handle, unsigned model,
                      cpg_model_v1_data_t* data, void* context = nullptr) {
  return cpg_model_initialize(handle, static_cast<cpg_model_t>(model),
                              reinterpret_cast<cpg_model_data_t*>(data),
                              context);
}

cpg_handle_t Initialized() {
  cpg_handle_t handle = 0;
  if (cpg_initialize(&handle, nullptr) != CS_OK) std::abort();
  return handle;
}

// What every function says to a handle that is none.
void ObserveEveryFunction(const std::string& which, cpg_handle_t handle) {
  const cpg_name group = Named("g");
  cpg_name changeable = group;
  int fd = -1;
  void* pointer = nullptr;
  unsigned number = 0;
  std::uint32_t size = 0;
  int count = 0;
  cpg_flow_control_state_t flow{};
  std::vector<cpg_address> list(384);
  iovec piece{};
  cpg_iteration_handle_t walk = 0;
  const auto says = [&](const char* function, cs_error_t error) {
    Observe(which + "." + function, Name(error));
  };
  says("fd_get", cpg_fd_get(handle, &fd));
  says("context_get", cpg_context_get(handle, &pointer));
  says("context_set", cpg_context_set(handle, nullptr));
  says("local_get", cpg_local_get(handle, &number));
  says("max_atomic_msgsize_get", cpg_max_atomic_msgsize_get(handle, &size));
  says("flow_control_state_get", cpg_flow_control_state_get(handle, &flow));
  says("dispatch", cpg_dispatch(handle, CS_DISPATCH_ALL));
  says("join", cpg_join(handle, &group));
  says("leave", cpg_leave(handle, &group));
  says("mcast_joined", cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1));
  says("membership_get",
       cpg_membership_get(handle, &changeable, list.data(), &count));
  says("iteration_initialize",
       cpg_iteration_initialize(handle, CPG_ITERATION_ALL, nullptr, &walk));
  says("zcb_alloc", cpg_zcb_alloc(handle, 64, &pointer));
  // In the middle of memory: Corosync looks for a header in front of it.
  std::vector<char> memory(8192);
  pointer = memory.data() + 4096;
  says("zcb_mcast_joined",
       cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, pointer, 4));
  says("zcb_free", cpg_zcb_free(handle, pointer));
  says("finalize", cpg_finalize(handle));
}

}  // namespace

SCENARIO(initialize) {
  ObserveInChild("null_handle",
                 [] { return Name(cpg_initialize(nullptr, nullptr)); });
  cpg_handle_t handle = 0;
  Observe("null_callbacks", Name(cpg_initialize(&handle, nullptr)));
  Observe("handle_is_not_0", YesNo(handle != 0));
  Observe("finalize", Name(cpg_finalize(handle)));

  Observe("null_model_data", Name(Initialize(&handle, CPG_MODEL_V1, nullptr)));
  cpg_handle_t other = 0;
  Observe("second", Name(cpg_initialize(&other, nullptr)));
  Observe("second_handle_differs", YesNo(handle != other));

  cpg_model_v1_data_t data{};
  const unsigned no_model = 42;
  std::memcpy(&data.model, &no_model, sizeof(no_model));
  Observe("model_in_data_is_ignored",
          Name(Initialize(&handle, CPG_MODEL_V1, &data)));
  for (const unsigned model : {0U, 2U, 42U}) {
    handle = kUntouched;
    Observe("model_" + Number(model), Name(Initialize(&handle, model, &data)));
  }
  Observe("handle_after_wrong_model",
          handle == kUntouched ? "untouched" : Number(handle));
  data.model = CPG_MODEL_V1;
  data.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;
  Observe("flag_initial_totem", Name(Initialize(&handle, CPG_MODEL_V1, &data)));
  data.flags = 2;
  Observe("flag_unknown", Name(Initialize(&handle, CPG_MODEL_V1, &data)));
  Observe("handle_after_unknown_flag_works",
          YesNo(cpg_context_set(handle, nullptr) == CS_OK));
}

SCENARIO(unknown_flag) {
  cpg_model_v1_data_t data{};
  data.flags = 2;
  cpg_handle_t handle = Initialized();
  const std::size_t descriptors = EntriesIn("/proc/self/fd");
  for (int i = 0; i < 10; ++i) (void)Initialize(&handle, CPG_MODEL_V1, &data);
  Observe("descriptors_lost_in_ten_calls",
          Number(EntriesIn("/proc/self/fd") - descriptors));
}

SCENARIO(first_handle) {
  Observe("is_6b8b456700000000", YesNo(Initialized() == 0x6b8b456700000000));
}

SCENARIO(initialize_many) {
  std::vector<cpg_handle_t> handles(50);
  bool all = true;
  for (cpg_handle_t& handle : handles) {
    all = cpg_initialize(&handle, nullptr) == CS_OK && handle != 0 && all;
  }
  Observe("fifty_in_one_process", YesNo(all));
  std::sort(handles.begin(), handles.end());
  Observe("all_differ",
          YesNo(std::unique(handles.begin(), handles.end()) == handles.end()));
  for (const cpg_handle_t handle : handles) {
    all = cpg_finalize(handle) == CS_OK && all;
  }
  Observe("all_finalized", YesNo(all));
}

SCENARIO(finalized_handle) {
  const cpg_handle_t handle = Initialized();
  Observe("first", Name(cpg_finalize(handle)));
  ObserveEveryFunction("after", handle);
  const cpg_handle_t reused = Initialized();
  Observe("number_is_not_used_again", YesNo(reused != handle));
}

SCENARIO(zero_handle) { ObserveEveryFunction("says", 0); }

SCENARIO(garbage_handle) { ObserveEveryFunction("says", 0x1234567800000000); }

SCENARIO(unchecked_handle) {
  // Corosync's table takes this check for "do not check".
  const cpg_handle_t handle = Initialized();
  unsigned node_id = 0;
  Observe("index_0_without_check",
          Name(cpg_local_get(0xffffffff00000000 | (handle & 0xffffffff),
                             &node_id)));
}

SCENARIO(context) {
  cpg_handle_t handle = 0;
  int first = 0;
  int second = 0;
  void* found = &second;
  (void)cpg_initialize(&handle, nullptr);
  Observe("without", Name(cpg_context_get(handle, &found)));
  Observe("without_is_null", YesNo(found == nullptr));
  cpg_handle_t other = 0;
  (void)Initialize(&other, CPG_MODEL_V1, nullptr, &first);
  (void)cpg_context_get(other, &found);
  Observe("given_at_initialize", YesNo(found == &first));
  Observe("set", Name(cpg_context_set(other, &second)));
  (void)cpg_context_get(other, &found);
  Observe("is_what_was_set", YesNo(found == &second));
  (void)cpg_context_set(other, nullptr);
  (void)cpg_context_get(other, &found);
  Observe("set_to_null", YesNo(found == nullptr));
  (void)cpg_context_get(handle, &found);
  Observe("other_handles_stay", YesNo(found == nullptr));
}

SCENARIO(local_get) {
  const cpg_handle_t handle = Initialized();
  unsigned node_id = 0;
  Observe("before_join", Name(cpg_local_get(handle, &node_id)));
  Observe("node_id", Number(node_id));
}

SCENARIO(largest_message) {
  const cpg_handle_t handle = Initialized();
  std::uint32_t size_bytes = 0;
  Observe("get", Name(cpg_max_atomic_msgsize_get(handle, &size_bytes)));
  Observe("at_least_1047552", YesNo(size_bytes >= 1047552));
  Observe("is_1047552", YesNo(size_bytes == 1047552));
}

SCENARIO(finalize_spares_other_handles) {
  Member other;
  other.Enter("spared");
  {
    Member member;
    member.Enter("finalized");
  }
  other.Forget();
  other.RoundTrip();
  Observe("other_saw", other.Seen());
}

SCENARIO(null_outputs) {
  ObserveInChild("fd_get",
                 [] { return Name(cpg_fd_get(Initialized(), nullptr)); });
  ObserveInChild("context_get",
                 [] { return Name(cpg_context_get(Initialized(), nullptr)); });
  ObserveInChild("local_get",
                 [] { return Name(cpg_local_get(Initialized(), nullptr)); });
  ObserveInChild("max_atomic_msgsize_get", [] {
    return Name(cpg_max_atomic_msgsize_get(Initialized(), nullptr));
  });
  ObserveInChild("flow_control_state_get", [] {
    return Name(cpg_flow_control_state_get(Initialized(), nullptr));
  });
  ObserveInChild("zcb_alloc", [] {
    return Name(cpg_zcb_alloc(Initialized(), 64, nullptr));
  });
}

}  // namespace zcb::conformance
