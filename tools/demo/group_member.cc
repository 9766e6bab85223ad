#include "tools/demo/group_member.h"

#include <poll.h>
#include <sched.h>
#include <time.h>

#include <algorithm>

#include "tools/demo/chunk.h"
#include "tools/demo/failure.h"

namespace zcb::demo {
namespace {

constexpr std::uint64_t kForever = UINT64_MAX;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

void Must(cs_error_t error, const char* call) {
  if (error != CS_OK) Fail("{}: error {}", call, static_cast<int>(error));
}

}  // namespace

GroupMember::GroupMember(const std::string& group, bool spins) {
  cs_error_t error = CS_ERR_TRY_AGAIN;
  while (error == CS_ERR_TRY_AGAIN) {
    error = cpg_model_initialize(&handle_, CPG_MODEL_ZCB, nullptr, nullptr);
  }
  Must(error, "cpg_model_initialize");
  group_.length = static_cast<std::uint32_t>(
      group.copy(group_.value, sizeof(group_.value)));
  Must(cpg_join(handle_, &group_), "cpg_join");
  if (!spins) Must(cpg_fd_get(handle_, &descriptor_), "cpg_fd_get");
}

GroupMember::~GroupMember() { cpg_finalize(handle_); }

GroupMember::Found GroupMember::TakeNext(cpg_zcb_message* event) {
  const cs_error_t error = cpg_zcb_next(handle_, event);
  if (error == CS_ERR_TRY_AGAIN) return Found::kNothing;
  if (error == CS_ERR_NOT_EXIST) {
    left_ = true;
    return Found::kNothing;
  }
  Must(error, "cpg_zcb_next");
  if (event->kind == CPG_ZCB_MESSAGE) {
    ++messages_;
    return Found::kMessage;
  }
  views_.push_back({.pid = event->pid,
                    .reason = event->reason,
                    .member_count = event->length / sizeof(cpg_address),
                    .after_messages = messages_});
  return Found::kView;
}

void GroupMember::Rest(std::uint64_t time_ns) {
  if (descriptor_ < 0) return;
  pollfd bell{descriptor_, POLLIN, 0};
  const std::uint64_t now_ns = NowNs();
  if (time_ns == kForever) {
    poll(&bell, 1, -1);
  } else if (now_ns < time_ns) {
    const std::uint64_t left_ns = time_ns - now_ns;
    const timespec limit{static_cast<time_t>(left_ns / kNsPerSecond),
                         static_cast<long>(left_ns % kNsPerSecond)};
    ppoll(&bell, 1, &limit, nullptr);
  }
}

bool GroupMember::Take(cpg_zcb_message* message) {
  Found found = Found::kView;
  while (found == Found::kView) found = TakeNext(message);
  return found == Found::kMessage;
}

void GroupMember::WaitForMessage(cpg_zcb_message* message) {
  while (!Take(message)) {
    if (left_) Fail("out of the group in the middle of the stream");
    Rest(kForever);
  }
}

void GroupMember::WaitUntil(std::uint64_t time_ns) {
  cpg_zcb_message own;
  while (NowNs() < time_ns) {
    if (!Take(&own)) Rest(time_ns);
  }
}

void GroupMember::WaitForMembers(std::size_t count) {
  cpg_zcb_message ignored;
  while (views_.empty() || views_.back().member_count < count) {
    if (TakeNext(&ignored) == Found::kNothing) Rest(kForever);
  }
}

void GroupMember::WaitForProcessDown() {
  const auto is_down = [](const ViewSeen& view) {
    return view.reason == CPG_REASON_PROCDOWN;
  };
  cpg_zcb_message ignored;
  while (std::none_of(views_.begin(), views_.end(), is_down)) {
    if (TakeNext(&ignored) == Found::kNothing) Rest(kForever);
  }
}

void* GroupMember::Alloc(std::size_t bytes) {
  void* buffer = nullptr;
  const cs_error_t error = cpg_zcb_alloc(handle_, bytes, &buffer);
  if (error == CS_ERR_NO_MEMORY) return nullptr;
  Must(error, "cpg_zcb_alloc");
  return buffer;
}

bool GroupMember::Send(void* buffer, std::size_t length_bytes) {
  const cs_error_t error =
      cpg_zcb_mcast_joined(handle_, CPG_TYPE_AGREED, buffer, length_bytes);
  if (error == CS_ERR_TRY_AGAIN) return false;
  Must(error, "cpg_zcb_mcast_joined");
  return true;
}

void GroupMember::Leave(Report* report) {
  Must(cpg_leave(handle_, &group_), "cpg_leave");
  cpg_zcb_message ignored;
  while (!left_) {
    if (TakeNext(&ignored) == Found::kNothing && !left_) Rest(kForever);
  }
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  Must(cpg_zcb_region_info(handle_, &info), "cpg_zcb_region_info");
  report->live_buffers = info.live_buffers;
  report->kept_messages = info.kept_messages;
}

}  // namespace zcb::demo
