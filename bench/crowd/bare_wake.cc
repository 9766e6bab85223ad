#include "bench/crowd/bare_wake.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bench/failure.h"

namespace zcb::bench {
namespace {

void AwaitReadable(int fd) {
  pollfd readable{fd, POLLIN, 0};
  while (::poll(&readable, 1, -1) != 1) {
  }
}

}  // namespace

void BareFutex::Wake() {
  word_.fetch_add(1, std::memory_order_release);
  ::syscall(SYS_futex, &word_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void BareFutex::Await(std::uint32_t seen) const {
  while (word_.load(std::memory_order_acquire) == seen) {
    ::syscall(SYS_futex, &word_, FUTEX_WAIT, seen, nullptr, nullptr, 0);
  }
}

BareEvent::BareEvent() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) Fail("no eventfd: {}", std::strerror(errno));
}
BareEvent::~BareEvent() { ::close(fd_); }

void BareEvent::Wake() const {
  const std::uint64_t one = 1;
  if (::write(fd_, &one, sizeof(one)) < 0) Fail("eventfd: not written");
}

void BareEvent::Await() const {
  AwaitReadable(fd_);
  std::uint64_t count = 0;
  if (::read(fd_, &count, sizeof(count)) < 0) Fail("eventfd: not read");
}

BarePipe::BarePipe() {
  if (::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0) {
    Fail("no pipe: {}", std::strerror(errno));
  }
}
BarePipe::~BarePipe() {
  ::close(ends_[0]);
  ::close(ends_[1]);
}

void BarePipe::Wake() const {
  const char byte = 0;
  if (::write(ends_[1], &byte, 1) < 0) Fail("pipe: not written");
}

void BarePipe::Await() const {
  AwaitReadable(ends_[0]);
  char byte = 0;
  if (::read(ends_[0], &byte, 1) < 0) Fail("pipe: not read");
}

}  // namespace zcb::bench
