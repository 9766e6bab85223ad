// What every part of this benchmark does with the C API: checked calls, names,
// and waiting for an own event.
#ifndef ZCB_BENCH_CPG_CLIENT_H_
#define ZCB_BENCH_CPG_CLIENT_H_

#include <corosync/cpg.h>

#include <cstdint>
#include <cstring>
#include <string_view>

#include "bench/failure.h"

namespace zcb::bench {

inline void Check(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

inline cpg_name Named(std::string_view text) {
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(text.size());
  std::memcpy(name.value, text.data(), text.size());
  return name;
}

// Callbacks count, and no more. One thread uses them.
struct Arrivals {
  std::uint64_t messages = 0;
  std::uint64_t changes = 0;
};
inline Arrivals arrivals;

inline cpg_handle_t Initialize() {
  cpg_callbacks_t callbacks{};
  callbacks.cpg_deliver_fn = [](cpg_handle_t, const cpg_name*, std::uint32_t,
                                std::uint32_t, void*,
                                std::size_t) { ++arrivals.messages; };
  callbacks.cpg_confchg_fn =
      [](cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t,
         const cpg_address*, std::size_t, const cpg_address*,
         std::size_t) { ++arrivals.changes; };
  cpg_handle_t handle = 0;
  Check(cpg_initialize(&handle, &callbacks), "cpg_initialize");
  return handle;
}

// Waits for the next confchg. Only where it is the own one: alone in a group.
inline void DispatchOneChange(cpg_handle_t handle) {
  const std::uint64_t before = arrivals.changes;
  while (arrivals.changes == before) {
    Check(cpg_dispatch(handle, CS_DISPATCH_ONE), "cpg_dispatch");
  }
}

inline void Join(cpg_handle_t handle, const cpg_name& group) {
  Check(cpg_join(handle, &group), "cpg_join");
  DispatchOneChange(handle);
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_CPG_CLIENT_H_
