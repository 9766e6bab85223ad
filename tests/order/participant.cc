// Joining, sending and leaving; what is heard is in participant_hears.cc.
#include "tests/order/participant.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <tuple>
#include <utility>

namespace zcb::order {
namespace {

constexpr int kFailed = 4;  // an exit code

// Mostly short, some of several lines, few of many pages.
std::size_t RollLength(Dice* dice) {
  const std::uint32_t kind = dice->Below(256);
  const std::uint32_t extra = kind == 0   ? dice->Below(200'000)
                              : kind < 16 ? dice->Below(8'000)
                                          : dice->Below(200);
  return WireBytes() + extra;
}

std::optional<MessageId> RollMention(std::uint32_t own_group,
                                     const Sightings& sightings, Dice* dice) {
  std::vector<MessageId> others;
  for (const auto& [group, id] : sightings) {
    if (group != own_group) others.push_back(id);
  }
  if (others.empty() || dice->OneIn(4)) return std::nullopt;
  return others[dice->Below(static_cast<std::uint32_t>(others.size()))];
}

}  // namespace

cpg_name GroupName(std::uint32_t group) {
  const std::string text = "order-" + std::to_string(group);
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(text.size());
  text.copy(name.value, sizeof(name.value));
  return name;
}

Participant::Participant(Journal* journal, Mode mode, Sightings* sightings,
                         Listener* listener)
    : journal_(journal),
      mode_(mode),
      sightings_(sightings),
      listener_(listener) {
  self_.pid = static_cast<std::uint32_t>(getpid());
  Initialize();
}

Participant::~Participant() {
  Finalize();
  ReleaseKept();  // kept messages outlive their handle
}

void Participant::Fail(const char* call, cs_error_t error) const {
  journal_->Complain("process " + std::to_string(self_.pid) + ": " + call +
                     " returned " + std::to_string(error));
  _exit(kFailed);
}

// --- membership --------------------------------------------------------------

bool Participant::Join(std::uint32_t group) {
  const std::unique_lock lock(mutex_);
  outside_.reset();
  const cpg_name name = GroupName(group);
  entry_ = journal_->Begin(group, self_);
  view_size_ = 0;
  leaving_ = false;
  const cs_error_t error = cpg_join(handle_, &name);
  entry_->JoinReturned(error == CS_OK);
  if (error == CS_OK) {
    outside_ = *entry_;
    outside_handle_ = handle_;
    return true;
  }
  entry_.reset();
  // The process's last membership in it may not be over.
  if (error != CS_ERR_EXIST && error != CS_ERR_TRY_AGAIN) {
    Fail("cpg_join", error);
  }
  return false;
}

bool Participant::Leave() {
  const cpg_name name = GroupName(group());
  entry_->LeaveCalled();
  const cs_error_t error = cpg_leave(handle_, &name);
  entry_->LeaveReturned(error == CS_OK);
  leaving_ = error == CS_OK;
  if (error != CS_OK && error != CS_ERR_TRY_AGAIN) Fail("cpg_leave", error);
  return leaving_;
}

void Participant::Finalize() {
  if (handle_ == 0) return;
  const cs_error_t error = cpg_finalize(std::exchange(handle_, 0));
  if (error != CS_OK) Fail("cpg_finalize", error);
  entry_.reset();
  leaving_ = own_leave_read_ = false;
}

void Participant::Reopen(Mode mode) {
  const std::unique_lock lock(mutex_);
  outside_.reset();
  mode_ = mode;
  Initialize();
}

// --- sending -----------------------------------------------------------------

Participant::Sent Participant::Send(Dice* dice) {
  return SendOn(handle_, &*entry_, 0, dice, sightings_);
}

Participant::Sent Participant::SendFromOutside(Dice* dice,
                                               Sightings* sightings) {
  const std::shared_lock lock(mutex_);
  if (!outside_) return Sent::kNoMember;
  return SendOn(outside_handle_, &*outside_, 1, dice, sightings);
}

Participant::Sent Participant::SendOn(cpg_handle_t handle, Entry* entry,
                                      std::uint32_t lane, Dice* dice,
                                      Sightings* sightings) {
  const std::uint32_t number = entry->SendCalled(lane);
  const Wire wire{{entry->number(), lane, number},
                  RollMention(entry->group(), *sightings, dice)};
  const cs_error_t error = SendBytes(handle, wire, RollLength(dice), dice);
  entry->SendReturned(lane, error == CS_OK);
  switch (error) {
    case CS_OK:
      if (listener_ != nullptr) listener_->Sent();
      (*sightings)[entry->group()] = wire.id;
      return Sent::kYes;
    case CS_ERR_TRY_AGAIN:
    case CS_ERR_NO_MEMORY:
      return Sent::kFull;
    case CS_ERR_NOT_EXIST:
    case CS_ERR_BAD_HANDLE:
      // It left, or was finalized, under our hands; or we are the owner, and
      // the leave was ours.
      if (lane == 0 && !leaving_) Fail("a send", error);
      return Sent::kNoMember;
    default:
      Fail("a send", error);
  }
}

cs_error_t Participant::SendBytes(cpg_handle_t handle, const Wire& wire,
                                  std::size_t length_bytes, Dice* dice) {
  if (mode_ != Mode::kV1 && !dice->OneIn(4)) {
    return SendInPlace(handle, wire, length_bytes);
  }
  std::vector<std::byte> bytes(length_bytes);
  WriteWire(wire, bytes.data(), length_bytes);
  if (mode_ == Mode::kV1 && dice->OneIn(4)) {
    return cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, bytes.data(),
                                length_bytes);
  }
  // In pieces, which may be empty.
  std::array<iovec, 3> pieces{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::size_t rest = length_bytes - at;
    const std::size_t part =
        i + 1 == pieces.size()
            ? rest
            : dice->Below(static_cast<std::uint32_t>(rest) + 1);
    pieces[i] = {bytes.data() + at, part};
    at += part;
  }
  return cpg_mcast_joined(handle, CPG_TYPE_AGREED, pieces.data(),
                          pieces.size());
}

cs_error_t Participant::SendInPlace(cpg_handle_t handle, const Wire& wire,
                                    std::size_t length_bytes) {
  void* buffer = nullptr;
  cs_error_t error = cpg_zcb_alloc(handle, length_bytes, &buffer);
  if (error != CS_OK) return error;
  WriteWire(wire, static_cast<std::byte*>(buffer), length_bytes);
  error = cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, length_bytes);
  // Not taken: still ours. A handle that was finalized meanwhile cannot give it
  // back, so it is the exit's.
  if (error != CS_OK) (void)cpg_zcb_free(handle, buffer);
  return error;
}

// --- kept messages -----------------------------------------------------------

void Participant::ReleaseKept() {
  for (const Kept& kept : std::exchange(kept_, {})) {
    if (!ReadWire(kept.bytes, kept.length_bytes)) {
      journal_->Complain("a kept message changed");
    }
    const cs_error_t error = cpg_zcb_release(kept.bytes);
    if (error != CS_OK) Fail("cpg_zcb_release", error);
  }
}

void Participant::ExpectNothingOut() {
  const cs_error_t collected = cpg_zcb_collect(handle_);
  if (collected != CS_OK) Fail("cpg_zcb_collect", collected);
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  const cs_error_t error = cpg_zcb_region_info(handle_, &info);
  if (error != CS_OK) Fail("cpg_zcb_region_info", error);
  for (const auto& [what, count, expected] :
       {std::tuple{"buffers out", info.out_buffers, std::uint64_t{0}},
        std::tuple{"live buffers", info.live_buffers, std::uint64_t{0}},
        std::tuple{"kept messages", info.kept_messages, std::uint64_t{0}},
        std::tuple{"processes", info.processes, std::uint64_t{1}}}) {
    if (count != expected) {
      journal_->Complain("at the end " + std::to_string(count) + " " + what);
    }
  }
}

}  // namespace zcb::order
