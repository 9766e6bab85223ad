#include "tests/faults/sweep.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "allocator/status.h"
#include "tests/faults/resources.h"
#include "tests/support/child_process.h"

namespace zcb::faults {
namespace {

using zcb::testing::ChildProcess;

constexpr int kOddErrno = 4711;  // no call sets it

// What a child says, where it stays if the child is killed.
struct Report {
  int code = 0;
  bool has_answered = false;
  Outcome outcome;
  Resources resources;
  char now[160];
  char complaint[1024];

  void Complain(const std::string& text) {
    std::strncat(complaint, text.c_str(),
                 sizeof(complaint) - std::strlen(complaint) - 1);
    std::strncat(complaint, "; ",
                 sizeof(complaint) - std::strlen(complaint) - 1);
  }
};

Report* SharedReport() {
  static Report* const report = [] {
    void* const page = mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) std::abort();
    // Who ends a test that hangs sends this first.
    signal(SIGTERM, [](int) {
      const char* const text = SharedReport()->now;
      if (write(2, text, std::strlen(text)) < 0) _exit(2);
      _exit(1);
    });
    return static_cast<Report*>(page);
  }();
  return report;
}

// Output goes to a file, which is to stay empty: the library prints nothing.
class Silence {
 public:
  Silence() : fd_(memfd_create("output", MFD_CLOEXEC)) {
    dup2(fd_, 1);
    dup2(fd_, 2);
  }
  std::string Printed() const {
    char text[600] = {};
    const ssize_t got = pread(fd_, text, sizeof(text) - 1, 0);
    return got > 0 ? text : "";
  }

 private:
  int fd_;
};

// The child's side.
class Rehearsal {
 public:
  Rehearsal(const Scenario& scenario, const Fault& fault,
            const std::string& directory, std::int64_t blocks_before)
      : scenario_(scenario),
        fault_(fault),
        directory_(directory),
        blocks_before_(blocks_before),
        report_(*SharedReport()) {}

  // A fault that comes again and again, and then no more.
  void Run(const Resources& clean) {
    constexpr int kRounds = 3;
    for (int round = 0; round < kRounds; ++round) {
      if (!TryOnce(round == 0)) break;
    }
    const int code = scenario_.call();
    if (code == scenario_.ok) {
      if (scenario_.after_call) scenario_.after_call({});
      scenario_.undo();
    } else {
      report_.Complain("afterwards, without a fault: " + std::to_string(code));
    }
    std::string more = MoreThan(clean);
    // The watcher's thread may be just giving its FIFO another number.
    for (int i = 0; i < 1000 && !more.empty(); ++i) {
      sched_yield();
      more = MoreThan(clean);
    }
    if (!more.empty()) report_.Complain("leaks" + more);
  }

  std::string MoreThan(const Resources& clean) const {
    Resources now = Measure();
    if (fault_.call == Call::kUnlinkat) now.files = 0;  // they may stay
    return now.MoreThan(clean);
  }

  // Twice, since some things are made once and kept; counted the first time.
  void RunClean() {
    for (int round = 0; round < 2; ++round) {
      if (!TryOnce(round == 0)) break;
    }
    (void)scenario_.call();
    scenario_.undo();
    report_.resources = Measure();
  }

 private:
  // Without what the parent's blocks were when it forked.
  Resources Measure() const {
    const std::int64_t blocks = LiveBlocks();
    Resources now = Resources::Now(directory_);
    now.blocks = blocks - blocks_before_;
    return now;
  }

  // False: it failed to no purpose.
  bool TryOnce(bool is_first) {
    errno = kOddErrno;
    Arm(fault_);
    const int code = scenario_.call();
    const int errno_after = errno;
    const Outcome outcome = Disarm();
    if (is_first) {
      report_.code = code;
      report_.outcome = outcome;
      report_.has_answered = true;
    }
    if (errno_after != kOddErrno) {
      report_.Complain("errno became " + std::to_string(errno_after));
    }
    if (code == scenario_.ok) {
      if (scenario_.after_call) scenario_.after_call(fault_);
      scenario_.undo();
      return true;
    }
    if (outcome.failed == 0) {
      report_.Complain("failed by itself: " + std::to_string(code));
      return false;
    }
    if (!scenario_.is_documented(code)) {
      report_.Complain("not documented: " + std::to_string(code));
    } else if (!scenario_.is_clear(fault_, code)) {
      report_.Complain("says " + std::to_string(code));
    }
    return true;
  }

  const Scenario& scenario_;
  const Fault& fault_;
  const std::string& directory_;
  const std::int64_t blocks_before_;
  Report& report_;
};

enum class Part { kCall, kExit };

constinit Report* g_exit_report = nullptr;  // of a child that ends under faults

// Runs after the destructors of libraries, which have the default priority.
__attribute__((destructor(101))) void ReportExit() {
  if (g_exit_report != nullptr) g_exit_report->outcome = Disarm();
}

void RunOne(const Scenario& scenario, World* world, const Fault& fault,
            const Resources* clean, Part part, Tally* tally) {
  Report& report = *SharedReport();
  report = Report{};
  const std::string where = scenario.name + ", " + fault.Describe() + ": ";
  std::fflush(nullptr);  // or the child would print it once more
  std::snprintf(report.now, sizeof(report.now), "%s\n", where.c_str());
  const std::string directory = world->directory();
  int end = 0;
  {
    ChildProcess child([&] {
      const Silence silence;
      const std::int64_t blocks_before = LiveBlocks();
      scenario.prepare();
      if (part == Part::kExit) {
        g_exit_report = &report;
        Arm(fault);
        std::exit(0);
      }
      Rehearsal rehearsal(scenario, fault, directory, blocks_before);
      clean == nullptr ? rehearsal.RunClean() : rehearsal.Run(*clean);
      const std::string printed = silence.Printed();
      if (!printed.empty()) report.Complain("printed: " + printed);
      if (scenario.finish) scenario.finish();
      std::exit(0);
      return 0;
    });
    end = child.Join();
  }
  if (end != 0) report.Complain("ended with " + std::to_string(end));
  const std::string left = world->Check(
      {.died = end != 0 || part == Part::kExit,
       .may_leave_names = fault.first != 0 && fault.call == Call::kUnlinkat});
  if (!left.empty()) report.Complain("left " + left);
  if (report.complaint[0] != '\0') {
    tally->complaints.push_back(where + report.complaint);
  }
  ++tally->runs;
  tally->failed_calls += report.outcome.failed;
  if (report.has_answered) ++tally->codes[report.code];
}

// Which faults are tried. Everything, or what a suite has time for: of each
// function's calls the first and last ones and some between, each with one of
// the errors in turn.
class Depth {
 public:
  Depth() : is_whole_(std::getenv("ZCB_TEST_ALL_FAULTS") != nullptr) {}
  bool Takes(std::uint32_t count, std::uint32_t i, std::size_t error,
             std::size_t errors) const {
    return is_whole_ || (TakesPlace(count, i) && i % errors == error);
  }
  bool TakesLast(std::uint32_t count, std::uint32_t i) const {
    return is_whole_ || (TakesPlace(count, i) && i % 2 == 1);
  }

 private:
  static bool TakesPlace(std::uint32_t count, std::uint32_t i) {
    constexpr std::uint32_t kEnds = 6;
    const std::uint32_t stride = count / 12 + 1;
    return i <= kEnds || i + kEnds > count || i % stride == 0;
  }

  bool is_whole_;
};

// Retried by those who make the call, for as long as it takes.
bool MayLast(int error) { return error != EINTR; }

Tally SweepPart(const Scenario& scenario, World* world, Part part,
                const Counts& counts, const Resources* clean) {
  const Depth depth;
  Tally tally;
  for (std::size_t c = 0; c < kCallCount; ++c) {
    const auto call = static_cast<Call>(c);
    for (std::uint32_t i = 1; i <= counts[c]; ++i) {
      ++tally.points;
      const std::span<const int> errors = ErrorsOf(call);
      for (std::size_t e = 0; e < errors.size(); ++e) {
        if (!depth.Takes(counts[c], i, e, errors.size())) continue;
        RunOne(scenario, world, {call, i, false, errors[e]}, clean, part,
               &tally);
      }
      const int last = errors.front();
      if (MayLast(last) && depth.TakesLast(counts[c], i)) {
        RunOne(scenario, world, {call, i, true, last}, clean, part, &tally);
      }
    }
  }
  return tally;
}

}  // namespace

namespace {

// For which want of memory is a limit, as want of descriptors is.
bool HasLimit(Call call) {
  switch (call) {
    case Call::kEpollCreate:
    case Call::kEpollCtl:
    case Call::kEventfd:
    case Call::kTimerfdCreate:
    case Call::kMlock2:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool IsClearAnswer(const Fault& fault, int code) {
  const auto is_one_of = [code](std::initializer_list<Status> fitting) {
    return std::any_of(fitting.begin(), fitting.end(), [code](Status status) {
      return static_cast<int>(status) == code;
    });
  };
  switch (fault.error) {
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EFAULT:
      return is_one_of({Status::kNoMemory}) ||
             (HasLimit(fault.call) && is_one_of({Status::kNoResources}));
    case EMFILE:
    case ENFILE:
    case ENOLCK:
      return is_one_of({Status::kNoResources});
    case EACCES:
    case EPERM:
    case EROFS:
      return is_one_of(
          {Status::kAccess, Status::kNoResources, Status::kNoMemory});
    case EINTR:
      // These may be interrupted by any signal; the others by a deadly one.
      return fault.call == Call::kOpen || fault.call == Call::kOpenat;
    default:
      return true;
  }
}

void Require(bool is_true, const char* what) {
  if (is_true) return;
  SharedReport()->Complain(std::string("scenario: ") + what);
  _exit(kBrokenScenario);
}

Tally Sweep(const Scenario& scenario, World* world) {
  Tally first;
  RunOne(scenario, world, {}, nullptr, Part::kCall, &first);
  const Report clean = *SharedReport();
  if (!first.complaints.empty()) return first;
  Tally tally = SweepPart(scenario, world, Part::kCall, clean.outcome.counts,
                          &clean.resources);
  tally.calls = clean.outcome.counts;
  return tally;
}

Tally SweepExit(const Scenario& scenario, World* world) {
  Tally first;
  RunOne(scenario, world, {}, nullptr, Part::kExit, &first);
  const Counts counts = SharedReport()->outcome.counts;
  Tally tally;
  if (first.complaints.empty()) {
    tally = SweepPart(scenario, world, Part::kExit, counts, nullptr);
  } else {
    tally = first;
  }
  tally.calls = counts;
  return tally;
}

void Tally::Add(const Tally& other) {
  points += other.points;
  runs += other.runs;
  failed_calls += other.failed_calls;
  for (const auto& [code, count] : other.codes) codes[code] += count;
  for (std::size_t c = 0; c < kCallCount; ++c) {
    calls[c] = std::max(calls[c], other.calls[c]);
  }
  complaints.insert(complaints.end(), other.complaints.begin(),
                    other.complaints.end());
}

std::string Tally::Figures() const {
  const auto functions =
      std::count_if(calls.begin(), calls.end(), [](auto n) { return n != 0; });
  std::string text = std::to_string(functions) + " functions, " +
                     std::to_string(points) + " places, " +
                     std::to_string(runs) + " runs, " +
                     std::to_string(failed_calls) + " failed calls; answers";
  for (const auto& [code, count] : codes) {
    text += " " + std::to_string(code) + ":" + std::to_string(count);
  }
  return text;
}

}  // namespace zcb::faults
