// Coroutines made of longjmp(3): a callback that is jumped out of, and comes
// back when the library has long given everything back.
#include <setjmp.h>
#include <ucontext.h>

#include <vector>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

// In static memory: jumps keep no promise about locals.
jmp_buf main_place;
ucontext_t main_context;
ucontext_t coroutine;
ucontext_t inside_callback;
volatile bool has_jumped;
cpg_handle_t handle;
int messages;
cs_error_t returned;

void OnDeliver(cpg_handle_t, const cpg_name*, std::uint32_t, std::uint32_t,
               void*, std::size_t) {
  ++messages;
  if (has_jumped) return;
  getcontext(&inside_callback);
  if (has_jumped) return;
  has_jumped = true;
  longjmp(main_place, 1);
}

void Body() { returned = cpg_dispatch(handle, CS_DISPATCH_ALL); }

class CoroutineTest : public ::testing::Test {
 protected:
  CoroutineTest() : stack_(std::size_t{256} << 10) {
    cpg_callbacks_t callbacks{&OnDeliver, nullptr};
    messages = 0;
    returned = CS_OK;
    has_jumped = false;
    EXPECT_EQ(cpg_initialize(&handle, &callbacks), CS_OK);
    const cpg_name name = Named("comes-back");
    EXPECT_EQ(cpg_join(handle, &name), CS_OK);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(cpg_mcast_joined(handle, CPG_TYPE_AGREED, nullptr, 0), CS_OK);
    }
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = stack_.data();
    coroutine.uc_stack.ss_size = stack_.size();
    coroutine.uc_link = &main_context;
    makecontext(&coroutine, &Body, 0);
  }
  ~CoroutineTest() override { (void)cpg_finalize(handle); }

  // Runs Body() on its own stack until its callback jumps out of it.
  void RunUntilItJumps() {
    if (setjmp(main_place) == 0) swapcontext(&main_context, &coroutine);
    EXPECT_EQ(messages, 1);
  }
  // Back into the callback, and on to the end of Body().
  void GoOn() { swapcontext(&main_context, &inside_callback); }

 private:
  std::vector<char> stack_;
};

TEST_F(CoroutineTest, CallbackThatComesBackAfterAJumpFindsItsDispatchEnded) {
  RunUntilItJumps();
  // Meanwhile the handle is free.
  ASSERT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE), CS_OK);
  ASSERT_EQ(messages, 2);
  GoOn();
  EXPECT_EQ(returned, CS_ERR_LIBRARY);
  EXPECT_EQ(messages, 2);
  EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(messages, 3);
}

TEST_F(CoroutineTest, CallbackThatComesBackToAFinalizedHandleTouchesNothing) {
  RunUntilItJumps();
  ASSERT_EQ(cpg_finalize(handle), CS_OK);
  GoOn();
  EXPECT_EQ(returned, CS_ERR_LIBRARY);
  EXPECT_EQ(messages, 1);
}

}  // namespace
}  // namespace zcb::cpg::testing
