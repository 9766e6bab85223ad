// The two ways of sending, without waiting: what the C functions share.
#ifndef ZCB_CPG_SEND_H_
#define ZCB_CPG_SEND_H_

#include <corosync/cpg.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "cpg/handle.h"
#include "cpg/handle_table.h"

namespace zcb::cpg {

// A pin of kind kSender.
using Sender = HandleTable<Handle>::Pin;

// Copies pieces into a fresh buffer and sends it; errors of
// cpg_mcast_joined(). Lock-free.
cs_error_t SendCopy(const Sender& sender, const iovec* pieces,
                    std::size_t piece_count);
// cpg_zcb_mcast_joined(): moves the buffer, or under CPG_MODEL_V1 copies it.
cs_error_t SendBuffer(const Sender& sender, void* msg, std::size_t msg_len);

// What a send through `member` answered, once the handle knows of a refusal.
cs_error_t AnswerOf(const Sender& sender, ipc::Member* member,
                    const Outcome& sent);

// cpg_zcb_alloc_aligned(), after it has failed for want of memory: once more,
// and what cannot be had even then is what a send will need. Whoever waits for
// room waits for it, too.
cs_error_t AllocAsSender(cpg_handle_t handle, std::size_t size,
                         std::size_t alignment, void** buffer);

// Adds up the lengths; false: they overflow, or a piece is nowhere.
bool TotalBytes(const iovec* pieces, std::size_t piece_count,
                std::uint64_t* total_bytes);

}  // namespace zcb::cpg

#endif  // ZCB_CPG_SEND_H_
