#include "cpg/callback_frame.h"

#include <algorithm>
#include <cstring>

#include "cpg/cs_error.h"

namespace zcb::cpg {

cpg_reason_t ToReason(ipc::ViewChange::Kind kind) {
  switch (kind) {
    case ipc::ViewChange::Kind::kJoin:
      return CPG_REASON_JOIN;
    case ipc::ViewChange::Kind::kLeave:
      return CPG_REASON_LEAVE;
    case ipc::ViewChange::Kind::kProcessDown:
      return CPG_REASON_PROCDOWN;
    case ipc::ViewChange::Kind::kNone:
      break;
  }
  return CPG_REASON_UNDEFINED;
}

void ListMembers(const ipc::View& view, std::vector<cpg_address>* list) {
  // At least one entry's room: an empty list has an address, too.
  list->reserve(std::max<std::size_t>(view.items().size(), 1));
  list->clear();
  for (const ipc::View::Item& item : view.items()) {
    list->push_back(
        {item.address.node_id, item.address.pid, CPG_REASON_UNDEFINED});
  }
}

void CallbackFrame::CopyMessage(const ipc::Event& message) {
  const std::size_t wanted_bytes =
      std::max<std::size_t>(message.length_bytes, 1);
  if (wanted_bytes > capacity_bytes_) {
    // By half as much again, so that slowly growing messages cost little.
    const std::size_t bytes =
        (wanted_bytes + capacity_bytes_ / 2 + kAlignment - 1) / kAlignment *
        kAlignment;
    void* memory = std::aligned_alloc(kAlignment, bytes);
    if (memory == nullptr) throw std::bad_alloc();
    message_.reset(memory);
    capacity_bytes_ = bytes;
  }
  if (message.length_bytes != 0) {
    std::memcpy(message_.get(), message.payload, message.length_bytes);
  }
}

void CallbackFrame::CopyView(const ipc::View& view,
                             const ipc::ViewChange& change) {
  ListMembers(view, &members_);
  changed_ = {change.subject.node_id, change.subject.pid,
              static_cast<std::uint32_t>(ToReason(change.kind))};
  joined_ = change.kind == ipc::ViewChange::Kind::kJoin;
}

void CallbackFrame::SetGroup(const ipc::GroupName& group) {
  const auto name = group.bytes();
  if (group_.length == name.size() &&
      std::memcmp(group_.value, name.data(), name.size()) == 0) {
    return;  // as a rule
  }
  FillName(group, &group_);
}

void CallbackFrame::CallConfchg(cpg_confchg_fn_t confchg,
                                cpg_handle_t handle) const {
  confchg(handle, &group_, members_.data(), members_.size(), &changed_,
          joined_ ? 0 : 1, &changed_, joined_ ? 1 : 0);
}

}  // namespace zcb::cpg
