// A FIFO whose only write end is held by one process: its readers see the
// process end, by exit or by execve, also from another PID namespace.
#ifndef ZCB_ALLOCATOR_LIFE_FIFO_H_
#define ZCB_ALLOCATOR_LIFE_FIFO_H_

#include <cstdint>
#include <string>

#include "allocator/region_files.h"
#include "allocator/status.h"
#include "allocator/unique_fd.h"

namespace zcb::alloc {

// Our own end. The write end is close-on-exec, is closed in forked children
// (pthread_atfork; a raw clone(2) keeps it, and only delays the news), and has
// a higher number than the lock file's descriptor: an exiting process closes
// in rising order, so when a reader sees the end, the record lock is gone too.
//
// A crash leaves the FIFO's name; the slot's next owner takes it away, and the
// region's removal sweeps it. Publish: any thread.
class LifeFifo {
 public:
  // The name of a slot's FIFO.
  static std::string Name(const RegionDirectory& directory, std::uint16_t slot);
  // Takes away what the slot's last owner left: nobody would ever hang up.
  static void Clear(const RegionDirectory& directory, std::uint16_t slot);
  // Makes the FIFO. Idempotent.
  Outcome Publish(const RegionDirectory& directory, std::uint16_t slot,
                  int lock_fd);
  bool is_published() const { return write_end_ >= 0; }
  // Gives the write end the high number with which it hangs up first, where
  // Publish() had to leave it a low one because that takes milliseconds in a
  // program with threads; a fork waits for it. Before Withdraw() begins.
  void Raise();
  // Unlinks the FIFO and closes the write end. Only after the lease word said
  // Free, or readers would take it for death.
  void Withdraw(const RegionDirectory& directory);

  // A read end of somebody else's. kNotExist: he has none. Hangs up when he
  // ends, provided that his record lock was seen held after this call.
  static Result<UniqueFd> OpenReadEnd(const RegionDirectory& directory,
                                      std::uint16_t slot);

 private:
  std::string name_;  // a detach must not need memory for it
  int write_end_ = -1;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_LIFE_FIFO_H_
