// What the programs with many processes have in common: one measurement per
// run, in a region of its own, between two measurements of the floor.
#ifndef ZCB_BENCH_PROCESSES_MEASURED_ONCE_H_
#define ZCB_BENCH_PROCESSES_MEASURED_ONCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/process_pair.h"

// Not included here: it takes longer to compile than all that use it.
namespace CLI {
class App;
}

namespace zcb::bench {

// In the order of the report; a name ends with its unit.
using Figures = std::vector<std::pair<std::string, double>>;

class MeasuredOnce {
 public:
  MeasuredOnce(std::string name, std::string description);
  ~MeasuredOnce();
  MeasuredOnce(const MeasuredOnce&) = delete;
  MeasuredOnce& operator=(const MeasuredOnce&) = delete;

  // Options of the program's own; the values are the defaults until Run().
  void Number(const char* name, std::uint64_t* value, const char* what,
              std::uint64_t least = 1, std::uint64_t most = 1'000'000'000);
  void Choice(const char* name, std::string* value, const char* what,
              const std::vector<std::string>& choices);
  void Flag(const char* name, bool* value, const char* what);

  PairPlaces places() const { return places_; }
  // Where others than the measuring process may be busy: all CPUs that this
  // process may use but the first of --cpus, which is the measuring one's.
  const std::vector<int>& other_cpus() const { return other_cpus_; }

  // main(): `measure` runs in this process, which has made no CPG call yet,
  // with ZCB_DIR set to an empty directory that goes afterwards.
  int Run(int argc, char** argv, const std::function<Figures()>& measure);

 private:
  void Print(const Figures& figures, double floor_before_ns,
             double floor_after_ns) const;

  std::string name_;
  std::unique_ptr<CLI::App> app_;
  std::string cpus_ = "0,1";
  bool json_ = false;
  PairPlaces places_;
  std::vector<int> other_cpus_;
};

// CPU time of the calling thread.
std::uint64_t ThreadCpuNs();

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PROCESSES_MEASURED_ONCE_H_
