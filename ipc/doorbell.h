// A FIFO that somebody waits on, and that others write one byte to.
#ifndef ZCB_IPC_DOORBELL_H_
#define ZCB_IPC_DOORBELL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "allocator/region.h"
#include "allocator/status.h"
#include "ipc/deadline.h"

namespace zcb::ipc {

// The name of a doorbell in shared memory: whose lease, which of its bells.
struct BellName {
  std::uint16_t lease_slot = 0;
  std::uint32_t lease_generation = 0;
  std::uint32_t number = 0;
  friend bool operator==(const BellName&, const BellName&) = default;
};

// The waiting end. The descriptor is readable while the bell is rung; it stays
// the same for the object's life. A FIFO opened for reading and writing: it
// never reports an end of file, and writing to it raises no SIGPIPE.
class Doorbell {
 public:
  static Result<std::unique_ptr<Doorbell>> Make(
      std::shared_ptr<alloc::Region> region, std::uint32_t number);
  ~Doorbell();  // closes and unlinks; in a forked child closes only
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  int descriptor() const { return descriptor_; }
  BellName name() const { return name_; }
  // Takes every byte out; true if there was one. One system call or two.
  bool Drain();
  void Ring();
  // Waits until rung, at most until the deadline. Does not drain. True if rung;
  // restarts after signals.
  bool Wait(Deadline deadline) const;

 private:
  Doorbell() = default;
  std::shared_ptr<alloc::Region> region_;
  BellName name_;
  int descriptor_ = -1;
};

// The ringing end of somebody else's doorbell: opens it, and checks that it is
// a FIFO. -1 with errno: ENOENT says that it is gone, so nobody waits. The
// caller closes.
int OpenRemoteBell(const alloc::Region& region, const BellName& name);
// One byte; a full FIFO is rung already. Never blocks, never SIGPIPE.
void RingDescriptor(int descriptor);
// Removes the files of the bells that a dead process left.
void UnlinkBellsOf(const alloc::Region& region, alloc::LeaseId lease,
                   std::uint32_t bell_count);

}  // namespace zcb::ipc

#endif  // ZCB_IPC_DOORBELL_H_
