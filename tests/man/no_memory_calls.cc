// Every function with arguments that would do, while operator new has nothing.
#include <cstring>

#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {
namespace {

// What `call` says on a member of that model, without memory.
using Call = std::function<cs_error_t(cpg_handle_t)>;

cs_error_t Starved(cpg_handle_t handle, const Call& call) {
  const NoMemory none;
  return call(handle);
}

cpg_handle_t WithEvent(cpg_model_t model) {
  const cpg_handle_t member = NewMember(model);
  MustBeOk(Send(member));
  return member;
}

std::map<std::string, std::function<cs_error_t()>> CallsOfAMember() {
  std::map<std::string, std::function<cs_error_t()>> all;
  const auto add = [&all](const char* function, const Call& call) {
    all[function] = [call] { return Starved(NewMember(CPG_MODEL_ZCB), call); };
  };
  add("cpg_finalize", [](cpg_handle_t h) { return cpg_finalize(h); });
  add("cpg_fd_get", [](cpg_handle_t h) {
    int fd = 0;
    return cpg_fd_get(h, &fd);
  });
  add("cpg_max_atomic_msgsize_get", [](cpg_handle_t h) {
    std::uint32_t size = 0;
    return cpg_max_atomic_msgsize_get(h, &size);
  });
  add("cpg_context_get", [](cpg_handle_t h) {
    void* context = nullptr;
    return cpg_context_get(h, &context);
  });
  add("cpg_context_set",
      [](cpg_handle_t h) { return cpg_context_set(h, nullptr); });
  add("cpg_leave", [](cpg_handle_t h) { return Leave(h); });
  add("cpg_mcast_joined", [](cpg_handle_t h) { return Send(h); });
  add("cpg_local_get", [](cpg_handle_t h) {
    unsigned node = 0;
    return cpg_local_get(h, &node);
  });
  add("cpg_flow_control_state_get", [](cpg_handle_t h) {
    cpg_flow_control_state_t state{};
    return cpg_flow_control_state_get(h, &state);
  });
  add("cpg_zcb_alloc", [](cpg_handle_t h) {
    void* buffer = nullptr;
    return cpg_zcb_alloc(h, 300000, &buffer);
  });
  add("cpg_zcb_alloc_aligned", [](cpg_handle_t h) {
    void* buffer = nullptr;
    return cpg_zcb_alloc_aligned(h, 300000, 4096, &buffer);
  });
  add("cpg_zcb_wait", [](cpg_handle_t h) { return cpg_zcb_wait(h, 1, 1); });
  add("cpg_zcb_option_set", [](cpg_handle_t h) {
    return cpg_zcb_option_set(h, CPG_ZCB_OPTION_SPIN_NS, 1);
  });
  add("cpg_zcb_option_get", [](cpg_handle_t h) {
    std::uint64_t value = 0;
    return cpg_zcb_option_get(h, CPG_ZCB_OPTION_WAIT, &value);
  });
  add("cpg_zcb_mcastv_timed", [](cpg_handle_t h) {
    return cpg_zcb_mcastv_timed(h, CPG_TYPE_AGREED, nullptr, 0, 1);
  });
  return all;
}

}  // namespace

std::map<std::string, std::function<cs_error_t()>> NoMemoryCalls() {
  auto all = CallsOfAMember();
  // Cleaning up after the dead is everybody's, and must not fail for this.
  all["cpg_membership_get"] = [] {
    const cpg_handle_t handle = NewHandle();
    {
      const Idler killed;
    }
    return Starved(handle, [](cpg_handle_t h) {
      cpg_name name = Named(kGroup);
      cpg_address members[CPG_MEMBERS_MAX];
      int count = 0;
      const cs_error_t error = cpg_membership_get(h, &name, members, &count);
      Must(error != CS_OK || count == 0);
      return error;
    });
  };
  all["cpg_zcb_group_stats_get"] = [] {
    return Starved(NewMember(), [](cpg_handle_t h) {
      cpg_zcb_group_stats stats{};
      stats.size = sizeof(stats);
      return cpg_zcb_group_stats_get(h, nullptr, &stats);
    });
  };
  all["cpg_zcb_collect"] = [] {
    const cpg_handle_t handle = NewHandle();
    {
      const Idler killed;
    }
    return Starved(handle, &cpg_zcb_collect);
  };
  all["cpg_dispatch"] = [] {
    return Starved(WithEvent(CPG_MODEL_V1), &DispatchAll);
  };
  all["cpg_zcb_dispatch_timed"] = [] {
    return Starved(WithEvent(CPG_MODEL_V1), [](cpg_handle_t h) {
      return cpg_zcb_dispatch_timed(h, CS_DISPATCH_ONE, 1);
    });
  };
  all["cpg_zcb_next"] = [] {
    return Starved(WithEvent(CPG_MODEL_ZCB), [](cpg_handle_t h) {
      cpg_zcb_message message{};
      return cpg_zcb_next(h, &message);
    });
  };
  all["cpg_zcb_next_timed"] = [] {
    return Starved(WithEvent(CPG_MODEL_ZCB), [](cpg_handle_t h) {
      cpg_zcb_message message{};
      return cpg_zcb_next_timed(h, &message, 1);
    });
  };
  all["cpg_zcb_free"] = [] {
    const cpg_handle_t handle = NewHandle();
    void* const buffer = NewBuffer(handle, 300000);
    return Starved(
        handle, [buffer](cpg_handle_t h) { return cpg_zcb_free(h, buffer); });
  };
  const auto sends = [&all](const char* function, cpg_model_t model,
                            cs_error_t (*send)(cpg_handle_t, void*)) {
    all[function] = [model, send] {
      const cpg_handle_t member = NewMember(model);
      void* const buffer = NewBuffer(member);
      return Starved(
          member, [send, buffer](cpg_handle_t h) { return send(h, buffer); });
    };
  };
  sends("cpg_zcb_mcast_joined", CPG_MODEL_ZCB, [](cpg_handle_t h, void* msg) {
    return cpg_zcb_mcast_joined(h, CPG_TYPE_AGREED, msg, 1);
  });
  sends("cpg_zcb_mcast_timed", CPG_MODEL_V1, [](cpg_handle_t h, void* msg) {
    return cpg_zcb_mcast_timed(h, CPG_TYPE_AGREED, msg, 1, 1);
  });
  sends("cpg_zcb_mcast_batch", CPG_MODEL_ZCB, [](cpg_handle_t h, void* msg) {
    const iovec message{msg, 1};
    unsigned int sent = 0;
    return cpg_zcb_mcast_batch(h, CPG_TYPE_AGREED, &message, 1, &sent);
  });
  const auto of_message = [&all](
                              const char* function,
                              cs_error_t (*call)(cpg_handle_t, const void*)) {
    all[function] = [call] {
      const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
      const void* const message = TakenMessage(member);
      return Starved(
          member, [call, message](cpg_handle_t h) { return call(h, message); });
    };
  };
  of_message("cpg_zcb_describe", [](cpg_handle_t h, const void* message) {
    cpg_zcb_message facts{};
    return cpg_zcb_describe(h, message, &facts);
  });
  of_message("cpg_zcb_retain", &cpg_zcb_retain);
  of_message("cpg_zcb_forward", [](cpg_handle_t h, const void* message) {
    return cpg_zcb_forward(h, CPG_TYPE_AGREED, message, 1);
  });
  all["cpg_zcb_release"] = [] {
    const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
    const void* const message = TakenMessage(member);
    MustBeOk(cpg_zcb_retain(member, message));
    return Starved(
        member, [message](cpg_handle_t) { return cpg_zcb_release(message); });
  };
  for (const char* function :
       {"cpg_iteration_next", "cpg_iteration_finalize"}) {
    const bool is_next = std::strcmp(function, "cpg_iteration_next") == 0;
    all[function] = [is_next] {
      cpg_iteration_handle_t walk = 0;
      const cpg_handle_t member = NewMember();
      MustBeOk(
          cpg_iteration_initialize(member, CPG_ITERATION_ALL, nullptr, &walk));
      return Starved(member, [is_next, walk](cpg_handle_t) {
        cpg_iteration_description_t item{};
        return is_next ? cpg_iteration_next(walk, &item)
                       : cpg_iteration_finalize(walk);
      });
    };
  }
  return all;
}

}  // namespace zcb::man
