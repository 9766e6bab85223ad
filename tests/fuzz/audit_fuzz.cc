// The audit of a region that somebody else has written to.
#include <cstdint>
#include <vector>

#include "ipc/attachment.h"
#include "ipc/audit.h"
#include "ipc/member.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_region.h"
#include "tests/support/temp_directory.h"

namespace zcb::fuzz {
namespace {

constexpr int kMaxPatches = 24;

// One of everything: slabs, extents, what is live, sent, kept and given back.
struct Fixture {
  testing::TempDirectory directory;
  std::shared_ptr<ipc::Attachment> attachment =
      MustOpen(OptionsIn(directory.path()));
  std::unique_ptr<ipc::Doorbell> bell;
  std::unique_ptr<ipc::Member> member;
  FuzzMemory memory;

  Fixture() {
    auto made = attachment->MakeDoorbell();
    ZCB_FUZZ_CHECK(made.ok());
    bell = std::move(*made);
    auto joined = attachment->Join(Named("g"), bell.get());
    ZCB_FUZZ_CHECK(joined.ok());
    member = std::move(*joined);
    for (const std::uint64_t bytes : {64U, 1000U, 20'000U, 300'000U}) {
      auto live = attachment->AllocPayload(bytes);
      auto sent = attachment->AllocPayload(bytes);
      auto freed = attachment->AllocPayload(bytes);
      ZCB_FUZZ_CHECK(live.ok() && sent.ok() && freed.ok());
      ZCB_FUZZ_CHECK(member->Send(*sent, bytes).ok());
      ZCB_FUZZ_CHECK(attachment->FreePayload(*freed).ok());
    }
    const auto join = member->Next();
    ZCB_FUZZ_CHECK(join.ok());
    member->Done();
    const auto message = member->Next();
    ZCB_FUZZ_CHECK(message.ok() && member->Retain(*message).ok());
    member->Done();

    alloc::Region& region = attachment->region();
    const alloc::Geometry& g = region.geometry();
    const ipc::IpcGeometry& i = attachment->geometry();
    memory.Add(region.meta<std::byte>(g.units_offset), g.unit_count * 8);
    memory.Add(region.meta<std::byte>(g.granules_offset), g.granule_count * 8);
    memory.Add(region.meta<std::byte>(g.committed_offset), 8);
    memory.Add(&region.lease_record(0), 4 * sizeof(alloc::LeaseRecord));
    memory.Add(
        region.meta<std::byte>(0) + offsetof(alloc::RegionHeader, state),
        sizeof(alloc::RegionHeader) - offsetof(alloc::RegionHeader, state));
    memory.Add(region.meta<std::byte>(i.keeps_offset), 64);
    const auto group = attachment->directory().Find(Named("g"));
    ZCB_FUZZ_CHECK(group.ok() && *group);
    memory.Add(&(*group)->header(), sizeof(ipc::GroupHeader));
    memory.Add(&(*group)->slot(0), 64);
    for (std::uint64_t position = 0; position < 8; ++position) {
      const ipc::SlotWord slot((*group)->slot(position).load());
      if (slot.raw() == 0 || slot.is_control()) continue;
      const auto place = attachment->allocator().Locate(slot.ref());
      if (!place) continue;
      // Its slab's, or as much of it as there is room for on the page.
      memory.Add(place->word, 64);
    }
    memory.Remember();
  }
};

}  // namespace
}  // namespace zcb::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  using namespace zcb::fuzz;  // NOLINT: the entry's name is given
  static Fixture fixture;
  FuzzInput input(bytes, size);
  zcb::alloc::AuditOptions options;
  const std::uint8_t flags = input.Byte();
  options.quiet = (flags & 1) != 0;
  options.list_notes = (flags & 2) != 0;
  options.check_backing = (flags & 0x3c) == 0;  // slow
  options.max_findings = (flags & 0x40) != 0 ? 1 : 64;
  for (int i = 0; i < kMaxPatches && !input.is_empty(); ++i) {
    fixture.memory.Patch(&input);
  }
  const auto report = zcb::ipc::Audit(*fixture.attachment, options);
  fixture.memory.Restore();
  ZCB_FUZZ_CHECK(report.ok());
  ZCB_FUZZ_CHECK(report->SumBytes() == report->region_bytes);
  ZCB_FUZZ_CHECK(report->findings.list().size() <= options.max_findings);
  return 0;
}
