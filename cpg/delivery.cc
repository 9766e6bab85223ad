// What a handle does with one event. A message of CPG_MODEL_V1 and every view
// is copied, and its place in the ring given up, before the callback runs; a
// message of CPG_MODEL_ZCB is read in place, and ends after the callback.
#include <algorithm>
#include <new>

#include "cpg/handle.h"

namespace zcb::cpg {

// One running callback: a nesting level, and an event that ends with it. An
// object, since a cancelled thread leaves from inside the callback.
class Handle::Delivery {
 public:
  Delivery(Handle* handle, CallbackFrame* frame)
      : handle_(handle), frame_(frame) {
    ++handle_->level_;
  }
  ~Delivery() {
    handle_->EndPulled();  // what was pulled inside the callback
    --handle_->level_;
    EndEvent();
  }
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  void EndEvent() {
    if (frame_ == nullptr || frame_->member == nullptr) return;
    ipc::Member* member = frame_->member;
    frame_->member = nullptr;
    handle_->End(member);
  }

 private:
  Handle* handle_;
  CallbackFrame* frame_;
};

CallbackFrame* Handle::FrameAt(std::size_t level) {
  // A totem callback takes a level, but needs no frame.
  while (frames_.size() <= level) {
    frames_.push_back(std::make_unique<CallbackFrame>());
  }
  return frames_[level].get();
}

Result<ipc::Event> Handle::Begin() {
  if (stalled_ && current_->WasEvicted()) {
    return {Status::kLibrary, "evicted"};
  }
  if (stalled_) {
    const ipc::Event event = *stalled_;
    stalled_.reset();
    return event;
  }
  if (current_ == nullptr) return ipc::Event{};
  return current_->Next();
}

Handle::Step Handle::DispatchNext(cs_error_t* error) {
  EndPulled();
  if (totem_pending_) {
    CallTotem();
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
  frame->SetGroup(group_);
  frame->event = *begun;
  frame->member = current_.get();
  return begun->kind == ipc::Event::Kind::kView ? DeliverView(frame)
                                                : DeliverMessage(frame, error);
}

Handle::Step Handle::DeliverView(CallbackFrame* frame) {
  Delivery delivery(this, frame);
  delivery.EndEvent();
  if (callbacks_.wants_initial_totem && !totem_done_) {
    totem_done_ = true;
    totem_pending_ = true;
  }
  if (callbacks_.confchg != nullptr) {
    frame->CallConfchg(callbacks_.confchg, id_);
  }
  return Step::kDone;
}

Handle::Step Handle::DeliverMessage(CallbackFrame* frame, cs_error_t* error) {
  Delivery delivery(this, frame);
  const ipc::Event& event = frame->event;
  ipc::Member* const member = frame->member;
  *error = CS_ERR_LIBRARY;  // if it was put out while its bytes were read
  if (callbacks_.deliver != nullptr) {
    delivery.EndEvent();
    if (member->WasEvicted()) return Step::kFailed;
    callbacks_.deliver(id_, &frame->group(), event.sender.node_id,
                       event.sender.pid, frame->message(), event.length_bytes);
  } else if (callbacks_.deliver_zcb != nullptr) {
    callbacks_.deliver_zcb(id_, &frame->group(), event.sender.node_id,
                           event.sender.pid, event.payload, event.length_bytes);
    if (member->WasEvicted()) return Step::kFailed;
  }
  return Step::kDone;
}

void Handle::CallTotem() {
  totem_pending_ = false;
  const std::uint32_t node_id = attachment_->node_id();
  Delivery delivery(this, nullptr);
  callbacks_.totem_confchg(id_, cpg_ring_id{node_id, 1}, 1, &node_id);
}

cs_error_t Handle::PullNext(cpg_zcb_message* message) {
  EndPulled();
  totem_pending_ = false;  // there is no callback to run
  if (current_ == nullptr) return CS_ERR_NOT_EXIST;
  ipc::Member* member = current_.get();
  const auto begun = Begin();
  if (!begun) return static_cast<cs_error_t>(begun.status());
  switch (begun->kind) {
    case ipc::Event::Kind::kNothing:
      return CS_ERR_TRY_AGAIN;
    case ipc::Event::Kind::kMessage:
      pulled_.member = member;
      pulled_.event = *begun;
      *message = {begun->payload,
                  begun->length_bytes,
                  begun->sender.node_id,
                  begun->sender.pid,
                  begun->sequence,
                  CPG_ZCB_MESSAGE,
                  0,
                  begun->send_time_ns};
      return CS_OK;
    case ipc::Event::Kind::kView:
      break;
  }
  try {
    ListMembers(member->view(), &pulled_.members);
  } catch (const std::bad_alloc&) {
    stalled_ = *begun;
    return CS_ERR_NO_MEMORY;
  }
  *message = {pulled_.members.data(),
              pulled_.members.size() * sizeof(cpg_address),
              begun->change.subject.node_id,
              begun->change.subject.pid,
              begun->sequence,
              CPG_ZCB_VIEW,
              static_cast<std::uint32_t>(ToReason(begun->change.kind)),
              0};
  End(member);
  return CS_OK;
}

void Handle::EndPulled() {
  if (pulled_.member == nullptr) return;
  ipc::Member* member = pulled_.member;
  pulled_.member = nullptr;
  End(member);
}

Outcome Handle::Retain(const void* payload) {
  if (pulled_.member != nullptr && pulled_.event.payload == payload) {
    return pulled_.member->Retain(pulled_.event);
  }
  for (std::size_t level = std::min(level_, frames_.size()); level-- > 0;) {
    const CallbackFrame& frame = *frames_[level];
    if (frame.member != nullptr && frame.event.payload == payload) {
      return frame.member->Retain(frame.event);
    }
  }
  return {Status::kInvalidParam, "no such message is open here"};
}

}  // namespace zcb::cpg
