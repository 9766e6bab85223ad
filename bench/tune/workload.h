// What is to be made fast: sizes, rate, who sends, who receives, and the goal.
#ifndef ZCB_BENCH_TUNE_WORKLOAD_H_
#define ZCB_BENCH_TUNE_WORKLOAD_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace zcb::bench::tune {

struct SizeShare {
  std::uint64_t length_bytes = 0;
  double share = 0;  // of all messages
};

enum class Goal : bool { kLatency, kThroughput };

struct Workload {
  std::vector<SizeShare> sizes;  // ascending; the shares' sum is 1
  double rate_per_s = 0;         // of all senders; 0: as fast as it goes
  unsigned senders = 1;
  unsigned receivers = 1;
  Goal goal = Goal::kLatency;
  unsigned percentile = 50;  // of the latency

  std::uint64_t LargestBytes() const { return sizes.back().length_bytes; }
  double MeanBytes() const;
  // In words, for people.
  std::string Describe() const;
};

// "64,4096:0.2": sizes, with a share or with an equal part of what is left.
// "64..4096" are sizes in between, each doubling as often as any other. Throws
// Failed.
std::vector<SizeShare> ParseSizes(std::string_view text);

// Sizes in the order in which they are sent: a fixed shuffle with each as often
// as its share says, rounded, and at least once.
std::vector<std::uint64_t> MakeSequence(const std::vector<SizeShare>& sizes,
                                        std::size_t count);

// Merges sizes into at most so many, each standing for its neighbours and
// never smaller than they are: what a recording is cut down to.
std::vector<SizeShare> Condense(std::vector<SizeShare> sizes, std::size_t most);

// The file format of --record and --workload. Throws Failed for what is none.
nlohmann::json ToJson(const Workload& workload);
Workload FromJson(const nlohmann::json& json);

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_WORKLOAD_H_
