// What a group is in shared memory: header, entries (members), slots (ring).
#ifndef ZCB_IPC_GROUP_HEADER_H_
#define ZCB_IPC_GROUP_HEADER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/abi.h"

namespace zcb::ipc {

// word        written by            read by         edge
// tail        whoever helps it      senders,        ring.tail
//                                   joiners
// reclaimed   whoever reclaims      senders,        ring.reclaim
//                                   joiners
// sleep       sleepers, ringers     ringers         bell.sleep
// room        senders that wait     whoever reads   room.wait
//             for room, ringers     or reclaims
// evictions   who evicts            people          (a count)
// entry_high  joiners (grows only)  reclaimers,     member.claim
//                                   ringers
struct GroupHeader {
  alignas(alloc::kCacheLineBytes) std::atomic<std::uint64_t> tail;
  alignas(alloc::kCacheLineBytes) std::atomic<std::uint64_t> reclaimed;
  // Who sleeps and who waits for room: one line, hardly ever written.
  alignas(alloc::kCacheLineBytes) std::atomic<std::uint64_t> sleep;
  std::atomic<std::uint64_t> room;
  std::atomic<std::uint64_t> evictions;
  alignas(alloc::kCacheLineBytes) std::atomic<std::uint32_t> entry_high;
};
static_assert(sizeof(GroupHeader) == 4 * alloc::kCacheLineBytes);
static_assert(offsetof(GroupHeader, room) == 2 * alloc::kCacheLineBytes + 8);
static_assert(offsetof(GroupHeader, evictions) ==
              2 * alloc::kCacheLineBytes + 16);

// word        written by            read by         edge
// word        see EntryWord         everybody       member.claim
// join, leave see OrderWord         receivers,      member.apply
//                                   joiners
// node_id ... the joiner, after     receivers of    ring.publish (of the JOIN)
//             Joining               the JOIN
// sleep       see SleepWord         ringers         bell.sleep
// room        see SleepWord: its    ringers         room.wait
//             senders wait
// bell, room_bell   ringers (count) sleepers        bell.sleep, room.wait
// room_bell_number  the member: of  ringers         room.wait
//             a FIFO, + 1
// wants             the member: what  ringers       room.wait
//             its senders wait for
// cursor      the member alone      reclaimers      ring.consume
//
// Three lines, apart by who writes how often: hardly ever, per sleep, per
// message.
struct EntryState {
  alignas(alloc::kCacheLineBytes) std::atomic<std::uint64_t> word;
  std::atomic<std::uint64_t> join;
  std::atomic<std::uint64_t> leave;
  std::atomic<std::uint32_t> node_id;
  std::atomic<std::uint32_t> pid;
  std::atomic<std::uint32_t> bell_number;
  alignas(alloc::kCacheLineBytes) std::atomic<std::uint64_t> sleep;
  std::atomic<std::uint64_t> room;
  std::atomic<std::uint32_t> bell;       // a futex
  std::atomic<std::uint32_t> room_bell;  // a futex
  std::atomic<std::uint32_t> room_bell_number;
  static constexpr std::uint32_t kWantsRoom = 1;
  static constexpr std::uint32_t kWantsMemory = 2;
  std::atomic<std::uint32_t> wants;  // kWantsRoom, kWantsMemory
  alignas(alloc::kCacheLineBytes) std::atomic<std::uint64_t> cursor;
};
static_assert(sizeof(EntryState) == 3 * alloc::kCacheLineBytes);
static_assert(offsetof(EntryState, sleep) == alloc::kCacheLineBytes);
static_assert(offsetof(EntryState, room) == alloc::kCacheLineBytes + 8);
static_assert(offsetof(EntryState, bell) == alloc::kCacheLineBytes + 16);
static_assert(offsetof(EntryState, room_bell) == alloc::kCacheLineBytes + 20);
static_assert(offsetof(EntryState, room_bell_number) ==
              alloc::kCacheLineBytes + 24);
static_assert(offsetof(EntryState, wants) == alloc::kCacheLineBytes + 28);
static_assert(offsetof(EntryState, cursor) == 2 * alloc::kCacheLineBytes);

// What all groups of a region share.
//
// memory_wait  senders that wait for memory, ringers    whoever gives a buffer
//              (a GroupSleepWord; edge room.wait)       back
struct IpcHeader {
  alignas(alloc::kCacheLineBytes) std::atomic<std::uint64_t> memory_wait;
};
static_assert(sizeof(IpcHeader) == alloc::kCacheLineBytes);

// A name, prepared privately under a claim and immutable once the directory
// points at it.
//
// claim: 0 = free; otherwise KeepRecord-like {lease generation:32, slot + 1}
// of the process that prepares it, or kLinked.
struct NameRecord {
  static constexpr std::uint64_t kLinked = ~std::uint64_t{0};
  alignas(alloc::kCacheLineBytes) std::atomic<std::uint64_t> claim;
  std::uint32_t length;
  std::array<char, 128> bytes;
};
static_assert(sizeof(NameRecord) == 3 * alloc::kCacheLineBytes);

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace zcb::ipc

#endif  // ZCB_IPC_GROUP_HEADER_H_
