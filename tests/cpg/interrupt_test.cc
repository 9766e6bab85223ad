// Signals and cancellations that meet a call.
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/cpg/client.h"
#include "tests/cpg/watched_thread.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

std::atomic<int> handled{0};
void CountSignal(int) { ++handled; }

class SignalTest : public ::testing::TestWithParam<int> {
 protected:
  SignalTest() {
    struct sigaction action{};
    action.sa_handler = &CountSignal;
    action.sa_flags = GetParam();
    sigaction(SIGUSR1, &action, &before_);
  }
  ~SignalTest() override { sigaction(SIGUSR1, &before_, nullptr); }

  static void InterruptOften(WatchedThread* thread) {
    for (int i = 0; i < 20; ++i) {
      thread->WaitUntilAsleep();
      const int before = handled;
      thread->Signal(SIGUSR1);
      while (handled == before && !thread->ended()) std::this_thread::yield();
    }
    thread->WaitUntilAsleep();
    EXPECT_FALSE(thread->ended()) << "a signal ended the wait";
  }

 private:
  struct sigaction before_{};
};

TEST_P(SignalTest, BlockedDispatchGoesOnWaiting) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    for (const bool has_descriptor : {false, true}) {
      for (const cs_dispatch_flags_t how :
           {CS_DISPATCH_ONE, CS_DISPATCH_BLOCKING}) {
        Client client(model);
#if defined(__SANITIZE_THREAD__)
        // TSAN runs no handler in a thread that waits in a system call which it
        // does not know, and which the kernel restarts.
        ASSERT_EQ(cpg_zcb_option_set(client.handle, CPG_ZCB_OPTION_PARK,
                                     CPG_ZCB_PARK_DESCRIPTOR),
                  CS_OK);
#endif
        client.Enter("signals");
        int fd = -1;
        if (has_descriptor) {
          ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
        }
        std::atomic<int> error{0};
        {
          WatchedThread thread([&] { error = client.Dispatch(how); });
          InterruptOften(&thread);
          ASSERT_EQ(client.Send("at last"), CS_OK);
          if (how == CS_DISPATCH_BLOCKING) {
            thread.WaitUntilAsleep();
            InterruptOften(&thread);
            EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
          }
        }
        EXPECT_EQ(error,
                  how == CS_DISPATCH_BLOCKING ? CS_ERR_BAD_HANDLE : CS_OK);
        EXPECT_EQ(client.Texts(), std::vector<std::string>{"at last"});
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Handlers, SignalTest, ::testing::Values(0, SA_RESTART),
                         [](const auto& flags) {
                           return flags.param == 0 ? "Interrupting"
                                                   : "Restarting";
                         });

// --- cancellation ------------------------------------------------------------

TEST(CancelTest, ThreadThatWaitsForEventsIsCancelledAndHoldsNothing) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    for (const bool has_descriptor : {false, true}) {
      for (const cs_dispatch_flags_t how :
           {CS_DISPATCH_ONE, CS_DISPATCH_BLOCKING}) {
        Client client(model);
        client.Enter("cancel-asleep");
        int fd = -1;
        if (has_descriptor) {
          ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
        }
        bool was_cancelled = false;
        {
          WatchedThread thread([&] {
            // Forced unwinding is no exception of any type, but runs this.
            class Note {
             public:
              explicit Note(bool* flag) : flag_(flag) {}
              ~Note() { *flag_ = !returned_; }
              void Returned() { returned_ = true; }

             private:
              bool* flag_;
              bool returned_ = false;
            } note(&was_cancelled);
            (void)client.Dispatch(how);
            note.Returned();
          });
          thread.WaitUntilAsleep();
          thread.Cancel();
        }
        EXPECT_TRUE(was_cancelled);
        ASSERT_EQ(client.Send("x"), CS_OK);
        ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
        EXPECT_EQ(client.messages.size(), 1U);
        EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
        const Client other;
        cpg_address members[CPG_MEMBERS_MAX];
        int count = -1;
        cpg_name name = Named("cancel-asleep");
        ASSERT_EQ(cpg_membership_get(other.handle, &name, members, &count),
                  CS_OK);
        EXPECT_EQ(count, 0) << "the cancelled thread is still inside";
      }
    }
  }
}

// Every call, by a thread that is to be cancelled; none has to wait.
struct Pending {
  cpg_model_t model;
  int calls = 0;
};

class CallerToBeCancelled {
 public:
  explicit CallerToBeCancelled(Pending* pending) : pending_(pending) {}

  void CallEverything() {
    Did(cpg_initialize(&handle_, nullptr));
    Did(cpg_finalize(handle_));
    Did(cpg_model_initialize(&handle_, pending_->model, nullptr, nullptr));
    Ask();
    // Before somebody looks for the group, and after.
    cpg_zcb_group_stats stats{};
    stats.size = sizeof(stats);
    Did(cpg_zcb_group_stats_get(handle_, &name_, &stats));
    Did(cpg_join(handle_, &name_));
    Did(cpg_zcb_group_stats_get(handle_, &name_, &stats));
    Did(cpg_dispatch(handle_, CS_DISPATCH_ALL));
    Did(cpg_dispatch(handle_, CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
    Did(cpg_zcb_dispatch_timed(handle_, CS_DISPATCH_ONE, 0), CS_ERR_TIMEOUT);
    Send();
    if (pending_->model == CPG_MODEL_ZCB) Pull();
    AskForDescriptors();
    Send();
    if (pending_->model == CPG_MODEL_ZCB) Pull();
    Walk();
    Did(cpg_leave(handle_, &name_));
    Did(cpg_dispatch(handle_, CS_DISPATCH_ALL));
    Did(cpg_join(handle_, &name_));
    Did(cpg_zcb_collect(handle_));
    EXPECT_NE(cpg_zcb_version(), nullptr);
    Did(cpg_finalize(handle_));
  }

 private:
  void Did(cs_error_t error, cs_error_t expected = CS_OK) {
    EXPECT_EQ(error, expected) << "call " << pending_->calls;
    ++pending_->calls;
  }

  void Ask() {
    std::uint32_t size = 0;
    Did(cpg_max_atomic_msgsize_get(handle_, &size));
    unsigned nodeid = 0;
    Did(cpg_local_get(handle_, &nodeid));
    void* context = nullptr;
    Did(cpg_context_set(handle_, this));
    Did(cpg_context_get(handle_, &context));
    cpg_flow_control_state_t state{};
    Did(cpg_flow_control_state_get(handle_, &state));
    std::uint64_t value = 0;
    Did(cpg_zcb_option_get(handle_, CPG_ZCB_OPTION_SPIN_NS, &value));
    Did(cpg_zcb_option_set(handle_, CPG_ZCB_OPTION_SPIN_NS, value));
    struct cpg_zcb_region_info info{};
    info.size = sizeof(info);
    Did(cpg_zcb_region_info(handle_, &info));
  }

  void AskForDescriptors() {
    int fd = -1;
    for (int i = 0; i < 2; ++i) {
      Did(cpg_fd_get(handle_, &fd));
      Did(cpg_zcb_send_fd_get(handle_, &fd));
    }
  }

  void* Alloc(std::size_t bytes, std::size_t alignment) {
    void* buffer = nullptr;
    Did(cpg_zcb_alloc_aligned(handle_, bytes, alignment, &buffer));
    Did(cpg_zcb_free(handle_, buffer));
    Did(cpg_zcb_alloc(handle_, bytes, &buffer));
    return buffer;
  }

  // Asleep before, rung by the send, drained by the dispatch.
  void Send() {
    constexpr std::size_t kBytes = 100'000;
    for (int i = 0; i < 100; ++i) {
      void* buffer = Alloc(kBytes, 4096);
      Did(cpg_zcb_mcast_joined(handle_, CPG_TYPE_AGREED, buffer, 100));
      if (pending_->model == CPG_MODEL_V1) Did(cpg_zcb_free(handle_, buffer));
      Did(cpg_dispatch(handle_, CS_DISPATCH_ONE));
      Did(cpg_dispatch(handle_, CS_DISPATCH_ALL));
    }
    void* buffer = Alloc(kBytes, 64);
    Did(cpg_zcb_mcast_timed(handle_, CPG_TYPE_AGREED, buffer, 100, -1));
    if (pending_->model == CPG_MODEL_V1) Did(cpg_zcb_free(handle_, buffer));
    iovec piece{name_.value, 1};
    Did(cpg_mcast_joined(handle_, CPG_TYPE_AGREED, &piece, 1));
    Did(cpg_zcb_mcastv_timed(handle_, CPG_TYPE_AGREED, &piece, 1, -1));
    piece = {Alloc(100, 64), 100};
    void* const last = piece.iov_base;
    unsigned sent = 0;
    Did(cpg_zcb_mcast_batch(handle_, CPG_TYPE_AGREED, &piece, 1, &sent));
    if (pending_->model == CPG_MODEL_V1) Did(cpg_zcb_free(handle_, last));
    Did(cpg_zcb_wait(handle_, kBytes, -1));
    // Until it is full of what is not read, and nothing is to be waited for.
    cs_error_t error = CS_OK;
    while (error == CS_OK) {
      piece = {name_.value, 1};
      error = cpg_mcast_joined(handle_, CPG_TYPE_AGREED, &piece, 1);
    }
    Did(error, CS_ERR_TRY_AGAIN);
    Did(cpg_zcb_wait(handle_, 0, 0), CS_ERR_BUSY);
    Did(cpg_dispatch(handle_, CS_DISPATCH_ALL));
  }

  void Pull() {
    iovec piece{name_.value, 1};
    for (int i = 0; i < 4; ++i) {
      Did(cpg_mcast_joined(handle_, CPG_TYPE_AGREED, &piece, 1));
    }
    cpg_zcb_message message{};
    Did(cpg_zcb_next(handle_, &message));
    Did(cpg_zcb_next_timed(handle_, &message, -1));
    const void* const kept = message.data;
    Did(cpg_zcb_describe(handle_, kept, &message));
    Did(cpg_zcb_retain(handle_, kept));
    Did(cpg_zcb_forward(handle_, CPG_TYPE_AGREED, kept, 1));
    Did(cpg_zcb_release(kept));
    unsigned count = 0;
    Did(cpg_zcb_next_batch(handle_, &message, 1, &count));
    Did(cpg_dispatch(handle_, CS_DISPATCH_ALL));
    Did(cpg_zcb_next(handle_, &message), CS_ERR_TRY_AGAIN);
    Did(cpg_zcb_next_batch(handle_, &message, 1, &count), CS_ERR_TRY_AGAIN);
    Did(cpg_zcb_next_timed(handle_, &message, 0), CS_ERR_TIMEOUT);
  }

  void Walk() {
    cpg_address members[CPG_MEMBERS_MAX];
    int count = 0;
    Did(cpg_membership_get(handle_, &name_, members, &count));
    cpg_iteration_handle_t walk = 0;
    cpg_iteration_description_t item{};
    Did(cpg_iteration_initialize(handle_, CPG_ITERATION_ALL, nullptr, &walk));
    Did(cpg_iteration_next(walk, &item));
    Did(cpg_iteration_finalize(walk));
  }

  Pending* pending_;
  cpg_handle_t handle_ = 0;
  cpg_name name_ = Named("cancel-pending");
};

void* CallEverythingWithACancellationPending(void* argument) {
  auto* const self = static_cast<Pending*>(argument);
  pthread_cancel(pthread_self());
  CallerToBeCancelled(self).CallEverything();
  self->calls = -self->calls;  // to the end
  pthread_testcancel();
  return nullptr;
}

TEST(CancelTest, NoCallButAWaitingDispatchIsACancellationPoint) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Pending pending{model};
    pthread_t thread{};
    ASSERT_EQ(pthread_create(&thread, nullptr,
                             &CallEverythingWithACancellationPending, &pending),
              0);
    void* result = nullptr;
    ASSERT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ(result, PTHREAD_CANCELED);
    EXPECT_LT(pending.calls, 0)
        << "cancelled inside a call, or after it: " << pending.calls;
  }
}

}  // namespace
}  // namespace zcb::cpg::testing
