// Events that the program takes itself, one or several messages at a time.
#include <algorithm>
#include <new>
#include <span>

#include "cpg/handle.h"

namespace zcb::cpg {

cs_error_t Handle::PullNext(cpg_zcb_message* message) {
  EndPulled();
  totem_pending_ = false;  // there is no callback to run
  if (current_ == nullptr) return CS_ERR_NOT_EXIST;
  const auto begun = Begin();
  if (!begun) return static_cast<cs_error_t>(begun.status());
  return HandOut(*begun, message);
}

cs_error_t Handle::HandOut(const ipc::Event& begun, cpg_zcb_message* message) {
  ipc::Member* const member = current_.get();
  switch (begun.kind) {
    case ipc::Event::Kind::kNothing:
      return CS_ERR_TRY_AGAIN;
    case ipc::Event::Kind::kMessage:
      pulled_.member = member;
      pulled_.event = begun;
      open_.Open(kPulledPlace, member->Begun(begun));
      *message = Describe(begun, begun.payload);
      return CS_OK;
    case ipc::Event::Kind::kView:
      break;
  }
  try {
    ListMembers(member->view(), &pulled_.members);
  } catch (const std::bad_alloc&) {
    stalled_ = begun;
    return CS_ERR_NO_MEMORY;
  }
  *message = {pulled_.members.data(),
              pulled_.members.size() * sizeof(cpg_address),
              begun.change.subject.node_id,
              begun.change.subject.pid,
              begun.sequence,
              CPG_ZCB_VIEW,
              static_cast<std::uint32_t>(ToReason(begun.change.kind)),
              0};
  totem_done_ = true;  // with the first view, and here is nobody to call
  End(member);
  return CS_OK;
}

cs_error_t Handle::PullBatch(cpg_zcb_message* messages, std::size_t capacity,
                             std::size_t* count) {
  *count = 1;  // what does not say otherwise comes alone
  if (current_ == nullptr || stalled_) return PullNext(messages);
  EndPulled();
  totem_pending_ = false;  // there is no callback to run
  if (current_ == nullptr) return CS_ERR_NOT_EXIST;  // that was the own leave
  if (pulled_.batch.empty()) {
    open_batch_.Reserve(CPG_ZCB_MAX_BATCH - 1);
    pulled_.batch.resize(CPG_ZCB_MAX_BATCH);
  }
  ipc::Member* const member = current_.get();
  const auto begun = member->NextBatch(
      std::span(pulled_.batch)
          .first(std::min<std::size_t>(capacity, CPG_ZCB_MAX_BATCH)));
  said_nothing_ = begun && *begun == 0;
  if (!begun) return static_cast<cs_error_t>(begun.status());
  if (*begun == 0) return CS_ERR_TRY_AGAIN;
  if (pulled_.batch[0].kind == ipc::Event::Kind::kView) {
    return HandOut(pulled_.batch[0], messages);
  }
  pulled_.member = member;
  pulled_.batch_count = *count = *begun;
  for (std::size_t i = 0; i < *count; ++i) {
    const ipc::Event& event = pulled_.batch[i];
    open_batch_.Open(i, member->Begun(event));
    messages[i] = Describe(event, event.payload);
  }
  return CS_OK;
}

void Handle::EndPulled() {
  if (pulled_.member == nullptr) return;
  ipc::Member* const member = pulled_.member;
  pulled_.member = nullptr;
  if (pulled_.batch_count == 0) {
    open_.Close(kPulledPlace);
  } else {
    open_batch_.CloseFirst(pulled_.batch_count);
    member->DoneBatch(pulled_.batch_count - 1);
    pulled_.batch_count = 0;
  }
  End(member);
}

const ipc::Event* Handle::FindPulled(const void* payload) const {
  if (pulled_.member == nullptr) return nullptr;
  const auto pulled = pulled_.batch_count == 0
                          ? std::span(&pulled_.event, 1)
                          : std::span(pulled_.batch).first(pulled_.batch_count);
  const auto found = std::find_if(
      pulled.begin(), pulled.end(),
      [&](const ipc::Event& event) { return event.payload == payload; });
  return found == pulled.end() ? nullptr : &*found;
}

}  // namespace zcb::cpg
