// Waiting for room.
#include <unistd.h>

#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {

Producers WaitErrors() {
  Producers all;
  const auto add = [&all](cs_error_t error, const char* cause,
                          std::function<cs_error_t()> produce) {
    all.push_back({"cpg_zcb_wait", error, cause, std::move(produce)});
  };
  add(CS_ERR_NOT_EXIST, "NotJoined",
      [] { return cpg_zcb_wait(NewHandle(), 0, 1); });
  add(CS_ERR_NOT_EXIST, "Leaving", [] {
    const cpg_handle_t member = NewMember();
    MustBeOk(Leave(member));
    return cpg_zcb_wait(member, 0, 1);
  });
  add(CS_ERR_TOO_BIG, "MoreThanTheRegion",
      [] { return cpg_zcb_wait(NewMember(), std::size_t{1} << 40, 1); });
  add(CS_ERR_TOO_BIG, "MoreThanTheQuota", [] {
    Must(setenv("ZCB_QUOTA_BYTES", "4m", 1) == 0);
    return cpg_zcb_wait(NewMember(), 4U << 20, -1);
  });
  add(CS_ERR_BUSY, "CallerHasNotReadWhatFillsTheRegion", [] {
    const cpg_handle_t member = NewMember();
    MustBeOk(Send(member));
    FillRegion(member);
    return cpg_zcb_wait(member, 1, -1);
  });
  add(CS_ERR_BUSY, "CallerHasNotRead", [] {
    const cpg_handle_t member = NewMember();
    FillRing(member);
    return cpg_zcb_wait(member, 0, -1);
  });
  add(CS_ERR_TIMEOUT, "AnotherHasNotRead", [] {
    const Idler idler;
    const cpg_handle_t member = NewMember();
    FillRingBehind(idler, member);
    return cpg_zcb_wait(member, 0, 1);
  });
  add(CS_ERR_TIMEOUT, "RegionIsFull", [] {
    const cpg_handle_t member = NewMember();
    FillRegion(member);
    return cpg_zcb_wait(member, 1, 1);
  });
  add(CS_ERR_TIMEOUT, "NotInOnePiece", [] {
    const cpg_handle_t member = NewMember();
    CutRegionToPieces(member);
    return cpg_zcb_wait(member, kMoreThanAPiece, 1);
  });
  add(CS_ERR_TIMEOUT, "FileSystemIsFull", [] {
    UseSmallFileSystem("8m");
    const cpg_handle_t member = NewMember();
    FillFileSystem();
    FillRegion(member);  // with what it had already
    return cpg_zcb_wait(member, 1, 1);
  });
  add(CS_ERR_TIMEOUT, "QuotaIsUsedUp", [] {
    Must(setenv("ZCB_QUOTA_BYTES", "2m", 1) == 0);
    const cpg_handle_t member = NewMember();
    FillRegion(member);
    return cpg_zcb_wait(member, 1, 1);
  });
  add(CS_ERR_LIBRARY, "TablesAreDamaged", [] {
    const cpg_handle_t member = NewMember();
    DamageTables(member);
    return cpg_zcb_wait(member, 1U << 20, 1);
  });
  add(CS_ERR_LIBRARY, "Evicted", [] {
    const cpg_handle_t member = NewMember();
    Evict();
    return cpg_zcb_wait(member, 0, 1);
  });
  add(CS_ERR_LIBRARY, "FileIsTruncated_JustNow", [] {
    const cpg_handle_t member = NewMember();
    Must(truncate(RegionFile("data").c_str(), 2L << 20) == 0);
    return cpg_zcb_wait(member, 8U << 20, 1);
  });
  all.push_back({"cpg_zcb_send_fd_get", CS_ERR_INVALID_PARAM, "FdIsNull",
                 [] { return cpg_zcb_send_fd_get(NewMember(), nullptr); }});
  all.push_back(
      {"cpg_zcb_send_fd_get", CS_ERR_NO_RESOURCES, "NoDescriptor", [] {
         const cpg_handle_t member = NewMember();
         UseUpDescriptors();
         int fd = 0;
         return cpg_zcb_send_fd_get(member, &fd);
       }});
  all.push_back(
      {"cpg_zcb_send_fd_get", CS_ERR_NO_RESOURCES, "FifoCannotBeMade", [] {
         const cpg_handle_t member = NewMember();
         RefuseFifos();
         int fd = 0;
         return cpg_zcb_send_fd_get(member, &fd);
       }});
  all.push_back(
      {"cpg_zcb_send_fd_get", CS_ERR_NO_MEMORY, "FileSystemIsFull", [] {
         UseSmallFileSystem("32m,nr_inodes=64");
         const cpg_handle_t member = NewMember();
         UseUpInodes();
         int fd = 0;
         return cpg_zcb_send_fd_get(member, &fd);
       }});
  all.push_back(
      {"cpg_zcb_send_fd_get", CS_ERR_NO_MEMORY, "NoneForTheProcess", [] {
         const cpg_handle_t member = NewMember();
         const NoMemory none;
         int fd = 0;
         return cpg_zcb_send_fd_get(member, &fd);
       }});
  return all;
}

}  // namespace zcb::man
