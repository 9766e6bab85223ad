// The directory of groups over memory that somebody else writes: names found,
// made, listed, and claims of the dead given back.
#include <cstdint>

#include "ipc/attachment.h"
#include "ipc/group_directory.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_region.h"
#include "tests/support/temp_directory.h"

namespace zcb::fuzz {
namespace {

using ipc::GroupView;

constexpr int kMaxSteps = 16;
constexpr std::size_t kRecords = 16;  // those that the steps come near

// Names of one letter, most of them the same few.
constexpr std::string_view kLetters = "abcdefgh";

struct Fixture {
  testing::TempDirectory directory;
  std::shared_ptr<ipc::Attachment> attachment =
      MustOpen(OptionsIn(directory.path()));
  FuzzMemory memory;

  Fixture() {
    const ipc::IpcGeometry& g = attachment->geometry();
    for (const char letter : std::string_view("abc")) {
      ZCB_FUZZ_CHECK(groups().FindOrMake(Named({&letter, 1})).ok());
    }
    alloc::Region& region = attachment->region();
    memory.Add(region.meta<std::byte>(g.directory_offset),
               std::size_t{g.group_count} * 8);
    memory.Add(region.meta<std::byte>(g.names_offset),
               kRecords * sizeof(ipc::NameRecord));
    memory.Remember();
  }
  ipc::GroupDirectory& groups() { return attachment->directory(); }
};

void Step(Fixture& fixture, FuzzInput& input) {
  ipc::GroupDirectory& groups = fixture.groups();
  const std::uint32_t count = fixture.attachment->geometry().group_count;
  const char letter = kLetters[input.Below(kLetters.size())];
  const ipc::GroupName name = Named({&letter, 1});
  switch (input.Below(10)) {
    case 0: {
      const auto found = groups.Find(name);
      if (found && *found) ZCB_FUZZ_CHECK((*found)->group_slot() < count);
      break;
    }
    case 1: {
      const auto made = groups.FindOrMake(name);
      if (made) ZCB_FUZZ_CHECK(made->group_slot() < count);
      break;
    }
    case 2:
      if (const auto names = groups.Names()) {
        ZCB_FUZZ_CHECK(names->size() <= count);
      }
      break;
    case 3:
      groups.ReapClaims({static_cast<std::uint16_t>(input.Below(4)),
                         static_cast<std::uint32_t>(input.Below(4))});
      break;
    case 4: {
      std::uint32_t seen = 0;
      groups.ForEachGroup([&](const GroupView& group) {
        ZCB_FUZZ_CHECK(group.group_slot() < count);
        ++seen;
      });
      ZCB_FUZZ_CHECK(seen <= count);
      break;
    }
    case 5: {
      const auto length = input.Below(160);
      (void)groups.Find(Named(input.Text(length)));
      break;
    }
    default:
      fixture.memory.Patch(&input);
      break;
  }
}

}  // namespace
}  // namespace zcb::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  using namespace zcb::fuzz;  // NOLINT: the entry's name is given
  static Fixture fixture;
  FuzzInput input(bytes, size);
  for (int step = 0; step < kMaxSteps && !input.is_empty(); ++step) {
    Step(fixture, input);
  }
  fixture.memory.Restore();
  return 0;
}
