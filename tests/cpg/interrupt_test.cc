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

// Every call but a waiting dispatch, by a thread that is to be cancelled.
struct Pending {
  cpg_model_t model;
  int calls = 0;
};

void* CallEverythingWithACancellationPending(void* argument) {
  auto* const self = static_cast<Pending*>(argument);
  pthread_cancel(pthread_self());
  const auto did = [&](cs_error_t error) {
    EXPECT_EQ(error, CS_OK) << "call " << self->calls;
    ++self->calls;
  };
  cpg_handle_t handle = 0;
  did(cpg_model_initialize(&handle, self->model, nullptr, nullptr));
  int fd = -1;
  did(cpg_fd_get(handle, &fd));
  cpg_name name = Named("cancel-pending");
  did(cpg_join(handle, &name));
  did(cpg_dispatch(handle, CS_DISPATCH_ALL));
  for (int i = 0; i < 200; ++i) {
    // Asleep before, rung by the send, drained by the dispatch.
    void* buffer = nullptr;
    did(cpg_zcb_alloc(handle, std::size_t{100} * 1000, &buffer));
    did(cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 100));
    if (self->model == CPG_MODEL_V1) did(cpg_zcb_free(handle, buffer));
    did(cpg_dispatch(handle, CS_DISPATCH_ONE));
  }
  cpg_address members[CPG_MEMBERS_MAX];
  int count = 0;
  did(cpg_membership_get(handle, &name, members, &count));
  cpg_iteration_handle_t walk = 0;
  did(cpg_iteration_initialize(handle, CPG_ITERATION_ALL, nullptr, &walk));
  did(cpg_iteration_finalize(walk));
  did(cpg_leave(handle, &name));
  did(cpg_dispatch(handle, CS_DISPATCH_ALL));
  did(cpg_join(handle, &name));
  did(cpg_zcb_collect(handle));
  did(cpg_finalize(handle));
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
    EXPECT_LT(pending.calls, 0) << "cancelled inside a call";
  }
}

}  // namespace
}  // namespace zcb::cpg::testing
