// What spoils a region, and what a system refuses.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "allocator/region_header.h"
#include "allocator/unit_word.h"
#include "tests/man/scene.h"
#include "tests/support/refused_calls.h"

namespace zcb::man {

void CutRegionToPieces(cpg_handle_t handle) {
  std::vector<void*> pieces;
  void* buffer = nullptr;
  while (cpg_zcb_alloc(handle, kMoreThanAPiece / 2, &buffer) == CS_OK) {
    pieces.push_back(buffer);
  }
  FillRegion(handle);
  Must(pieces.size() >= 4);
  for (std::size_t i = 1; i < pieces.size(); i += 2) {
    MustBeOk(cpg_zcb_free(handle, pieces[i]));
  }
}

void UseUpInodes() {
  const std::string prefix = std::string(std::getenv("ZCB_DIR")) + "/filler";
  for (int i = 0;; ++i) {
    const int fd = creat((prefix + std::to_string(i)).c_str(), 0600);
    if (fd < 0) break;
    close(fd);
  }
  Must(errno == ENOSPC);
}

void CutDataFile(cpg_handle_t handle) {
  Must(truncate(RegionFile("data").c_str(), 2L << 20) == 0);
  void* buffer = nullptr;
  cs_error_t error = CS_OK;
  while (error == CS_OK) error = cpg_zcb_alloc(handle, 1U << 20, &buffer);
  Must(error == CS_ERR_LIBRARY);
}

void DamageTables(cpg_handle_t handle) {
  // All of it: a call that meets damage looks elsewhere first.
  void* buffer = nullptr;
  while (cpg_zcb_alloc(handle, 1U << 20, &buffer) == CS_OK) {
  }
  alloc::Region& region = SharedAttachment().region();
  auto* const words =
      region.meta<std::atomic<std::uint64_t>>(region.geometry().units_offset);
  for (std::uint32_t i = 0; i < region.geometry().unit_count; ++i) {
    // relaxed, both: one thread
    const alloc::UnitWord word(words[i].load(std::memory_order_relaxed));
    words[i].store(word.Free().raw(), std::memory_order_relaxed);
  }
}

void Refuse(std::initializer_list<zcb::testing::RefusedCall> calls) {
  if (!zcb::testing::RefuseCalls(calls)) NotHere("may not filter system calls");
}

void RefuseFifos() { Refuse({{SYS_mknodat, EPERM}}); }

void RefusePagesOfTables() {
  // What looks at pages of the region's files for the first time.
  constexpr std::uint32_t kPopulateWrite = 23;
  Refuse({{SYS_madvise, ENOMEM, kPopulateWrite}});
}

void WantDescriptors(std::uint64_t count) {
  const rlimit wanted{count, count};
  if (setrlimit(RLIMIT_NOFILE, &wanted) != 0) {
    NotHere("may not have so many descriptors");
  }
}

}  // namespace zcb::man
