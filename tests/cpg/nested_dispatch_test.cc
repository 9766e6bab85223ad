// Dispatches inside callbacks: what the outer callback was given stays, and one
// that waits there is woken like any other.
#include <pthread.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/cpg/watched_thread.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

// Everything that a change of membership says, read anew from its arguments.
struct Given {
  const cpg_name* group;
  const cpg_address* members;
  std::size_t member_count;
  const cpg_address* left;
  std::size_t left_count;
  const cpg_address* joined;
  std::size_t joined_count;

  std::string Read() const {
    std::string text(group->value, group->length);
    const auto add = [&text](const char* what, const cpg_address* list,
                             std::size_t count) {
      text += what;
      for (std::size_t i = 0; i < count; ++i) {
        text += ' ' + std::to_string(list[i].nodeid) + '.' +
                std::to_string(list[i].pid) + '.' +
                std::to_string(list[i].reason);
      }
    };
    add(" members", members, member_count);
    add(" left", left, left_count);
    add(" joined", joined, joined_count);
    return text;
  }
};

int depth = 0;
std::vector<std::string> seen;
std::function<void(cpg_handle_t)> inside;  // of every callback

void OnConfchg(cpg_handle_t handle, const cpg_name* group,
               const cpg_address* members, std::size_t member_count,
               const cpg_address* left, std::size_t left_count,
               const cpg_address* joined, std::size_t joined_count) {
  const Given given{group,      members, member_count, left,
                    left_count, joined,  joined_count};
  const std::string before = given.Read();
  seen.push_back(before);
  ++depth;
  inside(handle);
  --depth;
  EXPECT_EQ(given.Read(), before) << "at depth " << depth;
}
void OnMessage(cpg_handle_t handle, const cpg_name* group, const void* msg,
               std::size_t length_bytes) {
  const std::string name(group->value, group->length);
  const std::string text(static_cast<const char*>(msg), length_bytes);
  seen.push_back(name + ": " + text);
  ++depth;
  inside(handle);
  --depth;
  EXPECT_EQ(name, std::string(group->value, group->length));
  EXPECT_EQ(text, std::string(static_cast<const char*>(msg), length_bytes));
}
void OnDeliver(cpg_handle_t handle, const cpg_name* group, std::uint32_t,
               std::uint32_t, void* msg, std::size_t length_bytes) {
  OnMessage(handle, group, msg, length_bytes);
}
void OnDeliverInPlace(cpg_handle_t handle, const cpg_name* group, std::uint32_t,
                      std::uint32_t, const void* msg,
                      std::size_t length_bytes) {
  OnMessage(handle, group, msg, length_bytes);
}

class NestedDispatchTest : public ::testing::TestWithParam<cpg_model_t> {
 protected:
  NestedDispatchTest() {
    depth = 0;
    seen.clear();
    inside = [](cpg_handle_t) {};
    cs_error_t error = CS_OK;
    if (GetParam() == CPG_MODEL_V1) {
      cpg_model_v1_data_t data{CPG_MODEL_V1, &OnDeliver, &OnConfchg, nullptr,
                               0};
      error = cpg_model_initialize(&handle_, CPG_MODEL_V1,
                                   reinterpret_cast<cpg_model_data_t*>(&data),
                                   nullptr);
    } else {
      cpg_model_zcb_data_t data{CPG_MODEL_ZCB, &OnDeliverInPlace, &OnConfchg,
                                nullptr, 0};
      error = cpg_model_initialize(&handle_, CPG_MODEL_ZCB,
                                   reinterpret_cast<cpg_model_data_t*>(&data),
                                   nullptr);
    }
    EXPECT_EQ(error, CS_OK);
  }
  ~NestedDispatchTest() override {
    (void)cpg_finalize(handle_);
    inside = nullptr;
  }

  cs_error_t Join(const char* group) const {
    const cpg_name name = Named(group);
    return cpg_join(handle_, &name);
  }
  cs_error_t Send(std::string_view text) const {
    const iovec piece{const_cast<char*>(text.data()), text.size()};
    return cpg_mcast_joined(handle_, CPG_TYPE_AGREED, &piece, 1);
  }
  cs_error_t Dispatch(cs_dispatch_flags_t how) const {
    return cpg_dispatch(handle_, how);
  }

  cpg_handle_t handle_ = 0;
};

TEST_P(NestedDispatchTest, EveryCallbackKeepsItsListsItsNameAndItsMessage) {
  ASSERT_EQ(Join("first-group"), CS_OK);
  ASSERT_EQ(Send("a message"), CS_OK);
  const cpg_name first = Named("first-group");
  ASSERT_EQ(cpg_leave(handle_, &first), CS_OK);
  // With CPG_MODEL_ZCB the message is still open when the own leave comes: the
  // handle has not left before its callback returns.
  const bool may_join = GetParam() == CPG_MODEL_V1;
  const std::size_t events = may_join ? 5 : 3;
  inside = [&](cpg_handle_t handle) {
    if (seen.size() == 3) {
      ASSERT_EQ(Join("another"), may_join ? CS_OK : CS_ERR_TRY_AGAIN);
      if (may_join) {
        ASSERT_EQ(Send("another message"), CS_OK);
      }
    }
    if (seen.size() < events) {
      EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE), CS_OK);
    }
  };
  ASSERT_EQ(Dispatch(CS_DISPATCH_ONE), CS_OK);
  const std::string self = " 1." + std::to_string(getpid());
  std::vector<std::string> expected{
      "first-group members" + self + ".0 left joined" + self + ".1",
      "first-group: a message",
      "first-group members left" + self + ".2 joined",
      "another members" + self + ".0 left joined" + self + ".1",
      "another: another message",
  };
  expected.resize(events);
  EXPECT_EQ(seen, expected);
}

TEST_P(NestedDispatchTest, FinalizeInsideAViewIsTheLastCallback) {
  for (const cs_dispatch_flags_t how :
       {CS_DISPATCH_ONE, CS_DISPATCH_ALL, CS_DISPATCH_BLOCKING,
        CS_DISPATCH_ONE_NONBLOCKING}) {
    seen.clear();
    Client client(GetParam());
    ASSERT_EQ(client.Join("finalize-view"), CS_OK);
    ASSERT_EQ(client.Send("x"), CS_OK);
    client.on_change = [&] {
      EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
      EXPECT_EQ(client.Dispatch(how), CS_ERR_BAD_HANDLE);
    };
    EXPECT_EQ(client.Dispatch(how), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(client.changes.size(), 1U);
    EXPECT_TRUE(client.messages.empty());
  }
}

TEST_P(NestedDispatchTest, OneThatWaitsIsWokenByASend) {
  ASSERT_EQ(Join("nested-send"), CS_OK);
  ASSERT_EQ(Dispatch(CS_DISPATCH_ALL), CS_OK);
  inside = [&](cpg_handle_t handle) {
    if (depth != 1) return;
    EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE), CS_OK);
  };
  ASSERT_EQ(Send("outer"), CS_OK);
  WatchedThread thread([&] { EXPECT_EQ(Dispatch(CS_DISPATCH_ONE), CS_OK); });
  thread.WaitUntilAsleep();
  EXPECT_FALSE(thread.ended());
  ASSERT_EQ(Send("inner"), CS_OK);
  thread.Join();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[1], "nested-send: outer");
  EXPECT_EQ(seen[2], "nested-send: inner");
}

TEST_P(NestedDispatchTest, OneThatWaitsIsWokenByFinalize) {
  for (const cs_dispatch_flags_t how :
       {CS_DISPATCH_ONE, CS_DISPATCH_BLOCKING}) {
    Client client(GetParam());
    client.Enter("nested-finalize");
    const auto wait_inside = [&] {
      EXPECT_EQ(client.Dispatch(how), CS_ERR_BAD_HANDLE);
    };
    client.on_message = [&](void*, std::size_t) { wait_inside(); };
    client.on_message_in_place = [&](const void*) { wait_inside(); };
    ASSERT_EQ(client.Send("x"), CS_OK);
    WatchedThread thread(
        [&] { EXPECT_EQ(client.Dispatch(how), CS_ERR_BAD_HANDLE); });
    thread.WaitUntilAsleep();
    EXPECT_FALSE(thread.ended());
    EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
    thread.Join();
    EXPECT_EQ(client.messages.size(), 1U);
  }
}

void* DispatchAndWaitInside(void* handle) {
  (void)cpg_dispatch(*static_cast<cpg_handle_t*>(handle), CS_DISPATCH_ONE);
  ADD_FAILURE() << "came back";
  return nullptr;
}

TEST_P(NestedDispatchTest, OneThatWaitsIsCancelledWithTheOuterOne) {
  ASSERT_EQ(Join("nested-cancel"), CS_OK);
  ASSERT_EQ(Dispatch(CS_DISPATCH_ALL), CS_OK);
  std::atomic<bool> is_inside{false};
  inside = [&](cpg_handle_t handle) {
    is_inside = true;
    (void)cpg_dispatch(handle, CS_DISPATCH_BLOCKING);
    ADD_FAILURE() << "came back";
  };
  ASSERT_EQ(Send("x"), CS_OK);
  pthread_t thread{};
  ASSERT_EQ(pthread_create(&thread, nullptr, &DispatchAndWaitInside, &handle_),
            0);
  while (!is_inside) std::this_thread::yield();
  ASSERT_EQ(pthread_cancel(thread), 0);
  void* result = nullptr;
  ASSERT_EQ(pthread_join(thread, &result), 0);
  EXPECT_EQ(result, PTHREAD_CANCELED);
  // Both have given everything back.
  depth = 0;
  inside = [](cpg_handle_t) {};
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(Send("more"), CS_OK);
    ASSERT_EQ(Dispatch(CS_DISPATCH_ALL), CS_OK);
  }
  std::thread([&] { EXPECT_EQ(Join("x"), CS_ERR_EXIST); }).join();
}

INSTANTIATE_TEST_SUITE_P(Models, NestedDispatchTest,
                         ::testing::Values(CPG_MODEL_V1, CPG_MODEL_ZCB),
                         [](const auto& model) {
                           return model.param == CPG_MODEL_V1 ? "V1" : "Zcb";
                         });

}  // namespace
}  // namespace zcb::cpg::testing
