// The handler alone: which faults are its own, and what becomes of the others.
#include "allocator/sigbus_guard.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csetjmp>
#include <cstring>

#include "tests/support/child_process.h"

namespace zcb::alloc {
namespace {

using zcb::testing::ChildProcess;

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kPages = 8;

// A file in memory, mapped; cut to any length.
class CutFile {
 public:
  CutFile() : fd_(memfd_create("cut", 0)) {
    Cut(kPages);
    base_ = static_cast<std::byte*>(mmap(
        nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
  }
  ~CutFile() {
    munmap(base_, kPages * kPage);
    close(fd_);
  }
  CutFile(const CutFile&) = delete;
  CutFile& operator=(const CutFile&) = delete;

  void Cut(std::uint64_t pages) const {
    if (ftruncate(fd_, static_cast<off_t>(pages * kPage)) != 0) std::abort();
  }
  volatile unsigned char& operator[](std::uint64_t page) const {
    return *reinterpret_cast<volatile unsigned char*>(base_ + page * kPage);
  }
  void Touch(std::uint64_t page) const {
    const unsigned char byte = (*this)[page];
    static_cast<void>(byte);
  }
  SigbusGuard::Range Range(DamageMark* mark) const {
    struct stat facts = {};
    if (fstat(fd_, &facts) != 0) std::abort();
    return {base_, kPages * kPage, kPage, fd_, FileId::Of(facts), mark};
  }
  std::byte* base() const { return base_; }

 private:
  int fd_;
  std::byte* base_ = nullptr;
};

volatile sig_atomic_t handled = 0;
sigjmp_buf before_the_fault;

void OldStyle(int) {
  handled = handled + 1;
  siglongjmp(before_the_fault, 1);
}
void WithInfo(int, siginfo_t* info, void*) {
  handled = info->si_addr != nullptr ? 2 : 3;
  siglongjmp(before_the_fault, 1);
}
void Returning(int) { handled = handled + 1; }

void Handle(void (*handler)(int), int flags = 0) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(SIGBUS, &action, nullptr);
}

// Touches a page of a file that nobody guards.
void TouchAForeignHole() {
  const CutFile foreign;
  foreign.Cut(0);
  if (sigsetjmp(before_the_fault, 1) == 0) foreign.Touch(1);
}

// In a child, since handlers are the process's.
template <typename Body>
int InChild(Body body) {
  return ChildProcess([&] {
           signal(SIGBUS, SIG_DFL);  // not a sanitizer's
           return body() ? 0 : 1;
         })
      .Join();
}

TEST(SigbusGuardTest, ACutPageReadsAsZerosAndTheMarkIsSet) {
  EXPECT_EQ(
      InChild([] {
        CutFile file;
        for (std::uint64_t i = 0; i < kPages; ++i) file[i] = 7;
        DamageMark mark;
        if (!SigbusGuard::Install() || !SigbusGuard::Add(file.Range(&mark))) {
          return false;
        }
        file.Cut(3);
        if (file[2] != 7 || mark.IsSet()) return false;
        if (file[5] != 0 || !mark.IsSet()) return false;
        file[5] = 9;  // ours alone
        // All that was cut is replaced, nothing else.
        file.Cut(kPages);
        file[2] = 8;
        return file[3] == 0 && file[5] == 9 && file[2] == 8 && file[1] == 7;
      }),
      0);
}

TEST(SigbusGuardTest, WhatIsNotItsOwnGoesToThePreviousHandler) {
  EXPECT_EQ(
      InChild([] {
        Handle(&OldStyle);
        CutFile file;
        DamageMark mark;
        if (!SigbusGuard::Install() || !SigbusGuard::Add(file.Range(&mark))) {
          return false;
        }
        TouchAForeignHole();
        if (handled != 1 || mark.IsSet()) return false;
        file.Cut(0);
        file.Touch(1);
        return handled == 1 && mark.IsSet();
      }),
      0);
  EXPECT_EQ(InChild([] {
              struct sigaction action = {};
              action.sa_sigaction = &WithInfo;
              action.sa_flags = SA_SIGINFO;
              sigaction(SIGBUS, &action, nullptr);
              if (!SigbusGuard::Install()) return false;
              TouchAForeignHole();
              return handled == 2;
            }),
            0);
}

TEST(SigbusGuardTest, WithoutAPreviousHandlerTheDefaultKills) {
  EXPECT_EQ(InChild([] {
              if (!SigbusGuard::Install()) return false;
              TouchAForeignHole();
              return true;
            }),
            128 + SIGBUS);
  // Also one that another process, or this one, has sent.
  EXPECT_EQ(InChild([] {
              if (!SigbusGuard::Install()) return false;
              raise(SIGBUS);
              return true;
            }),
            128 + SIGBUS);
}

TEST(SigbusGuardTest, IgnoredIsIgnoredIfItWasSentAndDeadlyIfItIsAFault) {
  EXPECT_EQ(InChild([] {
              signal(SIGBUS, SIG_IGN);
              if (!SigbusGuard::Install()) return false;
              raise(SIGBUS);
              kill(getpid(), SIGBUS);
              return true;
            }),
            0);
  EXPECT_EQ(InChild([] {
              signal(SIGBUS, SIG_IGN);
              if (!SigbusGuard::Install()) return false;
              TouchAForeignHole();
              return true;
            }),
            128 + SIGBUS);
}

TEST(SigbusGuardTest, APreviousHandlerForOnceIsCalledOnce) {
  EXPECT_EQ(InChild([] {
              Handle(&Returning, static_cast<int>(SA_RESETHAND));
              if (!SigbusGuard::Install()) return false;
              raise(SIGBUS);
              if (handled != 1) return false;
              raise(SIGBUS);
              return true;
            }),
            128 + SIGBUS);
}

TEST(SigbusGuardTest, AHandlerInstalledAfterwardsMayHandOn) {
  EXPECT_EQ(
      InChild([] {
        CutFile file;
        DamageMark mark;
        if (!SigbusGuard::Install() || !SigbusGuard::Add(file.Range(&mark))) {
          return false;
        }
        static struct sigaction ours;
        sigaction(SIGBUS, nullptr, &ours);
        struct sigaction theirs = {};
        theirs.sa_flags = SA_SIGINFO;
        theirs.sa_sigaction = [](int number, siginfo_t* info, void* context) {
          handled = handled + 1;
          ours.sa_sigaction(number, info, context);
        };
        sigaction(SIGBUS, &theirs, nullptr);
        if (!SigbusGuard::Install()) return false;  // once is enough
        file.Cut(0);
        file.Touch(1);
        return handled == 1 && mark.IsSet();
      }),
      0);
}

TEST(SigbusGuardTest, WhatWasRemovedIsNotItsOwnAnyMore) {
  EXPECT_EQ(
      InChild([] {
        Handle(&OldStyle);
        CutFile file;
        DamageMark mark;
        if (!SigbusGuard::Install() || !SigbusGuard::Add(file.Range(&mark))) {
          return false;
        }
        SigbusGuard::Remove(file.base());
        file.Cut(0);
        if (sigsetjmp(before_the_fault, 1) == 0) file.Touch(1);
        return handled == 1 && !mark.IsSet();
      }),
      0);
}

TEST(SigbusGuardTest, AThreadThatBlocksTheSignalIsKilledByTheKernel) {
  EXPECT_EQ(
      InChild([] {
        CutFile file;
        DamageMark mark;
        if (!SigbusGuard::Install() || !SigbusGuard::Add(file.Range(&mark))) {
          return false;
        }
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGBUS);
        pthread_sigmask(SIG_BLOCK, &set, nullptr);
        file.Cut(0);
        file.Touch(1);
        return true;
      }),
      128 + SIGBUS);
}

TEST(SigbusGuardTest, TheTableIsFullAfterSoMany) {
  EXPECT_EQ(InChild([] {
              const CutFile file;
              DamageMark mark;
              for (std::size_t i = 0; i < SigbusGuard::kMostRanges; ++i) {
                if (!SigbusGuard::Add(file.Range(&mark))) return false;
              }
              if (SigbusGuard::Add(file.Range(&mark))) return false;
              SigbusGuard::Remove(file.base());
              return SigbusGuard::Add(file.Range(&mark));
            }),
            0);
}

TEST(SigbusGuardTest, ErrnoStays) {
  EXPECT_EQ(
      InChild([] {
        CutFile file;
        DamageMark mark;
        if (!SigbusGuard::Install() || !SigbusGuard::Add(file.Range(&mark))) {
          return false;
        }
        file.Cut(0);
        errno = EDOM;
        file.Touch(1);
        return errno == EDOM;
      }),
      0);
}

TEST(DamageMarkTest, ATripwireIsTrippedAndTheCountGoesWithTheMark) {
  const std::uint32_t before = damaged_regions.load();
  {
    DamageMark mark;
    std::atomic<std::uint64_t> word{5};
    ASSERT_TRUE(mark.Arm(&word));
    mark.Set();
    mark.Set();
    EXPECT_EQ(word.load(), DamageMark::kTripped);
    EXPECT_EQ(damaged_regions.load(), before + 1);
    mark.Disarm(&word);
  }
  EXPECT_EQ(damaged_regions.load(), before);
}

}  // namespace
}  // namespace zcb::alloc
