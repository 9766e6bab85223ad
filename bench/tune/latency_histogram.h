// Latencies in shared memory: counts by logarithmic buckets of 0.8 %.
#ifndef ZCB_BENCH_TUNE_LATENCY_HISTOGRAM_H_
#define ZCB_BENCH_TUNE_LATENCY_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace zcb::bench::tune {

// Written by one process, and read by another one when that has ended. All-zero
// is an empty one.
class LatencyHistogram {
 public:
  void Add(std::uint64_t ns) {
    ++counts_[BucketOf(ns)];
    ++total_;
    most_ns_ = std::max(most_ns_, ns);
  }

  void Merge(const LatencyHistogram& other) {
    for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    most_ns_ = std::max(most_ns_, other.most_ns_);
  }

  std::uint64_t total() const { return total_; }
  std::uint64_t most_ns() const { return most_ns_; }

  // The value that so large a share (0..1) of all are not above; between the
  // bounds of its bucket by how many of its values are needed. 0 for none.
  double Quantile(double share) const {
    const double rank = share * static_cast<double>(total_);
    double below = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      const auto count = static_cast<double>(counts_[i]);
      if (count > 0 && below + count >= rank) {
        const double part = (rank - below) / count;
        return LowOf(i) + part * (LowOf(i + 1) - LowOf(i));
      }
      below += count;
    }
    return 0;
  }

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr std::size_t kSub = std::size_t{1} << kSubBits;
  static constexpr std::size_t kBuckets = (64 - kSubBits + 1) * kSub;

  // Below 128 the number itself; then 128 buckets to a doubling.
  static std::size_t BucketOf(std::uint64_t ns) {
    if (ns < kSub) return ns;
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - kSubBits;
    return (std::size_t{shift} << kSubBits) + (ns >> shift);
  }
  static double LowOf(std::size_t bucket) {
    if (bucket < kSub) return static_cast<double>(bucket);
    const std::size_t shift = (bucket >> kSubBits) - 1;
    const std::size_t step = bucket - (shift << kSubBits);
    double low = static_cast<double>(step);
    for (std::size_t i = 0; i < shift; ++i) low *= 2;
    return low;
  }

  std::array<std::uint64_t, kBuckets> counts_;
  std::uint64_t total_;
  std::uint64_t most_ns_;
};

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_LATENCY_HISTOGRAM_H_
