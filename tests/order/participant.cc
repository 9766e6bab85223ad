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

int RollWaitMs(Dice* dice) { return static_cast<int>(dice->Below(4)); }

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
  // A region that follows another one has groups of the same names.
  const std::string text = "order-" + std::to_string(group % kGroupsOfARegion);
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(text.size());
  text.copy(name.value, sizeof(name.value));
  return name;
}

Participant::Participant(Journal* journal, Mode mode, Sightings* sightings,
                         Listener* listener, const Habits& habits)
    : journal_(journal),
      mode_(mode),
      sightings_(sightings),
      listener_(listener),
      habits_(habits) {
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

bool Participant::MayBeEvicted() const {
  return entry_.has_value() && entry_->group() >= habits_.evicts_from;
}

bool Participant::IsEviction(cs_error_t error) const {
  return error == CS_ERR_LIBRARY && MayBeEvicted();
}

// --- membership --------------------------------------------------------------

bool Participant::Join(std::uint32_t group) {
  const std::unique_lock lock(mutex_);
  outside_.reset();
  const cpg_name name = GroupName(group);
  entry_ = journal_->Begin(group, self_);
  view_size_ = 0;
  leaving_ = false;
  if (MayBeEvicted()) entry_->MayBeEvicted();
  const std::uint64_t evict_ms = MayBeEvicted() ? habits_.evict_after_ms : 0;
  const cs_error_t set =
      cpg_zcb_option_set(handle_, CPG_ZCB_OPTION_EVICT_MS, evict_ms);
  if (set != CS_OK) Fail("cpg_zcb_option_set", set);
  const cs_error_t error = cpg_join(handle_, &name);
  if (IsEviction(error)) {  // while it joined: it was a member, or it was not
    evicted_ = true;
    return false;
  }
  entry_->JoinReturned(error == CS_OK);
  if (error == CS_OK) {
    outside_ = *entry_;
    outside_handle_ = handle_;
    return true;
  }
  entry_.reset();
  // The process's last membership in it may not be over.
  if (error != CS_ERR_EXIST && error != CS_ERR_TRY_AGAIN &&
      !(error == CS_ERR_NO_RESOURCES && habits_.is_crowded)) {
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
  if (IsEviction(error)) {
    evicted_ = true;
    return true;  // it has left, in a way
  }
  if (error != CS_OK && error != CS_ERR_TRY_AGAIN) Fail("cpg_leave", error);
  return leaving_;
}

void Participant::Finalize() {
  if (handle_ == 0) return;
  const cs_error_t error = cpg_finalize(std::exchange(handle_, 0));
  if (error != CS_OK) Fail("cpg_finalize", error);
  entry_.reset();
  leaving_ = own_leave_read_ = evicted_ = false;
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
  if (mode_ != Mode::kV1 && dice->OneIn(8)) {
    return SendBatchOn(handle, entry, lane, dice, sightings);
  }
  const std::uint32_t number = entry->SendCalled(lane);
  const Wire wire{{entry->number(), lane, number},
                  RollMention(entry->group(), *sightings, dice)};
  const cs_error_t error = SendBytes(handle, wire, RollLength(dice), dice);
  entry->SendReturned(lane, error == CS_OK ? 1 : 0);
  if (error == CS_OK) {
    if (listener_ != nullptr) listener_->Sent();
    (*sightings)[entry->group()] = wire.id;
  }
  return Judge(error, *entry, lane);
}

Participant::Sent Participant::SendBatchOn(cpg_handle_t handle, Entry* entry,
                                           std::uint32_t lane, Dice* dice,
                                           Sightings* sightings) {
  const std::uint32_t count = 2 + dice->Below(40);
  const std::uint32_t first = entry->SendCalled(lane, count);
  const auto mention = RollMention(entry->group(), *sightings, dice);
  std::vector<iovec> messages;
  cs_error_t error = CS_OK;
  while (messages.size() < count && error == CS_OK) {
    const auto number = first + static_cast<std::uint32_t>(messages.size());
    iovec message{nullptr, RollLength(dice)};
    error = cpg_zcb_alloc(handle, message.iov_len, &message.iov_base);
    if (error != CS_OK) break;
    WriteWire({{entry->number(), lane, number}, mention},
              static_cast<std::byte*>(message.iov_base), message.iov_len);
    messages.push_back(message);
  }
  unsigned int sent = 0;
  if (!messages.empty()) {
    const cs_error_t answer =
        cpg_zcb_mcast_batch(handle, CPG_TYPE_AGREED, messages.data(),
                            static_cast<unsigned int>(messages.size()), &sent);
    if ((answer == CS_OK) != (sent == messages.size())) {
      journal_->Complain("a batch that says one thing and counts another");
    }
    if (answer != CS_OK) error = answer;
  }
  // Those that were not taken are still ours.
  for (std::size_t i = sent; i < messages.size(); ++i) {
    (void)cpg_zcb_free(handle, messages[i].iov_base);
  }
  entry->SendReturned(lane, sent);
  for (unsigned int i = 0; i < sent; ++i) {
    if (listener_ != nullptr) listener_->Sent();
    (*sightings)[entry->group()] = {entry->number(), lane, first + i};
  }
  return Judge(error, *entry, lane);
}

Participant::Sent Participant::Judge(cs_error_t error, const Entry& entry,
                                     std::uint32_t lane) {
  switch (error) {
    case CS_OK:
      return Sent::kYes;
    case CS_ERR_TRY_AGAIN:
    case CS_ERR_NO_MEMORY:
    case CS_ERR_TIMEOUT:
    case CS_ERR_BUSY:
      return Sent::kFull;
    case CS_ERR_LIBRARY:
      if (entry.group() < habits_.evicts_from) Fail("a send", error);
      if (lane == 0) evicted_ = true;
      return Sent::kNoMember;
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
    return SendInPlace(handle, wire, length_bytes, dice);
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
  if (habits_.waits && dice->OneIn(16)) {
    return cpg_zcb_mcastv_timed(handle, CPG_TYPE_AGREED, pieces.data(),
                                pieces.size(), RollWaitMs(dice));
  }
  return cpg_mcast_joined(handle, CPG_TYPE_AGREED, pieces.data(),
                          pieces.size());
}

cs_error_t Participant::SendInPlace(cpg_handle_t handle, const Wire& wire,
                                    std::size_t length_bytes, Dice* dice) {
  void* buffer = nullptr;
  std::size_t buffer_bytes = length_bytes;
  if (habits_.large_one_in != 0 && dice->OneIn(habits_.large_one_in)) {
    buffer_bytes += dice->Below(3 << 20);  // an extent, as a rule
  }
  cs_error_t error =
      habits_.large_one_in != 0 && dice->OneIn(32)
          ? cpg_zcb_alloc_aligned(handle, buffer_bytes, 64U << dice->Below(12),
                                  &buffer)
          : cpg_zcb_alloc(handle, buffer_bytes, &buffer);
  if (error != CS_OK) return error;
  WriteWire(wire, static_cast<std::byte*>(buffer), length_bytes);
  error =
      habits_.waits && dice->OneIn(16)
          ? cpg_zcb_mcast_timed(handle, CPG_TYPE_AGREED, buffer, length_bytes,
                                RollWaitMs(dice))
          : cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, length_bytes);
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
