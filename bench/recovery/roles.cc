#include "bench/recovery/roles.h"

#include <corosync/cpg_zcb.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "allocator/lease_word.h"
#include "bench/clock.h"
#include "bench/failure.h"
#include "ipc/attachment.h"

namespace zcb::bench {
namespace {

constexpr std::uint64_t kChunkBytes = 1 << 20;
constexpr std::uint64_t kSmallBytes = 64;

void Check(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

template <typename T>
T Must(Result<T> result) {
  if (!result) Fail("{}", result.reason());
  return *std::move(result);
}

cpg_handle_t JoinIn(const std::string& directory, cpg_confchg_fn_t on_change,
                    bool on_descriptor) {
  ::setenv("ZCB_DIR", directory.c_str(), 1);
  cpg_model_v1_data_t callbacks{};
  callbacks.model = CPG_MODEL_V1;
  callbacks.cpg_confchg_fn = on_change;
  cpg_handle_t handle = 0;
  Check(cpg_model_initialize(&handle, CPG_MODEL_V1,
                             reinterpret_cast<cpg_model_data_t*>(&callbacks),
                             nullptr),
        "cpg_model_initialize");
  Check(cpg_zcb_option_set(handle, CPG_ZCB_OPTION_WAIT, CPG_ZCB_WAIT_PARK),
        "wait");
  Check(cpg_zcb_option_set(
            handle, CPG_ZCB_OPTION_PARK,
            on_descriptor ? CPG_ZCB_PARK_DESCRIPTOR : CPG_ZCB_PARK_FUTEX),
        "park");
  const cpg_name group{8, "recovery"};
  Check(cpg_join(handle, &group), "cpg_join");
  return handle;
}

// This process's attachment, which its handle has opened.
std::shared_ptr<ipc::Attachment> AttachmentIn(const std::string& directory) {
  ::setenv("ZCB_DIR", directory.c_str(), 1);
  return Must(ipc::Attachment::Open(Must(ipc::IpcOptions::FromEnvironment())));
}

// A callback has no argument of ours.
struct {
  Board* board = nullptr;
  std::size_t index = 0;
} g_member;

void OnChange(cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t,
              const cpg_address* left, std::size_t left_count,
              const cpg_address*, std::size_t joined_count) {
  const std::uint64_t now_ns = MonotonicNs();
  Board& board = *g_member.board;
  if (left_count != 0 && left[0].reason == CPG_REASON_PROCDOWN) {
    board.Tell(g_member.index, now_ns);
  } else if (joined_count != 0) {
    board.has_seen_join.Add(board.expected.load(std::memory_order_relaxed));
  }
}

// Whether a byte of the lock file is locked by nobody.
bool IsUnlocked(int lock_fd, std::uint16_t byte) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return ::fcntl(lock_fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

int OpenPidfd(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

}  // namespace

void BeMember(Board* board, const std::string& directory, std::size_t index,
              bool on_descriptor) {
  g_member.board = board;
  g_member.index = index;
  const cpg_handle_t handle = JoinIn(directory, OnChange, on_descriptor);
  board->ready.Add(board->ready.value() + 1);
  for (;;) Check(cpg_dispatch(handle, CS_DISPATCH_ONE), "cpg_dispatch");
}

void BeBareWaiter(Board* board, std::size_t index) {
  for (std::uint32_t seen = board->order.value();;) {
    board->order.WaitWhile(seen);
    seen = board->order.value();
    if (index >= board->watchers.load(std::memory_order_relaxed)) continue;
    pollfd victim{OpenPidfd(board->victim.load(std::memory_order_relaxed)),
                  POLLIN, 0};
    if (victim.fd < 0) Fail("no pidfd");
    board->ready.Add(board->expected.load(std::memory_order_relaxed));
    while (::poll(&victim, 1, -1) != 1) {
    }
    board->Tell(index, MonotonicNs());
    ::close(victim.fd);
  }
}

void BeObserver(Board* board, const std::string& directory) {
  ::prctl(PR_SET_TIMERSLACK, 1);
  const auto attachment = AttachmentIn(directory);
  const alloc::Region& region = attachment->region();
  // A second descriptor of the lock file: not to be closed before the end.
  const std::string lock =
      region.directory_path() + "/" + region.file_stem() + ".lock";
  const int lock_fd = ::open(lock.c_str(), O_RDWR | O_CLOEXEC);
  if (lock_fd < 0) Fail("no lock file {}", lock);
  board->ready.Add(board->ready.value() + 1);
  for (std::uint32_t seen = 0;;) {
    board->observe.WaitWhile(seen);
    seen = board->observe.value();
    const auto slot = static_cast<std::uint16_t>(
        board->dead_slot.load(std::memory_order_relaxed));
    const std::uint32_t generation =
        board->dead_generation.load(std::memory_order_relaxed);
    const timespec pause{0, 20'000};
    bool is_unlocked = false;
    for (;;) {
      if (!is_unlocked && IsUnlocked(lock_fd, slot)) {
        is_unlocked = true;
        board->unlocked_ns.store(MonotonicNs(), std::memory_order_relaxed);
      }
      const alloc::LeaseWord word(
          region.lease_word(slot).load(std::memory_order_acquire));
      if (!word.IsAlive(generation) && !word.IsDead(generation)) break;
      ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
    }
    board->freed_ns.store(MonotonicNs(), std::memory_order_relaxed);
    board->observed.Set(seen);
  }
}

void BeVictim(Board* board, const std::string& directory,
              const VictimPlan& plan) {
  const cpg_handle_t handle = JoinIn(directory, nullptr, false);
  Check(cpg_dispatch(handle, CS_DISPATCH_ONE), "cpg_dispatch");  // its own join
  for (std::uint64_t done = 0; done < plan.touched_bytes; done += kChunkBytes) {
    void* chunk = nullptr;
    Check(cpg_zcb_alloc(handle, kChunkBytes, &chunk), "cpg_zcb_alloc");
    std::memset(chunk, 1, kChunkBytes);
  }
  const auto attachment = AttachmentIn(directory);
  for (std::uint64_t i = 0; i < plan.buffers_out; ++i) {
    alloc::Allocator& allocator = attachment->allocator();
    Must(allocator.Give(Must(allocator.Alloc(kSmallBytes))));
  }
  const alloc::LeaseId lease = attachment->region().lease();
  board->dead_slot.store(lease.slot, std::memory_order_relaxed);
  board->dead_generation.store(lease.generation, std::memory_order_relaxed);
  board->ready.Set(1);
  for (;;) ::pause();
}

}  // namespace zcb::bench
