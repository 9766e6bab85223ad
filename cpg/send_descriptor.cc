#include "cpg/send_descriptor.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include <utility>

namespace zcb::cpg {

Result<std::unique_ptr<SendDescriptor>> SendDescriptor::Make(
    ipc::Attachment* attachment) {
  auto bell = attachment->MakeDoorbell();
  if (!bell) return bell.failure();
  std::unique_ptr<SendDescriptor> made(new SendDescriptor);
  made->bell_ = std::move(*bell);
  made->timer_ = alloc::UniqueFd(
      timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  made->both_ = alloc::UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  if (!made->timer_.is_open() || !made->both_.is_open() ||
      epoll_ctl(made->both_.get(), EPOLL_CTL_ADD, made->bell_->descriptor(),
                &event) != 0 ||
      epoll_ctl(made->both_.get(), EPOLL_CTL_ADD, made->timer_.get(), &event) !=
          0) {
    return {Status::kNoResources, "no descriptors left"};
  }
  made->Ring();
  return made;
}

void SendDescriptor::Quiet() {
  bell_->Drain();
  // Setting it takes back an expiry that nobody read, too.
  const itimerspec off{};
  timerfd_settime(timer_.get(), 0, &off, nullptr);
}

void SendDescriptor::RingAfter(std::int64_t delay_ns) {
  itimerspec once{};
  once.it_value = {static_cast<time_t>(delay_ns / 1'000'000'000),
                   static_cast<long>(delay_ns % 1'000'000'000)};
  timerfd_settime(timer_.get(), 0, &once, nullptr);
}

}  // namespace zcb::cpg
