// The data path makes no system call: senders and receivers run it under a
// filter that kills the process at any (but exit_group, to report).
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

// For the calling thread.
void ForbidSystemCalls() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog filter{4, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    _exit(99);
  }
}

constexpr std::uint64_t kWarmUp = 1000;
constexpr std::uint64_t kMeasured = 4000;
constexpr std::uint64_t kTotal = kWarmUp + kMeasured;
constexpr std::uint64_t kWindow = 128;  // never fills the ring
constexpr unsigned int kPerCall = 6;
constexpr std::size_t kSizes[] = {0, 64, 4000, 30000};

// How far each has come; the sender keeps its window by it.
struct Progress {
  std::atomic<std::uint64_t> ready{0};
  std::atomic<std::uint64_t> received[2] = {};
};

class SeccompTest : public ::testing::Test {
 protected:
  SeccompTest() {
    void* memory = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    progress_ = new (memory) Progress();
  }
  ~SeccompTest() override { munmap(progress_, sizeof(Progress)); }

  // Counts what arrives, without memory of its own.
  struct Counter {
    std::uint64_t messages = 0;
    bool ok = true;
  };
  static Counter counter;
  static void Check(const void* msg, std::size_t length_bytes) {
    const std::uint64_t number = counter.messages++;
    const std::size_t expected = kSizes[number % std::size(kSizes)];
    if (length_bytes != expected) counter.ok = false;
    if (expected >= sizeof(number) &&
        std::memcmp(msg, &number, sizeof(number)) != 0) {
      counter.ok = false;
    }
  }
  static void OnMessage(cpg_handle_t, const cpg_name*, std::uint32_t,
                        std::uint32_t, void* msg, std::size_t length_bytes) {
    Check(msg, length_bytes);
  }
  static void OnMessageInPlace(cpg_handle_t, const cpg_name*, std::uint32_t,
                               std::uint32_t, const void* msg,
                               std::size_t length_bytes) {
    Check(msg, length_bytes);
  }

  static cpg_handle_t JoinAs(cpg_model_t model, const char* group) {
    cpg_handle_t handle = 0;
    cs_error_t error = CS_OK;
    if (model == CPG_MODEL_V1) {
      cpg_model_v1_data_t data{};
      data.cpg_deliver_fn = &OnMessage;
      error = cpg_model_initialize(
          &handle, model, reinterpret_cast<cpg_model_data_t*>(&data), nullptr);
    } else {
      cpg_model_zcb_data_t data{};
      data.cpg_deliver_fn = &OnMessageInPlace;
      data.flags = CPG_MODEL_ZCB_SEND_TIME;  // the clock is the vDSO's
      error = cpg_model_initialize(
          &handle, model, reinterpret_cast<cpg_model_data_t*>(&data), nullptr);
    }
    if (error != CS_OK) _exit(98);
    const cpg_name name = Named(group);
    if (cpg_join(handle, &name) != CS_OK) _exit(97);
    return handle;
  }

  enum class How : std::uint8_t { kDispatch, kNext, kBatch };

  int Receive(cpg_model_t model, const char* group, How how) {
    const cpg_handle_t handle = JoinAs(model, group);
    ++progress_->ready;
    bool filtered = false;
    while (counter.messages < kTotal) {
      if (!filtered && counter.messages >= kWarmUp) {
        ForbidSystemCalls();
        filtered = true;
      }
      if (how == How::kBatch) {
        cpg_zcb_message messages[kPerCall];
        unsigned int count = 0;
        const cs_error_t error =
            cpg_zcb_next_batch(handle, messages, kPerCall, &count);
        if (error != CS_OK && error != CS_ERR_TRY_AGAIN) return 3;
        for (unsigned int i = 0; i < count; ++i) {
          if (messages[i].kind != CPG_ZCB_MESSAGE) continue;
          Check(messages[i].data, messages[i].length);
        }
      } else if (how == How::kNext) {
        cpg_zcb_message message;
        const cs_error_t error = cpg_zcb_next(handle, &message);
        if (error == CS_OK && message.kind == CPG_ZCB_MESSAGE) {
          Check(message.data, message.length);
        } else if (error != CS_OK && error != CS_ERR_TRY_AGAIN) {
          return 3;
        }
      } else if (cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) {
        return 3;
      }
      progress_->received[0] = counter.messages;
    }
    return counter.ok ? 0 : 4;
  }

  // Memory for as many messages as can ever be on their way: growing takes
  // system calls, and so does giving memory back. Every other buffer stays, so
  // that no page of them becomes empty.
  static void Grow(cpg_handle_t handle) {
    std::vector<void*> buffers;
    for (const std::size_t size_bytes : kSizes) {
      for (std::uint64_t i = 0; i < 4 * kWindow; ++i) {
        buffers.push_back(nullptr);
        if (cpg_zcb_alloc(handle, size_bytes, &buffers.back()) != CS_OK) {
          _exit(96);
        }
      }
    }
    for (std::size_t i = 0; i < buffers.size(); i += 2) {
      (void)cpg_zcb_free(handle, buffers[i]);
    }
  }

  int Send(cpg_model_t model, const char* group, How how) {
    const cpg_handle_t handle = JoinAs(model, group);
    iovec batch[kPerCall];
    unsigned int batched = 0;
    Grow(handle);
    while (progress_->ready == 0) {
    }
    alignas(64) static char source[100000];
    for (std::uint64_t number = 0; number < kTotal; ++number) {
      if (number == kWarmUp) ForbidSystemCalls();
      const std::size_t length_bytes = kSizes[number % std::size(kSizes)];
      cs_error_t error = CS_OK;
      if (model == CPG_MODEL_V1) {
        std::memcpy(source, &number, sizeof(number));
        const iovec pieces[2] = {
            {source, length_bytes / 2},
            {source + length_bytes / 2, length_bytes - length_bytes / 2}};
        error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, pieces, 2);
      } else {
        void* buffer = nullptr;
        error = cpg_zcb_alloc(handle, length_bytes, &buffer);
        if (error != CS_OK) return 5;
        if (length_bytes >= sizeof(number)) {
          std::memcpy(buffer, &number, sizeof(number));
        }
        if (how == How::kBatch) {
          batch[batched++] = {buffer, length_bytes};
          if (batched < kPerCall && number + 1 < kTotal) continue;
          unsigned int sent = 0;
          error = cpg_zcb_mcast_batch(handle, CPG_TYPE_AGREED, batch, batched,
                                      &sent);
          batched = 0;
        } else {
          error = cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer,
                                       length_bytes);
        }
      }
      if (error != CS_OK) return 6;
      do {
        if (cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) return 7;
      } while (number - progress_->received[0] + 1 > kWindow &&
               number > progress_->received[0]);
    }
    return counter.ok && counter.messages == kTotal ? 0 : 8;
  }

  void Run(cpg_model_t model, const char* group, How how) {
    ChildProcess receiver([&] { return Receive(model, group, how); });
    ChildProcess sender([&] { return Send(model, group, how); });
    const int sender_ended = sender.Join();
    EXPECT_EQ(sender_ended, 0);
    if (sender_ended != 0) receiver.Kill();  // it would wait for ever
    EXPECT_EQ(receiver.Join(), 0);
  }

  Progress* progress_;
};
SeccompTest::Counter SeccompTest::counter;

TEST_F(SeccompTest, FilterKillsAtASystemCall) {
  ChildProcess child([] {
    ForbidSystemCalls();
    return static_cast<int>(syscall(SYS_getppid)) * 0;
  });
  EXPECT_EQ(child.Join(), 128 + SIGSYS);
}

TEST_F(SeccompTest, ZcbSendAndDispatchMakeNoSystemCall) {
  Run(CPG_MODEL_ZCB, "seccomp-dispatch", How::kDispatch);
}

TEST_F(SeccompTest, ZcbSendAndNextMakeNoSystemCall) {
  Run(CPG_MODEL_ZCB, "seccomp-next", How::kNext);
}

TEST_F(SeccompTest, ZcbBatchesMakeNoSystemCall) {
  Run(CPG_MODEL_ZCB, "seccomp-batch", How::kBatch);
}

TEST_F(SeccompTest, V1SendAndDispatchMakeNoSystemCall) {
  Run(CPG_MODEL_V1, "seccomp-v1", How::kDispatch);
}

TEST_F(SeccompTest, KeepingForwardingAndLettingGoMakeNoSystemCall) {
  ChildProcess child([&] {
    const cpg_handle_t handle = JoinAs(CPG_MODEL_ZCB, "seccomp-keep");
    Grow(handle);
    cpg_zcb_message view;
    if (cpg_zcb_next(handle, &view) != CS_OK) return 1;
    for (std::uint64_t number = 0; number < kTotal; ++number) {
      if (number == kWarmUp) ForbidSystemCalls();
      void* buffer = nullptr;
      if (cpg_zcb_alloc(handle, 64, &buffer) != CS_OK) return 2;
      std::memcpy(buffer, &number, sizeof(number));
      if (cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 64) != CS_OK) {
        return 3;
      }
      cpg_zcb_message message;
      if (cpg_zcb_next(handle, &message) != CS_OK) return 4;
      if (message.send_time_ns == 0) return 5;
      for (int i = 0; i < 2; ++i) {
        if (cpg_zcb_retain(handle, message.data) != CS_OK) return 6;
      }
      cpg_zcb_message described;
      if (cpg_zcb_describe(handle, message.data, &described) != CS_OK) return 7;
      const cs_error_t sent =
          cpg_zcb_forward(handle, CPG_TYPE_AGREED, message.data, 64);
      if (sent != CS_OK) return 8;
      cpg_zcb_message copy;
      if (cpg_zcb_next(handle, &copy) != CS_OK) return 9;
      if (std::memcmp(copy.data, &number, sizeof(number)) != 0) return 10;
      for (int i = 0; i < 2; ++i) {
        if (cpg_zcb_release(message.data) != CS_OK) return 11;
      }
    }
    return 0;
  });
  EXPECT_EQ(child.Join(), 0);
}

TEST_F(SeccompTest, EmptyDispatchAndAllocAndFreeMakeNoSystemCall) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    ChildProcess child([&] {
      const cpg_handle_t handle = JoinAs(model, "seccomp-empty");
      if (cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) return 1;
      void* buffer = nullptr;
      const auto alloc_and_free = [&] {
        return cpg_zcb_alloc(handle, 1000, &buffer) == CS_OK &&
               cpg_zcb_free(handle, buffer) == CS_OK;
      };
      if (!alloc_and_free()) return 2;
      ForbidSystemCalls();
      for (int i = 0; i < 1000; ++i) {
        if (cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) return 3;
        if (cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING) !=
            CS_ERR_TRY_AGAIN) {
          return 4;
        }
        if (!alloc_and_free()) return 5;
      }
      return 0;
    });
    EXPECT_EQ(child.Join(), 0);
  }
}

TEST_F(SeccompTest, LooksAtHandlesAndGroupsMakeNoSystemCall) {
  constexpr int kOthers = 20;
  constexpr std::size_t kGroups = 2;
  static const char* const kNames[kGroups] = {"seccomp-look", "seccomp-nobody"};
  const cpg_name groups[kGroups] = {Named(kNames[0]), Named(kNames[1])};
  const int expected[kGroups] = {kOthers + 1, 0};
  Gate joined;
  Gate never;
  std::vector<std::unique_ptr<ChildProcess>> others;
  for (int i = 0; i < kOthers; ++i) {
    others.push_back(std::make_unique<ChildProcess>([&] {
      JoinAs(CPG_MODEL_V1, kNames[0]);
      joined.Signal();
      never.Wait();
      return 0;
    }));
  }
  for (int i = 0; i < kOthers; ++i) joined.Wait();
  ChildProcess child([&] {
    const cpg_handle_t handle = JoinAs(CPG_MODEL_V1, kNames[0]);
    if (cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) return 1;
    std::array<cpg_address, CPG_MEMBERS_MAX> members;
    for (int round = 0; round < 1000; ++round) {
      // The first look at a group maps its pages.
      if (round == 1) ForbidSystemCalls();
      for (std::size_t g = 0; g < kGroups; ++g) {
        cpg_name group = groups[g];
        int count = 0;
        if (cpg_membership_get(handle, &group, members.data(), &count) !=
            CS_OK) {
          return 2;
        }
        if (count != expected[g]) return 3;
      }
      void* context = &members;
      unsigned node_id = 0;
      cpg_flow_control_state_t state{};
      std::uint32_t size_bytes = 0;
      if (cpg_context_set(handle, nullptr) != CS_OK ||
          cpg_context_get(handle, &context) != CS_OK || context != nullptr ||
          cpg_local_get(handle, &node_id) != CS_OK ||
          cpg_flow_control_state_get(handle, &state) != CS_OK ||
          cpg_max_atomic_msgsize_get(handle, &size_bytes) != CS_OK) {
        return 4;
      }
    }
    return 0;
  });
  EXPECT_EQ(child.Join(), 0);
}

}  // namespace
}  // namespace zcb::cpg::testing
