// Everything that receives.
#include <string_view>

#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {
namespace {

cs_error_t Dispatch(cpg_handle_t handle, cs_dispatch_flags_t how) {
  return cpg_dispatch(handle, how);
}
cs_error_t DispatchTimed(cpg_handle_t handle, cs_dispatch_flags_t how) {
  return cpg_zcb_dispatch_timed(handle, how, 1);
}

void AddDispatch(Producers* all, const char* function,
                 cs_error_t (*dispatch)(cpg_handle_t, cs_dispatch_flags_t)) {
  const auto add = [&](cs_error_t error, const char* cause,
                       std::function<cs_error_t()> produce) {
    all->push_back({function, error, cause, std::move(produce)});
  };
  add(CS_ERR_TRY_AGAIN, "NoneForOneNonblocking", [dispatch] {
    return dispatch(NewMember(), CS_DISPATCH_ONE_NONBLOCKING);
  });
  add(CS_ERR_BAD_HANDLE, "FinalizedInACallback", [dispatch] {
    const cpg_handle_t handle = NewHandle();
    static cpg_handle_t outer = 0;
    cpg_callbacks_t callbacks{};
    callbacks.cpg_confchg_fn =
        [](cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t,
           const cpg_address*, std::size_t, const cpg_address*,
           std::size_t) { MustBeOk(cpg_finalize(outer)); };
    MustBeOk(cpg_initialize(&outer, &callbacks));
    MustBeOk(Join(outer));
    (void)handle;
    return dispatch(outer, CS_DISPATCH_ONE);
  });
  add(CS_ERR_NO_MEMORY, "NoneForTheMembers", [dispatch] {
    const cpg_handle_t handle = NewHandle();
    MustBeOk(Join(handle));
    const NoMemory none;
    return dispatch(handle, CS_DISPATCH_ALL);
  });
  add(CS_ERR_LIBRARY, "Evicted", [dispatch] {
    const cpg_handle_t member = NewMember();
    Evict();
    return dispatch(member, CS_DISPATCH_ALL);
  });
  add(CS_ERR_LIBRARY, "RingIsDamaged", [dispatch] {
    const cpg_handle_t member = NewMember();
    DamageRing();
    return dispatch(member, CS_DISPATCH_ALL);
  });
}

void AddNext(Producers* all, const char* function, cs_error_t none,
             cs_error_t (*next)(cpg_handle_t, cpg_zcb_message*)) {
  const auto add = [&](cs_error_t error, const char* cause,
                       std::function<cs_error_t(cpg_zcb_message*)> produce) {
    all->push_back({function, error, cause, [produce = std::move(produce)] {
                      cpg_zcb_message message{};
                      return produce(&message);
                    }});
  };
  const bool is_batch = std::string_view(function) == "cpg_zcb_next_batch";
  add(CS_ERR_INVALID_PARAM, is_batch ? "MessagesAreNull" : "MessageIsNull",
      [next](cpg_zcb_message*) {
        return next(NewMember(CPG_MODEL_ZCB), nullptr);
      });
  add(CS_ERR_NOT_SUPPORTED, "HandleOfTheOtherModel",
      [next](cpg_zcb_message* message) {
        return next(NewMember(CPG_MODEL_V1), message);
      });
  add(CS_ERR_NOT_EXIST, "NotJoined", [next](cpg_zcb_message* message) {
    return next(NewHandle(CPG_MODEL_ZCB), message);
  });
  add(CS_ERR_NOT_EXIST, "OwnLeaveHasComeThrough",
      [next](cpg_zcb_message* message) {
        const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
        MustBeOk(Leave(member));
        MustBeOk(next(member, message));
        return next(member, message);
      });
  add(none, "NoEvent", [next](cpg_zcb_message* message) {
    return next(NewMember(CPG_MODEL_ZCB), message);
  });
  add(CS_ERR_NO_MEMORY, "NoneForTheMembers", [next](cpg_zcb_message* message) {
    const cpg_handle_t handle = NewHandle(CPG_MODEL_ZCB);
    MustBeOk(Join(handle));
    const NoMemory nothing;
    return next(handle, message);
  });
  add(CS_ERR_LIBRARY, "Evicted", [next](cpg_zcb_message* message) {
    const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
    Evict();
    return next(member, message);
  });
  add(CS_ERR_LIBRARY, "RingIsDamaged", [next](cpg_zcb_message* message) {
    const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
    DamageRing();
    return next(member, message);
  });
}

}  // namespace

Producers ReceiveErrors() {
  Producers all;
  AddDispatch(&all, "cpg_dispatch", &Dispatch);
  AddDispatch(&all, "cpg_zcb_dispatch_timed", &DispatchTimed);
  for (const bool is_one : {true, false}) {
    all.push_back({"cpg_zcb_dispatch_timed", CS_ERR_TIMEOUT,
                   is_one ? "NoEventForOne" : "TimeIsUpForBlocking", [is_one] {
                     return DispatchTimed(
                         NewMember(),
                         is_one ? CS_DISPATCH_ONE : CS_DISPATCH_BLOCKING);
                   }});
  }
  AddNext(&all, "cpg_zcb_next", CS_ERR_TRY_AGAIN, &cpg_zcb_next);
  AddNext(&all, "cpg_zcb_next_timed", CS_ERR_TIMEOUT,
          [](cpg_handle_t handle, cpg_zcb_message* message) {
            return cpg_zcb_next_timed(handle, message, 1);
          });
  AddNext(&all, "cpg_zcb_next_batch", CS_ERR_TRY_AGAIN,
          [](cpg_handle_t handle, cpg_zcb_message* message) {
            unsigned int count = 0;
            return cpg_zcb_next_batch(handle, message, 1, &count);
          });
  all.push_back(
      {"cpg_zcb_next_batch", CS_ERR_INVALID_PARAM, "CapacityIsNone", [] {
         cpg_zcb_message message{};
         unsigned int count = 0;
         return cpg_zcb_next_batch(NewMember(CPG_MODEL_ZCB), &message, 0,
                                   &count);
       }});
  all.push_back({"cpg_zcb_next_batch", CS_ERR_INVALID_PARAM, "CountIsNull", [] {
                   cpg_zcb_message message{};
                   return cpg_zcb_next_batch(NewMember(CPG_MODEL_ZCB), &message,
                                             1, nullptr);
                 }});
  all.push_back(
      {"cpg_zcb_next_batch", CS_ERR_NO_MEMORY, "NoneForTheFirstBatch", [] {
         const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
         MustBeOk(Send(member));
         cpg_zcb_message message{};
         unsigned int count = 0;
         const NoMemory nothing;
         return cpg_zcb_next_batch(member, &message, 1, &count);
       }});
  all.push_back({"cpg_zcb_describe", CS_ERR_INVALID_PARAM, "MessageIsNull", [] {
                   const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
                   return cpg_zcb_describe(member, TakenMessage(member),
                                           nullptr);
                 }});
  all.push_back({"cpg_zcb_describe", CS_ERR_INVALID_PARAM, "NotOpen", [] {
                   const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
                   const void* const ended = TakenMessage(member);
                   cpg_zcb_message message{};
                   Must(cpg_zcb_next(member, &message) == CS_ERR_TRY_AGAIN);
                   return cpg_zcb_describe(member, ended, &message);
                 }});
  return all;
}

}  // namespace zcb::man
