// The C interface is the same from C and from C++, and stays what it is.
#include <gtest/gtest.h>

#include <cstring>

#include "allocator/status.h"
#include "tests/allocator/zcb_allocator_abi.h"

namespace zcb::alloc {
namespace {

TEST(ZcbAllocatorAbiTest, CAndCppFindTheSameFunctions) {
  const ZcbFunctions ours = ZCB_FUNCTIONS;
  EXPECT_EQ(std::memcmp(&ours, &kZcbFunctionsOfC, sizeof ours), 0);
  static_assert(sizeof(ZcbFunctions) % sizeof(void*) == 0);
}

TEST(ZcbAllocatorAbiTest, StatusHasTheLibrarysNumbers) {
  const auto same = [](zcb_status ours, Status status) {
    return static_cast<int>(ours) == static_cast<int>(status);
  };
  EXPECT_TRUE(same(ZCB_OK, Status::kOk));
  EXPECT_TRUE(same(ZCB_LIBRARY, Status::kLibrary));
  EXPECT_TRUE(same(ZCB_VERSION, Status::kVersion));
  EXPECT_TRUE(same(ZCB_TRY_AGAIN, Status::kTryAgain));
  EXPECT_TRUE(same(ZCB_INVALID_PARAM, Status::kInvalidParam));
  EXPECT_TRUE(same(ZCB_NO_MEMORY, Status::kNoMemory));
  EXPECT_TRUE(same(ZCB_BAD_HANDLE, Status::kBadHandle));
  EXPECT_TRUE(same(ZCB_ACCESS, Status::kAccess));
  EXPECT_TRUE(same(ZCB_NOT_EXIST, Status::kNotExist));
  EXPECT_TRUE(same(ZCB_NAME_TOO_LONG, Status::kNameTooLong));
  EXPECT_TRUE(same(ZCB_EXIST, Status::kExist));
  EXPECT_TRUE(same(ZCB_NO_RESOURCES, Status::kNoResources));
  EXPECT_TRUE(same(ZCB_NOT_SUPPORTED, Status::kNotSupported));
  EXPECT_TRUE(same(ZCB_TOO_BIG, Status::kTooBig));
}

}  // namespace
}  // namespace zcb::alloc
