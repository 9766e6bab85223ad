#include "tests/storm/pool_user.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>

namespace zcb::storm {
namespace {

constexpr std::size_t kMostHeld = 24;

// What is in a buffer that somebody has, at both of its ends.
struct Stamp {
  std::uint64_t value;
  std::uint64_t bytes;
};

void Write(void* buffer, std::uint64_t bytes, std::uint64_t value) {
  const Stamp stamp{value, bytes};
  auto* const at = static_cast<std::byte*>(buffer);
  std::memcpy(at, &stamp, sizeof(stamp));
  std::memcpy(at + bytes - sizeof(stamp), &stamp, sizeof(stamp));
}

bool IsThere(const void* buffer, std::uint64_t bytes, std::uint64_t value) {
  const auto* const at = static_cast<const std::byte*>(buffer);
  Stamp head;
  Stamp tail;
  std::memcpy(&head, at, sizeof(head));
  std::memcpy(&tail, at + bytes - sizeof(tail), sizeof(tail));
  return head.value == value && head.bytes == bytes && tail.value == value &&
         tail.bytes == bytes;
}

std::uint64_t RollBytes(order::Dice* dice) {
  const std::uint32_t kind = dice->Below(64);
  const std::uint32_t extra = kind == 0  ? dice->Below(3 << 19)
                              : kind < 8 ? dice->Below(60'000)
                                         : dice->Below(1'000);
  return 2 * sizeof(Stamp) + extra;
}

}  // namespace

zcb_options PoolOptions(std::uint64_t region_bytes) {
  zcb_options options{};
  options.size = sizeof(options);
  options.name = "pool";
  options.region_bytes = region_bytes;
  return options;
}

PoolUser::PoolUser(Board* board, order::Journal* journal, std::uint32_t life)
    : board_(board), journal_(journal), life_(life) {}

void PoolUser::Expect(const char* call, zcb_status status,
                      std::initializer_list<zcb_status> allowed) {
  if (status == ZCB_OK || std::ranges::count(allowed, status) != 0) return;
  journal_->Complain("life " + std::to_string(life_) + ": " + call + ": " +
                     zcb_status_text(status) + ", " + zcb_last_reason());
}

void PoolUser::Step(order::Dice* dice) {
  if (dice->OneIn(64)) {
    Close(dice->OneIn(2));
    return;
  }
  Open(dice);
  const std::shared_lock lock(open_mutex_);
  if (allocator_ == nullptr) return;
  for (std::uint32_t n = 1 + dice->Below(6); n > 0; --n) {
    const std::uint32_t kind = dice->Below(64);
    if (kind < 30) {
      Alloc(dice);
    } else if (kind < 44) {
      Free(TakeOut(dice));
    } else if (kind < 62) {
      Give(dice);
    } else {
      Care(dice);
    }
  }
}

void PoolUser::Open(order::Dice* dice) {
  const std::unique_lock lock(open_mutex_);
  if (allocator_ != nullptr) return;
  zcb_options options = PoolOptions(32 << 20);
  if (dice->OneIn(2)) options.idle_bytes = 1 << 20;
  Expect("zcb_allocator_open", zcb_allocator_open(&options, &allocator_),
         {ZCB_TRY_AGAIN});
}

void PoolUser::Close(bool cleanly) {
  const std::unique_lock lock(open_mutex_);
  if (allocator_ == nullptr) return;
  for (const Held& held : std::exchange(held_, {})) {
    Check(held);
    if (cleanly) {
      Expect("zcb_free", zcb_free(allocator_, held.buffer), {});
    }
  }
  Expect("zcb_allocator_close",
         zcb_allocator_close(std::exchange(allocator_, nullptr)), {});
}

void PoolUser::Alloc(order::Dice* dice) {
  const std::uint64_t bytes = RollBytes(dice);
  void* buffer = nullptr;
  const zcb_status status =
      dice->OneIn(8) ? zcb_alloc_aligned(allocator_, bytes,
                                         64U << dice->Below(12), &buffer)
                     : zcb_alloc(allocator_, bytes, &buffer);
  Expect("zcb_alloc", status, {ZCB_NO_MEMORY});
  if (status != ZCB_OK) {
    Free(TakeOut(dice));
    return;
  }
  Keep(buffer, bytes);
}

void PoolUser::Keep(void* buffer, std::uint64_t bytes) {
  Held victim;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t stamp =
        (std::uint64_t{life_} << 40) | (next_stamp_++ << 1) | 1;
    Write(buffer, bytes, stamp);
    held_.push_back({buffer, bytes, stamp});
    if (held_.size() > kMostHeld) {
      victim = held_.front();
      held_.erase(held_.begin());
    }
  }
  Free(victim);
}

PoolUser::Held PoolUser::TakeOut(order::Dice* dice) {
  const std::lock_guard lock(mutex_);
  if (held_.empty()) return {};
  std::swap(held_[dice->Below(static_cast<std::uint32_t>(held_.size()))],
            held_.back());
  const Held held = held_.back();
  held_.pop_back();
  return held;
}

void PoolUser::Check(const Held& held) {
  if (!IsThere(held.buffer, held.bytes, held.stamp)) {
    journal_->Complain("life " + std::to_string(life_) +
                       ": a buffer of the pool was written by another");
  }
}

void PoolUser::Free(const Held& held) {
  if (held.buffer == nullptr) return;
  Check(held);
  Expect("zcb_free", zcb_free(allocator_, held.buffer), {});
}

void PoolUser::Give(order::Dice* dice) {
  const Held held = TakeOut(dice);
  if (held.buffer == nullptr) return;
  Check(held);
  // For the one who takes it: on its way it is nobody's.
  Write(held.buffer, held.bytes, 0);
  zcb_ticket ticket = 0;
  const zcb_status status = zcb_give(allocator_, held.buffer, &ticket);
  Expect("zcb_give", status, {});
  if (status != ZCB_OK) return;
  const auto box = [&]() -> std::atomic<std::uint64_t>& {
    return board_->Box(dice->Below(Board::kBoxes));
  };
  // acq_rel <-> storm.box: the bytes; one of them for each who finds it
  const std::uint64_t other = box().exchange(ticket, std::memory_order_acq_rel);
  // A copy of it: whoever comes second gets nothing.
  // acq_rel <-> storm.box: as above
  const std::uint64_t another =
      dice->OneIn(8) ? box().exchange(ticket, std::memory_order_acq_rel) : 0;
  Take(other);
  Take(another);
}

void PoolUser::Take(std::uint64_t ticket) {
  if (ticket == 0) return;
  void* buffer = nullptr;
  const zcb_status status = zcb_take(allocator_, ticket, &buffer);
  // A ticket of a pool that was removed since may name no place of this one.
  Expect("zcb_take", status, {ZCB_NOT_EXIST, ZCB_NO_MEMORY, ZCB_INVALID_PARAM});
  if (status != ZCB_OK) return;
  Stamp head;
  std::memcpy(&head, buffer, sizeof(head));
  const std::size_t usable = zcb_usable_size(allocator_, buffer);
  if (head.bytes < 2 * sizeof(Stamp) || head.bytes > usable ||
      !IsThere(buffer, head.bytes, 0)) {
    journal_->Complain("life " + std::to_string(life_) +
                       ": a taken buffer is not as it was given");
    return;
  }
  Keep(buffer, head.bytes);
}

void PoolUser::Care(order::Dice* dice) {
  std::uint64_t bytes = 0;
  switch (dice->Below(16)) {
    case 0:
      Expect("zcb_reap_dead", zcb_reap_dead(allocator_, nullptr), {});
      break;
    case 1:
      Expect("zcb_trim", zcb_trim(allocator_, dice->Below(8 << 20), &bytes),
             {});
      break;
    case 2:
      Expect("zcb_prefault",
             zcb_prefault(allocator_, dice->Below(2 << 20), &bytes),
             {ZCB_NO_MEMORY});
      break;
    case 3:
      Audit();
      break;
    case 4: {
      zcb_allocator_stats stats{};
      stats.size = sizeof(stats);
      Expect("zcb_stats", zcb_stats(allocator_, &stats), {});
      break;
    }
    default:
      Expect("zcb_collect", zcb_collect(allocator_), {});
      break;
  }
}

void PoolUser::Audit() {
  zcb_audit_report report{};
  report.size = sizeof(report);
  const zcb_status status = zcb_audit(allocator_, &report);
  Expect("zcb_audit", status, {ZCB_NO_MEMORY});
  if (status == ZCB_OK && report.damage_count != 0) {
    journal_->Complain(std::string("damage in the living pool: ") +
                       report.first_finding + ", at " +
                       std::to_string(report.first_index));
  }
}

}  // namespace zcb::storm
