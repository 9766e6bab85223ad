// Rings and member tables over memory that somebody else writes: every step of
// joining, leaving, applying records and reading views.
#include <array>
#include <cstdint>

#include "ipc/eviction.h"
#include "ipc/member_table.h"
#include "ipc/ring.h"
#include "ipc/view.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_region.h"
#include "tests/ipc/fake_group.h"

namespace zcb::fuzz {
namespace {

using ipc::GroupView;
using ipc::RingPlace;
using ipc::SlotWord;
using ipc::testing::FakeGroup;

constexpr int kMaxSteps = 64;

void Step(FakeGroup& fake, FuzzMemory& memory, FuzzInput& input,
          ipc::View* view) {
  const GroupView group = fake.view();
  const auto entry =
      static_cast<std::uint16_t>(input.Below(FakeGroup::kEntries));
  const alloc::LeaseId lease{static_cast<std::uint16_t>(entry + 1), 3};
  switch (input.Below(16)) {
    case 0:
      ipc::ApplyRecord(group, SlotWord(input.Take<std::uint64_t>()),
                       input.Take<std::uint64_t>());
      break;
    case 1:
      ipc::ApplyUpTo(group, input.Take<std::uint64_t>());
      break;
    case 2:
      ipc::ApplyPublished(group);
      break;
    case 3:
      ipc::ReadViewAt(group, input.Take<std::uint64_t>(), view);
      ZCB_FUZZ_CHECK(view->items().size() <= FakeGroup::kEntries);
      break;
    case 4: {
      std::array<ipc::MemberAddress, 3> members;
      const auto position = input.Take<std::uint64_t>();
      ZCB_FUZZ_CHECK(ipc::ReadFirstMembersAt(group, position, members) <= 3);
      break;
    }
    case 5: {
      const auto claimed = ipc::ClaimEntry(group, lease, {1, entry}, 0);
      if (claimed) {
        ZCB_FUZZ_CHECK(claimed->index < FakeGroup::kEntries);
        if ((input.Byte() & 1) != 0) {
          ipc::UnclaimEntry(group, *claimed, lease);
        } else {
          ipc::RaiseCursorToTail(group, claimed->index);
        }
      }
      break;
    }
    case 6:
      ipc::PublishDown(group, entry, input.Take<std::uint16_t>());
      break;
    case 7:
      ipc::FreeEntry(group, entry, input.Take<std::uint16_t>(),
                     input.Take<std::uint64_t>());
      break;
    case 8:
      ipc::FreeIfPassed(group, entry, input.Take<std::uint16_t>());
      break;
    case 9:
      ipc::GiveUpEntry(group, {entry, input.Take<std::uint16_t>()}, lease,
                       (input.Byte() & 1) != 0);
      break;
    case 10: {
      RingPlace place;
      if (ipc::FindPlace(group, input.Below(FakeGroup::kSlots + 1), &place) ==
          ipc::RingAnswer::kOk) {
        ipc::TryPublish(group, place, SlotWord(input.Take<std::uint64_t>()));
      }
      break;
    }
    case 11: {
      SlotWord slot;
      const auto position = input.Take<std::uint64_t>();
      if (ipc::ReadSlot(group, position, &slot) == ipc::RingAnswer::kOk) {
        ipc::RecordCounts(group, slot, position);
      }
      break;
    }
    case 12:
      ipc::Evict(group, entry, ipc::EntryWord(group.entry(entry).word.load()));
      break;
    case 13:
      view->Add({{input.Byte(), input.Byte()}, entry, input.Byte()});
      break;
    default:
      memory.Patch(&input);
      break;
  }
}

}  // namespace
}  // namespace zcb::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  using namespace zcb::fuzz;  // NOLINT: the entry's name is given
  FakeGroup fake;
  FuzzMemory memory;
  memory.Add(&fake.header_, sizeof(fake.header_));
  memory.Add(fake.entries_.data(), sizeof(fake.entries_));
  memory.Add(fake.slots_.data(), sizeof(fake.slots_));
  zcb::ipc::View view(FakeGroup::kEntries);
  FuzzInput input(bytes, size);
  for (int step = 0; step < kMaxSteps && !input.is_empty(); ++step) {
    Step(fake, memory, input, &view);
  }
  return 0;
}
