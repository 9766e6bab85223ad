#include "tests/process/trace.h"

#include <poll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace zcb::steps {
namespace {

constexpr std::size_t kMostInstructions = 20'000'000;
// How far back a way may begin.
constexpr std::int64_t kWindow = 3000;

// The text is mapped here as in the child.
const unsigned char* Code(std::uintptr_t pc) {
  return reinterpret_cast<const unsigned char*>(pc);
}

bool IsSyscallAt(std::uintptr_t pc) {
  return Code(pc)[0] == 0x0f && Code(pc)[1] == 0x05;
}

// Bytes of a repeated string instruction; 0: it is none.
std::uintptr_t RepeatedBytes(std::uintptr_t pc) {
  const unsigned char* code = Code(pc);
  if (code[0] != 0xf3 && code[0] != 0xf2) return 0;
  const std::uintptr_t prefixes = (code[1] & 0xf0) == 0x40 ? 2 : 1;
  const unsigned char operation = code[prefixes];
  const bool is_string = (operation >= 0xa4 && operation <= 0xa7) ||
                         (operation >= 0xaa && operation <= 0xaf);
  return is_string ? prefixes + 1 : 0;
}

// Whether the system call that comes next may sleep until somebody does
// something.
bool MaySleep(const user_regs_struct& registers) {
  constexpr unsigned long long kOperation = 0x7f;
  switch (registers.rax) {
    case SYS_futex:
      return (registers.rsi & kOperation) == 0 ||  // FUTEX_WAIT
             (registers.rsi & kOperation) == 9;    // FUTEX_WAIT_BITSET
    case SYS_poll:
    case SYS_ppoll:
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool Trace::Record(Tracee* tracee, const CodeMap& code,
                   const std::function<void()>& hook) {
  bool after_syscall = false;
  bool is_called_by_us = false;  // or it is us
  for (;;) {
    Tracee::Event event = tracee->Step();
    if (event == Tracee::Event::kThere && !executed_.empty() &&
        tracee->ReadPc() == executed_.back()) {
      // A repeated string instruction, step by step: leave it at once.
      if (const auto bytes = RepeatedBytes(executed_.back())) {
        event = tracee->RunTo(executed_.back() + bytes, 1);
        tracee->ClearBreakpoints();
      }
    }
    if (event == Tracee::Event::kDied) {
      problem_ = "killed by signal " + std::to_string(tracee->signal());
      return false;
    }
    if (event == Tracee::Event::kEnd) return true;
    if (event == Tracee::Event::kExited) {
      exits_ = true;
      return true;
    }
    const std::uintptr_t pc = tracee->ReadPc();
    executed_.push_back(pc);
    if (executed_.size() > kMostInstructions) {
      problem_ = "does not end";
      return false;
    }
    const bool is_ours = code.IsOurs(pc);
    if (is_ours || code.IsHarness(pc)) is_called_by_us = is_ours;
    const bool is_syscall = is_called_by_us && IsSyscallAt(pc);
    if (is_syscall || after_syscall || is_ours) {
      positions_.push_back(static_cast<std::uint32_t>(executed_.size() - 1));
      if (is_syscall && hook && !hook_ && MaySleep(tracee->ReadRegisters())) {
        hook_ = positions_.size() - 1;
        hook();
      }
    }
    after_syscall = is_syscall;
  }
}

std::string Trace::Describe(std::size_t position, const CodeMap& code) const {
  if (position >= positions_.size()) return exits_ ? "exit" : "end";
  const std::uint32_t at = positions_[position];
  std::string text = code.NameOf(executed_[at]);
  if (!code.IsOurs(executed_[at])) {
    // Who called libc?
    for (std::uint32_t i = at; i-- > 0;) {
      if (!code.IsOurs(executed_[i])) continue;
      text = (IsSyscallAt(executed_[at]) ? "system call of "
                                         : "after a system call of ") +
             code.NameOf(executed_[i]);
      break;
    }
  }
  return text;
}

std::uint64_t Trace::Hash(const CodeMap& code) const {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::uint32_t at : positions_) {
    const std::uint64_t value =
        code.IsOurs(executed_[at]) ? code.RelativeOf(executed_[at]) : 1;
    hash = (hash ^ value) * 0x100000001b3ULL;
  }
  return hash;
}

void Trace::Plan() {
  // By instruction: where in `executed_` it was.
  std::unordered_map<std::uintptr_t, std::vector<std::uint32_t>> visits;
  for (const std::uint32_t at : positions_) visits.try_emplace(executed_[at]);
  for (std::uint32_t i = 0; i < executed_.size(); ++i) {
    const auto found = visits.find(executed_[i]);
    if (found != visits.end()) found->second.push_back(i);
  }
  ways_.resize(positions_.size());
  for (std::size_t k = 0; k < positions_.size(); ++k) {
    const std::vector<std::uint32_t>& own = visits[executed_[positions_[k]]];
    // Visits in (index of `from`, index of k]; grows as `from` goes back.
    auto first = std::upper_bound(own.begin(), own.end(), positions_[k]);
    const auto end = first;
    Way& best = ways_[k];
    // Nobody may pass the hook without calling it.
    const std::int64_t least =
        hook_ && k > *hook_ ? static_cast<std::int64_t>(*hook_) : -1;
    const auto look = [&](std::int64_t from) {
      const std::int64_t begin =
          from < 0 ? -1
                   : static_cast<std::int64_t>(
                         positions_[static_cast<std::size_t>(from)]);
      while (first != own.begin() &&
             static_cast<std::int64_t>(*std::prev(first)) > begin) {
        --first;
      }
      const auto hits = static_cast<std::uint32_t>(end - first);
      const std::uint32_t stops =
          hits + (from < 0 ? 0 : ways_[static_cast<std::size_t>(from)].stops);
      if (best.stops == 0 || stops < best.stops) best = {from, hits, stops};
      return hits;
    };
    const auto here = static_cast<std::int64_t>(k);
    for (std::int64_t from = here - 1;
         from >= std::max(least, std::max<std::int64_t>(here - kWindow, 0));
         --from) {
      if (look(from) >= best.stops) break;
    }
    look(least);
  }
}

Tracee::Event Trace::Lead(Tracee* tracee, std::size_t position,
                          const std::function<void()>& hook) const {
  std::vector<std::size_t> stations;
  std::int64_t at = static_cast<std::int64_t>(position);
  if (position >= positions_.size())
    at = hook_ ? static_cast<std::int64_t>(*hook_) : -1;
  for (; at >= 0; at = ways_[static_cast<std::size_t>(at)].from) {
    stations.push_back(static_cast<std::size_t>(at));
  }
  Tracee::Event event = Tracee::Event::kThere;
  for (; !stations.empty() && event == Tracee::Event::kThere;
       stations.pop_back()) {
    const std::size_t station = stations.back();
    event = tracee->RunTo(executed_[positions_[station]], ways_[station].hits);
    if (event == Tracee::Event::kThere && hook && hook_ && station == *hook_ &&
        position > station) {
      hook();
    }
  }
  if (event != Tracee::Event::kThere) return event;
  return position >= positions_.size() ? tracee->RunToEnd() : event;
}

double Trace::MeanStops() const {
  double sum = 0;
  for (const Way& way : ways_) sum += way.stops;
  return ways_.empty() ? 0 : sum / static_cast<double>(ways_.size());
}

}  // namespace zcb::steps
