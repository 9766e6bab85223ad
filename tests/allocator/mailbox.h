// A toy of a message layer: enough to send buffers from process to process and
// to answer a reaper.
#ifndef ZCB_TESTS_ALLOCATOR_MAILBOX_H_
#define ZCB_TESTS_ALLOCATOR_MAILBOX_H_

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>

#include "allocator/allocator.h"
#include "allocator/buffer_ticket.h"
#include "allocator/region.h"
#include "tests/allocator/audit_testing.h"

namespace zcb::alloc::testing {

// A slot holds {buffer generation, line + 1}, or 0. Beside the slots lie the
// leases of the workers, and places for tickets. All in the region's client
// area.
class Mailbox {
 public:
  static constexpr std::uint32_t kSlots = 256;
  explicit Mailbox(Region& region)
      : slots_(region.meta<std::atomic<std::uint64_t>>(
            region.geometry().client_offset)) {
    EXPECT_TRUE(
        region.CommitMeta(region.geometry().client_offset, 2 * (kSlots + 8) * 8)
            .ok());
  }
  std::atomic<std::uint64_t>& slot(std::uint32_t i) { return slots_[i]; }
  std::atomic<std::uint64_t>& lease_of(int worker) {
    return slots_[kSlots + static_cast<std::uint32_t>(worker)];
  }
  // A buffer ticket, or 0.
  std::atomic<std::uint64_t>& ticket(std::uint32_t i) {
    return slots_[kSlots + 8 + i];
  }
  // Our lease, as worker so and so. Like every layer that sends it says that
  // it must be asked when we are reaped.
  void Announce(int worker, Region& own) {
    const LeaseId lease = own.lease();
    own.lease_record(lease.slot)
        .uses_client.store(1, std::memory_order_relaxed);
    lease_of(worker).store(std::uint64_t{lease.generation} << 16 | lease.slot);
  }
  LeaseId LeaseOf(int worker) {
    const std::uint64_t lease = lease_of(worker).load();
    return {static_cast<std::uint16_t>(lease & 0xffff),
            static_cast<std::uint32_t>(lease >> 16)};
  }
  static std::uint64_t Value(BufferRef ref, BufferWord word) {
    return word.generation() << 32 | (ref.line() + 1);
  }
  // Everything that is out is in a slot, and nobody waits for repair.
  void ExpectClean(Region& region) {
    AuditOptions options;
    options.context = this;
    options.is_published = &Holds;
    options.group_count = 1;
    testing::ExpectClean(region, options);
  }
  static bool Holds(void* self, BufferRef ref, BufferWord word) {
    return static_cast<Mailbox*>(self)
               ->slot(word.sequence_low() % kSlots)
               .load(std::memory_order_acquire) == Value(ref, word);
  }

  // Leaves the buffer with the caller when the slot is taken.
  static bool Send(Mailbox& box, Allocator& allocator, BufferRef ref,
                   std::uint32_t at) {
    const auto place = allocator.BeginSend(ref);
    if (!place) return false;
    const BufferWord word =
        BufferWord(place->word->load(std::memory_order_relaxed)).Send(0, at);
    std::uint64_t payload = 0;
    std::memcpy(&payload, allocator.Pointer(ref), sizeof payload);
    const std::uint64_t stamp = Value(ref, word);
    std::memcpy(allocator.Pointer(ref), &stamp, sizeof stamp);
    place->word->store(word.raw(), std::memory_order_release);
    allocator.CommitSend(*place);
    std::uint64_t empty = 0;
    if (box.slot(at).compare_exchange_strong(empty, Value(ref, word))) {
      return true;
    }
    std::memcpy(allocator.Pointer(ref), &payload, sizeof payload);
    allocator.CancelSend(*place);
    return false;
  }

  // Word first, slot last: whoever is killed in between, the next one goes on.
  static void Receive(Mailbox& box, Allocator& allocator, std::uint32_t at) {
    std::uint64_t value = box.slot(at).load(std::memory_order_acquire);
    if (value == 0) return;
    const BufferRef ref(static_cast<std::uint32_t>(value) - 1);
    if (const auto place = allocator.Locate(ref)) {
      std::uint64_t raw = place->word->load(std::memory_order_acquire);
      const BufferWord word(raw);
      std::uint64_t stamp = 0;
      std::memcpy(&stamp, allocator.Pointer(ref), sizeof stamp);
      if (word.IsSentAs(0, at) && Value(ref, word) == value &&
          place->word->compare_exchange_strong(raw, word.Free().raw())) {
        EXPECT_EQ(stamp, value) << "written to while it was out";
        allocator.ComeBack(*place);
      }
    }
    box.slot(at).compare_exchange_strong(value, 0);
  }

  // Leaves the buffer with the caller when the place is taken.
  static bool Give(Mailbox& box, Allocator& allocator, BufferRef ref,
                   std::uint32_t at) {
    const auto ticket = allocator.Give(ref);
    EXPECT_TRUE(ticket.ok()) << ticket.reason();
    if (!ticket) return true;
    std::uint64_t empty = 0;
    if (box.ticket(at).compare_exchange_strong(empty, ticket->raw())) {
      return true;
    }
    const auto back = allocator.Take(*ticket);
    EXPECT_TRUE(back.ok()) << back.reason();
    return !back.ok();
  }
  // Who dies in between leaves the buffer with its giver.
  static std::optional<BufferRef> Take(Mailbox& box, Allocator& allocator,
                                       std::uint32_t at) {
    const std::uint64_t raw = box.ticket(at).exchange(0);
    if (raw == 0) return std::nullopt;
    const auto taken = allocator.Take(BufferTicket(raw));
    // Its giver may have died, or ended.
    EXPECT_TRUE(taken.ok() || taken.status() == Status::kNotExist)
        << taken.reason();
    return taken ? std::optional(*taken) : std::nullopt;
  }

 private:
  std::atomic<std::uint64_t>* slots_;
};

}  // namespace zcb::alloc::testing

#endif  // ZCB_TESTS_ALLOCATOR_MAILBOX_H_
