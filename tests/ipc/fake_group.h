// A group in plain memory: rings and member tables without a region.
#ifndef ZCB_TESTS_IPC_FAKE_GROUP_H_
#define ZCB_TESTS_IPC_FAKE_GROUP_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "ipc/group_view.h"
#include "ipc/ring.h"

namespace zcb::ipc::testing {

class FakeGroup {
 public:
  static constexpr std::uint32_t kEntries = 4;
  static constexpr std::uint32_t kSlots = 16;
  static constexpr std::uint32_t kSlot = 5;  // its number as a group

  GroupView view() {
    return GroupView(&header_, entries_.data(), slots_.data(), kSlot, kEntries,
                     kSlots);
  }
  // Publishes a message that names `line`; its position.
  std::uint64_t PublishMessage(std::uint32_t line) {
    RingPlace place;
    if (FindPlace(view(), kSlots, &place) != RingAnswer::kOk) return kNowhere;
    const SlotWord word =
        SlotWord::Message(SlotWord::LapOf(place.position, view().slot_shift()),
                          alloc::BufferRef(line));
    return TryPublish(view(), place, word) ? place.position : kNowhere;
  }
  std::uint64_t PublishRecord(SlotWord::Control kind, std::uint16_t entry,
                              std::uint16_t generation) {
    RingPlace place;
    if (FindPlace(view(), kSlots, &place) != RingAnswer::kOk) return kNowhere;
    const SlotWord word =
        SlotWord::Record(SlotWord::LapOf(place.position, view().slot_shift()),
                         kind, entry, generation);
    return TryPublish(view(), place, word) ? place.position : kNowhere;
  }
  void ReclaimTo(std::uint64_t position) {
    header_.reclaimed.store(position, std::memory_order_release);
  }
  static constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

  // On the heap: a sanitizer's substitute for the stack does not keep to the
  // alignment of a cache line.
  struct Memory {
    GroupHeader header{};
    std::array<EntryState, kEntries> entries{};
    std::array<std::atomic<std::uint64_t>, kSlots> slots{};
  };
  std::unique_ptr<Memory> memory_ = std::make_unique<Memory>();
  GroupHeader& header_ = memory_->header;
  std::array<EntryState, kEntries>& entries_ = memory_->entries;
  std::array<std::atomic<std::uint64_t>, kSlots>& slots_ = memory_->slots;
};

}  // namespace zcb::ipc::testing

#endif  // ZCB_TESTS_IPC_FAKE_GROUP_H_
