// Memory under the mappings: mapped, committed, given back, and verified.
//
// Return codes prove nothing about the size of pages, so that is asked of the
// kernel's own books (fstatfs, smaps) after the fact.
#ifndef ZCB_ALLOCATOR_PAGE_BACKING_H_
#define ZCB_ALLOCATOR_PAGE_BACKING_H_

#include <cstddef>
#include <cstdint>

#include "allocator/region_header.h"
#include "allocator/status.h"

namespace zcb::alloc {

// What the pages under the data file really are, verified and not promised.
struct PageReport {
  enum class Kind : std::uint8_t { kSmall, kTransparentHuge, kHugetlbfs };
  Kind kind = Kind::kSmall;
  std::uint64_t page_bytes = 4096;    // of the best page found
  std::uint64_t committed_bytes = 0;  // backed by memory, region-wide
  std::uint64_t huge_bytes = 0;       // of it mapped by 2 MiB entries here
  const char* how = "4 KiB pages";    // the rung of the ladder, in words
};

// A range of address space, unmapped when this goes.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping() { Unmap(); }

  // The whole file, shared, at an address that is a multiple of the alignment
  // (so that 2 MiB pages can be mapped as such), between two pages that nobody
  // can touch: an overrun ends there. Reserves address space only.
  static Result<Mapping> Map(int fd, std::uint64_t length_bytes,
                             std::size_t alignment_bytes);
  std::byte* base() const { return base_; }
  std::uint64_t length_bytes() const { return length_bytes_; }
  void Unmap();

 private:
  static constexpr std::uint64_t kGuardBytes = kMetaPageBytes;
  std::byte* base_ = nullptr;
  std::uint64_t length_bytes_ = 0;
};

// A mapped file that can be committed in parts. Any thread. Holds nothing: the
// owner of the descriptor and of the mapping outlives it.
class PageBacking {
 public:
  PageBacking() = default;
  PageBacking(int fd, std::byte* base, std::uint64_t length_bytes,
              PageRung rung)
      : fd_(fd),
        base_(base),
        length_bytes_(length_bytes),
        rung_(rung),
        populates_(rung == PageRung::kAdvised) {}

  // For tables: 4 KiB pages even where the mount would give huge ones (sparse
  // tables would waste them), mapped as they are committed.
  static PageBacking ForTables(int fd, std::byte* base,
                               std::uint64_t length_bytes) {
    PageBacking backing(fd, base, length_bytes, PageRung::kSmall);
    backing.populates_ = true;
    return backing;
  }

  PageRung rung() const { return rung_; }
  void set_rung(PageRung rung) { rung_ = rung; }

  // Tells the kernel how this mapping wants its pages (rungs that need it).
  void Advise() const;
  // Backs a range with memory, so that touching it cannot raise SIGBUS while
  // nobody truncates the file. Idempotent; contents stay. kNoMemory: the file
  // system is full. kLibrary: the file was truncated.
  Outcome Commit(std::uint64_t offset_bytes, std::uint64_t length_bytes) const;
  // Gives a range back; it reads as zeros afterwards.
  Outcome Punch(std::uint64_t offset_bytes, std::uint64_t length_bytes) const;
  // Replaces 4 KiB pages by 2 MiB ones. Slow (1 to 2 ms a unit), best effort.
  void Collapse(std::uint64_t offset_bytes, std::uint64_t length_bytes) const;
  // Keeps pages in memory from their first touch on, and lets go of them.
  // kNoResources: RLIMIT_MEMLOCK. kNotSupported: an old kernel.
  Outcome Lock() const;
  void Unlock() const;
  // Maps what is already committed, so that HugeMappedBytes() sees it.
  void MapCommitted(std::uint64_t offset_bytes,
                    std::uint64_t length_bytes) const;
  // Bytes of this mapping that the kernel says are mapped by 2 MiB entries.
  std::uint64_t HugeMappedBytes() const;
  // Memory behind the whole file, whoever committed it.
  std::uint64_t BackedBytes() const;

 private:
  Outcome FallocateOnce(std::uint64_t offset_bytes,
                        std::uint64_t length_bytes) const;

  int fd_ = -1;
  std::byte* base_ = nullptr;
  std::uint64_t length_bytes_ = 0;
  PageRung rung_ = PageRung::kSmall;
  bool populates_ = false;  // commits through the mapping
};

// True for a hugetlbfs file or directory with pages of one unit.
bool IsHugetlbfsOfUnits(int fd);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_PAGE_BACKING_H_
