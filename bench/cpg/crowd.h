// Other processes that are members of the groups that are measured: a process
// is in a group at most once.
#ifndef ZCB_BENCH_CPG_CROWD_H_
#define ZCB_BENCH_CPG_CROWD_H_

#include <sys/types.h>

#include <cstddef>
#include <vector>

namespace zcb::bench {

// Made before this process makes its first CPG call, since it forks. The
// children sleep until the object goes, or this process does.
class Crowd {
 public:
  // The first `small_count` of `count` are in the small group as well. Throws
  // Failed.
  Crowd(std::size_t count, std::size_t small_count);
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  static constexpr const char* kLargeGroup = "bench-many";
  static constexpr const char* kSmallGroup = "bench-few";

  // The first cpg_initialize of the first child: nobody had been there.
  double very_first_ns() const { return very_first_ns_; }

 private:
  [[noreturn]] void BeOne(std::size_t number, std::size_t small_count);
  double Fork(std::size_t number, std::size_t small_count);

  int stop_[2] = {-1, -1};  // the children see its end
  std::vector<pid_t> children_;
  double very_first_ns_ = 0;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_CPG_CROWD_H_
