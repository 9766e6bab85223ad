// Callbacks that do not return: they throw, jump, end or cancel their thread.
// Whatever they do, the handle is in order afterwards, for every thread.
#include <pthread.h>
#include <setjmp.h>

#include <cstdint>
#include <string>
#include <thread>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

enum class Where : std::uint8_t { kNowhere, kDeliver, kConfchg, kTotem };
enum class How : std::uint8_t { kThrow, kJump, kEndThread, kCancel };
struct Thrown {};

// A program in C, so that a jump skips no destructor of the test itself.
struct Program {
  cpg_handle_t handle = 0;
  Where where = Where::kNowhere;
  How how = How::kThrow;
  int messages = 0;
  int changes = 0;
  int totems = 0;
  void (*inside)(Program*, const void* msg) = nullptr;  // before it escapes
  jmp_buf home{};
};

// The callbacks of one test at a time; a context would do as well.
Program* program = nullptr;

void MaybeEscape(Where here) {
  if (program->where != here) return;
  program->where = Where::kNowhere;  // once
  switch (program->how) {
    case How::kThrow:
      throw Thrown();
    case How::kJump:
      longjmp(program->home, 1);
    case How::kEndThread:
      pthread_exit(program);
    case How::kCancel:
      pthread_cancel(pthread_self());
      pthread_testcancel();
  }
}

void OnMessage(const void* msg) {
  ++program->messages;
  if (program->inside != nullptr) program->inside(program, msg);
  MaybeEscape(Where::kDeliver);
}
void OnDeliver(cpg_handle_t, const cpg_name*, std::uint32_t, std::uint32_t,
               void* msg, std::size_t) {
  OnMessage(msg);
}
void OnDeliverInPlace(cpg_handle_t, const cpg_name*, std::uint32_t,
                      std::uint32_t, const void* msg, std::size_t) {
  OnMessage(msg);
}
void OnConfchg(cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t,
               const cpg_address*, std::size_t, const cpg_address*,
               std::size_t) {
  ++program->changes;
  MaybeEscape(Where::kConfchg);
}
void OnTotem(cpg_handle_t, cpg_ring_id, std::uint32_t, const std::uint32_t*) {
  ++program->totems;
  MaybeEscape(Where::kTotem);
}

class EscapeTest : public ::testing::TestWithParam<cpg_model_t> {
 protected:
  EscapeTest() { program = &program_; }
  ~EscapeTest() override { (void)cpg_finalize(program_.handle); }

  void Join(const char* group) {
    cs_error_t error = CS_OK;
    if (GetParam() == CPG_MODEL_V1) {
      cpg_model_v1_data_t data{CPG_MODEL_V1, &OnDeliver, &OnConfchg, &OnTotem,
                               CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF};
      error = cpg_model_initialize(&program_.handle, CPG_MODEL_V1,
                                   reinterpret_cast<cpg_model_data_t*>(&data),
                                   nullptr);
    } else {
      cpg_model_zcb_data_t data{CPG_MODEL_ZCB, &OnDeliverInPlace, &OnConfchg,
                                &OnTotem,
                                CPG_MODEL_ZCB_DELIVER_INITIAL_TOTEM_CONF};
      error = cpg_model_initialize(&program_.handle, CPG_MODEL_ZCB,
                                   reinterpret_cast<cpg_model_data_t*>(&data),
                                   nullptr);
    }
    ASSERT_EQ(error, CS_OK);
    name_ = Named(group);
    ASSERT_EQ(cpg_join(program_.handle, &name_), CS_OK);
  }
  cs_error_t Send(const char* text = "x") {
    const iovec piece{const_cast<char*>(text), 1};
    return cpg_mcast_joined(program_.handle, CPG_TYPE_AGREED, &piece, 1);
  }
  int MembersOfGroup() {
    cpg_handle_t other = 0;
    EXPECT_EQ(cpg_initialize(&other, nullptr), CS_OK);
    cpg_address members[CPG_MEMBERS_MAX];
    int count = -1;
    EXPECT_EQ(cpg_membership_get(other, &name_, members, &count), CS_OK);
    EXPECT_EQ(cpg_finalize(other), CS_OK);
    return count;
  }
  // Dispatches with an escape at the first `where`; what remains stays.
  void Escape(Where where, How how) {
    program_.where = where;
    program_.how = how;
    switch (how) {
      case How::kThrow:
        EXPECT_THROW((void)cpg_dispatch(program_.handle, CS_DISPATCH_ALL),
                     Thrown);
        break;
      case How::kJump:
        Jump();
        break;
      case How::kEndThread:
      case How::kCancel: {
        pthread_t thread{};
        ASSERT_EQ(pthread_create(&thread, nullptr, &DispatchAll, &program_), 0);
        void* result = nullptr;
        ASSERT_EQ(pthread_join(thread, &result), 0);
        EXPECT_EQ(result, how == How::kCancel ? PTHREAD_CANCELED : program);
        break;
      }
    }
    EXPECT_EQ(program_.where, Where::kNowhere) << "did not escape";
  }
  void Jump() {
    if (setjmp(program_.home) == 0) {
      (void)cpg_dispatch(program_.handle, CS_DISPATCH_ALL);
      ADD_FAILURE() << "did not jump";
    }
  }
  static void* DispatchAll(void* self) {
    (void)cpg_dispatch(static_cast<Program*>(self)->handle, CS_DISPATCH_ALL);
    ADD_FAILURE() << "came back";
    return nullptr;
  }
  // The handle works: on this thread, on others, and its end is an end.
  void ExpectInOrder(int messages) {
    EXPECT_EQ(program_.changes, 1);
    EXPECT_EQ(program_.totems, 1);
    EXPECT_EQ(program_.messages, messages) << "lost, or delivered twice";
    ASSERT_EQ(Send(), CS_OK);
    ASSERT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ONE), CS_OK);
    EXPECT_EQ(program_.messages, messages + 1);
    ASSERT_EQ(Send(), CS_OK);
    std::thread([&] {
      EXPECT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_OK);
    }).join();
    EXPECT_EQ(program_.messages, messages + 2);
    // Nothing is held back in the ring, which has 4096 places.
    for (int i = 0; i < 5000; ++i) {
      ASSERT_EQ(Send(), CS_OK);
      ASSERT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_OK);
    }
    EXPECT_EQ(MembersOfGroup(), 1);
    EXPECT_EQ(cpg_finalize(program_.handle), CS_OK);
    EXPECT_EQ(MembersOfGroup(), 0);
  }

  Program program_;
  cpg_name name_{};
};

TEST_P(EscapeTest, AnyCallbackMayThrowJumpEndOrCancelItsThread) {
  for (const How how :
       {How::kThrow, How::kJump, How::kEndThread, How::kCancel}) {
    for (const Where where :
         {Where::kConfchg, Where::kTotem, Where::kDeliver}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(how)) + " at " +
                   std::to_string(static_cast<int>(where)));
      program_ = Program();
      Join("escape");
      ASSERT_EQ(Send("1"), CS_OK);
      ASSERT_EQ(Send("2"), CS_OK);
      Escape(where, how);
      ASSERT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_OK);
      ExpectInOrder(2);
    }
  }
}

TEST_P(EscapeTest, OtherThreadsAreNotLockedOutByAJump) {
  Join("jump-others");
  ASSERT_EQ(Send("1"), CS_OK);
  ASSERT_EQ(Send("2"), CS_OK);
  Escape(Where::kDeliver, How::kJump);
  // Before the jumping thread calls anything again.
  std::thread([&] {
    EXPECT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_OK);
    int fd = -1;
    EXPECT_EQ(cpg_fd_get(program_.handle, &fd), CS_OK);
    EXPECT_EQ(program_.messages, 2);
    EXPECT_EQ(cpg_finalize(program_.handle), CS_OK);
    EXPECT_EQ(MembersOfGroup(), 0);
  }).join();
}

__attribute__((noinline)) cs_error_t FinalizeFarBelow(cpg_handle_t handle,
                                                      int depth) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  if (depth == 0) return cpg_finalize(handle);
  const cs_error_t error = FinalizeFarBelow(handle, depth - 1);
  frame[1] = frame[0];
  return error;
}

TEST_P(EscapeTest, CallsAfterAJumpMayComeFromAnyDepthOfTheStack) {
  Join("jump-depth");
  Escape(Where::kConfchg, How::kJump);
  EXPECT_EQ(FinalizeFarBelow(program_.handle, 20), CS_OK);
  EXPECT_EQ(MembersOfGroup(), 0);
}

TEST_P(EscapeTest, AnyNumberOfJumpsUsesUpNoMemory) {
  Join("jump-memory");
  ASSERT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_OK);
  static const void* first = nullptr;
  first = nullptr;
  program_.inside = [](Program*, const void* msg) {
    // The copies of CPG_MODEL_V1: one place for each level of nesting.
    if (GetParam() != CPG_MODEL_V1) return;
    if (first == nullptr) first = msg;
    EXPECT_EQ(msg, first);
  };
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(Send(), CS_OK);
    Escape(Where::kDeliver, How::kJump);
  }
  program_.inside = nullptr;
  ExpectInOrder(5000);
}

TEST_P(EscapeTest, JumpAfterFinalizeInsideTheCallbackEndsTheHandle) {
  Join("jump-finalized");
  ASSERT_EQ(Send(), CS_OK);
  program_.inside = [](Program* self, const void*) {
    EXPECT_EQ(cpg_finalize(self->handle), CS_OK);
  };
  Escape(Where::kDeliver, How::kJump);
  EXPECT_EQ(MembersOfGroup(), 0);
  EXPECT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_ERR_BAD_HANDLE);
}

TEST_P(EscapeTest, JumpOutOfANestedDispatchLeavesBoth) {
  Join("jump-both");
  for (int i = 0; i < 4; ++i) ASSERT_EQ(Send(), CS_OK);
  program_.inside = [](Program* self, const void*) {
    if (self->messages != 1) return;
    self->where = Where::kDeliver;
    (void)cpg_dispatch(self->handle, CS_DISPATCH_ALL);
    ADD_FAILURE() << "did not jump";
  };
  Escape(Where::kDeliver, How::kJump);
  EXPECT_EQ(program_.messages, 2);
  ASSERT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_OK);
  ExpectInOrder(4);
}

TEST_P(EscapeTest, JumpOutOfTheInnerDispatchLeavesTheOuterOneRunning) {
  Join("jump-inner");
  for (int i = 0; i < 4; ++i) ASSERT_EQ(Send(), CS_OK);
  program_.inside = [](Program* self, const void* msg) {
    if (self->messages != 1) return;
    self->where = Where::kDeliver;
    self->how = How::kJump;
    if (setjmp(self->home) == 0) {
      (void)cpg_dispatch(self->handle, CS_DISPATCH_ALL);
      ADD_FAILURE() << "did not jump";
    }
    EXPECT_EQ(self->messages, 2);
    // The outer message is still being delivered.
    if (GetParam() == CPG_MODEL_ZCB) {
      EXPECT_EQ(cpg_zcb_retain(self->handle, msg), CS_OK);
      EXPECT_EQ(cpg_zcb_release(msg), CS_OK);
    }
  };
  ASSERT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_OK);
  ExpectInOrder(4);
}

TEST_P(EscapeTest, JumpInsideACallbackIsItsOwnAffair) {
  Join("jump-inside");
  for (int i = 0; i < 2; ++i) ASSERT_EQ(Send(), CS_OK);
  program_.inside = [](Program* self, const void* msg) {
    if (self->messages > 2) return;
    if (setjmp(self->home) == 0) longjmp(self->home, 1);
    if (GetParam() == CPG_MODEL_ZCB) {
      EXPECT_EQ(cpg_zcb_retain(self->handle, msg), CS_OK);
      EXPECT_EQ(cpg_zcb_release(msg), CS_OK);
    }
  };
  ASSERT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_OK);
  ExpectInOrder(2);
}

TEST_P(EscapeTest, JumpEndsWhatWasPulledInsideTheCallback) {
  if (GetParam() != CPG_MODEL_ZCB) return;
  Join("jump-pulled");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Send(), CS_OK);
  program_.inside = [](Program* self, const void*) {
    if (self->messages != 1) return;
    cpg_zcb_message message{};
    EXPECT_EQ(cpg_zcb_next(self->handle, &message), CS_OK);
  };
  Escape(Where::kDeliver, How::kJump);
  ASSERT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_OK);
  ExpectInOrder(2);
}

TEST_P(EscapeTest, OneHandlesJumpLeavesTheOtherHandlesAlone) {
  Join("jump-one");
  ASSERT_EQ(Send(), CS_OK);
  Client other(GetParam());
  other.Enter("jump-other");
  ASSERT_EQ(other.Send("x"), CS_OK);
  // A callback of the other handle dispatches ours, which jumps past neither
  // more nor less than its own call.
  const auto nest = [&] { Escape(Where::kDeliver, How::kJump); };
  other.on_message = [&](void*, std::size_t) { nest(); };
  other.on_message_in_place = [&](const void* msg) {
    nest();
    EXPECT_EQ(cpg_zcb_retain(other.handle, msg), CS_OK);
    EXPECT_EQ(cpg_zcb_release(msg), CS_OK);
  };
  ASSERT_EQ(other.Dispatch(), CS_OK);
  EXPECT_EQ(other.messages.size(), 1U);
  ASSERT_EQ(cpg_dispatch(program_.handle, CS_DISPATCH_ALL), CS_OK);
  ExpectInOrder(1);
}

INSTANTIATE_TEST_SUITE_P(Models, EscapeTest,
                         ::testing::Values(CPG_MODEL_V1, CPG_MODEL_ZCB),
                         [](const auto& model) {
                           return model.param == CPG_MODEL_V1 ? "V1" : "Zcb";
                         });

}  // namespace
}  // namespace zcb::cpg::testing
