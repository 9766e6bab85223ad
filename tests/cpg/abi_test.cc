// Our headers are Corosync's, number for number.
#include "tests/cpg/abi_facts.h"

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "allocator/status.h"

namespace zcb::cpg {
namespace {

TEST(AbiTest, HeadersAgreeWithTheInstalledOnesInEveryNumber) {
  std::size_t our_count = 0;
  std::size_t their_count = 0;
  const AbiFact* const ours = OurAbiFacts(&our_count);
  const AbiFact* const theirs = TheirAbiFacts(&their_count);
  ASSERT_GT(our_count, 100U);
  if (their_count == 0) GTEST_SKIP() << "libcpg-dev is not installed";
  ASSERT_EQ(our_count, their_count);
  for (std::size_t i = 0; i < our_count; ++i) {
    EXPECT_EQ(std::string(ours[i].name), theirs[i].name);
    EXPECT_EQ(ours[i].value, theirs[i].value) << ours[i].name;
    if (std::string(ours[i].name).find("function ") == 0 ||
        std::string(ours[i].name).find("callback ") == 0) {
      EXPECT_EQ(ours[i].value, 1) << ours[i].name << " is not as written here";
    }
  }
}

TEST(AbiTest, LayoutsAreThoseOfTheContract) {
  static_assert(sizeof(cpg_name) == 132 && alignof(cpg_name) == 4);
  static_assert(offsetof(cpg_name, value) == 4);
  static_assert(sizeof(cpg_address) == 12);
  static_assert(sizeof(cpg_iteration_description_t) == 140);
  static_assert(offsetof(cpg_iteration_description_t, pid) == 136);
  static_assert(sizeof(cpg_ring_id) == 16 && offsetof(cpg_ring_id, seq) == 8);
  static_assert(sizeof(cpg_callbacks_t) == 16);
  static_assert(sizeof(cpg_model_data_t) == 4);
  static_assert(sizeof(cpg_model_v1_data_t) == 40);
  static_assert(offsetof(cpg_model_v1_data_t, flags) == 32);
  static_assert(sizeof(cs_name_t) == 258 && sizeof(cs_version_t) == 3);
}

// The same, where no other header is installed.
TEST(AbiTest, NumbersAreThoseOfTheContract) {
  static_assert(CPG_TYPE_UNORDERED == 0 && CPG_TYPE_SAFE == 3);
  static_assert(CPG_FLOW_CONTROL_DISABLED == 0 &&
                CPG_FLOW_CONTROL_ENABLED == 1);
  static_assert(CPG_REASON_UNDEFINED == 0 && CPG_REASON_JOIN == 1 &&
                CPG_REASON_LEAVE == 2 && CPG_REASON_NODEDOWN == 3 &&
                CPG_REASON_NODEUP == 4 && CPG_REASON_PROCDOWN == 5);
  static_assert(CPG_ITERATION_NAME_ONLY == 1 && CPG_ITERATION_ALL == 3);
  static_assert(CPG_MODEL_V1 == 1);
  static_assert(CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF == 1);
  static_assert(CPG_MAX_NAME_LENGTH == 128 && CPG_MEMBERS_MAX == 128);
  static_assert(CS_DISPATCH_ONE == 1 && CS_DISPATCH_ALL == 2 &&
                CS_DISPATCH_BLOCKING == 3 && CS_DISPATCH_ONE_NONBLOCKING == 4);
  static_assert(CS_IPC_TIMEOUT_MS == -1 && CS_MAX_NAME_LENGTH == 256);
  constexpr int kErrors[] = {
      CS_OK,
      CS_ERR_LIBRARY,
      CS_ERR_VERSION,
      CS_ERR_INIT,
      CS_ERR_TIMEOUT,
      CS_ERR_TRY_AGAIN,
      CS_ERR_INVALID_PARAM,
      CS_ERR_NO_MEMORY,
      CS_ERR_BAD_HANDLE,
      CS_ERR_BUSY,
      CS_ERR_ACCESS,
      CS_ERR_NOT_EXIST,
      CS_ERR_NAME_TOO_LONG,
      CS_ERR_EXIST,
      CS_ERR_NO_SPACE,
      CS_ERR_INTERRUPT,
      CS_ERR_NAME_NOT_FOUND,
      CS_ERR_NO_RESOURCES,
      CS_ERR_NOT_SUPPORTED,
      CS_ERR_BAD_OPERATION,
      CS_ERR_FAILED_OPERATION,
      CS_ERR_MESSAGE_ERROR,
      CS_ERR_QUEUE_FULL,
      CS_ERR_QUEUE_NOT_AVAILABLE,
      CS_ERR_BAD_FLAGS,
      CS_ERR_TOO_BIG,
      CS_ERR_NO_SECTIONS,
      CS_ERR_CONTEXT_NOT_FOUND,
  };
  for (int i = 0; i < 28; ++i) EXPECT_EQ(kErrors[i], i + 1);
  static_assert(CS_ERR_TOO_MANY_GROUPS == 30 && CS_ERR_SECURITY == 100);
  for (const std::size_t size :
       {sizeof(cpg_guarantee_t), sizeof(cpg_flow_control_state_t),
        sizeof(cpg_reason_t), sizeof(cpg_iteration_type_t), sizeof(cpg_model_t),
        sizeof(cs_dispatch_flags_t), sizeof(cs_error_t)}) {
    EXPECT_EQ(size, 4U);
  }
  static_assert(sizeof(cpg_handle_t) == 8);
  static_assert(sizeof(cpg_iteration_handle_t) == 8);
  static_assert(sizeof(cs_time_t) == 8);
}

TEST(AbiTest, OurOwnModelHasV1sLayoutAndItsNumberStays) {
  static_assert(sizeof(cpg_model_zcb_data_t) == sizeof(cpg_model_v1_data_t));
  static_assert(offsetof(cpg_model_zcb_data_t, cpg_deliver_fn) ==
                offsetof(cpg_model_v1_data_t, cpg_deliver_fn));
  static_assert(offsetof(cpg_model_zcb_data_t, cpg_confchg_fn) ==
                offsetof(cpg_model_v1_data_t, cpg_confchg_fn));
  static_assert(offsetof(cpg_model_zcb_data_t, cpg_totem_confchg_fn) ==
                offsetof(cpg_model_v1_data_t, cpg_totem_confchg_fn));
  static_assert(offsetof(cpg_model_zcb_data_t, flags) ==
                offsetof(cpg_model_v1_data_t, flags));
  EXPECT_EQ(static_cast<unsigned>(CPG_MODEL_ZCB), 0x7a6362U);
  static_assert(sizeof(cpg_zcb_message) == 48);
  static_assert(offsetof(cpg_zcb_message, sequence) == 24);
  static_assert(offsetof(cpg_zcb_message, kind) == 32);
  static_assert(sizeof(struct cpg_zcb_region_info) == 80);
}

TEST(AbiTest, StatusHasTheNumbersOfCsError) {
  const auto same = [](Status status, cs_error_t error) {
    return static_cast<int>(status) == static_cast<int>(error);
  };
  EXPECT_TRUE(same(Status::kOk, CS_OK));
  EXPECT_TRUE(same(Status::kLibrary, CS_ERR_LIBRARY));
  EXPECT_TRUE(same(Status::kVersion, CS_ERR_VERSION));
  EXPECT_TRUE(same(Status::kTryAgain, CS_ERR_TRY_AGAIN));
  EXPECT_TRUE(same(Status::kInvalidParam, CS_ERR_INVALID_PARAM));
  EXPECT_TRUE(same(Status::kNoMemory, CS_ERR_NO_MEMORY));
  EXPECT_TRUE(same(Status::kBadHandle, CS_ERR_BAD_HANDLE));
  EXPECT_TRUE(same(Status::kAccess, CS_ERR_ACCESS));
  EXPECT_TRUE(same(Status::kNotExist, CS_ERR_NOT_EXIST));
  EXPECT_TRUE(same(Status::kNameTooLong, CS_ERR_NAME_TOO_LONG));
  EXPECT_TRUE(same(Status::kExist, CS_ERR_EXIST));
  EXPECT_TRUE(same(Status::kNoResources, CS_ERR_NO_RESOURCES));
  EXPECT_TRUE(same(Status::kNotSupported, CS_ERR_NOT_SUPPORTED));
  EXPECT_TRUE(same(Status::kTooBig, CS_ERR_TOO_BIG));
}

}  // namespace
}  // namespace zcb::cpg
