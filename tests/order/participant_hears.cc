// What a participant is told, by callbacks or by cpg_zcb_next.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "tests/order/participant.h"

namespace zcb::order {
namespace {

constexpr std::size_t kMostKept = 4;
constexpr std::uint32_t kKeepOneIn = 16;

Address AddressOf(const cpg_address& address) {
  return {address.nodeid, address.pid};
}

std::vector<Change> ChangesOf(const cpg_address* list, std::size_t count) {
  std::vector<Change> changes;
  for (std::size_t i = 0; i < count; ++i) {
    changes.push_back({AddressOf(list[i]), list[i].reason});
  }
  return changes;
}

}  // namespace

struct Participant::Callbacks {
  static inline Journal* journal = nullptr;  // the process's

  static Participant* Of(cpg_handle_t handle) {
    void* context = nullptr;
    if (cpg_context_get(handle, &context) != CS_OK) {
      journal->Complain("a callback after cpg_finalize");
      return nullptr;
    }
    return static_cast<Participant*>(context);
  }
  static void OnDeliver(cpg_handle_t handle, const cpg_name* /*group*/,
                        std::uint32_t nodeid, std::uint32_t pid, void* msg,
                        std::size_t length_bytes) {
    if (Participant* self = Of(handle)) {
      self->HearMessage({nodeid, pid}, msg, length_bytes, 0);
    }
  }
  static void OnDeliverInPlace(cpg_handle_t handle, const cpg_name* /*group*/,
                               std::uint32_t nodeid, std::uint32_t pid,
                               const void* msg, std::size_t length_bytes) {
    if (Participant* self = Of(handle)) {
      cpg_zcb_message message{};
      if (cpg_zcb_describe(handle, msg, &message) != CS_OK) {
        journal->Complain("a message that cannot be described");
      }
      self->HearMessage({nodeid, pid}, msg, length_bytes, message.sequence);
    }
  }
  static void OnChange(cpg_handle_t handle, const cpg_name* /*group*/,
                       const cpg_address* members, std::size_t member_count,
                       const cpg_address* left, std::size_t left_count,
                       const cpg_address* joined, std::size_t joined_count) {
    if (Participant* self = Of(handle)) {
      self->HearView(members, member_count, left, left_count, joined,
                     joined_count);
    }
  }
};

void Participant::Initialize() {
  Callbacks::journal = journal_;
  cs_error_t error = CS_OK;
  if (mode_ == Mode::kV1) {
    cpg_model_v1_data_t data{};
    data.model = CPG_MODEL_V1;
    data.cpg_deliver_fn = &Callbacks::OnDeliver;
    data.cpg_confchg_fn = &Callbacks::OnChange;
    error =
        cpg_model_initialize(&handle_, CPG_MODEL_V1,
                             reinterpret_cast<cpg_model_data_t*>(&data), this);
  } else {
    cpg_model_zcb_data_t data{};
    data.model = CPG_MODEL_ZCB;
    data.cpg_deliver_fn = &Callbacks::OnDeliverInPlace;
    data.cpg_confchg_fn = &Callbacks::OnChange;
    error =
        cpg_model_initialize(&handle_, CPG_MODEL_ZCB,
                             reinterpret_cast<cpg_model_data_t*>(&data), this);
  }
  if (error != CS_OK) Fail("cpg_model_initialize", error);
  unsigned node = 0;
  error = cpg_local_get(handle_, &node);
  if (error != CS_OK) Fail("cpg_local_get", error);
  self_.node = node;
}

// --- events ------------------------------------------------------------------

void Participant::HearMessage(Address sender, const void* bytes,
                              std::size_t length_bytes,
                              std::uint64_t sequence) {
  if (NoteMessage(sender, bytes, length_bytes, sequence)) Heard();
}

bool Participant::NoteMessage(Address sender, const void* bytes,
                              std::size_t length_bytes,
                              std::uint64_t sequence) {
  if (!entry_) {
    journal_->Complain("a message without a membership");
    return false;
  }
  Event event;
  event.kind = Event::Kind::kMessage;
  event.sender = sender;
  event.sequence = sequence;
  const auto wire = ReadWire(bytes, length_bytes);
  // After its bytes were read: they were whose they seemed to be until now.
  if (mode_ != Mode::kV1 && !MaybeKeep(bytes, length_bytes)) return false;
  event.intact = wire.has_value();
  if (wire) {
    event.id = wire->id;
    event.mention = wire->mention;
    (*sightings_)[entry_->group()] = wire->id;
  }
  entry_->Append(event);
  if (event.mention) {
    mentioned_[journal_->GroupOf(event.mention->membership)] = true;
  }
  return true;
}

void Participant::HearView(const cpg_address* members, std::size_t member_count,
                           const cpg_address* left, std::size_t left_count,
                           const cpg_address* joined,
                           std::size_t joined_count) {
  if (!entry_) {
    journal_->Complain("a view without a membership");
    return;
  }
  Event event;
  event.kind = Event::Kind::kView;
  for (std::size_t i = 0; i < member_count; ++i) {
    event.members.push_back(AddressOf(members[i]));
    if (members[i].reason != CPG_REASON_UNDEFINED) {
      journal_->Complain("a reason in a list of members");
    }
  }
  event.joined = ChangesOf(joined, joined_count);
  event.left = ChangesOf(left, left_count);
  entry_->Append(event);
  view_size_ = member_count;
  if (leaving_ && left_count == 1 && AddressOf(left[0]) == self_) {
    leaving_ = false;
    own_leave_read_ = true;
  }
  Heard();
}

void Participant::HearPulledView(const cpg_zcb_message& view) {
  const cpg_address change{view.nodeid, view.pid, view.reason};
  const bool joined =
      view.reason == CPG_REASON_JOIN || view.reason == CPG_REASON_NODEUP;
  HearView(static_cast<const cpg_address*>(view.data),
           view.length / sizeof(cpg_address), &change, joined ? 0 : 1, &change,
           joined ? 1 : 0);
}

void Participant::Heard() {
  ++events_read_;
  if (listener_ != nullptr) listener_->Heard(this);
}

bool Participant::MaybeKeep(const void* bytes, std::size_t length_bytes) {
  const bool keeps = kept_.size() < kMostKept && events_read_ % kKeepOneIn == 0;
  if (!keeps && !MayBeEvicted()) return true;
  const cs_error_t error = cpg_zcb_retain(handle_, bytes);
  if (IsEviction(error)) {
    evicted_ = true;
    return false;
  }
  if (error != CS_OK) Fail("cpg_zcb_retain", error);
  if (keeps) {
    kept_.push_back({bytes, length_bytes});
    return true;
  }
  const cs_error_t released = cpg_zcb_release(bytes);
  if (released != CS_OK) Fail("cpg_zcb_release", released);
  return true;
}

// --- reading -----------------------------------------------------------------

void Participant::Dispatch(cs_dispatch_flags_t how) {
  const cs_error_t error = cpg_dispatch(handle_, how);
  if (error == CS_OK || handle_ == 0) return;  // 0: finalized in a callback
  if (error == CS_ERR_TRY_AGAIN && how == CS_DISPATCH_ONE_NONBLOCKING) return;
  if (IsEviction(error)) {
    evicted_ = true;
    return;
  }
  Fail("cpg_dispatch", error);
}

// All are noted before anybody hears of them: who does may read on, and that
// ends the batch.
bool Participant::PullBatch() {
  std::array<cpg_zcb_message, CPG_ZCB_MAX_BATCH + 6> messages;
  const unsigned int capacity =
      1 + events_read_ % static_cast<unsigned int>(messages.size());
  unsigned int count = 0;
  const cs_error_t error =
      cpg_zcb_next_batch(handle_, messages.data(), capacity, &count);
  if (error == CS_ERR_TRY_AGAIN) return false;
  if (IsEviction(error)) {
    evicted_ = true;
    return false;
  }
  if (error != CS_OK) Fail("cpg_zcb_next_batch", error);
  if (count == 0 || count > capacity || count > CPG_ZCB_MAX_BATCH) {
    journal_->Complain("a batch of " + std::to_string(count));
    return false;
  }
  if (messages[0].kind == CPG_ZCB_VIEW) {
    if (count != 1) journal_->Complain("a view that does not come alone");
    HearPulledView(messages[0]);
    return true;
  }
  unsigned int noted = 0;
  for (; noted < count; ++noted) {
    const cpg_zcb_message& message = messages[noted];
    if (message.kind != CPG_ZCB_MESSAGE) {
      journal_->Complain("a view in the middle of a batch");
    }
    if (!NoteMessage({message.nodeid, message.pid}, message.data,
                     message.length, message.sequence)) {
      break;
    }
  }
  while (noted-- > 0) Heard();
  return true;
}

bool Participant::Pull() {
  if (events_read_ % 3 == 0) return PullBatch();
  cpg_zcb_message message{};
  const cs_error_t error = cpg_zcb_next(handle_, &message);
  if (error == CS_ERR_TRY_AGAIN) return false;
  if (IsEviction(error)) {
    evicted_ = true;
    return false;
  }
  if (error != CS_OK) Fail("cpg_zcb_next", error);
  return TakePulled(message);
}

bool Participant::TakePulled(const cpg_zcb_message& message) {
  if (message.kind == CPG_ZCB_VIEW) {
    HearPulledView(message);
  } else {
    HearMessage({message.nodeid, message.pid}, message.data, message.length,
                message.sequence);
  }
  return true;
}

bool Participant::ReadOne() {
  const std::uint32_t before = events_read_;
  ++reads_;
  if (mode_ == Mode::kPull) {
    (void)Pull();
  } else {
    Dispatch(CS_DISPATCH_ONE_NONBLOCKING);
  }
  EndRead();
  return events_read_ != before;
}

void Participant::ReadAll() {
  ++reads_;
  if (mode_ == Mode::kPull) {
    while (is_member() && Pull()) {
    }
  } else {
    Dispatch(CS_DISPATCH_ALL);
  }
  EndRead();
}

void Participant::WaitForOne() {
  ++reads_;
  Dispatch(CS_DISPATCH_ONE);  // kPull: there is no pull that waits
  EndRead();
}

void Participant::WaitForOne(int timeout_ms) {
  ++reads_;
  cpg_zcb_message message{};
  const cs_error_t error =
      mode_ == Mode::kPull
          ? cpg_zcb_next_timed(handle_, &message, timeout_ms)
          : cpg_zcb_dispatch_timed(handle_, CS_DISPATCH_ONE, timeout_ms);
  if (IsEviction(error)) {
    evicted_ = true;
  } else if (error == CS_OK && mode_ == Mode::kPull) {
    (void)TakePulled(message);
  } else if (error != CS_OK && error != CS_ERR_TIMEOUT && handle_ != 0) {
    Fail("a wait for one event", error);
  }
  EndRead();
}

// The membership is over when the own leave was read and nobody reads further
// out.
void Participant::EndRead() {
  if (--reads_ != 0 || !own_leave_read_) return;
  const std::uint32_t before = events_read_;
  if (mode_ == Mode::kPull) {
    cpg_zcb_message message{};
    const cs_error_t error = cpg_zcb_next(handle_, &message);
    if (error != CS_ERR_NOT_EXIST) Fail("cpg_zcb_next after all", error);
  } else {
    Dispatch(CS_DISPATCH_ALL);
  }
  if (events_read_ != before) journal_->Complain("an event after the leave");
  entry_->ReadToItsLeave();
  entry_.reset();
  own_leave_read_ = false;
}

int Participant::Descriptor() {
  int descriptor = -1;
  const cs_error_t error = cpg_fd_get(handle_, &descriptor);
  if (error != CS_OK) Fail("cpg_fd_get", error);
  return descriptor;
}

bool Participant::TakeMentionOf(std::uint32_t group) {
  return std::exchange(mentioned_[group], false);
}

void Participant::NoteDrained(const Participant& other) {
  Event note;
  note.kind = Event::Kind::kDrained;
  note.other = other.entry_->number();
  note.length = other.entry_->length();
  entry_->Append(note);
}

}  // namespace zcb::order
