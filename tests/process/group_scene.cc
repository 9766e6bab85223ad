#include "tests/process/group_scene.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "allocator/region.h"
#include "ipc/audit.h"
#include "ipc/entry_word.h"
#include "ipc/group_view.h"
#include "ipc/ipc_layout.h"
#include "ipc/sleep_word.h"

namespace zcb::steps {
namespace {

constexpr std::uint64_t kRegionBytes = 8 << 20;  // 32 units
constexpr std::uint32_t kLeases = 16;
constexpr std::uint32_t kGroups = 24;
constexpr std::uint32_t kEntries = 256;  // so that a ring is full soon
constexpr std::uint32_t kSlots = 1024;
constexpr std::uint32_t kKeeps = 64;
constexpr int kMostSends = 3 * static_cast<int>(kSlots);

alloc::RegionOptions SmallRegion(const std::string& directory) {
  alloc::RegionOptions options;
  options.directory = directory;
  options.region_bytes = kRegionBytes;
  options.prefault_bytes = 0;
  options.lease_count = kLeases;
  options.client_params = {ipc::IpcLimits::kLayoutVersion, kGroups, kEntries,
                           kSlots, kKeeps};
  options.client_area_bytes = ipc::IpcGeometry::AreaBytes(
      options.client_params, kLeases, kRegionBytes + alloc::kHugePageBytes);
  return options;
}

ipc::GroupName NameOf(std::string_view text) {
  return ipc::GroupName({text.data(), text.size()});
}

}  // namespace

GroupScene::GroupScene() {
  setenv("ZCB_DIR", directory_.path().c_str(), 1);
  for (const char* name : {"ZCB_REGION", "ZCB_REGION_BYTES", "ZCB_NODEID",
                           "ZCB_KEEP", "ZCB_PAGES"}) {
    unsetenv(name);
  }
  ipc::IpcOptions options;
  options.region = SmallRegion(directory_.path());
  // Whoever creates says how large its tables are.
  const auto region = alloc::Region::Open(options.region);
  Must(region.ok(), "no region");
  auto attachment = ipc::Attachment::Open(options);
  Must(attachment.ok(), "no attachment");
  attachment_ = *attachment;
  witness_ = std::make_unique<Witness>();
  me_ = Join(kGroup);
  other_ = Join(kOtherGroup);
  ReadAll();
  // The first time round a ring is not like the others.
  for (std::uint32_t i = 0; i <= kSlots; ++i) {
    Must(Send(8), "cannot send");
    if (i % (kSlots / 8) == 0) ReadAll();
  }
  ReadAll();
  Must(WorkBesides({}, false).empty(), "a fresh region does not work");
  ReadAll();
  Begin();
  // Once for all that a first time makes.
  Must(Mend({}).empty(), "a fresh region is not good");
  file_count_ = CountFiles();
  const auto report = ipc::Audit(*attachment_);
  Must(report.ok(), "no audit");
  free_bytes_ = report->of(alloc::AuditPlace::kFreeHole).bytes +
                report->of(alloc::AuditPlace::kFreeCommitted).bytes;
}

GroupScene::~GroupScene() {
  witness_.reset();
  third_.reset();
  for (Joined* joined : {&me_, &other_, &guest_}) joined->member.reset();
}

GroupScene::Joined GroupScene::Join(std::string_view group) {
  Joined joined;
  auto bell = attachment_->MakeDoorbell();
  Must(bell.ok(), "no doorbell");
  joined.bell = std::move(*bell);
  auto member = attachment_->Join(NameOf(group), joined.bell.get());
  Must(member.ok(), "the driver cannot join");
  joined.member = std::move(*member);
  return joined;
}

void GroupScene::Begin() {
  log_->count = 0;
  witness_->log().count = 0;
  witness_->pair_log().count = 0;
  trims_ = true;
  scribbles_ = true;
  may_be_evicted_ = false;
}

void GroupScene::Read(ipc::Member* member, EventLog* log) {
  for (;;) {
    const auto event = member->Next();
    Must(event.ok(), "the driver cannot read");
    if (event->kind == ipc::Event::Kind::kNothing) return;
    Seen seen;
    seen.sequence = event->sequence;
    if (event->kind == ipc::Event::Kind::kMessage) {
      seen.pid = event->sender.pid;
      seen.length_bytes = event->length_bytes;
      seen.hash = DigestOf({event->payload, event->length_bytes});
    } else {
      using Kind = ipc::ViewChange::Kind;
      seen.pid = event->change.subject.pid;
      seen.kind = event->change.kind == Kind::kJoin    ? Seen::Kind::kJoin
                  : event->change.kind == Kind::kLeave ? Seen::Kind::kLeave
                                                       : Seen::Kind::kDown;
      for (const auto& item : member->view().items()) {
        seen.hash = seen.hash * 31 + item.address.pid;
      }
    }
    if (log != nullptr) log->Add(seen);
    member->Done();
  }
}

bool GroupScene::SendOn(ipc::Member* member, std::size_t bytes) {
  const auto payload = attachment_->AllocPayload(bytes);
  if (!payload) return false;
  std::memset(*payload, 'd', bytes);
  if (member->Send(*payload, bytes)) return true;
  Must(attachment_->FreePayload(*payload).ok(), "a refused buffer is lost");
  return false;
}

bool GroupScene::Send(std::size_t bytes) {
  return SendOn(me_.member.get(), bytes);
}

void GroupScene::ReadAll() {
  Read(me_.member.get(), log_.get());
  Read(other_.member.get(), nullptr);
  if (guest_.member != nullptr) Read(guest_.member.get(), nullptr);
  Must(witness_->Do(Witness::Task::kDispatch) == 0, "the witness cannot read");
}

void GroupScene::SendWitnessToSleep() {
  witness_->Start(Witness::Task::kWait);
  witness_waits_ = true;
  const auto found = attachment_->directory().Find(NameOf(kGroup));
  Must(found.ok() && found->has_value(), "no group");
  for (;;) {
    for (std::uint32_t i = 0; i < (*found)->EntryHigh(); ++i) {
      const auto state =
          ipc::SleepWord((*found)->entry(i).sleep.load()).state();
      // The driver does not sleep, and the child has not begun.
      if (state == ipc::SleepWord::State::kSleeping ||
          state == ipc::SleepWord::State::kParked) {
        return;
      }
    }
    sched_yield();
  }
}

void GroupScene::DriverJoins(std::string_view group) { guest_ = Join(group); }

void GroupScene::FillAndEvict() {
  // The time that it takes to see that somebody does not read.
  constexpr std::uint32_t kLimitMs = 1;
  ipc::Member* const member = guest_.member.get();
  // The second time the child alone is in the way.
  for (int round = 0; round < 2; ++round) {
    Must(witness_->Do(Witness::Task::kReadSlow) == 0, "witness");
    for (int i = 0; i < kMostSends && SendOn(member, 8); ++i) {
      Read(member, nullptr);
    }
  }
  while (!member->HasRoom()) {
    (void)member->EvictLaggards(ipc::RoomKind::kRing, kLimitMs);
    sched_yield();
  }
  Read(member, nullptr);
}

void GroupScene::StartThird(const std::function<void(Child&)>& body) {
  zcb::testing::Gate ready;
  third_ = std::make_unique<zcb::testing::ChildProcess>([&] {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Child child;
    body(child);
    ready.Signal();
    for (;;) pause();
    return 0;
  });
  third_pid_ = static_cast<std::uint32_t>(third_->pid());
  ready.Wait();
}

void GroupScene::KillThird() {
  // Its members stand still, so that nobody notices but the child.
  witness_->Stop();
  witness_is_stopped_ = true;
  third_.reset();
}

void GroupScene::LeaveUnitBehind() {
  StartThird([](Child& child) {
    Attach(child);
    JoinGroup(child.handle, kGroup);
    for (int i = 0; i < 2; ++i) {
      Must(SendBytes(child.handle, 4000) == CS_OK, "cannot send");
    }
    TakeAll(child.handle);
  });
  third_.reset();
  third_pid_ = 0;
  // The messages stay on their way: nobody reads.
  attachment_->RelievePressure();
}

}  // namespace zcb::steps
