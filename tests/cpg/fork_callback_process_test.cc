// fork(2) inside a call, by a callback or by the handler of a signal: the child
// comes back into a dispatch that its parent began, of a handle that it has
// not.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/cpg/abandoned_memory.h"
#include "tests/cpg/client.h"
#include "tests/cpg/watched_thread.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

enum class Where : std::uint8_t { kNowhere, kDeliver, kConfchg, kTotem };
enum class How : std::uint8_t { kReturn, kThrow, kJump, kEndThread };
struct Thrown {};

// In the manner of C, so that a jump skips no destructor of the test itself.
struct Program {
  cpg_model_t model = CPG_MODEL_V1;
  Where where = Where::kNowhere;  // forks there
  How how = How::kReturn;
  cs_dispatch_flags_t flags = CS_DISPATCH_ALL;
  bool nested = false;  // forks in a dispatch inside a callback
  bool anew = false;    // the child makes a handle of its own before it is back

  cpg_handle_t handle = 0;
  cpg_handle_t own = 0;  // the child's
  bool in_child = false;
  int status = -1;  // of the child, as the parent saw it
  int messages = 0;
  int changes = 0;
  int totems = 0;
  jmp_buf home{};
};
Program* program = nullptr;

cs_error_t SendOn(cpg_handle_t handle) {
  const iovec piece{const_cast<char*>("x"), 1};
  return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1);
}

void BeginAnew() {
  ASSERT_EQ(cpg_initialize(&program->own, nullptr), CS_OK);
  const cpg_name name = Named("fork-own");
  ASSERT_EQ(cpg_join(program->own, &name), CS_OK);
  ASSERT_EQ(SendOn(program->own), CS_OK);
}

void ExpectAllIsBad(const void* msg) {
  cpg_zcb_message message{};
  unsigned count = 0;
  const cpg_handle_t handle = program->handle;
  EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ALL), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_dispatch_timed(handle, CS_DISPATCH_ONE, 0),
            CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_next(handle, &message), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_next_timed(handle, &message, 0), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_next_batch(handle, &message, 1, &count), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_retain(handle, msg), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_forward(handle, CPG_TYPE_AGREED, msg, 1),
            CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_describe(handle, msg, &message), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(SendOn(handle), CS_ERR_BAD_HANDLE);
}

// The child is out of all dispatches.
[[noreturn]] void EndChild() {
  ExpectAllIsBad(program);
  if (program->anew) {
    // Neither closed nor locked by the way out of the other one.
    EXPECT_EQ(cpg_dispatch(program->own, CS_DISPATCH_ALL), CS_OK);
    EXPECT_EQ(SendOn(program->own), CS_OK);
    EXPECT_EQ(cpg_dispatch(program->own, CS_DISPATCH_ONE), CS_OK);
    EXPECT_EQ(cpg_finalize(program->own), CS_OK);
  }
  EXPECT_EQ(cpg_finalize(program->handle), CS_ERR_BAD_HANDLE);
  _exit(::testing::Test::HasFailure() ? 1 : 0);
}

void MaybeFork(Where here, const void* msg) {
  if (program->where != here) return;
  program->where = Where::kNowhere;  // once
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child != 0) {
    ASSERT_EQ(waitpid(child, &program->status, 0), child);
    return;
  }
  program->in_child = true;
  ExpectAllIsBad(msg);
  if (program->anew) BeginAnew();
  switch (program->how) {
    case How::kReturn:
      return;
    case How::kThrow:
      throw Thrown();
    case How::kJump:
      longjmp(program->home, 1);
    case How::kEndThread:
      pthread_exit(nullptr);
  }
}

void MaybeNest(int events) {
  if (!program->nested || events != 1) return;
  const cs_error_t error = cpg_dispatch(program->handle, CS_DISPATCH_ONE);
  EXPECT_EQ(error, program->in_child ? CS_ERR_BAD_HANDLE : CS_OK);
}

void OnMessage(const void* msg) {
  const int number = ++program->messages;
  MaybeNest(number);
  if (!program->nested || number == 2) MaybeFork(Where::kDeliver, msg);
}
void OnDeliver(cpg_handle_t, const cpg_name*, std::uint32_t, std::uint32_t,
               void* msg, std::size_t) {
  OnMessage(msg);
}
void OnDeliverInPlace(cpg_handle_t, const cpg_name*, std::uint32_t,
                      std::uint32_t, const void* msg, std::size_t) {
  OnMessage(msg);
}
void OnConfchg(cpg_handle_t, const cpg_name*, const cpg_address* members,
               std::size_t, const cpg_address*, std::size_t, const cpg_address*,
               std::size_t) {
  ++program->changes;
  MaybeFork(Where::kConfchg, members);
}
void OnTotem(cpg_handle_t, cpg_ring_id, std::uint32_t,
             const std::uint32_t* nodes) {
  ++program->totems;
  MaybeFork(Where::kTotem, nodes);
}

void Open() {
  cs_error_t error = CS_OK;
  if (program->model == CPG_MODEL_V1) {
    cpg_model_v1_data_t data{CPG_MODEL_V1, &OnDeliver, &OnConfchg, &OnTotem,
                             CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF};
    error = cpg_model_initialize(&program->handle, CPG_MODEL_V1,
                                 reinterpret_cast<cpg_model_data_t*>(&data),
                                 nullptr);
  } else {
    cpg_model_zcb_data_t data{CPG_MODEL_ZCB, &OnDeliverInPlace, &OnConfchg,
                              &OnTotem,
                              CPG_MODEL_ZCB_DELIVER_INITIAL_TOTEM_CONF};
    error = cpg_model_initialize(&program->handle, CPG_MODEL_ZCB,
                                 reinterpret_cast<cpg_model_data_t*>(&data),
                                 nullptr);
  }
  ASSERT_EQ(error, CS_OK);
  const cpg_name name = Named("fork-inside");
  ASSERT_EQ(cpg_join(program->handle, &name), CS_OK);
  for (int i = 0; i < 4; ++i) ASSERT_EQ(SendOn(program->handle), CS_OK);
}

// Until the fork has been; the child does not come back.
void DispatchUntilForked() {
  while (program->where != Where::kNowhere) {
    cs_error_t error = CS_OK;
    if (setjmp(program->home) == 0) {
      try {
        error = cpg_dispatch(program->handle, program->flags);
      } catch (const Thrown&) {
        error = CS_ERR_BAD_HANDLE;
      }
    } else {
      error = CS_ERR_BAD_HANDLE;
    }
    if (program->in_child) {
      EXPECT_EQ(error, CS_ERR_BAD_HANDLE);
      EndChild();
    }
    ASSERT_EQ(error, CS_OK);
  }
}

void* DispatchInAThread(void*) {
  // Destroyed when the thread's frames are gone.
  struct AtEnd {
    ~AtEnd() {
      if (program->in_child) EndChild();
    }
  };
  static thread_local AtEnd at_end;
  (void)&at_end;
  DispatchUntilForked();
  return nullptr;
}

void Check(Program scenario) {
  program = &scenario;
  Open();
  if (scenario.how == How::kEndThread) {
    pthread_t thread{};
    ASSERT_EQ(pthread_create(&thread, nullptr, &DispatchInAThread, nullptr), 0);
    ASSERT_EQ(pthread_join(thread, nullptr), 0);
  } else {
    DispatchUntilForked();
  }
  ASSERT_TRUE(WIFEXITED(scenario.status))
      << "died of signal " << WTERMSIG(scenario.status);
  EXPECT_EQ(WEXITSTATUS(scenario.status), 0);
  // The parent has lost nothing by it.
  ASSERT_EQ(cpg_dispatch(scenario.handle, CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(scenario.messages, 4);
  EXPECT_EQ(scenario.changes, 1);
  EXPECT_EQ(scenario.totems, 1);
  EXPECT_EQ(cpg_finalize(scenario.handle), CS_OK);
}

TEST(ForkCallbackTest, ChildThatComesBackFromACallbackFindsABadHandle) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    for (const How how :
         {How::kReturn, How::kThrow, How::kJump, How::kEndThread}) {
      for (const Where where :
           {Where::kConfchg, Where::kTotem, Where::kDeliver}) {
        for (const cs_dispatch_flags_t flags :
             {CS_DISPATCH_ONE, CS_DISPATCH_ALL, CS_DISPATCH_ONE_NONBLOCKING}) {
          for (const bool nested : {false, true}) {
            for (const bool anew : {false, true}) {
              if (nested && where != Where::kDeliver) continue;
              SCOPED_TRACE("model " + std::to_string(model) + ", how " +
                           std::to_string(static_cast<int>(how)) + ", where " +
                           std::to_string(static_cast<int>(where)) +
                           ", flags " + std::to_string(flags) +
                           (nested ? ", nested" : "") + (anew ? ", anew" : ""));
              Program scenario;
              scenario.model = model;
              scenario.where = where;
              scenario.how = how;
              scenario.flags = flags;
              scenario.nested = nested;
              scenario.anew = anew;
              Check(scenario);
            }
          }
        }
      }
    }
  }
}

// Every event, not only the last: no callback follows in the child.
TEST(ForkCallbackTest, BlockingDispatchEndsInTheChildAndGoesOnInTheParent) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    client.Enter("fork-blocking");
    bool in_child = false;
    int status = -1;
    const auto fork_at_first = [&] {
      EXPECT_FALSE(in_child) << "a callback in the child";
      if (client.messages.size() == 1) {
        const pid_t child = fork();
        if (child == 0) {
          in_child = true;
          return;
        }
        EXPECT_EQ(waitpid(child, &status, 0), child);
      } else if (client.messages.size() == 3) {
        EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
      }
    };
    client.on_message = [&](void*, std::size_t) { fork_at_first(); };
    client.on_message_in_place = [&](const void*) { fork_at_first(); };
    for (int i = 0; i < 3; ++i) ASSERT_EQ(client.Send("x"), CS_OK);
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_BLOCKING), CS_ERR_BAD_HANDLE);
    if (in_child) {
      EXPECT_EQ(client.messages.size(), 1U);
      _exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    EXPECT_EQ(status, 0);
    EXPECT_EQ(client.messages.size(), 3U);
  }
}

// --- in the handler of a signal ----------------------------------------------

std::atomic<pid_t> forked_by_handler{0};
void Fork(int) { forked_by_handler = fork(); }

TEST(ForkCallbackTest, ChildOfAHandlerIsToldWhenTheWaitEnds) {
  struct sigaction action{};
  action.sa_handler = &Fork;
  struct sigaction before{};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  for (const bool pulls : {false, true}) {
    for (const std::uint64_t park :
         {CPG_ZCB_PARK_FUTEX, CPG_ZCB_PARK_DESCRIPTOR}) {
      Client client(CPG_MODEL_ZCB);
      ASSERT_EQ(cpg_zcb_option_set(client.handle, CPG_ZCB_OPTION_PARK, park),
                CS_OK);
      client.Enter("fork-handler");
      forked_by_handler = -1;
      {
        WatchedThread thread([&] {
          cpg_zcb_message message{};
          const cs_error_t error =
              pulls ? cpg_zcb_next_timed(client.handle, &message, -1)
                    : client.Dispatch(CS_DISPATCH_ONE);
          if (forked_by_handler == 0) {
            _exit(error == CS_ERR_BAD_HANDLE ? 0 : 1);
          }
          EXPECT_EQ(error, CS_OK);
        });
        thread.WaitUntilAsleep();
        thread.Signal(SIGUSR1);
        while (forked_by_handler == -1) std::this_thread::yield();
        // Wakes both: what the child waits on is shared.
        ASSERT_EQ(client.Send("x"), CS_OK);
      }
      int status = -1;
      while (waitpid(forked_by_handler, &status, WNOHANG) == 0) {
        ASSERT_EQ(client.Send("x"), CS_OK);
        ASSERT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
        WatchedThread sleeper([&] { (void)client.Dispatch(CS_DISPATCH_ONE); });
        sleeper.WaitUntilAsleep();
        ASSERT_EQ(client.Send("x"), CS_OK);
      }
      EXPECT_EQ(status, 0) << "pulls " << pulls << ", park " << park;
    }
  }
  ASSERT_EQ(sigaction(SIGUSR1, &before, nullptr), 0);
}

}  // namespace
}  // namespace zcb::cpg::testing
