// The copying send, for whoever has bytes that no buffer of ours holds.
#ifndef ZCB_CPG_SEND_COPY_H_
#define ZCB_CPG_SEND_COPY_H_

#include <corosync/cpg.h>

#include <cstddef>

#include "cpg/handle.h"
#include "cpg/handle_table.h"

namespace zcb::cpg {

// A pin of kind kSender.
using Sender = HandleTable<Handle>::Pin;

// Copies the pieces into a fresh buffer and sends it; errors as
// cpg_mcast_joined().
cs_error_t SendCopy(const Sender& sender, const iovec* pieces,
                    std::size_t piece_count);

}  // namespace zcb::cpg

#endif  // ZCB_CPG_SEND_COPY_H_
