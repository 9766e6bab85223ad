// Handles without a group: begin, end, and what they answer.
#include <errno.h>

#include <set>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

TEST(HandleTest, InitializeGivesDistinctHandlesThatAreNotZero) {
  std::set<cpg_handle_t> handles;
  for (int i = 0; i < 200; ++i) {
    cpg_handle_t handle = 0;
    cpg_callbacks_t callbacks{};
    ASSERT_EQ(cpg_initialize(&handle, &callbacks), CS_OK);
    EXPECT_NE(handle, 0U);
    EXPECT_EQ(handle >> 63, 0U);
    handles.insert(handle);
  }
  EXPECT_EQ(handles.size(), 200U);
  for (const cpg_handle_t handle : handles) {
    EXPECT_EQ(cpg_finalize(handle), CS_OK);
  }
}

TEST(HandleTest, InitializeAcceptsNoCallbacksAndNoModelData) {
  cpg_handle_t handle = 0;
  ASSERT_EQ(cpg_initialize(&handle, nullptr), CS_OK);
  EXPECT_EQ(cpg_finalize(handle), CS_OK);
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    ASSERT_EQ(cpg_model_initialize(&handle, model, nullptr, nullptr), CS_OK);
    EXPECT_EQ(cpg_finalize(handle), CS_OK);
  }
}

TEST(HandleTest, InitializeRefusesNullHandleUnknownModelAndUnknownFlag) {
  EXPECT_EQ(cpg_initialize(nullptr, nullptr), CS_ERR_INVALID_PARAM);
  cpg_handle_t handle = 7;
  EXPECT_EQ(cpg_model_initialize(&handle, static_cast<cpg_model_t>(0), nullptr,
                                 nullptr),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(handle, 7U) << "left as it was, as Corosync leaves it";
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    const Client client(model, 4);
    EXPECT_EQ(client.status, CS_ERR_INVALID_PARAM);
    EXPECT_EQ(client.handle, 0U);
  }
}

TEST(HandleTest, ModelInTheDataIsNotLookedAt) {
  cpg_model_v1_data_t data{};
  data.model = static_cast<cpg_model_t>(0);
  cpg_handle_t handle = 0;
  ASSERT_EQ(
      cpg_model_initialize(&handle, CPG_MODEL_V1,
                           reinterpret_cast<cpg_model_data_t*>(&data), nullptr),
      CS_OK);
  EXPECT_EQ(cpg_finalize(handle), CS_OK);
}

TEST(HandleTest, WrongEnvironmentIsAnInvalidParameter) {
  setenv("ZCB_NODEID", "0", 1);
  cpg_handle_t handle = 0;
  EXPECT_EQ(cpg_initialize(&handle, nullptr), CS_ERR_INVALID_PARAM);
  unsetenv("ZCB_NODEID");
}

TEST(HandleTest, SecondRegionOfTheEnvironmentIsAnotherRegion) {
  Client first;
  setenv("ZCB_REGION", "second", 1);
  setenv("ZCB_NODEID", "77", 1);
  Client second;
  unsetenv("ZCB_REGION");
  unsetenv("ZCB_NODEID");
  unsigned nodeid = 0;
  EXPECT_EQ(cpg_local_get(second.handle, &nodeid), CS_OK);
  EXPECT_EQ(nodeid, 77U);
  EXPECT_EQ(cpg_local_get(first.handle, &nodeid), CS_OK);
  EXPECT_EQ(nodeid, 1U);
  // The same name twice in one process: two regions do not meet.
  first.Enter("two-regions");
  second.Enter("two-regions");
  ASSERT_EQ(first.Send("a"), CS_OK);
  EXPECT_EQ(second.Dispatch(), CS_OK);
  EXPECT_TRUE(second.messages.empty());
  Client third;
  EXPECT_EQ(third.Join("two-regions"), CS_ERR_EXIST);
}

TEST(HandleTest, EveryCallOnAFinalizedHandleIsABadHandle) {
  cpg_handle_t handle = 0;
  ASSERT_EQ(cpg_model_initialize(&handle, CPG_MODEL_ZCB, nullptr, nullptr),
            CS_OK);
  cpg_iteration_handle_t walk = 0;
  ASSERT_EQ(cpg_iteration_initialize(handle, CPG_ITERATION_ALL, nullptr, &walk),
            CS_OK);
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(handle, 1, &buffer), CS_OK);
  ASSERT_EQ(cpg_finalize(handle), CS_OK);
  for (const cpg_handle_t bad :
       {handle, cpg_handle_t{0}, ~cpg_handle_t{0}, handle | 0xffffffff00000000U,
        handle ^ 0x100000000U}) {
    int fd = -1;
    std::uint32_t size = 0;
    unsigned nodeid = 0;
    int entries = 0;
    void* pointer = nullptr;
    cpg_name name = Named("x");
    cpg_address members[CPG_MEMBERS_MAX];
    cpg_flow_control_state_t state{};
    cpg_zcb_message message{};
    struct cpg_zcb_region_info info{};
    info.size = sizeof(info);
    EXPECT_EQ(cpg_finalize(bad), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_fd_get(bad, &fd), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_max_atomic_msgsize_get(bad, &size), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_context_get(bad, &pointer), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_context_set(bad, nullptr), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_dispatch(bad, CS_DISPATCH_ALL), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_join(bad, &name), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_leave(bad, &name), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_mcast_joined(bad, CPG_TYPE_AGREED, nullptr, 0),
              CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_membership_get(bad, &name, members, &entries),
              CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_local_get(bad, &nodeid), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_flow_control_state_get(bad, &state), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_zcb_alloc(bad, 1, &pointer), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_zcb_free(bad, buffer), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_zcb_mcast_joined(bad, CPG_TYPE_AGREED, buffer, 1),
              CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_iteration_initialize(bad, CPG_ITERATION_ALL, nullptr, &walk),
              CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_zcb_retain(bad, buffer), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_zcb_next(bad, &message), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_zcb_region_info(bad, &info), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_zcb_alloc_aligned(bad, 1, 64, &pointer), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(cpg_zcb_collect(bad), CS_ERR_BAD_HANDLE);
  }
  cpg_iteration_description_t item{};
  EXPECT_EQ(cpg_iteration_next(walk, &item), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_iteration_finalize(walk), CS_ERR_BAD_HANDLE);
  // The buffer is the process's, not the handle's.
  const Client other;
  EXPECT_EQ(cpg_zcb_free(other.handle, buffer), CS_OK);
}

TEST(HandleTest, ContextIsWhatWasGivenOrSetSince) {
  int first = 0;
  int second = 0;
  cpg_handle_t handle = 0;
  void* context = &second;
  ASSERT_EQ(cpg_initialize(&handle, nullptr), CS_OK);
  EXPECT_EQ(cpg_context_get(handle, &context), CS_OK);
  EXPECT_EQ(context, nullptr);
  EXPECT_EQ(cpg_finalize(handle), CS_OK);
  ASSERT_EQ(cpg_model_initialize(&handle, CPG_MODEL_V1, nullptr, &first),
            CS_OK);
  EXPECT_EQ(cpg_context_get(handle, &context), CS_OK);
  EXPECT_EQ(context, &first);
  EXPECT_EQ(cpg_context_set(handle, &second), CS_OK);
  EXPECT_EQ(cpg_context_get(handle, &context), CS_OK);
  EXPECT_EQ(context, &second);
  EXPECT_EQ(cpg_context_get(handle, nullptr), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_finalize(handle), CS_OK);
}

TEST(HandleTest, NullOutputsAreRefused) {
  const Client client;
  EXPECT_EQ(cpg_fd_get(client.handle, nullptr), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_max_atomic_msgsize_get(client.handle, nullptr),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_local_get(client.handle, nullptr), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_flow_control_state_get(client.handle, nullptr),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_alloc(client.handle, 1, nullptr), CS_ERR_INVALID_PARAM);
}

// Of CPG_MODEL_V1 what Corosync says: programs make buffers of that size.
TEST(HandleTest, LargestAtomicMessageIsCorosyncsOrTheRegions) {
  Client v1;
  std::uint32_t size = 0;
  ASSERT_EQ(cpg_max_atomic_msgsize_get(v1.handle, &size), CS_OK);
  EXPECT_EQ(size, 1'047'552U);
  Client zcb(CPG_MODEL_ZCB);
  ASSERT_EQ(cpg_max_atomic_msgsize_get(zcb.handle, &size), CS_OK);
  EXPECT_GT(size, 255U << 20);
  EXPECT_LT(size, 256U << 20);
  // The bound is exact, and the same for both.
  v1.Enter("largest");
  void* buffer = nullptr;
  EXPECT_EQ(cpg_zcb_alloc(v1.handle, std::size_t{size} + 1, &buffer),
            CS_ERR_TOO_BIG);
  const cs_error_t largest = cpg_zcb_alloc(v1.handle, size, &buffer);
  EXPECT_NE(largest, CS_ERR_TOO_BIG);
  if (largest == CS_OK) {
    EXPECT_EQ(cpg_zcb_free(v1.handle, buffer), CS_OK);
  }
  const std::string longer(1'047'553, 'x');
  ASSERT_EQ(v1.Send(longer), CS_OK);
  v1.DispatchUntilMessages(1);
  EXPECT_EQ(v1.messages[0].text, longer);
}

TEST(HandleTest, DescriptorIsTheSameForTheHandlesLife) {
  Client client;
  int first = -1;
  int second = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &first), CS_OK);
  EXPECT_GE(first, 0);
  client.Enter("fd-stays");
  ASSERT_EQ(cpg_fd_get(client.handle, &second), CS_OK);
  EXPECT_EQ(first, second);
}

TEST(HandleTest, RegionInfoAnswersAsMuchAsTheCallerHasRoomFor) {
  const Client client;
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
  EXPECT_EQ(info.size, sizeof(info));
  EXPECT_NE(info.page_kind, nullptr);
  EXPECT_GE(info.page_bytes, 4096U);
  EXPECT_EQ(info.processes, 1U);
  const std::uint64_t live_before = info.live_buffers;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 100, &buffer), CS_OK);
  ASSERT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
  EXPECT_EQ(info.live_buffers, live_before + 1);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);

  info = {};
  info.size = offsetof(struct cpg_zcb_region_info, huge_bytes);
  info.processes = 4711;
  ASSERT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
  EXPECT_EQ(info.size, offsetof(struct cpg_zcb_region_info, huge_bytes));
  EXPECT_EQ(info.processes, 4711U);
  info.size = sizeof(info.size);
  EXPECT_EQ(cpg_zcb_region_info(client.handle, &info), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_region_info(client.handle, nullptr), CS_ERR_INVALID_PARAM);
}

TEST(HandleTest, VersionIsThreeNumbers) {
  int parts[3] = {-1, -1, -1};
  EXPECT_EQ(std::sscanf(cpg_zcb_version(), "%d.%d.%d", &parts[0], &parts[1],
                        &parts[2]),
            3);
}

TEST(HandleTest, ErrnoStaysWhatItWas) {
  errno = EXDEV;
  {
    Client client;
    client.Enter("errno");
    int fd = -1;
    EXPECT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
    EXPECT_EQ(client.Send("x"), CS_OK);
    EXPECT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
    EXPECT_EQ(errno, EXDEV);
  }
  EXPECT_EQ(errno, EXDEV);
}

}  // namespace
}  // namespace zcb::cpg::testing
