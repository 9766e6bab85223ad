// What the system has not, or has no more of.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "allocator/region.h"
#include "allocator/region_options.h"
#include "allocator/wiped_memory.h"
#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {
namespace {

void UseRegion(int number) {
  Must(setenv("ZCB_REGION", ("r" + std::to_string(number)).c_str(), 1) == 0);
}

// Regions of the allocator alone, which stay.
void HandleSigbusInRegions(int count) {
  auto options = alloc::RegionOptions::FromEnvironment();
  Must(options.ok());
  options->handle_sigbus = true;
  for (int i = 0; i < count; ++i) {
    options->name = "r" + std::to_string(i);
    const auto region = alloc::Region::Open(*options);
    Must(region.ok());
    new auto(*region);
  }
}

void HideProc() {
  if (unshare(CLONE_NEWNS) != 0 ||
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", "/proc", "tmpfs", 0, "size=4k") != 0) {
    NotHere("may not mount");
  }
}

void AddResources(Producers* all) {
  AddToInitialize(all, CS_ERR_NO_RESOURCES, "ProcessHas32768Handles", [] {
    for (int i = 0; i < 32768; ++i) {
      // As many descriptors may not be had; nobody dispatches these handles.
      int fd = -1;
      MustBeOk(cpg_fd_get(NewHandle(), &fd));
      close(fd);
    }
  });
  AddToInitialize(all, CS_ERR_NO_RESOURCES, "ProcessHas64Regions", [] {
    WantDescriptors(1024);
    Must(setenv("ZCB_REGION_BYTES", "4m", 1) == 0);
    for (int i = 0; i < 64; ++i) {
      UseRegion(i);
      (void)NewHandle();
    }
    UseRegion(64);
  });
  AddToInitialize(all, CS_ERR_NO_RESOURCES, "FifoCannotBeMade", &RefuseFifos);
  AddToInitialize(all, CS_ERR_NO_RESOURCES, "SigbusCannotBeHandled", [] {
    Must(setenv("ZCB_SIGBUS", "1", 1) == 0);
    Refuse({{SYS_rt_sigaction, EPERM}});
  });
  AddToInitialize(all, CS_ERR_NO_RESOURCES,
                  "ProcessHas128RegionsThatHandleSigbus", [] {
                    WantDescriptors(2048);
                    Must(setenv("ZCB_REGION_BYTES", "4m", 1) == 0);
                    HandleSigbusInRegions(128);
                    Must(setenv("ZCB_SIGBUS", "1", 1) == 0);
                  });
}

void AddNotSupported(Producers* all) {
  AddToInitialize(all, CS_ERR_NOT_SUPPORTED, "NoHugePages", [] {
    Must(setenv("ZCB_PAGES", "huge", 1) == 0);
    constexpr std::uint32_t kCollapse = 25;
    Refuse({{SYS_madvise, EINVAL, kCollapse}});
  });
  AddToInitialize(all, CS_ERR_NOT_SUPPORTED, "NoTmpfile", [] {
    Refuse({{SYS_openat, EOPNOTSUPP, O_TMPFILE | O_RDWR | O_CLOEXEC}});
  });
  AddToInitialize(all, CS_ERR_NOT_SUPPORTED, "NoProc", [] {
    MakeRegion([](ipc::IpcOptions*) {});
    HideProc();
  });
  AddToInitialize(all, CS_ERR_NOT_SUPPORTED, "NoWipeOnFork", [] {
    constexpr std::uint32_t kWipeOnFork = 18;
    Refuse({{SYS_madvise, EINVAL, kWipeOnFork}});
  });
}

// A message so large that its copy needs memory of the system, and there is
// none; operator new has enough for everything else.
cs_error_t DispatchWithoutMemoryForACopy(bool is_timed) {
#ifdef ZCB_WITH_ADDRESS_SANITIZER
  NotHere("the sanitizer's allocator ends the process");
#endif
  cpg_callbacks_t callbacks{};
  callbacks.cpg_deliver_fn = [](cpg_handle_t, const cpg_name*, std::uint32_t,
                                std::uint32_t, void*, std::size_t) {};
  cpg_handle_t handle = 0;
  MustBeOk(cpg_initialize(&handle, &callbacks));
  MustBeOk(Join(handle));
  MustBeOk(Send(handle));
  MustBeOk(Send(handle, std::string(4U << 20, 'x')));
  MustBeOk(cpg_dispatch(handle, CS_DISPATCH_ONE));
  // For the heap, whichever call it grows by; not for the stack.
  const rlimit none{0, 0};
  Must(setrlimit(RLIMIT_DATA, &none) == 0);
  MustBeOk(cpg_dispatch(handle, CS_DISPATCH_ONE));
  return is_timed ? cpg_zcb_dispatch_timed(handle, CS_DISPATCH_ONE, 1)
                  : cpg_dispatch(handle, CS_DISPATCH_ONE);
}

}  // namespace

Producers ResourceErrors() {
  Producers all;
  AddResources(&all);
  AddNotSupported(&all);
  for (const bool is_timed : {false, true}) {
    all.push_back({is_timed ? "cpg_zcb_dispatch_timed" : "cpg_dispatch",
                   CS_ERR_NO_MEMORY, "NoneForTheCopy", [is_timed] {
                     return DispatchWithoutMemoryForACopy(is_timed);
                   }});
  }
  all.push_back({"cpg_join", CS_ERR_NO_RESOURCES, "NoThreadAtTheFirstJoin", [] {
                   const cpg_handle_t handle = NewHandle();
                   Refuse({{SYS_clone3, EAGAIN}, {SYS_clone, EAGAIN}});
                   return Join(handle);
                 }});
  return all;
}

}  // namespace zcb::man
