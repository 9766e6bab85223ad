// What cpg_zcb_send_fd_get() hands out: readable until a send is refused, and
// again when it is worth another try.
#ifndef ZCB_CPG_SEND_DESCRIPTOR_H_
#define ZCB_CPG_SEND_DESCRIPTOR_H_

#include <cstdint>
#include <memory>

#include "allocator/status.h"
#include "allocator/unique_fd.h"
#include "ipc/attachment.h"
#include "ipc/doorbell.h"

namespace zcb::cpg {

// An epoll set of two: the doorbell that others ring when there is room, and a
// timer for what nobody rings for, that a member's time to read has run out.
// Any thread.
class SendDescriptor {
 public:
  // Rung, since nothing was refused yet. kNoResources, kNoMemory: as
  // Attachment::MakeDoorbell(), and no descriptors left.
  static Result<std::unique_ptr<SendDescriptor>> Make(
      ipc::Attachment* attachment);
  SendDescriptor(const SendDescriptor&) = delete;
  SendDescriptor& operator=(const SendDescriptor&) = delete;

  int descriptor() const { return both_.get(); }
  const ipc::Doorbell& bell() const { return *bell_; }

  void Ring() { bell_->Ring(); }
  // From now on readable only when rung again.
  void Quiet();
  // Or when that time has passed, in nanoseconds; above 0.
  void RingAfter(std::int64_t delay_ns);

 private:
  SendDescriptor() = default;
  std::unique_ptr<ipc::Doorbell> bell_;
  alloc::UniqueFd timer_;
  alloc::UniqueFd both_;
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_SEND_DESCRIPTOR_H_
