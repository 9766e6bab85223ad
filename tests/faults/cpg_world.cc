#include "tests/faults/cpg_world.h"

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "ipc/attachment.h"
#include "ipc/audit.h"
#include "tests/faults/resources.h"

namespace zcb::faults {
namespace {

int g_events = 0;  // that the keeper's callbacks got

void OnMessage(cpg_handle_t, const cpg_name*, std::uint32_t, std::uint32_t,
               void*, std::size_t) {
  ++g_events;
}
void OnChange(cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t,
              const cpg_address*, std::size_t, const cpg_address*,
              std::size_t) {
  ++g_events;
}

std::string Joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += " " + name;
  return text;
}

}  // namespace

std::string AuditRegion(ipc::Attachment& attachment, std::uint64_t leases,
                        std::uint64_t* free_bytes) {
  alloc::AuditOptions options;
  options.quiet = true;
  const auto report = ipc::Audit(attachment, options);
  if (!report) return "no audit";
  std::string wrong;
  const auto expect = [&wrong](const char* what, std::uint64_t is,
                               std::uint64_t should_be) {
    if (is == should_be) return;
    wrong += std::string(" ") + what + "=" + std::to_string(is) + " not " +
             std::to_string(should_be);
  };
  expect("damage", report->findings.damage(), 0);
  expect("repairs", report->findings.repairs(), 0);
  expect("leases", report->living_leases, leases);
  expect("dead leases", report->dead_leases, 0);
  using Place = alloc::AuditPlace;
  for (const Place place :
       {Place::kHeld, Place::kSent, Place::kRetained, Place::kInTransit,
        Place::kRepair, Place::kDamaged}) {
    expect(alloc::NameOf(place), report->of(place).bytes, 0);
  }
  std::uint64_t now_free = 0;
  for (const Place place :
       {Place::kFreeHole, Place::kFreeCommitted, Place::kAbandoned}) {
    now_free += report->of(place).bytes;
  }
  if (*free_bytes == 0) *free_bytes = now_free;
  expect("free bytes", now_free, *free_bytes);
  return wrong;
}

void UseDirectory(const std::string& directory) {
  for (const char* name : {"ZCB_PAGES", "ZCB_KEEP", "ZCB_IDLE_BYTES",
                           "ZCB_POISON", "ZCB_NODEID", "ZCB_RETAIN_BYTES"}) {
    unsetenv(name);
  }
  setenv("ZCB_DIR", directory.c_str(), 1);
  setenv("ZCB_REGION", kRegionName, 1);
  setenv("ZCB_REGION_BYTES", "16m", 1);
}

// --- EmptyWorld --------------------------------------------------------------

std::string EmptyWorld::Check(const Aftermath& after) {
  std::string left;
  std::error_code ignored;
  if (after.died || after.may_leave_names) {
    // Whoever comes next clears up.
    zcb::testing::ChildProcess next([] {
      cpg_handle_t handle = 0;
      if (cpg_initialize(&handle, nullptr) != CS_OK) return 1;
      if (cpg_finalize(handle) != CS_OK) return 2;
      std::exit(0);
      return 0;
    });
    if (next.Join() != 0) left += " what keeps the next one out;";
  }
  left += Joined(FilesBelow(directory_.path()));
  for (const auto& entry :
       std::filesystem::directory_iterator(directory_.path())) {
    const std::string name = entry.path().filename();
    if (name != "zcb-" + std::to_string(geteuid())) left += " " + name;
    std::filesystem::remove_all(entry.path(), ignored);
  }
  return left;
}

// --- KeptWorld ---------------------------------------------------------------

struct KeptWorld::Answer {
  char question;
  int events;
  std::array<char, 800> text;
};

KeptWorld::KeptWorld() {
  UseDirectory(directory_.path());
  void* const page = mmap(nullptr, sizeof(Answer), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) std::abort();
  answer_ = static_cast<Answer*>(page);
  keeper_ =
      std::make_unique<zcb::testing::ChildProcess>([this] { return Keep(); });
  answered_.Wait();
  files_ = FilesBelow(directory_.path());
}

KeptWorld::~KeptWorld() {
  keeper_.reset();
  munmap(answer_, sizeof(Answer));
}

// FIFOs that no lease's number of bells covers any more stay till the region
// goes.
void KeptWorld::Unlink() {
  for (const std::string& name : FilesBelow(directory_.path())) {
    if (!files_.contains(name)) {
      unlink((directory_.path() + "/" + name).c_str());
    }
  }
}

int KeptWorld::Keep() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  cpg_callbacks_t callbacks{};
  callbacks.cpg_deliver_fn = &OnMessage;
  callbacks.cpg_confchg_fn = &OnChange;
  cpg_handle_t handle = 0;
  cpg_name group{};
  group.length = static_cast<std::uint32_t>(std::strlen(kGroupName));
  std::memcpy(group.value, kGroupName, group.length);
  int fd = -1;
  if (cpg_initialize(&handle, &callbacks) != CS_OK ||
      cpg_join(handle, &group) != CS_OK ||
      cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK ||
      cpg_fd_get(handle, &fd) != CS_OK ||
      cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) {
    return 1;
  }
  const auto options = ipc::IpcOptions::FromEnvironment();
  const auto attachment = ipc::Attachment::Open(*options);  // the same again
  files_ = FilesBelow(directory_.path());
  std::uint64_t free_bytes = 0;
  (void)AuditRegion(**attachment, 1, &free_bytes);
  answered_.Signal();
  for (;;) {
    asked_.Wait();
    pollfd bell{fd, POLLIN, 0};
    const bool was_rung = poll(&bell, 1, 0) == 1;
    g_events = 0;
    std::string wrong;
    const auto read_all = [&] {
      const cs_error_t read = cpg_dispatch(handle, CS_DISPATCH_ALL);
      if (read != CS_OK) wrong += " dispatch " + std::to_string(read);
      return g_events;
    };
    read_all();
    if (g_events != 0 && !was_rung) wrong += " nobody rang";
    if (answer_->question == 'r' && g_events < answer_->events) {
      wrong += " events: " + std::to_string(g_events);
    }
    if (answer_->question != 'r') {
      if (answer_->question == 'd') {
        // Until nobody is dead whose end we have not read.
        (*attachment)->RelievePressure();
        read_all();
      }
      (void)cpg_zcb_collect(handle);
      wrong += AuditRegion(**attachment, 1, &free_bytes);
      std::set<std::string> now = FilesBelow(directory_.path());
      for (const std::string& name : files_) now.erase(name);
      // The slot's next owner takes that of a dead one away.
      std::erase_if(now, [this](const std::string& name) {
        return answer_->question == 'd' &&
               name.find(".life.") != std::string::npos;
      });
      wrong += Joined(now);
    }
    std::snprintf(answer_->text.data(), answer_->text.size(), "%s",
                  wrong.c_str());
    answered_.Signal();
  }
}

void KeptWorld::Ask(char question, int events) {
  answer_->question = question;
  answer_->events = events;
  asked_.Signal();
  answered_.Wait();
}

std::string KeptWorld::Check(const Aftermath& after) {
  if (after.may_leave_names) Unlink();
  Ask(after.died ? 'd' : 'c', 0);
  return answer_->text.data();
}

std::string KeptWorld::Read(int events) {
  Ask('r', events);
  return answer_->text.data();
}

}  // namespace zcb::faults
