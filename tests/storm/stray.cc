#include "tests/storm/stray.h"

#include <poll.h>
#include <sys/uio.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/order/wire.h"

namespace zcb::storm {
namespace {

using order::ReadWire;
using order::WireBytes;
using order::WriteWire;

cpg_name NameOfGroup(std::uint32_t group) {
  const std::string text = "stray-" + std::to_string(group);
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(text.size());
  text.copy(name.value, sizeof(name.value));
  return name;
}

}  // namespace

struct Stray::Callbacks {
  static Stray* Of(cpg_handle_t handle) {
    void* context = nullptr;
    return cpg_context_get(handle, &context) == CS_OK
               ? static_cast<Stray*>(context)
               : nullptr;
  }
  static void OnDeliver(cpg_handle_t handle, const cpg_name* /*group*/,
                        std::uint32_t /*node*/, std::uint32_t /*pid*/,
                        void* msg, std::size_t length_bytes) {
    if (Stray* self = Of(handle)) self->Heard(msg, length_bytes);
  }
  static void OnDeliverInPlace(cpg_handle_t handle, const cpg_name* /*group*/,
                               std::uint32_t /*node*/, std::uint32_t /*pid*/,
                               const void* msg, std::size_t length_bytes) {
    if (Stray* self = Of(handle)) self->Heard(msg, length_bytes);
  }
  static void OnChange(cpg_handle_t, const cpg_name*, const cpg_address*,
                       std::size_t, const cpg_address*, std::size_t,
                       const cpg_address*, std::size_t) {}
};

bool Stray::Expect(const char* call, cs_error_t error,
                   std::initializer_list<cs_error_t> allowed) {
  if (error == CS_OK) return true;
  if (error == CS_ERR_LIBRARY && joined_) {
    evicted_ = true;
  } else if (std::ranges::count(allowed, error) == 0) {
    journal_->Complain("life " + std::to_string(life_) + ": " + call +
                       " returned " + std::to_string(error));
  }
  return false;
}

void Stray::Step(order::Dice* dice) {
  dice_ = dice;
  if (handle_ == 0) Open();
  if (handle_ == 0) return;
  for (std::uint32_t n = 1 + dice->Below(4); n > 0 && !evicted_; --n) {
    switch (dice->Below(16)) {
      case 0:
        SetOptions();
        break;
      case 1:
      case 2:
        JoinOrLeave();
        break;
      case 3:
      case 4:
      case 5:
      case 6:
        Send();
        break;
      case 7:
      case 8:
        Forward();
        break;
      case 9:
        Poll(dice->OneIn(2));
        break;
      case 10:
        if (const auto kept = kept_->TakeOut(dice)) LetGo(*kept);
        break;
      default:
        Read();
        break;
    }
  }
  if (evicted_ || dice->OneIn(128)) Close();
}

void Stray::Open() {
  is_zcb_ = !dice_->OneIn(4);
  cs_error_t error = CS_OK;
  if (is_zcb_) {
    cpg_model_zcb_data_t data{};
    data.model = CPG_MODEL_ZCB;
    data.cpg_deliver_fn = &Callbacks::OnDeliverInPlace;
    data.cpg_confchg_fn = &Callbacks::OnChange;
    data.flags = dice_->OneIn(2) ? CPG_MODEL_ZCB_SEND_TIME : 0;
    error =
        cpg_model_initialize(&handle_, CPG_MODEL_ZCB,
                             reinterpret_cast<cpg_model_data_t*>(&data), this);
  } else {
    cpg_model_v1_data_t data{};
    data.model = CPG_MODEL_V1;
    data.cpg_deliver_fn = &Callbacks::OnDeliver;
    data.cpg_confchg_fn = &Callbacks::OnChange;
    error =
        cpg_model_initialize(&handle_, CPG_MODEL_V1,
                             reinterpret_cast<cpg_model_data_t*>(&data), this);
  }
  (void)Expect("cpg_model_initialize", error, {CS_ERR_TRY_AGAIN});
}

void Stray::Close() {
  if (handle_ == 0) return;
  joined_ = evicted_ = false;
  (void)Expect("cpg_finalize", cpg_finalize(std::exchange(handle_, 0)), {});
}

void Stray::SetOptions() {
  const std::pair<cpg_zcb_option_t, std::uint64_t> all[] = {
      {CPG_ZCB_OPTION_WAIT, dice_->Below(2)},  // not to spin for ever
      {CPG_ZCB_OPTION_SPIN_NS, dice_->Below(50'000)},
      {CPG_ZCB_OPTION_PARK, dice_->Below(2)},
      {CPG_ZCB_OPTION_EVICT_MS, dice_->OneIn(2) ? 0 : 1 + dice_->Below(50)},
      {CPG_ZCB_OPTION_SEND_TIME, dice_->Below(2)},
      {CPG_ZCB_OPTION_RETAIN_BYTES,
       dice_->OneIn(2) ? 0 : (16 << 20) + dice_->Below(16 << 20)},
  };
  const auto& [option, value] = all[dice_->Below(std::size(all))];
  // What the process keeps for the order's handles must not be refused.
  const std::uint64_t set = option == CPG_ZCB_OPTION_RETAIN_BYTES ? 0 : value;
  (void)Expect("cpg_zcb_option_set", cpg_zcb_option_set(handle_, option, set),
               {});
}

void Stray::JoinOrLeave() {
  if (!joined_) {
    group_ = dice_->Below(kGroups);
    const cpg_name name = NameOfGroup(group_);
    const cs_error_t error = cpg_join(handle_, &name);
    joined_ = error == CS_OK || error == CS_ERR_LIBRARY;
    (void)Expect("cpg_join", error,
                 {CS_ERR_EXIST, CS_ERR_TRY_AGAIN, CS_ERR_NO_RESOURCES});
    return;
  }
  if (!dice_->OneIn(4)) return;
  const cpg_name name = NameOfGroup(group_);
  (void)Expect("cpg_leave", cpg_leave(handle_, &name),
               {CS_ERR_NOT_EXIST, CS_ERR_TRY_AGAIN});
}

void Stray::Send() {
  if (!joined_) return;
  const std::size_t length = WireBytes() + dice_->Below(600);
  const order::Wire wire{{~0U, life_, sent_++}, {}};
  const auto refusals = {CS_ERR_TRY_AGAIN, CS_ERR_NOT_EXIST, CS_ERR_TIMEOUT,
                         CS_ERR_BUSY, CS_ERR_NO_MEMORY};
  if (dice_->OneIn(3)) {
    (void)Expect("cpg_zcb_wait",
                 cpg_zcb_wait(handle_, dice_->Below(2) * length,
                              static_cast<int>(dice_->Below(3))),
                 refusals);
  }
  if (!is_zcb_) {
    std::vector<std::byte> bytes(length);
    WriteWire(wire, bytes.data(), length);
    const iovec piece{bytes.data(), length};
    (void)Expect("cpg_mcast_joined",
                 cpg_mcast_joined(handle_, CPG_TYPE_AGREED, &piece, 1),
                 refusals);
    return;
  }
  if (dice_->OneIn(4)) {
    SendBatch();
    return;
  }
  void* buffer = nullptr;
  const std::size_t room = dice_->OneIn(64) ? dice_->Below(4 << 20) : 0;
  if (!Expect("cpg_zcb_alloc", cpg_zcb_alloc(handle_, length + room, &buffer),
              {CS_ERR_NO_MEMORY})) {
    return;
  }
  WriteWire(wire, static_cast<std::byte*>(buffer), length);
  if (Expect("cpg_zcb_mcast_timed",
             cpg_zcb_mcast_timed(handle_, CPG_TYPE_AGREED, buffer, length,
                                 static_cast<int>(dice_->Below(3))),
             refusals)) {
    return;
  }
  (void)Expect("cpg_zcb_free", cpg_zcb_free(handle_, buffer), {});
}

void Stray::SendBatch() {
  std::vector<iovec> messages;
  for (std::uint32_t n = 1 + dice_->Below(40); n > 0; --n) {
    iovec message{nullptr, WireBytes() + dice_->Below(600)};
    if (!Expect("cpg_zcb_alloc",
                cpg_zcb_alloc(handle_, message.iov_len, &message.iov_base),
                {CS_ERR_NO_MEMORY})) {
      break;
    }
    WriteWire({{~0U, life_, sent_++}, {}},
              static_cast<std::byte*>(message.iov_base), message.iov_len);
    messages.push_back(message);
  }
  unsigned int sent = 0;
  (void)Expect(
      "cpg_zcb_mcast_batch",
      cpg_zcb_mcast_batch(handle_, CPG_TYPE_AGREED, messages.data(),
                          static_cast<unsigned int>(messages.size()), &sent),
      {CS_ERR_TRY_AGAIN, CS_ERR_NOT_EXIST});
  for (std::size_t i = sent; i < messages.size(); ++i) {
    (void)Expect("cpg_zcb_free", cpg_zcb_free(handle_, messages[i].iov_base),
                 {});
  }
}

void Stray::Forward() {
  if (!joined_) return;
  const auto kept = kept_->TakeOut(dice_);
  if (!kept) return;
  (void)Expect("cpg_zcb_forward",
               cpg_zcb_forward(handle_, CPG_TYPE_AGREED, kept->bytes,
                               kept->length_bytes),
               {CS_ERR_TRY_AGAIN, CS_ERR_NOT_EXIST, CS_ERR_NO_MEMORY});
  LetGo(*kept);
}

void Stray::LetGo(const KeptMessage& message) {
  if (!ReadWire(message.bytes, message.length_bytes)) {
    journal_->Complain("life " + std::to_string(life_) +
                       ": a kept message has changed");
  }
  (void)Expect("cpg_zcb_release", cpg_zcb_release(message.bytes), {});
}

void Stray::Read() {
  if (!joined_) return;
  const int timeout_ms = static_cast<int>(dice_->Below(3));
  if (!is_zcb_ || dice_->OneIn(3)) {
    const bool all = dice_->OneIn(2);
    (void)Expect(
        "cpg_dispatch",
        all ? cpg_dispatch(handle_, CS_DISPATCH_ALL)
            : cpg_zcb_dispatch_timed(handle_, CS_DISPATCH_ONE, timeout_ms),
        {CS_ERR_TIMEOUT});
    return;
  }
  if (dice_->OneIn(3)) {
    ReadBatch();
    return;
  }
  for (std::uint32_t n = dice_->Below(20); n > 0; --n) {
    cpg_zcb_message message{};
    const cs_error_t error =
        dice_->OneIn(8) ? cpg_zcb_next_timed(handle_, &message, timeout_ms)
                        : cpg_zcb_next(handle_, &message);
    if (error == CS_ERR_NOT_EXIST) joined_ = false;  // its leave came
    if (!Expect("cpg_zcb_next", error,
                {CS_ERR_TRY_AGAIN, CS_ERR_TIMEOUT, CS_ERR_NOT_EXIST})) {
      return;
    }
    if (message.kind == CPG_ZCB_MESSAGE) Heard(message.data, message.length);
  }
}

void Stray::ReadBatch() {
  cpg_zcb_message messages[20];
  unsigned int count = 0;
  const cs_error_t error =
      cpg_zcb_next_batch(handle_, messages, 1 + dice_->Below(20), &count);
  if (error == CS_ERR_NOT_EXIST) joined_ = false;  // its leave came
  if (!Expect("cpg_zcb_next_batch", error,
              {CS_ERR_TRY_AGAIN, CS_ERR_NOT_EXIST})) {
    return;
  }
  for (unsigned int i = 0; i < count; ++i) {
    if (messages[i].kind != CPG_ZCB_MESSAGE) continue;
    Heard(messages[i].data, messages[i].length);
  }
}

void Stray::Poll(bool for_room) {
  pollfd entry{-1, POLLIN, 0};
  if (!Expect("a descriptor",
              for_room ? cpg_zcb_send_fd_get(handle_, &entry.fd)
                       : cpg_fd_get(handle_, &entry.fd),
              {})) {
    return;
  }
  (void)poll(&entry, 1, static_cast<int>(dice_->Below(3)));
}

void Stray::Heard(const void* bytes, std::size_t length_bytes) {
  if (!is_zcb_) {
    if (!ReadWire(bytes, length_bytes)) {
      journal_->Complain("life " + std::to_string(life_) +
                         ": a damaged copy of a message");
    }
    return;
  }
  if (dice_->OneIn(8)) {
    cpg_zcb_message message{};
    (void)Expect("cpg_zcb_describe", cpg_zcb_describe(handle_, bytes, &message),
                 {});
  }
  if (dice_->OneIn(4)) MaybeKeep(bytes, length_bytes);
}

// Kept, it can be looked at even if this handle is put out meanwhile.
void Stray::MaybeKeep(const void* bytes, std::size_t length_bytes) {
  if (!Expect("cpg_zcb_retain", cpg_zcb_retain(handle_, bytes), {})) return;
  const KeptMessage message{bytes, length_bytes};
  if (!ReadWire(bytes, length_bytes)) {
    journal_->Complain("life " + std::to_string(life_) +
                       ": a damaged message in place");
  }
  if (!kept_->Add(message)) LetGo(message);
}

}  // namespace zcb::storm
