// What a handle does with one event. A message of CPG_MODEL_V1 and every view
// is copied, and its place in the ring given up, before the callback runs; a
// message of CPG_MODEL_ZCB is read in place, and ends after the callback.
#include <algorithm>
#include <new>

#include "cpg/dispatch_call.h"
#include "cpg/handle.h"

namespace zcb::cpg {

cpg_zcb_message Describe(const ipc::Event& event, const void* data) {
  return {data,
          event.length_bytes,
          event.sender.node_id,
          event.sender.pid,
          event.sequence,
          CPG_ZCB_MESSAGE,
          0,
          event.send_time_ns};
}

void DispatchCall::BeginCallback(CallbackFrame* frame) {
  if (!guard_.armed()) guard_.Arm(&OnJump, this);
  in_callback_ = true;
  frame_ = frame;
  ++handle().level_;
}

void DispatchCall::EndCallback() {
  if (!in_callback_) return;  // ended by a jump; the handle may be gone
  in_callback_ = false;
  if (stay_.inherited()) [[unlikely]] {
    stay_.End();
    return;
  }
  HideMessage();
  handle().EndPulled();  // what was pulled inside the callback
  --handle().level_;
  EndEvent();
}

void DispatchCall::ShowMessage(const ipc::BegunMessage& message) {
  frame_->shown = message.payload;
  handle().open_.Open(handle().level_, message);
}

void DispatchCall::HideMessage() {
  if (frame_ == nullptr || frame_->shown == nullptr) return;
  frame_->shown = nullptr;
  handle().open_.Close(handle().level_);
}

void DispatchCall::EndEvent() {
  if (frame_ == nullptr || frame_->member == nullptr) return;
  ipc::Member* member = frame_->member;
  frame_->member = nullptr;
  handle().End(member);
}

void DispatchCall::OnJump(void* call) {
  auto* const self = static_cast<DispatchCall*>(call);
  // Outside a callback it is a thread that ends, and destructors will do it.
  if (!self->in_callback_) return;
  self->EndCallback();
  self->stay_.End();
}

CallbackFrame* Handle::FrameAt(std::size_t level) {
  // A totem callback takes a level, but needs no frame.
  while (frames_.size() <= level) {
    frames_.push_back(std::make_unique<CallbackFrame>());
  }
  return frames_[level].get();
}

Result<ipc::Event> Handle::Begin() {
  said_nothing_ = false;
  if (stalled_ && current_->WasEvicted()) {
    return {Status::kLibrary, "evicted"};
  }
  if (stalled_) {
    const ipc::Event event = *stalled_;
    stalled_.reset();
    return event;
  }
  if (current_ == nullptr) {
    if (!attachment_->region().IsDamaged()) return ipc::Event{};
    return alloc::Region::kTruncated;
  }
  auto event = current_->Next();
  said_nothing_ = event && event->kind == ipc::Event::Kind::kNothing;
  return event;
}

Handle::Step Handle::DispatchNext(DispatchCall* call, cs_error_t* error) {
  EndPulled();
  if (totem_pending_) {
    CallTotem(call);
    return Step::kDone;
  }
  const auto begun = Begin();
  if (!begun) {
    *error = static_cast<cs_error_t>(begun.status());
    return Step::kFailed;
  }
  if (begun->kind == ipc::Event::Kind::kNothing) return Step::kNothing;
  CallbackFrame* frame = nullptr;
  try {
    frame = FrameAt(level_);
    open_.Reserve(level_ + 1);
    if (begun->kind == ipc::Event::Kind::kView) {
      frame->CopyView(current_->view(), begun->change);
    } else if (callbacks_.deliver != nullptr) {
      frame->CopyMessage(*begun);
    }
  } catch (const std::bad_alloc&) {
    stalled_ = *begun;
    *error = CS_ERR_NO_MEMORY;
    return Step::kFailed;
  }
  // The copy may have met damage.
  if (!current_->CheckDamage()) {
    *error = CS_ERR_LIBRARY;
    return Step::kFailed;
  }
  frame->SetGroup(group_);
  frame->event = *begun;
  frame->member = current_.get();
  if (begun->kind == ipc::Event::Kind::kMessage) {
    return DeliverMessage(call, frame, error);
  }
  DeliverView(call, frame);
  // An event of its own, as Corosync's programs know it. Where the next one may
  // be pulled, by which nobody is called, it is a part of this one.
  if (model_ == Model::kZcb && totem_pending_ && !call->abandoned() &&
      !closing()) {
    CallTotem(call);
  }
  return Step::kDone;
}

void Handle::DeliverView(DispatchCall* call, CallbackFrame* frame) {
  DispatchCall::Callback running(call, frame);
  running.EndEvent();
  if (callbacks_.wants_initial_totem && !totem_done_) {
    totem_done_ = true;
    totem_pending_ = true;
  }
  if (callbacks_.confchg != nullptr) {
    frame->CallConfchg(callbacks_.confchg, id_);
  }
}

Handle::Step Handle::DeliverMessage(DispatchCall* call, CallbackFrame* frame,
                                    cs_error_t* error) {
  DispatchCall::Callback running(call, frame);
  const ipc::Event& event = frame->event;
  ipc::Member* const member = frame->member;
  *error = CS_ERR_LIBRARY;  // if it was put out while its bytes were read
  if (callbacks_.deliver != nullptr) {
    running.EndEvent();
    if (member->WasEvicted()) return Step::kFailed;
    ipc::BegunMessage copy;  // belongs to no ring: only forward finds it
    copy.payload = static_cast<const std::byte*>(frame->message());
    copy.length_bytes = event.length_bytes;
    running.ShowMessage(copy);
    callbacks_.deliver(id_, &frame->group(), event.sender.node_id,
                       event.sender.pid, frame->message(), event.length_bytes);
  } else if (callbacks_.deliver_zcb != nullptr) {
    running.ShowMessage(frame->member->Begun(event));
    callbacks_.deliver_zcb(id_, &frame->group(), event.sender.node_id,
                           event.sender.pid, event.payload, event.length_bytes);
    if (!call->abandoned() && !call->inherited() &&
        (member->WasEvicted() || !member->CheckDamage())) {
      return Step::kFailed;
    }
  }
  return Step::kDone;
}

void Handle::CallTotem(DispatchCall* call) {
  totem_pending_ = false;
  const std::uint32_t node_id = attachment_->node_id();
  const DispatchCall::Callback running(call, nullptr);
  callbacks_.totem_confchg(id_, cpg_ring_id{node_id, 1}, 1, &node_id);
}

Outcome Handle::Retain(const void* payload) const {
  const auto open = FindOpen(payload);
  if (!open) return {Status::kInvalidParam, "no such message is open here"};
  return attachment_->Keep(*open);
}

std::optional<std::uint64_t> Handle::OpenLength(const void* payload) const {
  const auto open = FindOpen(payload);
  if (!open) return std::nullopt;
  return open->length_bytes;
}

std::optional<cpg_zcb_message> Handle::DescribeOpen(const void* payload) const {
  if (payload == nullptr) return std::nullopt;
  if (const ipc::Event* pulled = FindPulled(payload)) {
    return Describe(*pulled, payload);
  }
  for (std::size_t level = std::min(level_, frames_.size()); level-- > 0;) {
    const CallbackFrame& frame = *frames_[level];
    if (frame.shown == payload) return Describe(frame.event, payload);
  }
  return std::nullopt;
}

}  // namespace zcb::cpg
