// Order statistics of a set of samples.
#ifndef ZCB_BENCH_QUANTILES_H_
#define ZCB_BENCH_QUANTILES_H_

#include <algorithm>
#include <cstddef>
#include <vector>

namespace zcb::bench {

// The smallest sample that at least `share` (0..1) of all are not above; sorts
// nothing but what it must. 0 for no samples.
inline double Quantile(std::vector<double>& samples, double share) {
  if (samples.empty()) return 0.0;
  const double place = share * static_cast<double>(samples.size());
  const auto index =
      std::min(samples.size() - 1, static_cast<std::size_t>(place));
  const auto nth = samples.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(samples.begin(), nth, samples.end());
  return *nth;
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_QUANTILES_H_
