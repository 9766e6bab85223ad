// Where attacks hit, and what could stand there. Offsets and words come from
// the library's own headers.
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <iterator>

#include "allocator/buffer_word.h"
#include "allocator/granule_word.h"
#include "allocator/size_classes.h"
#include "allocator/unit_word.h"
#include "ipc/entry_word.h"
#include "ipc/group_header.h"
#include "ipc/keep_record.h"
#include "ipc/message_header.h"
#include "ipc/sleep_word.h"
#include "ipc/slot_word.h"
#include "tests/hostile/attacker.h"

namespace zcb::hostile {

using alloc::BufferRef;
using alloc::BufferWord;
using alloc::GranuleWord;
using alloc::LeaseId;
using alloc::LeaseRecord;
using alloc::LeaseWord;
using alloc::RegionHeader;
using alloc::UnitWord;
using ipc::EntryState;
using ipc::EntryWord;
using ipc::GroupHeader;
using ipc::KeepRecord;
using ipc::NameRecord;
using ipc::OrderWord;
using ipc::SleepWord;
using ipc::SlotWord;

Attacker::Place Attacker::At(std::uint64_t offset_bytes, unsigned bytes) const {
  return {map_->meta() + offset_bytes, bytes, false, 0};
}

Attacker::Place Attacker::Forged(std::uint64_t offset_bytes,
                                 std::uint64_t value) const {
  return {map_->meta() + offset_bytes, 8, true, value};
}

std::uint64_t Attacker::MetaWord(std::uint64_t offset_bytes) const {
  return Load(map_->meta() + offset_bytes, 8);
}

// --- numbers -----------------------------------------------------------------

LeaseId Attacker::SomeLease() {
  const auto slot = static_cast<std::uint16_t>(
      dice_.OneIn(8) ? dice_.Below(4096) : dice_.Below(6));
  if (slot >= map_->geometry().lease_count) return {slot, dice_.Below(4)};
  const LeaseWord word(
      MetaWord(map_->geometry().leases_offset + slot * sizeof(LeaseRecord)));
  return {slot, dice_.OneIn(8) ? word.generation() + 1 : word.generation()};
}

std::uint32_t Attacker::SomeUnit() {
  return dice_.Below(dice_.OneIn(2) ? std::min(map_->geometry().unit_count, 8U)
                                    : map_->geometry().unit_count);
}

// Mostly one of a unit that is in use.
std::uint32_t Attacker::SomeGranule() {
  const alloc::Geometry& g = map_->geometry();
  std::uint32_t unit = SomeUnit();
  for (int tries = 0; tries < 8; ++tries) {
    if (UnitWord(MetaWord(g.units_offset + unit * 8ULL)).kind() !=
        UnitWord::Kind::kFree) {
      break;
    }
    unit = SomeUnit();
  }
  return unit * g.granules_per_unit() + dice_.Below(g.granules_per_unit());
}

std::uint32_t Attacker::SomeLine() {
  if (dice_.OneIn(16)) {
    return static_cast<std::uint32_t>(dice_.Next() & 0x7fff'ffff);
  }
  const std::uint32_t granule = SomeGranule();
  const auto first =
      granule * static_cast<std::uint32_t>(alloc::kLinesPerGranule);
  const GranuleWord word(
      MetaWord(map_->geometry().granules_offset + granule * 8ULL));
  if (!word.is_valid() || word.size_class() >= alloc::kExtentClass ||
      dice_.OneIn(8)) {
    return first + dice_.Below(alloc::kLinesPerGranule);
  }
  return first + dice_.Below(8) * alloc::kSizeClasses[word.size_class()].lines;
}

std::uint32_t Attacker::SomeGroup() {
  const ipc::IpcGeometry& g = *map_->groups();
  if (dice_.OneIn(32)) return dice_.Below(g.group_count);
  const std::uint32_t start = dice_.Below(g.group_count);
  for (std::uint32_t i = 0; i < g.group_count; ++i) {
    const std::uint32_t group = (start + i) % g.group_count;
    if (MetaWord(g.directory_offset + group * 8ULL) != 0) return group;
  }
  return start;
}

std::uint64_t Attacker::GroupOffset(std::uint32_t group) const {
  return map_->groups()->groups_offset + map_->groups()->group_bytes * group;
}

// --- the allocator's tables --------------------------------------------------

Attacker::Place Attacker::Unit() {
  const std::uint64_t offset =
      map_->geometry().units_offset + SomeUnit() * 8ULL;
  const UnitWord seen(MetaWord(offset));
  const LeaseId lease = SomeLease();
  const std::uint32_t length =
      dice_.OneIn(4) ? dice_.Below(UnitWord::kMaxLength) : dice_.Below(10);
  const UnitWord forgeries[] = {seen.Own(lease),
                                seen.Free(),
                                seen.Abandon(),
                                seen.Reserve(lease, length),
                                seen.ExtentHead(lease, length),
                                seen.Member(lease, length),
                                seen.ExtentHead(lease, length).Orphan(),
                                seen.ExtentHead(lease, length).Freeing(lease)};
  return Forged(offset, forgeries[dice_.Below(std::size(forgeries))].raw());
}

Attacker::Place Attacker::Granule() {
  const std::uint64_t offset =
      map_->geometry().granules_offset + SomeGranule() * 8ULL;
  const std::uint32_t size_class = dice_.Below(alloc::kExtentTailClass + 2);
  const std::uint32_t span = size_class < alloc::kExtentClass
                                 ? alloc::kSizeClasses[size_class].granules
                                 : dice_.Below(10);
  const std::uint32_t back = dice_.Below(dice_.OneIn(4) ? 32 : span + 1);
  return Forged(offset, GranuleWord::Make(size_class, back, span).raw());
}

Attacker::Place Attacker::Buffer() {
  const alloc::Geometry& g = map_->geometry();
  const std::uint32_t line = SomeLine();
  if (line / alloc::kLinesPerGranule >= g.granule_count) return {};
  const std::uint64_t offset = dice_.OneIn(2)
                                   ? g.dense_words_offset + line * 8ULL
                                   : g.sparse_words_offset + line / 8 * 8ULL;
  const BufferWord seen(MetaWord(offset));
  const auto position = static_cast<std::uint64_t>(dice_.Below(1 << 16));
  const BufferWord forgeries[] = {
      seen.Send(dice_.Below(BufferWord::kMaxGroups), position),
      seen.Keep(),
      seen.Retain(),
      seen.Free(),
      seen.Give(SomeLease()),
      seen.Send(map_->groups() ? SomeGroup() : 0, position).Keep()};
  return Forged(offset, forgeries[dice_.Below(std::size(forgeries))].raw());
}

Attacker::Place Attacker::Hint() {
  const alloc::Geometry& g = map_->geometry();
  const std::uint32_t line = SomeLine();
  if (line / alloc::kLinesPerGranule >= g.granule_count) return {};
  return At(dice_.OneIn(2) ? g.dense_hints_offset + line
                           : g.sparse_hints_offset + line / 8,
            1);
}

Attacker::Place Attacker::CommitByte() {
  return At(map_->geometry().committed_offset +
                dice_.Below(map_->geometry().huge_page_count()),
            1);
}

Attacker::Place Attacker::Lease() {
  const LeaseId lease = SomeLease();
  if (lease.slot >= map_->geometry().lease_count) return {};
  const std::uint64_t offset =
      map_->geometry().leases_offset + lease.slot * sizeof(LeaseRecord);
  const LeaseWord seen(MetaWord(offset));
  // Whoever signalled a process by a number found here would be seen: a victim,
  // this one or the test would end.
  const LeaseWord forgeries[] = {
      seen.Die(), seen.Release(),
      LeaseWord(seen.raw()).Attach(static_cast<std::int32_t>(SomeNumber())),
      seen.Release().Attach(dice_.OneIn(2) ? getppid() : getpid())};
  return Forged(offset, forgeries[dice_.Below(std::size(forgeries))].raw());
}

Attacker::Place Attacker::LeaseFact() {
  const LeaseId lease = SomeLease();
  if (lease.slot >= map_->geometry().lease_count) return {};
  const std::uint64_t offset =
      map_->geometry().leases_offset + lease.slot * sizeof(LeaseRecord);
  return At(offset + 8 * dice_.Below(sizeof(LeaseRecord) / 8));
}

Attacker::Place Attacker::Header() {
  constexpr std::uint64_t kLive[] = {
      offsetof(RegionHeader, state), offsetof(RegionHeader, lease_high_water),
      offsetof(RegionHeader, pressure), offsetof(RegionHeader, abandonments)};
  if (dice_.OneIn(4)) return At(dice_.Below(offsetof(RegionHeader, state)), 1);
  // The state, seldom: whoever attaches waits for half a second.
  const std::uint64_t offset =
      kLive[dice_.OneIn(8) ? 0 : 1 + dice_.Below(std::size(kLive) - 1)];
  return At(offset, offset == offsetof(RegionHeader, state) ? 8 : 4);
}

Attacker::Place Attacker::Touched() {
  const alloc::Geometry& g = map_->geometry();
  return At(g.touched_offset + dice_.Below(8) * g.touched_bytes_per_lease +
            8 * dice_.Below(
                    static_cast<std::uint32_t>(g.touched_bytes_per_lease / 8)));
}

Attacker::Place Attacker::AnyMeta() {
  const std::uint64_t most = dice_.OneIn(2) ? map_->geometry().meta_bytes
                                            : map_->geometry().granules_offset;
  return At(dice_.Next() % (most / 8) * 8);
}

Attacker::Place Attacker::AnyData() {
  const std::uint64_t line =
      dice_.Next() % (map_->geometry().region_bytes / alloc::kLineBytes);
  return {map_->data() + line * alloc::kLineBytes + 8 * dice_.Below(8), 8,
          false, 0};
}

// --- groups ------------------------------------------------------------------

Attacker::Place Attacker::RingIndex() {
  const std::uint64_t group = GroupOffset(SomeGroup());
  const std::uint64_t tail = MetaWord(group + offsetof(GroupHeader, tail));
  const std::uint64_t slots = map_->groups()->slot_count;
  const std::uint64_t forgeries[] = {tail - 1 - dice_.Below(8),
                                     tail + 1 + dice_.Below(8),
                                     tail + slots,
                                     tail - slots,
                                     tail + (slots << 32),
                                     SomeNumber()};
  const std::uint64_t value = forgeries[dice_.Below(std::size(forgeries))];
  if (dice_.OneIn(3)) {  // a cursor
    return Forged(group + map_->groups()->entries_offset_in_group +
                      dice_.Below(6) * sizeof(EntryState) +
                      offsetof(EntryState, cursor),
                  value);
  }
  return Forged(group + (dice_.OneIn(2) ? offsetof(GroupHeader, tail)
                                        : offsetof(GroupHeader, reclaimed)),
                value);
}

Attacker::Place Attacker::Slot() {
  const std::uint64_t group = GroupOffset(SomeGroup());
  const std::uint64_t slots = map_->groups()->slot_count;
  const auto shift = static_cast<unsigned>(std::countr_zero(slots));
  const std::uint64_t position =
      MetaWord(group + offsetof(GroupHeader, tail)) + dice_.Below(6) - 3;
  const std::uint64_t at =
      dice_.OneIn(8) ? dice_.Next() % slots : position % slots;
  const std::uint64_t offset =
      group + map_->groups()->slots_offset_in_group + at * 8;
  const std::uint32_t lap = SlotWord::LapOf(position, shift);
  if (dice_.OneIn(2)) {
    return Forged(offset, SlotWord::Message(lap, BufferRef(SomeLine())).raw());
  }
  const auto index = static_cast<std::uint16_t>(
      dice_.OneIn(4) ? dice_.Below(4096) : dice_.Below(6));
  const auto entry = EntryWord(
      MetaWord(group + map_->groups()->entries_offset_in_group +
               index % map_->groups()->entry_count * sizeof(EntryState)));
  return Forged(offset, SlotWord::Record(lap, SlotWord::Control(dice_.Below(8)),
                                         index, entry.generation())
                            .raw());
}

Attacker::Place Attacker::Entry() {
  const std::uint64_t offset = GroupOffset(SomeGroup()) +
                               map_->groups()->entries_offset_in_group +
                               dice_.Below(6) * sizeof(EntryState);
  const EntryWord seen(MetaWord(offset));
  const EntryWord forgeries[] = {
      seen.Join(SomeLease()),
      seen.Become(EntryWord::Phase(dice_.Below(8))),
      seen.Become(EntryWord::Phase::kMember),
      seen.Down(),
      seen.Free(),
      seen.Join(SomeLease()).Become(EntryWord::Phase::kEvicted)};
  return Forged(offset, forgeries[dice_.Below(std::size(forgeries))].raw());
}

Attacker::Place Attacker::EntryOrder() {
  const std::uint64_t entry = GroupOffset(SomeGroup()) +
                              map_->groups()->entries_offset_in_group +
                              dice_.Below(6) * sizeof(EntryState);
  const std::uint16_t generation = EntryWord(MetaWord(entry)).generation();
  constexpr std::uint64_t kFields[] = {
      offsetof(EntryState, join), offsetof(EntryState, leave),
      offsetof(EntryState, node_id), offsetof(EntryState, bell_number)};
  return Forged(entry + kFields[dice_.Below(std::size(kFields))],
                dice_.OneIn(3) ? OrderWord::Unset(generation).raw()
                               : OrderWord::At(static_cast<std::uint16_t>(
                                                   generation + dice_.Below(2)),
                                               SomeNumber())
                                     .raw());
}

Attacker::Place Attacker::EntrySleep() {
  const std::uint64_t entry = GroupOffset(SomeGroup()) +
                              map_->groups()->entries_offset_in_group +
                              dice_.Below(6) * sizeof(EntryState);
  return Forged(
      entry + offsetof(EntryState, sleep) + 8 * dice_.Below(4),
      SleepWord::Of(SomeNumber(), SleepWord::State(dice_.Below(4))).raw());
}

Attacker::Place Attacker::GroupSleep() {
  if (dice_.OneIn(4)) return At(map_->groups()->header_offset);
  const std::uint64_t group = GroupOffset(SomeGroup());
  switch (dice_.Below(4)) {
    case 0:
      return At(group + offsetof(GroupHeader, entry_high), 4);
    case 1:
      return At(group + offsetof(GroupHeader, evictions));
    case 2:
      return At(group + offsetof(GroupHeader, room));
    default:
      return At(group + offsetof(GroupHeader, sleep));
  }
}

Attacker::Place Attacker::Name() {
  const std::uint64_t record =
      map_->groups()->names_offset + dice_.Below(6) * sizeof(NameRecord);
  switch (dice_.Below(3)) {
    case 0:
      return At(record + offsetof(NameRecord, claim));
    case 1:
      return At(record + offsetof(NameRecord, length), 4);
    default:
      return At(record + offsetof(NameRecord, bytes) + dice_.Below(128), 1);
  }
}

Attacker::Place Attacker::Directory() {
  const std::uint64_t offset =
      map_->groups()->directory_offset +
      8ULL * (dice_.OneIn(2) ? SomeGroup()
                             : dice_.Below(map_->groups()->group_count));
  return Forged(offset, dice_.Below(8));
}

Attacker::Place Attacker::Keep() {
  const std::uint64_t offset =
      map_->groups()->keeps_offset +
      dice_.Below(6) * map_->groups()->keep_bytes_per_lease +
      8ULL * dice_.Below(8);
  const KeepRecord record =
      KeepRecord::Hold(SomeLease().generation, BufferRef(SomeLine()));
  return Forged(offset, (dice_.OneIn(2) ? record : record.LetGo()).raw());
}

Attacker::Place Attacker::MessageHeader() {
  const std::uint64_t group = GroupOffset(SomeGroup());
  const std::uint64_t slots = map_->groups()->slot_count;
  const std::uint64_t position =
      MetaWord(group + offsetof(GroupHeader, tail)) - 1 - dice_.Below(4);
  const SlotWord slot(MetaWord(group + map_->groups()->slots_offset_in_group +
                               position % slots * 8));
  const std::uint64_t offset = slot.ref().offset_bytes();
  if (slot.is_control() || offset >= map_->geometry().region_bytes) return {};
  std::byte* const header = slot.ref().line() % 64 == 1
                                ? map_->meta() +
                                      map_->groups()->aligned_headers_offset +
                                      offset / 4096 * ipc::kHeaderBytes
                                : map_->data() + offset;
  const std::uint64_t length = map_->geometry().region_bytes >> dice_.Below(20);
  if (dice_.OneIn(2)) {
    return {header + offsetof(ipc::MessageHeader, length_bytes), 8, true,
            length};
  }
  return {header + 8 * dice_.Below(6), 8, false, 0};
}

void Attacker::MoveRing() {
  if (!map_->groups()) return;
  const std::uint64_t group = GroupOffset(SomeGroup());
  const std::uint64_t slots = map_->groups()->slot_count;
  const auto shift = static_cast<unsigned>(std::countr_zero(slots));
  const std::uint64_t used = dice_.Below(8);
  const std::uint64_t base = SomeNumber();
  for (std::uint64_t i = 0; i < slots; ++i) {
    const std::uint64_t position = base + i;
    const std::uint64_t offset =
        group + map_->groups()->slots_offset_in_group + position % slots * 8;
    const SlotWord seen(MetaWord(offset));
    const std::uint32_t lap =
        SlotWord::LapOf(i < used ? position : position - slots, shift);
    Store(map_->meta() + offset, 8,
          (std::uint64_t{lap} << 32) | (seen.raw() & 0xffff'ffff));
  }
  Store(map_->meta() + group + offsetof(GroupHeader, reclaimed), 8, base);
  Store(map_->meta() + group + offsetof(GroupHeader, tail), 8, base + used);
  for (std::uint32_t i = 0; i < 6; ++i) {
    Store(map_->meta() + group + map_->groups()->entries_offset_in_group +
              i * sizeof(EntryState) + offsetof(EntryState, cursor),
          8, base + dice_.Below(static_cast<std::uint32_t>(used + 1)));
  }
}

Attacker::Place Attacker::Pick() {
  using Picker = Place (Attacker::*)();
  constexpr Picker kAllocator[] = {
      &Attacker::Unit,       &Attacker::Unit,   &Attacker::Granule,
      &Attacker::Granule,    &Attacker::Buffer, &Attacker::Buffer,
      &Attacker::Hint,       &Attacker::Lease,  &Attacker::LeaseFact,
      &Attacker::CommitByte, &Attacker::Header, &Attacker::Touched,
      &Attacker::AnyMeta,    &Attacker::AnyData};
  constexpr Picker kGroups[] = {
      &Attacker::RingIndex,    &Attacker::RingIndex,  &Attacker::Slot,
      &Attacker::Slot,         &Attacker::Slot,       &Attacker::Entry,
      &Attacker::Entry,        &Attacker::EntryOrder, &Attacker::EntryOrder,
      &Attacker::EntrySleep,   &Attacker::GroupSleep, &Attacker::Name,
      &Attacker::Directory,    &Attacker::Keep,       &Attacker::MessageHeader,
      &Attacker::MessageHeader};
  if (map_->groups() && !dice_.OneIn(3)) {
    return (this->*kGroups[dice_.Below(std::size(kGroups))])();
  }
  return (this->*kAllocator[dice_.Below(std::size(kAllocator))])();
}

}  // namespace zcb::hostile
