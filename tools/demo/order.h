// What the driver tells a worker (one argument), and what a worker tells the
// driver (lines on its standard output). Both are JSON.
#ifndef ZCB_TOOLS_DEMO_ORDER_H_
#define ZCB_TOOLS_DEMO_ORDER_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace zcb::demo {

struct Order {
  std::string role;  // "send", "receive" or "observe"
  std::int64_t driver_pid = 0;
  std::string group;
  std::uint32_t receiver_count = 0;
  // Wait in a loop, on a CPU of one's own, or asleep in poll(2).
  bool spins = false;
  std::int64_t cpu = -1;  // to run on; -1: any

  // Sender: what to multicast, and how.
  std::string path;
  std::uint64_t file_bytes = 0;
  std::uint64_t seed = 0;
  std::uint64_t pace_ns = 0;       // between messages; 0: as fast as it goes
  std::uint64_t paced_count = 0;   // messages, if paced
  std::uint64_t hold_at_byte = 0;  // 0, or: there, wait for a process-down

  // Receiver.
  bool hashes = false;
  std::uint64_t report_at_byte = 0;  // 0, or: say so when that many came
  bool corrupts = false;             // changes one byte, to prove the check
};

// A change of membership, as one member saw it.
struct ViewSeen {
  std::uint32_t pid = 0;
  std::uint32_t reason = 0;  // a cpg_reason_t
  std::uint64_t member_count = 0;
  std::uint64_t after_messages = 0;  // how many had come before it
  friend bool operator==(const ViewSeen&, const ViewSeen&) = default;
};

struct Report {
  // "ready"     observer: the region is there
  // "progress"  receiver: Order::report_at_byte have come
  // "done"      that was all; the worker ends
  // "failed"    why
  std::string kind;
  std::string why;

  std::uint64_t messages = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t begin_ns = 0;  // sender: before its first alloc
  std::uint64_t end_ns = 0;    // receiver: the last message has been read
  std::uint64_t waits = 0;     // sender: times that there was no room

  std::string sha256;
  std::vector<ViewSeen> views;
  std::vector<std::uint64_t> latencies_ns;
  // Messages that lay in the same file, at the same place, as at the sender.
  std::uint64_t in_place = 0;
  std::uint64_t map_address = 0;  // where this process sees the region
  std::uint64_t live_buffers = 0;
  std::uint64_t kept_messages = 0;

  // Observer.
  std::string page_kind;
  std::uint64_t page_bytes = 0;
  std::uint64_t committed_bytes = 0;
  std::uint64_t huge_bytes = 0;
  std::uint64_t out_buffers = 0;
  std::uint64_t processes = 0;
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Order, role, driver_pid, group,
                                   receiver_count, spins, cpu, path, file_bytes,
                                   seed, pace_ns, paced_count, hold_at_byte,
                                   hashes, report_at_byte, corrupts)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ViewSeen, pid, reason, member_count,
                                   after_messages)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Report, kind, why, messages, payload_bytes,
                                   begin_ns, end_ns, waits, sha256, views,
                                   latencies_ns, in_place, map_address,
                                   live_buffers, kept_messages, page_kind,
                                   page_bytes, committed_bytes, huge_bytes,
                                   out_buffers, processes)

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_ORDER_H_
