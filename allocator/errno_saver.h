// Keeps errno what it was for the caller.
#ifndef ZCB_ALLOCATOR_ERRNO_SAVER_H_
#define ZCB_ALLOCATOR_ERRNO_SAVER_H_

#include <cerrno>

namespace zcb::alloc {

// Put one at the top of a public function that makes system calls: errors are
// told by Status alone, and a caller's errno is none of our business.
class ErrnoSaver {
 public:
  ErrnoSaver() : saved_(errno) {}
  ~ErrnoSaver() { errno = saved_; }
  ErrnoSaver(const ErrnoSaver&) = delete;
  ErrnoSaver& operator=(const ErrnoSaver&) = delete;

 private:
  int saved_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ERRNO_SAVER_H_
