// Attaching to files that somebody else has written: the header and its
// geometry, leases, unit words, tables and lengths. An input may also mend the
// checksum, and make the geometry's offsets fit: what lies behind those checks
// is to be reached as well.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "allocator/region_facts.h"
#include "allocator/region_header.h"
#include "ipc/attachment.h"
#include "ipc/audit.h"
#include "ipc/member.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_region.h"
#include "tests/support/temp_directory.h"

namespace zcb::fuzz {
namespace {

using alloc::Geometry;
using alloc::RegionHeader;

constexpr int kMaxPatches = 24;
// Larger files than these are not made, though a header may ask for them.
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;
constexpr std::size_t kHeaderBytes = offsetof(RegionHeader, state);

// A region that nobody is attached to, and how its files were.
class Files {
 public:
  Files() {
    options_ = OptionsIn(directory_.path());
    options_.region.keep = true;
  }
  ~Files() { Close(); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  const ipc::IpcOptions& options() const { return options_; }

  // As at first; made anew if they are not the same files any more.
  void Restore() {
    if (meta_fd_ >= 0 && IsStillThere()) {
      ZCB_FUZZ_CHECK(ftruncate(meta_fd_, meta_bytes_) == 0);
      ZCB_FUZZ_CHECK(ftruncate(data_fd_, data_bytes_) == 0);
      Write(0, image_.data(), image_.size());
      return;
    }
    Close();
    std::filesystem::remove_all(Path(""));
    {
      const auto attachment = MustOpen(options_);
      const alloc::Geometry& g = attachment->region().geometry();
      tables_begin_ = g.leases_offset;
      // Up to the granule words, and the group directory.
      tables_end_ = g.granules_offset + 4096;
    }
    meta_fd_ = open(Path("/r.meta").c_str(), O_RDWR | O_CLOEXEC);
    data_fd_ = open(Path("/r.data").c_str(), O_RDWR | O_CLOEXEC);
    struct stat facts{};
    ZCB_FUZZ_CHECK(fstat(meta_fd_, &facts) == 0);
    meta_bytes_ = facts.st_size;
    meta_inode_ = facts.st_ino;
    ZCB_FUZZ_CHECK(fstat(data_fd_, &facts) == 0);
    data_bytes_ = facts.st_size;
    image_.resize(tables_end_);
    ZCB_FUZZ_CHECK(pread(meta_fd_, image_.data(), image_.size(), 0) ==
                   static_cast<ssize_t>(image_.size()));
  }

  // Makes the files what the input says.
  void Forge(FuzzInput& input) {
    std::vector<std::byte> forged = image_;
    FuzzMemory memory;
    memory.Add(forged.data(), kHeaderBytes);
    memory.Add(forged.data() + offsetof(RegionHeader, geometry), 64);
    memory.Add(forged.data() + kHeaderBytes,
               sizeof(RegionHeader) - kHeaderBytes);
    memory.Add(forged.data() + tables_begin_, 4 * sizeof(alloc::LeaseRecord));
    memory.Add(forged.data() + tables_begin_, tables_end_ - tables_begin_);
    const std::uint8_t flags = input.Byte();
    for (int i = 0; i < kMaxPatches && !input.is_empty(); ++i) {
      memory.Patch(&input);
    }
    RegionHeader header{};
    auto* const bytes = reinterpret_cast<std::byte*>(&header);
    std::copy_n(forged.begin(), kHeaderBytes, bytes);
    if ((flags & 1) != 0) MakeGeometryFit(&header, flags);
    if ((flags & 2) != 0) header.checksum = header.ComputeChecksum();
    std::copy_n(bytes, kHeaderBytes, forged.begin());
    Write(0, forged.data(), forged.size());
    auto meta_bytes = static_cast<std::uint64_t>(meta_bytes_);
    auto data_bytes = static_cast<std::uint64_t>(data_bytes_);
    if ((flags & 4) != 0) {
      meta_bytes = std::min(header.geometry.meta_bytes, kMaxFileBytes);
      data_bytes = std::min(header.geometry.region_bytes, kMaxFileBytes);
    }
    if ((flags & 8) != 0) meta_bytes = flags * 100U;
    if ((flags & 0x10) != 0) data_bytes /= 2;
    Truncate(meta_fd_, meta_bytes);
    Truncate(data_fd_, data_bytes);
  }

  int meta_fd() const { return meta_fd_; }

 private:
  std::string Path(const char* name) const {
    return directory_.path() + "/zcb-" + std::to_string(geteuid()) + name;
  }
  bool IsStillThere() const {
    struct stat facts{};
    return stat(Path("/r.meta").c_str(), &facts) == 0 &&
           facts.st_ino == meta_inode_;
  }
  void Write(off_t offset, const std::byte* bytes, std::size_t size) const {
    ZCB_FUZZ_CHECK(pwrite(meta_fd_, bytes, size, offset) ==
                   static_cast<ssize_t>(size));
  }
  static void Truncate(int fd, std::uint64_t bytes) {
    ZCB_FUZZ_CHECK(ftruncate(fd, static_cast<off_t>(bytes)) == 0);
  }
  // A geometry is sound if its offsets follow from its numbers; whether these
  // are within the limits is for the library to see.
  static void MakeGeometryFit(RegionHeader* header, std::uint8_t flags) {
    Geometry& g = header->geometry;
    if ((flags & 0x20) != 0) {
      g.region_bytes = g.region_bytes % kMaxFileBytes / alloc::kHugePageBytes *
                       alloc::kHugePageBytes;
      g.lease_count %= 5000;
    }
    if (g.unit_bytes != alloc::kUnitBytes)
      g.unit_bytes = alloc::kSmallUnitBytes;
    if ((flags & 0x40) != 0) {
      // Room for what the numbers of the layer above ask for.
      g.client_area_bytes = ipc::IpcGeometry::AreaBytes(
          g.client_params, g.lease_count, g.region_bytes);
    }
    g = Geometry::Make(g.region_bytes, g.unit_bytes, g.lease_count,
                       g.client_area_bytes, g.client_params);
  }
  void Close() {
    if (meta_fd_ >= 0) close(meta_fd_);
    if (data_fd_ >= 0) close(data_fd_);
    meta_fd_ = data_fd_ = -1;
  }

  testing::TempDirectory directory_;
  ipc::IpcOptions options_;
  int meta_fd_ = -1;
  int data_fd_ = -1;
  off_t meta_bytes_ = 0;
  off_t data_bytes_ = 0;
  ino_t meta_inode_ = 0;
  std::uint64_t tables_begin_ = 0;
  std::uint64_t tables_end_ = 0;
  std::vector<std::byte> image_;
};

// A short life in whatever it was that let us in.
void Live(ipc::Attachment& attachment) {
  std::vector<std::byte*> payloads;
  for (const std::uint64_t bytes : {1U, 5000U, 300'000U}) {
    const auto payload = attachment.AllocPayload(bytes);
    if (payload) payloads.push_back(*payload);
  }
  (void)attachment.MembersOf(Named("g"));
  (void)attachment.GroupNames();
  auto bell = attachment.MakeDoorbell();
  if (bell) {
    const auto joined = attachment.Join(Named("g"), bell->get());
    if (joined && !payloads.empty() &&
        (*joined)->Send(payloads.back(), 1).ok()) {
      payloads.pop_back();
    }
  }
  for (std::byte* payload : payloads) (void)attachment.FreePayload(payload);
  (void)ipc::Audit(attachment);
}

}  // namespace
}  // namespace zcb::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  using namespace zcb::fuzz;  // NOLINT: the entry's name is given
  static Files files;
  files.Restore();
  FuzzInput input(bytes, size);
  files.Forge(input);
  const auto opened = zcb::ipc::Attachment::Open(files.options());
  if (opened) Live(**opened);
  return 0;
}
