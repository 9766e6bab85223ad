// zcb: a member that sends, and a process that allocates and gives away.
#include <corosync/cpg_zcb.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "allocator/allocator.h"
#include "bench/failure.h"
#include "bench/peers/kill/trial.h"
#include "ipc/attachment.h"
#include "ipc/audit.h"
#include "tests/support/temp_directory.h"

namespace zcb::bench {
namespace {

constexpr std::uint64_t kBytes = 256;
constexpr std::size_t kHeld = 64;
constexpr const char* kRegionBytes = "64m";

void Check(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

template <typename T>
T Must(Result<T> result) {
  if (!result) Fail("{}", result.reason());
  return *std::move(result);
}
void Must(const Outcome& outcome) {
  if (!outcome) Fail("{}", outcome.reason());
}

std::shared_ptr<ipc::Attachment> Attach() {
  return Must(ipc::Attachment::Open(Must(ipc::IpcOptions::FromEnvironment())));
}

class ZcbCase : public KillCase {
 public:
  void SetUp(Children*) override {
    ::setenv("ZCB_DIR", directory_.path().c_str(), 1);
    ::setenv("ZCB_REGION_BYTES", kRegionBytes, 1);
  }

 protected:
  // Buffers that nobody answers for, once the dead are put to rest.
  static void CountLeaks(ipc::Attachment* attachment, TrialBoard* board) {
    while (SomebodyIsDead(*attachment)) attachment->RelievePressure();
    attachment->RelievePressure();
    const auto report = Must(ipc::Audit(*attachment, {.quiet = true}));
    if (report.findings.damage() != 0) Fail("the audit finds damage");
    board->leaked_buffers =
        static_cast<std::int64_t>(attachment->ReadStats().region_out_buffers);
  }

 private:
  static bool SomebodyIsDead(const ipc::Attachment& attachment) {
    const alloc::Region& region = attachment.region();
    for (std::uint16_t slot = 0; slot < region.LeaseHighWater(); ++slot) {
      const alloc::LeaseWord word(
          region.lease_word(slot).load(std::memory_order_acquire));
      if (word.phase() == alloc::LeaseWord::Phase::kDead) return true;
    }
    return false;
  }
  const testing::TempDirectory directory_;
};

class ZcbGroup final : public ZcbCase {
 public:
  void BeVictim(TrialBoard* board) override {
    const cpg_handle_t handle = Join();
    for (std::uint64_t sent = 0;; ++sent) {
      Send(handle);
      Drain(handle);
      if (sent == 1000) Set(&board->victim_is_busy);
    }
  }
  void BeSurvivor(TrialBoard* board) override {
    const cpg_handle_t handle = Join();
    Set(&board->survivor_is_ready);
    bool is_down = false;
    while (!is_down) {
      cpg_zcb_message message{};
      const cs_error_t error = cpg_zcb_next(handle, &message);
      if (error == CS_ERR_TRY_AGAIN) continue;
      Check(error, "cpg_zcb_next");
      is_down =
          message.kind == CPG_ZCB_VIEW && message.reason == CPG_REASON_PROCDOWN;
    }
    Send(handle);
    cpg_zcb_message own{};
    Check(cpg_zcb_next_timed(handle, &own, -1), "its own message");
    Drain(handle);
    Check(cpg_leave(handle, &kGroup), "cpg_leave");
    Drain(handle);
    CountLeaks(Attach().get(), board);
    Set(&board->survivor_goes_on);
  }

 private:
  static constexpr cpg_name kGroup{4, "kill"};

  static cpg_handle_t Join() {
    cpg_handle_t handle = 0;
    Check(cpg_model_initialize(&handle, CPG_MODEL_ZCB, nullptr, nullptr),
          "cpg_model_initialize");
    Check(cpg_join(handle, &kGroup), "cpg_join");
    return handle;
  }
  static void Send(cpg_handle_t handle) {
    void* buffer = nullptr;
    Check(cpg_zcb_alloc(handle, kBytes, &buffer), "cpg_zcb_alloc");
    std::memset(buffer, 1, kBytes);
    cs_error_t error = CS_OK;
    while ((error = cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer,
                                         kBytes)) == CS_ERR_TRY_AGAIN) {
      Drain(handle);
    }
    Check(error, "cpg_zcb_mcast_joined");
  }
  static void Drain(cpg_handle_t handle) {
    cpg_zcb_message message{};
    while (cpg_zcb_next(handle, &message) == CS_OK) {
    }
  }
};

class ZcbMemory final : public ZcbCase {
 public:
  void BeVictim(TrialBoard* board) override {
    const auto attachment = Attach();
    alloc::Allocator& allocator = attachment->allocator();
    std::vector<alloc::BufferRef> held(kHeld);
    for (std::uint64_t i = 0;; ++i) {
      alloc::BufferRef& one = held[i % kHeld];
      if (i >= kHeld) {
        // Half of them given to somebody who never comes for them.
        if (i % 2 == 0) {
          Must(allocator.Free(one));
        } else {
          Must(allocator.Give(one));
        }
      }
      one = Must(allocator.Alloc(kBytes));
      if (i == 1000) Set(&board->victim_is_busy);
    }
  }
  void BeSurvivor(TrialBoard* board) override {
    const auto attachment = Attach();
    Set(&board->survivor_is_ready);
    AwaitFlag(board->victim_is_dead);
    alloc::Allocator& allocator = attachment->allocator();
    Must(allocator.Free(Must(allocator.Alloc(kBytes))));
    CountLeaks(attachment.get(), board);
    Set(&board->survivor_goes_on);
  }
};

}  // namespace

std::unique_ptr<KillCase> MakeZcbGroup() {
  return std::make_unique<ZcbGroup>();
}
std::unique_ptr<KillCase> MakeZcbMemory() {
  return std::make_unique<ZcbMemory>();
}

}  // namespace zcb::bench
