#include <unistd.h>

#include <array>
#include <optional>

#include "tools/demo/chunk.h"
#include "tools/demo/digest.h"
#include "tools/demo/failure.h"
#include "tools/demo/group_member.h"
#include "tools/demo/region_place.h"
#include "tools/demo/worker.h"

namespace zcb::demo {
namespace {

class Receiver {
 public:
  explicit Receiver(const Order& order) : order_(order) {}

  Report Run() {
    GroupMember member(order_.group, order_.spins);
    cpg_zcb_message message;
    bool is_last = false;
    while (!is_last) {
      member.WaitForMessage(&message);
      const std::uint64_t now_ns = NowNs();
      is_last = Read(message, now_ns);
    }
    report_.end_ns = NowNs();
    report_.kind = "done";
    report_.map_address = places_.map_address();
    if (order_.hashes) report_.sha256 = digest_.Finish();
    report_.views = member.views();
    member.Leave(&report_);
    return report_;
  }

 private:
  // True if this was the last one.
  bool Read(const cpg_zcb_message& message, std::uint64_t now_ns) {
    if (message.length < sizeof(ChunkHeader)) Fail("a message without header");
    const auto& header = *static_cast<const ChunkHeader*>(message.data);
    const auto* bytes = reinterpret_cast<const std::byte*>(&header + 1);
    const std::span payload(bytes, message.length - sizeof(ChunkHeader));
    if (header.number != report_.messages) {
      Fail("got message {}, want {}", header.number, report_.messages);
    }
    const RegionPlace sent{header.file_inode, header.place_offset};
    if (places_.Of(message.data) == sent) ++report_.in_place;
    report_.latencies_ns.push_back(now_ns - header.sent_ns);
    ++report_.messages;
    if (order_.hashes) Hash(payload);
    report_.payload_bytes += payload.size();
    TellProgress();
    return header.is_last != 0;
  }

  // The very bytes that the sender wrote are hashed where they are.
  void Hash(std::span<const std::byte> payload) {
    if (order_.corrupts && report_.payload_bytes == 0 && !payload.empty()) {
      const std::array wrong = {payload[0] ^ std::byte{1}};
      digest_.Add(wrong);
      payload = payload.subspan(1);
    }
    digest_.Add(payload);
  }

  void TellProgress() {
    if (order_.report_at_byte == 0 || told_ ||
        report_.payload_bytes < order_.report_at_byte) {
      return;
    }
    told_ = true;
    Report progress;
    progress.kind = "progress";
    progress.messages = report_.messages;
    progress.payload_bytes = report_.payload_bytes;
    Tell(progress);
  }

  const Order order_;
  RegionPlaces places_;
  Digest digest_;
  Report report_;
  bool told_ = false;
};

}  // namespace

Report RunReceiver(const Order& order) { return Receiver(order).Run(); }

}  // namespace zcb::demo
