#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "tools/demo/chunk.h"
#include "tools/demo/failure.h"
#include "tools/demo/group_member.h"
#include "tools/demo/region_place.h"
#include "tools/demo/worker.h"

namespace zcb::demo {
namespace {

constexpr std::uint64_t kMessagesBetweenReads = 64;

class InputFile {
 public:
  explicit InputFile(const std::string& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) Fail("{}: {}", path, std::strerror(errno));
  }
  ~InputFile() { close(descriptor_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  void Read(std::byte* to, std::size_t bytes, std::uint64_t offset) const {
    while (bytes > 0) {
      const ssize_t got =
          pread(descriptor_, to, bytes, static_cast<off_t>(offset));
      if (got <= 0) Fail("the file ends early: {}", std::strerror(errno));
      to += got;
      offset += static_cast<std::uint64_t>(got);
      bytes -= static_cast<std::size_t>(got);
    }
  }

 private:
  int descriptor_;
};

class Sender {
 public:
  explicit Sender(const Order& order)
      : order_(order), file_(order.path), member_(order.group, order.spins) {}

  Report Run() {
    member_.WaitForMembers(order_.receiver_count + 1);
    report_.kind = "done";
    report_.begin_ns = NowNs();
    if (order_.pace_ns == 0) {
      Stream();
    } else {
      Pace();
    }
    report_.views = member_.views();
    member_.Leave(&report_);
    return report_;
  }

 private:
  void Stream() {
    ChunkSizes sizes(order_.seed);
    for (std::uint64_t at = 0; at < order_.file_bytes;) {
      if (order_.hold_at_byte != 0 && at >= order_.hold_at_byte) {
        member_.WaitForProcessDown();  // as a rule it was long ago
      }
      const std::uint64_t rest = order_.file_bytes - at;
      const std::size_t bytes =
          std::min<std::uint64_t>({sizes.Next(), rest, UntilHold(at)});
      SendChunk(at, bytes, bytes == rest);
      at += bytes;
      if (report_.messages % kMessagesBetweenReads == 0) ReadOwnMail();
    }
  }

  void Pace() {
    const std::size_t bytes =
        std::min<std::uint64_t>(kPacedChunkBytes, order_.file_bytes);
    std::uint64_t due_ns = NowNs();
    for (std::uint64_t i = 0; i < order_.paced_count; ++i) {
      member_.WaitUntil(due_ns);
      SendChunk(i * bytes % (order_.file_bytes - bytes + 1), bytes,
                i + 1 == order_.paced_count);
      due_ns = std::max(due_ns, NowNs() - order_.pace_ns) + order_.pace_ns;
    }
  }

  // The file is read straight into the region, and from there it is only
  // referred to.
  void SendChunk(std::uint64_t at, std::size_t bytes, bool is_last) {
    const std::size_t length_bytes = sizeof(ChunkHeader) + bytes;
    void* buffer = member_.Alloc(length_bytes);
    while (buffer == nullptr) {
      MakeRoom();
      buffer = member_.Alloc(length_bytes);
    }
    auto* header = static_cast<ChunkHeader*>(buffer);
    file_.Read(reinterpret_cast<std::byte*>(header + 1), bytes, at);
    const RegionPlace place = places_.Of(buffer);
    *header = {.number = report_.messages,
               .sent_ns = NowNs(),
               .file_inode = place.file_inode,
               .place_offset = place.offset_bytes,
               .is_last = is_last ? 1U : 0U};
    while (!member_.Send(buffer, length_bytes)) {
      MakeRoom();
      header->sent_ns = NowNs();
    }
    report_.map_address = places_.map_address();
    report_.payload_bytes += bytes;
    ++report_.messages;
  }

  // A chunk that crosses the hold would let the stream end before it.
  std::uint64_t UntilHold(std::uint64_t at) const {
    return at < order_.hold_at_byte ? order_.hold_at_byte - at : UINT64_MAX;
  }

  void MakeRoom() {
    ++report_.waits;
    ReadOwnMail();
    sched_yield();
  }

  void ReadOwnMail() {
    cpg_zcb_message own;
    while (member_.Take(&own)) {
    }
  }

  const Order order_;
  const InputFile file_;
  GroupMember member_;
  RegionPlaces places_;
  Report report_;
};

}  // namespace

Report RunSender(const Order& order) { return Sender(order).Run(); }

}  // namespace zcb::demo
