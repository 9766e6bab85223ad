// Changes what lies in a region, knowing the layout: most attacks hit a word
// that means something, with a value that could stand there.
#ifndef ZCB_TESTS_HOSTILE_ATTACKER_H_
#define ZCB_TESTS_HOSTILE_ATTACKER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "allocator/lease_word.h"
#include "tests/hostile/region_map.h"
#include "tests/order/dice.h"

namespace zcb::hostile {

// One process, one region. What it does follows from the seed and from what it
// finds in the region.
class Attacker {
 public:
  Attacker(std::uint64_t seed, std::string stem)
      : dice_(seed, 0xa77ac), stem_(std::move(stem)) {}

  // One change, or a few that belong together. False: there is no region.
  bool Attack();
  // Cuts a file of the region, now and then puts the length back.
  bool Truncate();

 private:
  // A word somewhere; what it could say, if that is known.
  struct Place {
    std::byte* at = nullptr;
    unsigned bytes = 8;
    bool has_forgery = false;
    std::uint64_t forgery = 0;
  };
  struct Old {
    std::byte* at;
    unsigned bytes;
    std::uint64_t value;
  };

  // forgeries.cc: a place of one kind.
  Place Pick();
  Place Unit();
  Place Granule();
  Place Buffer();
  Place Hint();
  Place CommitByte();
  Place Lease();
  Place LeaseFact();
  Place Header();
  Place Touched();
  Place AnyMeta();
  Place AnyData();
  Place RingIndex();
  Place Slot();
  Place Entry();
  Place EntryOrder();
  Place EntrySleep();
  Place GroupSleep();
  Place Name();
  Place Directory();
  Place Keep();
  Place MessageHeader();
  // Moves a whole ring to some other place in its order.
  void MoveRing();

  // A lease that is in use, mostly.
  alloc::LeaseId SomeLease();
  std::uint32_t SomeUnit();
  std::uint32_t SomeGranule();
  std::uint32_t SomeLine();
  std::uint32_t SomeGroup();  // one that has a name, if there is any
  std::uint64_t SomeNumber();
  std::uint64_t GroupOffset(std::uint32_t group) const;
  Place At(std::uint64_t meta_offset_bytes, unsigned bytes = 8) const;
  Place Forged(std::uint64_t meta_offset_bytes, std::uint64_t value) const;
  std::uint64_t MetaWord(std::uint64_t meta_offset_bytes) const;

  void Change(const Place& place);
  void Remember(const Place& place);
  void Undo();
  // Many changes of one word, as fast as can be.
  void Hammer(const Place& place);
  // Bytes into the FIFO of one of the handles.
  void RingABell();
  void Replay();
  std::uint64_t ValueFor(const Place& place);
  static std::uint64_t Load(const std::byte* at, unsigned bytes);
  static void Store(std::byte* at, unsigned bytes, std::uint64_t value);

  bool HasMap();

  static constexpr std::size_t kMemory = 512;

  order::Dice dice_;
  std::string stem_;
  std::unique_ptr<RegionMap> map_;
  std::vector<Old> undo_;
  std::array<Old, kMemory> history_{};  // a ring
  std::uint64_t remembered_ = 0;
};

}  // namespace zcb::hostile

#endif  // ZCB_TESTS_HOSTILE_ATTACKER_H_
