// A member writes whatever it likes into the shared words that name processes.
// Nobody is signalled, traced or read because of it: each call that could is
// fatal here. Nor is it taken for alive or dead by its number.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <string>
#include <vector>

#include "allocator/lease_word.h"
#include "tests/ipc/member_fixture.h"
#include "tests/support/child_process.h"

namespace zcb::ipc::testing {
namespace {

using alloc::LeaseWord;
using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::TempDirectory;

// For all threads of the calling process.
bool ForbidCallsOnProcesses() {
  const std::vector<unsigned> fatal = {
      SYS_kill,
      SYS_tkill,
      SYS_tgkill,
      SYS_rt_sigqueueinfo,
      SYS_rt_tgsigqueueinfo,
      SYS_pidfd_send_signal,
      SYS_ptrace,
      SYS_process_vm_readv,
      SYS_process_vm_writev,
      SYS_kcmp,
      SYS_migrate_pages,
      SYS_prlimit64,
      SYS_setpriority,
      SYS_execve,
      SYS_execveat,
      438,  // pidfd_getfd
      440,  // process_madvise
      448,  // process_mrelease
  };
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned number : fatal) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()),
                          program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                 SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

// What a lease word may say of the process that has the slot.
std::vector<std::uint64_t> Lies(std::uint64_t truth, pid_t innocent) {
  const LeaseWord word(truth);
  const LeaseWord free = word.Release();
  return {
      free.Attach(innocent).raw(),
      free.Attach(innocent).Die().raw(),
      free.Attach(1).raw(),
      free.Attach(0).raw(),
      free.Attach(-1).raw(),
      free.Attach(-innocent).raw(),
      free.Attach(getpid()).raw(),
      word.Die().raw(),
      free.raw(),
      ~std::uint64_t{0},
      truth,
  };
}

// Joins, looks, and goes, in a region of lies.
int LiveAmongLies(const IpcOptions& options) {
  auto opened = Attachment::Open(options);
  if (!opened) return 3;
  if (!ForbidCallsOnProcesses()) return 4;
  Joined member = JoinGroup(**opened, "g");
  if (member.member == nullptr) return 5;
  ReadAll(*member.member);
  (void)(*opened)->MembersOf(Named("g"));
  (*opened)->LookAtMembersOf(Named("g"));
  for (std::uint16_t slot = 0; slot < 8; ++slot) {
    const LeaseWord word((*opened)->region().lease_word(slot).load());
    if (slot == (*opened)->region().lease().slot) continue;
    (*opened)->ReapIfGone({slot, word.generation()});
    (*opened)->Watch({slot, word.generation()});
  }
  (*opened)->RelievePressure();
  (void)SendText(*member.member, "x");
  ReadAll(*member.member);
  return 0;
}

TEST(ForgedPidTest, NobodyIsSignalledOrTouched) {
  TempDirectory directory;
  IpcOptions options = OptionsIn(directory.path());
  options.region.region_bytes = 4 << 20;
  Gate never;
  ChildProcess innocent([&] {
    never.Wait();
    return 0;
  });
  auto opened = Attachment::Open(options);
  ASSERT_TRUE(opened.ok());
  alloc::Region& region = (*opened)->region();
  // One slot that nobody has, and one of a process that is in the group.
  Gate is_in;
  ChildProcess resident([&] {
    auto attachment = Attachment::Open(options);
    if (!attachment) return 1;
    Joined member = JoinGroup(**attachment, "g");
    is_in.Signal();
    never.Wait();
    return 0;
  });
  is_in.Wait();
  const std::uint16_t taken = region.lease().slot == 0 ? 1 : 0;
  for (const std::uint16_t slot : {taken, std::uint16_t{5}}) {
    const std::uint64_t truth = region.lease_word(slot).load();
    for (const std::uint64_t lie : Lies(truth, innocent.pid())) {
      region.lease_word(slot).store(lie);
      ChildProcess victim([&] { return LiveAmongLies(options); });
      ASSERT_EQ(victim.Join(), 0) << std::hex << lie;
      ASSERT_EQ(kill(innocent.pid(), 0), 0);
      ASSERT_EQ(kill(resident.pid(), 0), 0);
    }
    region.lease_word(slot).store(truth);
  }
  int status = 0;
  EXPECT_EQ(waitpid(innocent.pid(), &status, WNOHANG), 0) << "it lives";
  EXPECT_EQ(waitpid(resident.pid(), &status, WNOHANG), 0);
}

}  // namespace
}  // namespace zcb::ipc::testing
