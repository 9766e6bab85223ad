// How far the search is: a line that changes on a terminal, lines elsewhere.
#ifndef ZCB_BENCH_TUNE_PROGRESS_H_
#define ZCB_BENCH_TUNE_PROGRESS_H_

#include <string>

namespace zcb::bench::tune {

class Progress {
 public:
  // To stderr. `is_silent`: nothing at all.
  explicit Progress(bool is_silent);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done`: of the bound, 0..1.
  void Show(double done, unsigned runs, const std::string& what);
  // A line that stays.
  void Say(const std::string& line);

 private:
  void Clear();
  bool is_silent_;
  bool is_terminal_;
  bool is_shown_ = false;
};

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_PROGRESS_H_
