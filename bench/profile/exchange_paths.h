// What is counted per message, for both interfaces: functions of their own, in
// a source of their own, so that nothing of the caller is folded into them, and
// with C names, as callgrind then prints them.
#ifndef ZCB_BENCH_PROFILE_EXCHANGE_PATHS_H_
#define ZCB_BENCH_PROFILE_EXCHANGE_PATHS_H_

#include <corosync/cpg.h>

#include <cstddef>
#include <cstdint>

#include "ipc/attachment.h"
#include "ipc/member.h"

extern "C" {

// Alloc, write every byte, send. False: it failed.
bool counted_native_send(zcb::ipc::Attachment* attachment,
                         zcb::ipc::Member* member, std::size_t length_bytes);
bool counted_cpg_send(cpg_handle_t handle, std::size_t length_bytes);

// Receive, read the first and the last eight bytes, done. False: there was
// none, or it failed.
bool counted_native_receive(zcb::ipc::Member* member);
bool counted_cpg_receive(cpg_handle_t handle);

// The same of a message that this process has sent itself.
bool counted_native_receive_own(zcb::ipc::Member* member);
bool counted_cpg_receive_own(cpg_handle_t handle);

}  // extern "C"

#endif  // ZCB_BENCH_PROFILE_EXCHANGE_PATHS_H_
