// Sizes and rate of a live group, seen from outside.
//
// The recorder attaches to the region and joins nothing: no view changes, and
// no ring is held back by it. Now and then it counts what has been ordered, and
// reads the headers of some of the messages that not everybody has read yet, in
// place. Nobody waits for it, so a buffer may be given back and used anew under
// its eyes: a header that does not name its place in the order is not counted.
#ifndef ZCB_BENCH_TUNE_RECORDER_H_
#define ZCB_BENCH_TUNE_RECORDER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "bench/tune/workload.h"
#include "ipc/attachment.h"
#include "ipc/group_name.h"
#include "ipc/group_view.h"

namespace zcb::bench::tune {

class Recorder {
 public:
  // Headers that one look reads at most: each costs the sender and the
  // receivers a shared line.
  static constexpr std::uint64_t kMostPerLook = 64;

  // Throws Failed: there is no such group.
  Recorder(std::shared_ptr<ipc::Attachment> attachment,
           const std::string& group_name);

  void Look();

  // Records of joins and leaves are among them.
  std::uint64_t ordered() const { return last_ - first_; }
  std::uint64_t sampled() const { return sampled_; }
  std::uint64_t members() const { return members_; }

  // What was seen in so many seconds. At most 32 sizes. Throws Failed: no
  // message was seen.
  Workload ToWorkload(double seconds) const;

 private:
  void Sample(std::uint64_t position);

  std::shared_ptr<ipc::Attachment> attachment_;
  ipc::GroupName name_;
  ipc::GroupView group_;
  std::uint64_t first_ = 0;
  std::uint64_t last_ = 0;  // all below was looked at, or missed
  std::uint64_t sampled_ = 0;
  std::uint64_t members_ = 0;                     // the most that there were
  std::map<std::uint64_t, std::uint64_t> sizes_;  // count by length
  std::set<std::pair<std::uint32_t, std::uint32_t>> senders_;  // node, pid
};

// --record: looks about every millisecond. The group of the region that the
// environment names. Throws Failed.
Workload Record(const std::string& group_name, double seconds);

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_RECORDER_H_
