// What one run of an operation executes, and how to come to each position of it
// again without stepping through all that lies before.
#ifndef ZCB_TESTS_PROCESS_TRACE_H_
#define ZCB_TESTS_PROCESS_TRACE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/process/code_map.h"
#include "tests/process/tracee.h"

namespace zcb::steps {

// Positions are numbered from 0. Position k is the moment before an instruction
// of the library, or before or after a system call that libc makes for it; the
// last one is the end marker, or the end of the thread. A repeated string
// instruction counts as one.
class Trace {
 public:
  // Steps through the whole operation. `hook` (may be empty) is called when it
  // is about to sleep in the kernel for the first time. False: it did not come
  // to its end; see problem().
  bool Record(Tracee* tracee, const CodeMap& code,
              const std::function<void()>& hook);
  const std::string& problem() const { return problem_; }

  // The end included.
  std::size_t size() const { return positions_.size() + 1; }
  std::size_t instructions() const { return executed_.size(); }
  // Where a position is: for people.
  std::string Describe(std::size_t position, const CodeMap& code) const;
  // Of what was executed and in which order.
  std::uint64_t Hash(const CodeMap& code) const;

  // Works out the ways; after Record().
  void Plan();
  // Leads a fresh tracee, which stands at its marker, to a position. kThere (or
  // kEnd or kExited for the last one), or it went another way.
  Tracee::Event Lead(Tracee* tracee, std::size_t position,
                     const std::function<void()>& hook) const;
  // Whether the hook has been called on the way to that position.
  bool IsAfterHook(std::size_t position) const {
    return hook_ && position > *hook_;
  }
  // Stops on the way to a position, on average.
  double MeanStops() const;

 private:
  // To come to a position: first to `from`, then so many times to its
  // instruction.
  struct Way {
    std::int64_t from = -1;  // -1: the marker
    std::uint32_t hits = 0;
    std::uint32_t stops = 0;  // in all
  };

  std::vector<std::uintptr_t> executed_;  // everything, libc too
  std::vector<std::uint32_t> positions_;  // indices of it
  std::optional<std::size_t> hook_;       // before this position
  bool exits_ = false;
  std::vector<Way> ways_;
  std::string problem_;
};

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_TRACE_H_
