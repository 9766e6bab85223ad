// Peer: zcb's own C++ interface, ipc::Member, in a group of two.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "allocator/region.h"
#include "allocator/status.h"
#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "ipc/attachment.h"
#include "ipc/deadline.h"
#include "ipc/doorbell.h"
#include "ipc/futex.h"
#include "ipc/group_name.h"
#include "ipc/member.h"

namespace zcb::bench {
namespace {

constexpr std::string_view kGroup = "bench";
constexpr std::size_t kSides = 2;

template <typename T>
T Take(Result<T> result, const char* what) {
  if (!result.ok()) {
    Fail("{}: {} (status {})", what, result.reason(),
         static_cast<int>(result.status()));
  }
  return std::move(result).value();
}

// The order of a group is total, so a sender meets its own messages in the ring
// and steps over them; that time is part of what is measured.
class ZcbNativePeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"zcb_native", Wait::kBusy, "ipc::Member, Next() in a loop"},
      Variant{"zcb_native", Wait::kSleep, "ipc::Member, asleep on its futex"},
  };

  explicit ZcbNativePeer(const PeerSetup& setup) : wait_(setup.variant.wait) {}

  void Connect(Side) {
    const auto options =
        Take(ipc::IpcOptions::FromEnvironment(), "environment");
    for (;;) {
      auto opened = ipc::Attachment::Open(options);
      if (!opened.ok() && opened.status() == Status::kTryAgain) continue;
      attachment_ = Take(std::move(opened), "attach");
      break;
    }
    bell_ = Take(attachment_->MakeDoorbell(), "doorbell");
    for (;;) {
      auto joined = attachment_->Join(ipc::GroupName(kGroup), bell_.get());
      if (!joined.ok() && joined.status() == Status::kTryAgain) continue;
      member_ = Take(std::move(joined), "join");
      break;
    }
    while (member_->view().items().size() < kSides) {
      ipc::Event event;
      if (BeginNext(&event)) Fail("a message before the view of two");
    }
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    if (prepared_.size() == length_bytes) return prepared_;
    const auto payload = attachment_->AllocPayload(length_bytes);
    if (!payload.ok()) {
      if (payload.status() == Status::kNoMemory) return {};
      Fail("alloc: {}", payload.reason());
    }
    prepared_ = {*payload, length_bytes};
    return prepared_;
  }

  bool Send() {
    const Outcome sent = member_->Send(prepared_.data(), prepared_.size());
    if (sent.ok()) {
      prepared_ = {};
      return true;
    }
    if (sent.status() != Status::kTryAgain) Fail("send: {}", sent.reason());
    return false;
  }

  bool Receive(const auto& reader) {
    ipc::Event event;
    while (!BeginNext(&event)) {
      if (wait_ == Wait::kBusy) return false;
      Sleep();
    }
    reader(std::span(event.payload, event.length_bytes));
    member_->Done();
    return true;
  }

  void Service() {
    ipc::Event event;
    if (BeginNext(&event)) Fail("a message while servicing");
  }

  std::string Pages() const {
    return attachment_ ? attachment_->region().ReportPages().how : "";
  }

 private:
  // The next message of the other side; ends every other event.
  bool BeginNext(ipc::Event* event) {
    for (;;) {
      const Outcome begun = member_->Next(event);
      if (!begun.ok()) Fail("next: {}", begun.reason());
      if (event->kind == ipc::Event::Kind::kNothing) return false;
      if (event->kind == ipc::Event::Kind::kMessage &&
          event->sender != member_->address()) {
        return true;
      }
      member_->Done();
    }
  }

  void Sleep() {
    std::atomic<std::uint32_t>* word = member_->ParkWord();
    // relaxed: what makes it safe is that AnnounceSleep() looks afterwards
    const std::uint32_t seen = word->load(std::memory_order_relaxed);
    if (!member_->AnnounceSleep(ipc::Member::Bell::kFutex)) {
      ipc::FutexWait(word, seen, ipc::Deadline::Never());
    }
    member_->AnnounceAwake();
  }

  Wait wait_;
  std::shared_ptr<ipc::Attachment> attachment_;
  std::unique_ptr<ipc::Doorbell> bell_;
  std::unique_ptr<ipc::Member> member_;
  std::span<std::byte> prepared_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::ZcbNativePeer>(argc, argv,
                                                               "zcb_native");
}
