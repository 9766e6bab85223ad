// What one more receiver costs: zcb, beside the naive way, a socket each.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/crowd/fan_out_peer.h"
#include "bench/crowd/member.h"
#include "bench/failure.h"

namespace zcb::bench {
namespace {

// A member of the group each. The sender gets its own messages, too, and
// throws them away in Service().
class Zcb final : public FanOutPeer {
 public:
  void SetUp(std::size_t, Children*) override {}
  void AwaitReceivers(std::size_t receivers) override {
    member_ = std::make_unique<CrowdMember>(CrowdMember::Wait::kSpin);
    member_->AwaitMembers(receivers + 1);
  }
  void Attach(std::size_t, bool blocks) override {
    member_ = std::make_unique<CrowdMember>(blocks ? CrowdMember::Wait::kFutex
                                                   : CrowdMember::Wait::kSpin);
  }
  bool TrySend(std::uint64_t number) override {
    return member_->TrySend({0, number});
  }
  void Service() override { member_->Drain(); }
  std::size_t room() const override { return 2048; }
  std::optional<std::uint64_t> TryReceive() override {
    Stamp stamp;
    if (!member_->TryNext(&stamp)) return std::nullopt;
    return stamp.number;
  }
  std::uint64_t Await() override { return member_->Await().number; }

 private:
  std::unique_ptr<CrowdMember> member_;
};

// One system call and one copy for each receiver.
class Seqpacket final : public FanOutPeer {
 public:
  ~Seqpacket() override {
    for (const auto& ends : pairs_) {
      for (const int end : ends) ::close(end);
    }
  }
  void SetUp(std::size_t receivers, Children*) override {
    pairs_.resize(receivers);
    for (auto& ends : pairs_) {
      if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
                       ends.data()) != 0) {
        Fail("no sockets: {}", std::strerror(errno));
      }
    }
  }
  void AwaitReceivers(std::size_t) override {}
  void Attach(std::size_t index, bool) override { own_ = pairs_[index][1]; }
  bool TrySend(std::uint64_t number) override {
    std::array<std::uint64_t, kMessageBytes / sizeof(number)> message{number};
    // After a refusal half-way it goes on with the one that refused.
    for (; next_ < pairs_.size(); ++next_) {
      if (::send(pairs_[next_][0], message.data(), kMessageBytes,
                 MSG_DONTWAIT) >= 0) {
        continue;
      }
      if (errno == EAGAIN) return false;
      Fail("send: {}", std::strerror(errno));
    }
    next_ = 0;
    return true;
  }
  std::size_t room() const override { return 64; }
  std::optional<std::uint64_t> TryReceive() override {
    return Receive(MSG_DONTWAIT);
  }
  std::uint64_t Await() override { return *Receive(0); }

 private:
  std::optional<std::uint64_t> Receive(int flags) const {
    std::array<std::uint64_t, kMessageBytes / sizeof(std::uint64_t)> message{};
    if (::recv(own_, message.data(), kMessageBytes, flags) ==
        static_cast<ssize_t>(kMessageBytes)) {
      return message[0];
    }
    if (errno == EAGAIN && flags != 0) return std::nullopt;
    Fail("recv: {}", std::strerror(errno));
  }

  std::vector<std::array<int, 2>> pairs_;
  std::size_t next_ = 0;
  int own_ = -1;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  return FanOutMain(
      argc, argv,
      {{"zcb", [] { return std::make_unique<Zcb>(); }},
       {"seqpacket", [] { return std::make_unique<Seqpacket>(); }}});
}
