#include "tests/hostile/memory_victim.h"

namespace zcb::hostile {

void MemoryVictim::Open() {
  caller_.Do("zcb_allocator_open", [&] {
    struct zcb_options options{};
    options.size = sizeof options;
    options.name = "allocator";
    if (dice_.OneIn(4)) options.poison = ZCB_YES;
    if (dice_.OneIn(4)) options.idle_bytes = 1 << 20;
    return zcb_allocator_open(&options, &allocator_);
  });
}

std::size_t MemoryVictim::SomeBuffer() {
  return dice_.Below(static_cast<std::uint32_t>(buffers_.size()));
}

void MemoryVictim::Forget(std::size_t which) {
  buffers_[which] = buffers_.back();
  buffers_.pop_back();
}

void MemoryVictim::Alloc() {
  if (buffers_.size() >= kMostBuffers) return;
  std::size_t bytes = dice_.Below(2'000);
  if (dice_.OneIn(4)) bytes = dice_.Below(200'000);
  if (dice_.OneIn(12)) bytes = dice_.Below(3 << 20);
  void* buffer = nullptr;
  const bool has = caller_.Do("zcb_alloc", [&] {
    return dice_.OneIn(6)
               ? zcb_alloc_aligned(allocator_, bytes,
                                   std::size_t{64} << dice_.Below(16), &buffer)
               : zcb_alloc(allocator_, bytes, &buffer);
  });
  if (!has) return;
  Caller::Write(buffer, bytes);
  buffers_.push_back(buffer);
}

void MemoryVictim::Free() {
  if (buffers_.empty()) return;
  const std::size_t which = SomeBuffer();
  BeginCall("zcb_usable_size");
  Caller::Write(buffers_[which], zcb_usable_size(allocator_, buffers_[which]));
  caller_.Do("zcb_free", [&] { return zcb_free(allocator_, buffers_[which]); });
  Forget(which);
}

void MemoryVictim::Give() {
  if (buffers_.empty()) return;
  const std::size_t which = SomeBuffer();
  zcb_ticket ticket = 0;
  if (!caller_.Do("zcb_give", [&] {
        return zcb_give(allocator_, buffers_[which], &ticket);
      })) {
    return;
  }
  Forget(which);
  caller_.stage().tickets[dice_.Below(Stage::kTickets)].store(
      ticket, std::memory_order_relaxed);
}

void MemoryVictim::Take() {
  zcb_ticket ticket =
      caller_.stage().tickets[dice_.Below(Stage::kTickets)].load(
          std::memory_order_relaxed);
  if (dice_.OneIn(16)) ticket ^= std::uint64_t{1} << dice_.Below(64);
  if (dice_.OneIn(64)) ticket = dice_.Next();
  void* buffer = nullptr;
  if (!caller_.Do("zcb_take",
                  [&] { return zcb_take(allocator_, ticket, &buffer); })) {
    return;
  }
  const std::size_t bytes = zcb_usable_size(allocator_, buffer);
  caller_.Read(buffer, bytes);
  Caller::Write(buffer, bytes);
  if (buffers_.size() < kMostBuffers) {
    buffers_.push_back(buffer);
  } else {
    caller_.Do("zcb_free", [&] { return zcb_free(allocator_, buffer); });
  }
}

void MemoryVictim::Care() {
  switch (dice_.Below(5)) {
    case 0:
      caller_.Do("zcb_collect", [&] { return zcb_collect(allocator_); });
      return;
    case 1: {
      std::uint32_t count = 0;
      caller_.Do("zcb_reap_dead",
                 [&] { return zcb_reap_dead(allocator_, &count); });
      return;
    }
    case 2:
      caller_.Do("zcb_trim", [&] {
        return zcb_trim(allocator_, dice_.OneIn(2) ? 0 : 1 << 20, nullptr);
      });
      return;
    case 3:
      caller_.Do("zcb_prefault", [&] {
        std::uint64_t done_bytes = 0;
        return zcb_prefault(allocator_, 1 << 20, &done_bytes);
      });
      return;
    default:
      caller_.Do("zcb_allocator_close", [&] {
        const zcb_status closed = zcb_allocator_close(allocator_);
        allocator_ = nullptr;
        return closed;
      });
      buffers_.clear();
  }
}

void MemoryVictim::Look() {
  if (dice_.OneIn(2)) {
    struct zcb_allocator_stats stats{};
    stats.size = sizeof stats;
    caller_.Do("zcb_stats", [&] { return zcb_stats(allocator_, &stats); });
    return;
  }
  struct zcb_audit_report report{};
  report.size = sizeof report;
  caller_.Do("zcb_audit", [&] { return zcb_audit(allocator_, &report); });
}

void MemoryVictim::Step() {
  if (allocator_ == nullptr) return Open();
  switch (dice_.Below(24)) {
    case 0:
      return Care();
    case 1:
      return dice_.OneIn(3) ? Look() : Care();
    case 2:
      if (!buffers_.empty()) {
        zcb_ref ref = 0;
        void* const buffer = buffers_[SomeBuffer()];
        if (caller_.Do("zcb_ref_of",
                       [&] { return zcb_ref_of(allocator_, buffer, &ref); })) {
          void* again = nullptr;
          caller_.Do("zcb_ptr_of",
                     [&] { return zcb_ptr_of(allocator_, ref, &again); });
        }
      }
      return;
    case 3:
    case 4:
    case 5:
      return Give();
    case 6:
    case 7:
    case 8:
      return Take();
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
      return Free();
    default:
      return Alloc();
  }
}

void MemoryVictim::End() {
  if (allocator_ == nullptr) return;
  while (!buffers_.empty()) Free();
  caller_.Do("zcb_allocator_close",
             [&] { return zcb_allocator_close(allocator_); });
  allocator_ = nullptr;
}

bool MemoryVictim::Allocates() {
  Open();
  if (allocator_ == nullptr) return false;
  for (const std::size_t bytes : {100U, 10'000U, 700'000U}) {
    void* buffer = nullptr;
    if (!caller_.Do("zcb_alloc",
                    [&] { return zcb_alloc(allocator_, bytes, &buffer); })) {
      return false;
    }
    Caller::Write(buffer, bytes);
    if (!caller_.Do("zcb_free", [&] { return zcb_free(allocator_, buffer); })) {
      return false;
    }
  }
  End();
  return true;
}

}  // namespace zcb::hostile
