#include "bench/tune/recorder.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>

#include "allocator/allocator.h"
#include "bench/clock.h"
#include "bench/failure.h"
#include "ipc/group_directory.h"
#include "ipc/ipc_options.h"
#include "ipc/message_header.h"
#include "ipc/message_place.h"
#include "ipc/ring.h"

namespace zcb::bench::tune {
namespace {

constexpr std::size_t kMostSizes = 32;

}  // namespace

Recorder::Recorder(std::shared_ptr<ipc::Attachment> attachment,
                   const std::string& group_name)
    : attachment_(std::move(attachment)),
      name_({group_name.data(), group_name.size()}) {
  const auto found = attachment_->directory().Find(name_);
  if (!found) Fail("the group '{}': {}", group_name, found.reason());
  if (!*found) Fail("no group '{}' in this region", group_name);
  group_ = **found;
  const auto stats = attachment_->StatsOf(name_);
  if (!stats) Fail("the group '{}': {}", group_name, stats.reason());
  first_ = last_ = stats->ordered;
}

void Recorder::Look() {
  const auto stats = attachment_->StatsOf(name_);
  if (!stats) Fail("the group: {}", stats.reason());
  members_ = std::max(members_, stats->members);
  // acquire <- ring.reclaim: what lies below is done with
  const std::uint64_t reclaimed =
      group_.header().reclaimed.load(std::memory_order_acquire);
  const std::uint64_t begin = std::max(last_, reclaimed);
  const std::uint64_t end = std::max(last_, stats->ordered);
  last_ = end;
  if (begin >= end) return;
  // Evenly, so that it does not matter where in a burst we look.
  const std::uint64_t step = (end - begin + kMostPerLook - 1) / kMostPerLook;
  for (std::uint64_t position = begin; position < end; position += step) {
    Sample(position);
  }
}

void Recorder::Sample(std::uint64_t position) {
  ipc::SlotWord slot;
  if (ReadSlot(group_, position, &slot) != ipc::RingAnswer::kOk ||
      slot.is_control()) {
    return;
  }
  const alloc::Allocator& allocator = attachment_->allocator();
  const auto message = ipc::MessagePlace::Of(allocator, slot.ref());
  if (!message) return;
  ipc::MessageHeader header;
  std::memcpy(&header, message->Header(allocator, attachment_->geometry()),
              sizeof(header));
  if (header.magic != ipc::MessageHeader::kMagic ||
      header.position != position || header.group_slot != group_.group_slot() ||
      header.length_bytes > message->payload_bytes()) {
    return;  // used anew meanwhile
  }
  ++sampled_;
  ++sizes_[header.length_bytes];
  senders_.emplace(header.node_id, header.pid);
}

Workload Recorder::ToWorkload(double seconds) const {
  if (sampled_ == 0) {
    Fail("of {} messages none was seen in time; record for longer", ordered());
  }
  Workload workload;
  for (const auto& [length, count] : sizes_) {
    workload.sizes.push_back(
        {std::max<std::uint64_t>(length, 1), static_cast<double>(count)});
  }
  workload.sizes = Condense(std::move(workload.sizes), kMostSizes);
  workload.rate_per_s = static_cast<double>(ordered()) / seconds;
  workload.senders = static_cast<unsigned>(senders_.size());
  // Who did not send while we looked; at least one, or nothing can be measured.
  workload.receivers = static_cast<unsigned>(
      members_ > senders_.size() ? members_ - senders_.size() : 1);
  return workload;
}

Workload Record(const std::string& group_name, double seconds) {
  const auto options = ipc::IpcOptions::FromEnvironment();
  if (!options) Fail("{}", options.reason());
  auto attachment = ipc::Attachment::Open(*options);
  if (!attachment) Fail("{}", attachment.reason());
  Recorder recorder(std::move(*attachment), group_name);
  std::mt19937 random(std::random_device{}());
  // Not always at the same moment of what the group does periodically.
  std::uniform_int_distribution<long> pause_ns(500'000, 1'500'000);
  const std::uint64_t start = MonotonicNs();
  const auto end = start + static_cast<std::uint64_t>(seconds * 1e9);
  while (MonotonicNs() < end) {
    const timespec pause{0, pause_ns(random)};
    nanosleep(&pause, nullptr);
    recorder.Look();
  }
  Workload workload =
      recorder.ToWorkload(static_cast<double>(MonotonicNs() - start) / 1e9);
  fmt::print(
      stderr,
      "tune: {} messages in {:.1f} s, {} of them looked at; {} members\n",
      recorder.ordered(), seconds, recorder.sampled(), recorder.members());
  return workload;
}

}  // namespace zcb::bench::tune
