// From a slot to a message, in a region that somebody else writes to: joining,
// receiving, keeping, sending, reclaiming and reaping over forged rings, buffer
// words, headers and records. The region is made anew for each input: what the
// process keeps in private memory depends on it.
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "ipc/attachment.h"
#include "ipc/audit.h"
#include "ipc/member.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_region.h"
#include "tests/support/temp_directory.h"

namespace zcb::fuzz {
namespace {

using ipc::Attachment;
using ipc::Event;
using ipc::Member;

constexpr int kMaxSteps = 32;
constexpr std::size_t kEntries = 4;
constexpr std::size_t kSlots = 64;

class World {
 public:
  explicit World(const std::string& directory)
      : attachment_(MustOpen(OptionsIn(directory))) {
    for (auto& member : members_) Join(&member);
    for (auto& member : members_) Read(*member, 8);
    for (const std::uint64_t bytes : {8U, 300U, 5000U, 200'000U}) {
      Send(bytes, 1);
    }
    Send(4096, 4096);
    Read(*members_[1], 2);
    Remember();
  }
  ~World() {
    for (const auto& kept : kept_) (void)attachment_->Release(kept);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void Step(FuzzInput& input) {
    Member& member = *members_[input.Below(2)];
    switch (input.Below(24)) {
      case 0:
      case 1:
      case 2:
        Read(member, 1);
        break;
      case 3:
        Read(member, kSlots);
        break;
      case 4:
        Keep(member);
        break;
      case 5:
        if (!kept_.empty()) {
          (void)attachment_->Release(kept_.back());
          kept_.pop_back();
        }
        break;
      case 6:
        Send(input.Below(70'000), 1);
        break;
      case 7:
        Send(input.Below(9000), 4096);
        break;
      case 8:
        attachment_->ReclaimAllGroups();
        break;
      case 9:
        (void)attachment_->MembersOf(Named("g"));
        (void)attachment_->StatsOf(Named("g"));
        (void)member.RingFillPercent();
        break;
      case 10:
        member.AnnounceSleep();
        (void)member.HasNext();
        member.AnnounceAwake();
        break;
      case 11:
        (void)member.Leave();
        break;
      case 12: {
        std::unique_ptr<Member> third;
        Join(&third);
        if (third != nullptr) Read(*third, 4);
        break;
      }
      case 13:
        attachment_->RelievePressure();
        break;
      case 14: {
        if (std::exchange(was_audited_, true)) break;  // slow
        alloc::AuditOptions options;
        options.quiet = (input.Byte() & 1) != 0;
        (void)ipc::Audit(*attachment_, options);
        break;
      }
      case 15:
        (void)member.EvictLaggards(ipc::RoomKind::kRing, 1);
        break;
      case 16:
        attachment_->ReapIfGone({static_cast<std::uint16_t>(input.Below(70)),
                                 static_cast<std::uint32_t>(input.Below(4))});
        break;
      default:
        memory_.Patch(&input);
        break;
    }
  }

 private:
  void Join(std::unique_ptr<Member>* member) {
    auto bell = attachment_->MakeDoorbell();
    if (!bell) return;
    bells_.push_back(std::move(*bell));
    auto joined = attachment_->Join(Named("g"), bells_.back().get(),
                                    Attachment::Membership::kMany);
    if (joined) *member = std::move(*joined);
  }

  void Send(std::uint64_t bytes, std::uint64_t alignment) {
    auto payload = attachment_->AllocAlignedPayload(bytes, alignment);
    if (!payload) return;
    CheckInside(*payload, bytes);
    std::memset(*payload, 0x5a, bytes < 64 ? bytes : 64);
    if (members_[0]->Send(*payload, bytes)) return;
    (void)attachment_->FreePayload(*payload);
  }

  // Every byte of a message is inside the region's data.
  void CheckInside(const std::byte* payload, std::uint64_t bytes) const {
    alloc::Region& region = attachment_->region();
    ZCB_FUZZ_CHECK(payload >= region.data());
    const auto offset = static_cast<std::uint64_t>(payload - region.data());
    const std::uint64_t region_bytes = region.geometry().region_bytes;
    ZCB_FUZZ_CHECK(offset <= region_bytes && bytes <= region_bytes - offset);
  }
  void Check(const Event& event) const {
    if (event.kind != Event::Kind::kMessage) return;
    CheckInside(event.payload, event.length_bytes);
  }

  void Read(Member& member, std::size_t most) {
    for (std::size_t i = 0; i < most; ++i) {
      const auto event = member.Next();
      if (!event || event->kind == Event::Kind::kNothing) return;
      Check(*event);
      ZCB_FUZZ_CHECK(member.view().items().size() <=
                     attachment_->geometry().entry_count);
      member.Done();
    }
  }

  void Keep(Member& member) {
    const auto event = member.Next();
    if (!event || event->kind == Event::Kind::kNothing) return;
    Check(*event);
    if (member.Retain(*event)) kept_.push_back(event->payload);
    member.Done();
  }

  // What may be forged: the group as far as it is used, the words of the units
  // in use, the lines before the payloads, leases and records.
  void Remember() {
    alloc::Region& region = attachment_->region();
    const alloc::Geometry& g = region.geometry();
    const ipc::IpcGeometry& i = attachment_->geometry();
    const auto group = attachment_->directory().Find(Named("g"));
    ZCB_FUZZ_CHECK(group.ok() && *group);
    memory_.Add(&(*group)->header(), sizeof(ipc::GroupHeader));
    memory_.Add(&(*group)->entry(0), kEntries * sizeof(ipc::EntryState));
    memory_.Add(&(*group)->slot(0), kSlots * 8);
    memory_.Add(region.meta<std::byte>(g.units_offset), g.unit_count * 8);
    memory_.Add(region.meta<std::byte>(g.granules_offset), g.granule_count * 8);
    memory_.Add(&region.lease_record(0), 4 * sizeof(alloc::LeaseRecord));
    memory_.Add(region.meta<std::byte>(i.keeps_offset), 64);
    alloc::Allocator& allocator = attachment_->allocator();
    for (std::uint64_t position = 0; position < kSlots; ++position) {
      const ipc::SlotWord slot((*group)->slot(position).load());
      if (slot.raw() == 0 || slot.is_control()) continue;
      const auto place = allocator.Locate(slot.ref());
      if (!place) continue;
      memory_.Add(place->word, 8);
      memory_.Add(allocator.Pointer(slot.ref()), 64);
    }
    memory_.Add(region.meta<std::byte>(g.dense_words_offset), 4096);
    memory_.Add(region.meta<std::byte>(g.sparse_words_offset), 4096);
    memory_.Remember();
  }

  std::shared_ptr<Attachment> attachment_;
  std::vector<std::unique_ptr<ipc::Doorbell>> bells_;
  std::unique_ptr<Member> members_[2];
  std::vector<const void*> kept_;
  bool was_audited_ = false;
  FuzzMemory memory_;
};

}  // namespace
}  // namespace zcb::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  using namespace zcb::fuzz;  // NOLINT: the entry's name is given
  static const zcb::testing::TempDirectory directory;
  FuzzInput input(bytes, size);
  World world(directory.path());
  for (int step = 0; step < kMaxSteps && !input.is_empty(); ++step) {
    world.Step(input);
  }
  return 0;
}
