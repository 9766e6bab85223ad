// An open descriptor that somebody owns.
#ifndef ZCB_ALLOCATOR_UNIQUE_FD_H_
#define ZCB_ALLOCATOR_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace zcb::alloc {

// Closes what it holds. Beware with NAME.lock: closing any descriptor of it
// drops every record lock that the process holds on that file.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { Close(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_UNIQUE_FD_H_
