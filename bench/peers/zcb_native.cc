#include "bench/peers/zcb_native.h"

#include <string_view>
#include <utility>

#include "allocator/region.h"
#include "allocator/status.h"
#include "bench/failure.h"
#include "ipc/group_name.h"

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

}  // namespace

static_assert(Peer<ZcbNativePeer>);

void ZcbNativePeer::Connect(Side) {
  const auto options = Take(ipc::IpcOptions::FromEnvironment(), "environment");
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

std::span<std::byte> ZcbNativePeer::Prepare(std::size_t length_bytes) {
  if (prepared_.size() == length_bytes) return prepared_;
  const auto payload = attachment_->AllocPayload(length_bytes);
  if (!payload.ok()) {
    if (payload.status() == Status::kNoMemory) return {};
    Fail("alloc: {}", payload.reason());
  }
  prepared_ = {*payload, length_bytes};
  return prepared_;
}

bool ZcbNativePeer::Send() {
  const Outcome sent = member_->Send(prepared_.data(), prepared_.size());
  if (sent.ok()) {
    prepared_ = {};
    return true;
  }
  if (sent.status() != Status::kTryAgain) Fail("send: {}", sent.reason());
  return false;
}

bool ZcbNativePeer::BeginNext(ipc::Event* event) {
  for (;;) {
    auto next = member_->Next();
    if (!next.ok()) Fail("next: {}", next.reason());
    if (next->kind == ipc::Event::Kind::kNothing) return false;
    if (next->kind == ipc::Event::Kind::kMessage &&
        next->sender != member_->address()) {
      *event = *next;
      return true;
    }
    member_->Done();
  }
}

bool ZcbNativePeer::Receive(const Reader& reader) {
  ipc::Event event;
  if (!BeginNext(&event)) return false;
  reader({event.payload, event.length_bytes});
  member_->Done();
  return true;
}

void ZcbNativePeer::Service() {
  ipc::Event event;
  if (BeginNext(&event)) Fail("a message while servicing");
}

std::string ZcbNativePeer::Pages() const {
  return attachment_->region().ReportPages().how;
}

}  // namespace zcb::bench
