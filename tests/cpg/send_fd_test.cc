// The send descriptor where memory comes back in the middle of a refusal: when
// the descriptor was made quiet, and nobody knows yet that it has to be rung.
#include <poll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <functional>
#include <utility>
#include <vector>

#include "tests/cpg/client.h"

namespace {
// Runs once, in the middle of the next refusal.
std::function<void()> g_in_between;
}  // namespace

// In the place of the C library's: what makes the descriptor quiet calls it.
extern "C" int timerfd_settime(int fd, int flags, const itimerspec* value,
                               itimerspec* old) noexcept {
  if (const auto act = std::exchange(g_in_between, nullptr)) act();
  return static_cast<int>(syscall(SYS_timerfd_settime, fd, flags, value, old));
}

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

constexpr std::size_t kBytes = 8 << 20;

bool IsReadable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, 0) == 1;
}

class SendFdTest : public ::testing::Test {
 protected:
  void SetUp() override {
    client_.Enter("g");
    void* buffer = nullptr;
    while (cpg_zcb_alloc(client_.handle, kBytes, &buffer) == CS_OK) {
      buffers_.push_back(buffer);
    }
    // Now: no refusal has asked to be told yet.
    ASSERT_EQ(cpg_zcb_send_fd_get(client_.handle, &fd_), CS_OK);
  }
  void TearDown() override {
    while (!buffers_.empty()) FreeOne();
  }
  void FreeOne() {
    EXPECT_EQ(cpg_zcb_free(client_.handle, buffers_.back()), CS_OK);
    buffers_.pop_back();
  }

  Client client_;
  int fd_ = -1;
  std::vector<void*> buffers_;
};

TEST_F(SendFdTest, TellsOfMemoryThatCameBackDuringARefusedSend) {
  const std::string large(kBytes, 'x');
  g_in_between = [this] { FreeOne(); };
  ASSERT_EQ(client_.Send(large), CS_ERR_TRY_AGAIN);
  EXPECT_TRUE(IsReadable(fd_));
  EXPECT_EQ(client_.Send(large), CS_OK);
}

TEST_F(SendFdTest, TellsOfMemoryThatCameBackDuringARefusedAllocation) {
  void* buffer = nullptr;
  g_in_between = [this] { FreeOne(); };
  ASSERT_EQ(cpg_zcb_alloc(client_.handle, kBytes, &buffer), CS_ERR_NO_MEMORY);
  EXPECT_TRUE(IsReadable(fd_));
  ASSERT_EQ(cpg_zcb_alloc(client_.handle, kBytes, &buffer), CS_OK);
  buffers_.push_back(buffer);
}

// Another sender of the handle was refused for room; so is this one, while the
// memory that the first one had waited for comes back.
TEST_F(SendFdTest, TellsOfMemoryThatCameBackDuringARefusalForRoom) {
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client_.handle, kBytes, &buffer), CS_ERR_NO_MEMORY);
  cs_error_t error = CS_OK;
  while (error == CS_OK) {
    // Room is looked for in vain once: at the refusal.
    g_in_between = [this] { FreeOne(); };
    error = client_.Send("x");
  }
  ASSERT_EQ(error, CS_ERR_TRY_AGAIN);
  EXPECT_TRUE(IsReadable(fd_));
}

}  // namespace
}  // namespace zcb::cpg::testing
