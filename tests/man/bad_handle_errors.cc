// Everything that takes a handle, and CS_ERR_BAD_HANDLE of it.
#include <map>

#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {
namespace {

using Call = CallOfAHandle;

}  // namespace

const std::map<std::string, CallOfAHandle>& CallsOfAHandle() {
  static const std::map<std::string, CallOfAHandle> calls = {
      {"cpg_finalize", [](cpg_handle_t h) { return cpg_finalize(h); }},
      {"cpg_fd_get",
       [](cpg_handle_t h) {
         int fd = 0;
         return cpg_fd_get(h, &fd);
       }},
      {"cpg_max_atomic_msgsize_get",
       [](cpg_handle_t h) {
         std::uint32_t size = 0;
         return cpg_max_atomic_msgsize_get(h, &size);
       }},
      {"cpg_context_get",
       [](cpg_handle_t h) {
         void* context = nullptr;
         return cpg_context_get(h, &context);
       }},
      {"cpg_context_set",
       [](cpg_handle_t h) { return cpg_context_set(h, nullptr); }},
      {"cpg_dispatch", [](cpg_handle_t h) { return DispatchAll(h); }},
      {"cpg_join", [](cpg_handle_t h) { return Join(h); }},
      {"cpg_leave", [](cpg_handle_t h) { return Leave(h); }},
      {"cpg_mcast_joined", [](cpg_handle_t h) { return Send(h); }},
      {"cpg_membership_get",
       [](cpg_handle_t h) {
         cpg_name name = Named("group");
         cpg_address members[CPG_MEMBERS_MAX];
         int count = 0;
         return cpg_membership_get(h, &name, members, &count);
       }},
      {"cpg_local_get",
       [](cpg_handle_t h) {
         unsigned node = 0;
         return cpg_local_get(h, &node);
       }},
      {"cpg_flow_control_state_get",
       [](cpg_handle_t h) {
         cpg_flow_control_state_t state{};
         return cpg_flow_control_state_get(h, &state);
       }},
      {"cpg_zcb_alloc",
       [](cpg_handle_t h) {
         void* buffer = nullptr;
         return cpg_zcb_alloc(h, 1, &buffer);
       }},
      {"cpg_zcb_alloc_aligned",
       [](cpg_handle_t h) {
         void* buffer = nullptr;
         return cpg_zcb_alloc_aligned(h, 1, 64, &buffer);
       }},
      {"cpg_zcb_free", [](cpg_handle_t h) { return cpg_zcb_free(h, nullptr); }},
      {"cpg_zcb_mcast_joined",
       [](cpg_handle_t h) {
         return cpg_zcb_mcast_joined(h, CPG_TYPE_AGREED, nullptr, 0);
       }},
      {"cpg_iteration_initialize",
       [](cpg_handle_t h) {
         cpg_iteration_handle_t walk = 0;
         return cpg_iteration_initialize(h, CPG_ITERATION_ALL, nullptr, &walk);
       }},
      {"cpg_zcb_retain",
       [](cpg_handle_t h) { return cpg_zcb_retain(h, nullptr); }},
      {"cpg_zcb_next",
       [](cpg_handle_t h) {
         cpg_zcb_message message{};
         return cpg_zcb_next(h, &message);
       }},
      {"cpg_zcb_next_timed",
       [](cpg_handle_t h) {
         cpg_zcb_message message{};
         return cpg_zcb_next_timed(h, &message, 0);
       }},
      {"cpg_zcb_next_batch",
       [](cpg_handle_t h) {
         cpg_zcb_message message{};
         unsigned int count = 0;
         return cpg_zcb_next_batch(h, &message, 1, &count);
       }},
      {"cpg_zcb_mcast_batch",
       [](cpg_handle_t h) {
         unsigned int sent = 0;
         return cpg_zcb_mcast_batch(h, CPG_TYPE_AGREED, nullptr, 0, &sent);
       }},
      {"cpg_zcb_dispatch_timed",
       [](cpg_handle_t h) {
         return cpg_zcb_dispatch_timed(h, CS_DISPATCH_ALL, 0);
       }},
      {"cpg_zcb_describe",
       [](cpg_handle_t h) {
         cpg_zcb_message message{};
         return cpg_zcb_describe(h, nullptr, &message);
       }},
      {"cpg_zcb_forward",
       [](cpg_handle_t h) {
         return cpg_zcb_forward(h, CPG_TYPE_AGREED, nullptr, 0);
       }},
      {"cpg_zcb_wait", [](cpg_handle_t h) { return cpg_zcb_wait(h, 0, 0); }},
      {"cpg_zcb_send_fd_get",
       [](cpg_handle_t h) {
         int fd = 0;
         return cpg_zcb_send_fd_get(h, &fd);
       }},
      {"cpg_zcb_mcast_timed",
       [](cpg_handle_t h) {
         return cpg_zcb_mcast_timed(h, CPG_TYPE_AGREED, nullptr, 0, 0);
       }},
      {"cpg_zcb_mcastv_timed",
       [](cpg_handle_t h) {
         return cpg_zcb_mcastv_timed(h, CPG_TYPE_AGREED, nullptr, 0, 0);
       }},
      {"cpg_zcb_option_set",
       [](cpg_handle_t h) {
         return cpg_zcb_option_set(h, CPG_ZCB_OPTION_WAIT, CPG_ZCB_WAIT_PARK);
       }},
      {"cpg_zcb_option_get",
       [](cpg_handle_t h) {
         std::uint64_t value = 0;
         return cpg_zcb_option_get(h, CPG_ZCB_OPTION_WAIT, &value);
       }},
      {"cpg_zcb_group_stats_get",
       [](cpg_handle_t h) {
         const cpg_name name = Named("group");
         cpg_zcb_group_stats stats{};
         stats.size = sizeof(stats);
         return cpg_zcb_group_stats_get(h, &name, &stats);
       }},
      {"cpg_zcb_region_info",
       [](cpg_handle_t h) {
         struct cpg_zcb_region_info info{};
         info.size = sizeof(info);
         return cpg_zcb_region_info(h, &info);
       }},
      {"cpg_zcb_collect", [](cpg_handle_t h) { return cpg_zcb_collect(h); }},
  };
  return calls;
}

namespace {

// What `call` says of `handle` in a forked child.
cs_error_t InChild(const std::function<cs_error_t()>& call) {
  zcb::testing::ChildProcess child([&] { return static_cast<int>(call()); });
  return static_cast<cs_error_t>(child.Join());
}

cpg_iteration_handle_t NewWalk(cpg_handle_t handle) {
  cpg_iteration_handle_t walk = 0;
  MustBeOk(cpg_iteration_initialize(handle, CPG_ITERATION_ALL, nullptr, &walk));
  return walk;
}

cs_error_t Next(cpg_iteration_handle_t walk) {
  cpg_iteration_description_t item{};
  return cpg_iteration_next(walk, &item);
}

void AddOfWalks(Producers* all) {
  using CallOfWalk = cs_error_t (*)(cpg_iteration_handle_t);
  const std::map<std::string, CallOfWalk> calls = {
      {"cpg_iteration_next", &Next},
      {"cpg_iteration_finalize", &cpg_iteration_finalize},
  };
  for (const auto& entry : calls) {
    const std::string& function = entry.first;
    const CallOfWalk call = entry.second;
    all->push_back({function, CS_ERR_BAD_HANDLE, "NeverGivenOut", [call] {
                      (void)NewHandle();
                      return call(12345);
                    }});
    all->push_back({function, CS_ERR_BAD_HANDLE, "WalkHasEnded", [call] {
                      const cpg_iteration_handle_t walk = NewWalk(NewHandle());
                      MustBeOk(cpg_iteration_finalize(walk));
                      return call(walk);
                    }});
    all->push_back(
        {function, CS_ERR_BAD_HANDLE, "ItsHandleIsFinalized", [call] {
           const cpg_handle_t handle = NewHandle();
           const cpg_iteration_handle_t walk = NewWalk(handle);
           MustBeOk(cpg_finalize(handle));
           return call(walk);
         }});
    all->push_back({function, CS_ERR_BAD_HANDLE, "InheritedOverFork", [call] {
                      const cpg_iteration_handle_t walk = NewWalk(NewHandle());
                      return InChild([&] { return call(walk); });
                    }});
  }
}

}  // namespace

Producers BadHandleErrors() {
  Producers all;
  for (const auto& entry : CallsOfAHandle()) {
    const std::string& function = entry.first;
    const Call call = entry.second;
    all.push_back({function, CS_ERR_BAD_HANDLE, "NeverGivenOut", [call] {
                     (void)NewHandle(CPG_MODEL_ZCB);
                     return call(12345);
                   }});
    all.push_back({function, CS_ERR_BAD_HANDLE, "NeverGivenOut_NoHandleAtAll",
                   [call] { return call(1); }});
    all.push_back({function, CS_ERR_BAD_HANDLE, "Finalized", [call] {
                     const cpg_handle_t handle = NewMember(CPG_MODEL_ZCB);
                     MustBeOk(cpg_finalize(handle));
                     return call(handle);
                   }});
    all.push_back({function, CS_ERR_BAD_HANDLE, "InheritedOverFork", [call] {
                     const cpg_handle_t handle = NewMember(CPG_MODEL_ZCB);
                     return InChild([&] { return call(handle); });
                   }});
  }
  AddOfWalks(&all);
  all.push_back({"cpg_finalize", CS_ERR_BAD_HANDLE, "BeingFinalized", [] {
                   cs_error_t said = CS_OK;
                   Deliver(CPG_MODEL_V1, [&](cpg_handle_t h, const void*) {
                     MustBeOk(cpg_finalize(h));
                     said = cpg_finalize(h);
                   });
                   return said;
                 }});
  all.push_back({"cpg_zcb_release", CS_ERR_BAD_HANDLE, "NoHandleEver",
                 [] { return cpg_zcb_release(nullptr); }});
  all.push_back({"cpg_zcb_release", CS_ERR_BAD_HANDLE, "KeptByTheParent", [] {
                   const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
                   const void* const message = TakenMessage(member);
                   MustBeOk(cpg_zcb_retain(member, message));
                   return InChild([&] { return cpg_zcb_release(message); });
                 }});
  return all;
}

}  // namespace zcb::man
