// Whose bell is rung first by a send.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <vector>

#include "tests/ipc/member_fixture.h"
#include "tests/support/child_process.h"

namespace {

// Where this process writes to while it is not nullptr.
std::vector<int>* written_to = nullptr;

}  // namespace

// In place of the C library's.
extern "C" ssize_t write(int descriptor, const void* bytes,
                         std::size_t length_bytes) {
  if (written_to != nullptr) written_to->push_back(descriptor);
  return syscall(SYS_write, descriptor, bytes, length_bytes);
}

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::TempDirectory;

// A program that polls is announced asleep while it sends; its own message
// rings it, too.
TEST(BellOrderProcessTest, OthersAreRungBeforeTheSenderItself) {
  TempDirectory directory;
  Gate parent_is_in;
  Gate child_sleeps;
  Gate parent_has_rung;
  ChildProcess child([&] {
    parent_is_in.Wait();
    const auto attachment = Attachment::Open(OptionsIn(directory.path()));
    if (!attachment) return 1;
    const Joined joined = JoinGroup(**attachment, "g");
    ReadAll(*joined.member);
    if (joined->AnnounceSleep()) return 2;
    child_sleeps.Signal();
    joined.bell->Wait(Deadline::Never());
    parent_has_rung.Wait();  // whoever reads rings others that sleep, too
    return ReadOne(*joined.member) == "hello" ? 0 : 3;
  });
  const auto attachment = Attachment::Open(OptionsIn(directory.path()));
  ASSERT_TRUE(attachment.ok()) << attachment.reason();
  const Joined joined = JoinGroup(**attachment, "g");  // has the first entry
  parent_is_in.Signal();
  child_sleeps.Wait();
  ReadAll(*joined.member);
  ASSERT_FALSE(joined->AnnounceSleep());
  std::vector<int> bells;
  written_to = &bells;
  const Outcome sent = SendText(*joined.member, "hello");
  written_to = nullptr;
  parent_has_rung.Signal();
  ASSERT_TRUE(sent.ok()) << sent.reason();
  ASSERT_EQ(bells.size(), 2U);
  const auto is_ours = [&](int descriptor) {
    struct stat bell{}, our_bell{};
    return fstat(descriptor, &bell) == 0 &&
           fstat(joined.bell->descriptor(), &our_bell) == 0 &&
           bell.st_ino == our_bell.st_ino;
  };
  EXPECT_FALSE(is_ours(bells[0]));
  EXPECT_TRUE(is_ours(bells[1]));
  EXPECT_TRUE(joined->AnnounceAwake());
  EXPECT_TRUE(joined.bell->Drain());
  EXPECT_EQ(child.Join(), 0);
}

}  // namespace
}  // namespace zcb::ipc
