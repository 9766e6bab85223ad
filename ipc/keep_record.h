// Which process keeps which received buffer beyond its place in the ring.
#ifndef ZCB_IPC_KEEP_RECORD_H_
#define ZCB_IPC_KEEP_RECORD_H_

#include <cstdint>

#include "allocator/bit_field.h"
#include "allocator/buffer_ref.h"

namespace zcb::ipc {

//   63  62              33 32     31 30       0
//   | 0 | lease generation | holding| letting | ref:31 |
//
// All-zero: no record. Written by the process of the lease; after its death by
// its reapers, by compare-and-swap from a value that names its generation. A
// record that is being let go (letting) no longer counts as holding, so that
// of two that let go at once at least one sees that nobody holds.
class KeepRecord {
 public:
  constexpr KeepRecord() = default;
  constexpr explicit KeepRecord(std::uint64_t raw) : raw_(raw) {}
  static constexpr KeepRecord Hold(std::uint32_t lease_generation,
                                   alloc::BufferRef ref) {
    return KeepRecord(RefBits::Of(ref.line()) | HoldingBits::Of(1) |
                      GenerationBits::Of(lease_generation));
  }
  constexpr std::uint64_t raw() const { return raw_; }
  constexpr bool is_empty() const { return raw_ == 0; }
  constexpr bool holds(alloc::BufferRef ref) const {
    return HoldingBits::Get(raw_) != 0 && this->ref() == ref;
  }
  constexpr alloc::BufferRef ref() const {
    return alloc::BufferRef(static_cast<std::uint32_t>(RefBits::Get(raw_)));
  }
  constexpr std::uint32_t lease_generation() const {
    return static_cast<std::uint32_t>(GenerationBits::Get(raw_));
  }
  constexpr KeepRecord LetGo() const {
    return KeepRecord(LettingBits::Set(HoldingBits::Set(raw_, 0), 1));
  }
  friend constexpr bool operator==(KeepRecord, KeepRecord) = default;

 private:
  using RefBits = alloc::BitField<0, 31>;
  using LettingBits = alloc::BitField<31, 1>;
  using HoldingBits = alloc::BitField<32, 1>;
  using GenerationBits = alloc::BitField<33, 30>;
  std::uint64_t raw_ = 0;
};
static_assert(sizeof(KeepRecord) == 8);

}  // namespace zcb::ipc

#endif  // ZCB_IPC_KEEP_RECORD_H_
