// The C interface beside the C++ one, in one process and one region.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "allocator/allocator.h"
#include "allocator/region.h"
#include "allocator/zcb_allocator.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

class ZcbAllocatorRegionTest : public ::testing::Test {
 protected:
  zcb_status Open(const RegionOptions& region, zcb_allocator** allocator) {
    struct zcb_options options{};
    options.size = sizeof options;
    options.name = region.name.c_str();
    options.directory = region.directory.c_str();
    options.region_bytes = region.region_bytes;
    return zcb_allocator_open(&options, allocator);
  }
  testing::TempDirectory directory_;
};

TEST_F(ZcbAllocatorRegionTest, ARegionOfAnotherLayerIsRefusedAndLeftAsItWas) {
  RegionOptions options = directory_.Options();
  options.client_area_bytes = 4096;
  const auto region = Region::Open(options);
  ASSERT_TRUE(region.ok()) << region.reason();
  const auto files = directory_.RegionFiles();
  zcb_allocator* allocator = nullptr;
  EXPECT_EQ(Open(options, &allocator), ZCB_EXIST);
  EXPECT_EQ(allocator, nullptr);
  EXPECT_EQ(directory_.RegionFiles(), files);
  EXPECT_TRUE((*region)->HoldsLock((*region)->lease().slot));
  EXPECT_TRUE(Allocator::Create(*region).ok());
}

TEST_F(ZcbAllocatorRegionTest, ATicketPassesFromOneInterfaceToTheOther) {
  const RegionOptions options = directory_.Options();
  zcb_allocator* allocator = nullptr;
  ASSERT_EQ(Open(options, &allocator), ZCB_OK) << zcb_last_reason();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  testing::Child giver([&](testing::Talk& talk) {
    const auto region = Region::Open(options);
    ASSERT_TRUE(region.ok()) << region.reason();
    const auto own = Allocator::Create(*region);
    ASSERT_TRUE(own.ok()) << own.reason();
    const auto ref = (*own)->Alloc(500);
    ASSERT_TRUE(ref.ok()) << ref.reason();
    std::memset((*own)->Pointer(*ref), 'g', 500);
    const auto ticket = (*own)->Give(*ref);
    ASSERT_TRUE(ticket.ok()) << ticket.reason();
    const zcb_ticket raw = ticket->raw();
    ASSERT_EQ(::write(ends[1], &raw, sizeof raw), ssize_t{sizeof raw});
    talk.Hear();
  });
  ::close(ends[1]);
  zcb_ticket ticket = 0;
  ASSERT_EQ(::read(ends[0], &ticket, sizeof ticket), ssize_t{sizeof ticket});
  ::close(ends[0]);
  void* buffer = nullptr;
  ASSERT_EQ(zcb_take(allocator, ticket, &buffer), ZCB_OK) << zcb_last_reason();
  EXPECT_EQ(static_cast<char*>(buffer)[499], 'g');
  EXPECT_EQ(zcb_free(allocator, buffer), ZCB_OK) << zcb_last_reason();
  giver.Say('e');
  EXPECT_EQ(giver.Wait(), 0);
  EXPECT_EQ(zcb_allocator_close(allocator), ZCB_OK);
}

}  // namespace
}  // namespace zcb::alloc
