// The workers that the driver has started, and what they say.
#ifndef ZCB_TOOLS_DEMO_CREW_H_
#define ZCB_TOOLS_DEMO_CREW_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/demo/order.h"

namespace zcb::demo {

// SIGINT, SIGTERM and SIGHUP make Listen() throw while one of these lives.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  // Readable when there was one.
  int descriptor() const { return descriptor_; }
  void ThrowIfTaken() const;

 private:
  int descriptor_ = -1;
};

// Whatever happens, no worker outlives this object: it ends those that still
// run by SIGKILL, by their pid, and waits for them.
class Crew {
 public:
  explicit Crew(const SignalGuard& signals) : signals_(signals) {}
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Starts this program as a worker. The number of the worker: 0, 1, ...
  std::size_t Start(Order order);
  pid_t pid(std::size_t worker) const { return workers_[worker].pid; }

  struct News {
    std::size_t worker = 0;
    bool ended = false;  // then `status` says how; otherwise it reports
    int status = 0;      // as from waitpid(2)
    Report report;
  };
  // The next news of any worker; a report of failure throws, a signal throws,
  // and so does silence until `limit_ns` of CLOCK_MONOTONIC.
  News Listen(std::uint64_t limit_ns);

  void Kill(std::size_t worker);
  // Ends the worker's standard input.
  void CloseInput(std::size_t worker);

 private:
  struct Worker {
    pid_t pid = -1;
    int input = -1;   // its standard input, our end
    int output = -1;  // its standard output, our end; -1: ended
    std::string text;
  };
  bool TakeLine(Worker& worker, News* news) const;
  void Read(Worker& worker, News* news);

  const SignalGuard& signals_;
  std::vector<Worker> workers_;
};

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_CREW_H_
