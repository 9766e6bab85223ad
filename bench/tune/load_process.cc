#include "bench/tune/load_process.h"

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "bench/clock.h"
#include "bench/failure.h"

namespace zcb::bench::tune {
namespace {

constexpr std::size_t kSequenceLength = 1024;
constexpr std::size_t kStampBytes = sizeof(std::uint64_t);
// So long a wait in a call at most, so that a new phase is noticed.
constexpr int kLookMs = 20;
// A sender reads what has come meanwhile after so many sends.
constexpr unsigned kReadEvery = 16;
// Who is so far behind its times has lost them: it goes on from now.
constexpr std::uint64_t kForgetAfterNs = 20'000'000;
// A wait that is longer is slept through, all but this much.
constexpr std::uint64_t kSleepMarginNs = 100'000;

void Must(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

std::uint64_t ProcessorNs() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

void SleepNs(std::uint64_t ns) {
  const timespec time{static_cast<time_t>(ns / 1'000'000'000),
                      static_cast<long>(ns % 1'000'000'000)};
  nanosleep(&time, nullptr);
}

// A member of the group, and its figures of the window.
class LoadMember {
 public:
  LoadMember(const LoadRole& role, LoadBoard& board)
      : role_(role), board_(board), mine_(board.processes[role.index]) {
    cpg_model_zcb_data_t model{};
    cs_error_t error = CS_ERR_TRY_AGAIN;
    while (error == CS_ERR_TRY_AGAIN) {
      error = cpg_model_initialize(&handle_, CPG_MODEL_ZCB,
                                   reinterpret_cast<cpg_model_data_t*>(&model),
                                   nullptr);
    }
    if (error == CS_ERR_NOT_SUPPORTED) {
      Fail("cpg_model_initialize: not supported here (pages of that kind?)");
    }
    Must(error, "cpg_model_initialize");
    constexpr std::string_view kGroup = "zcb-tune";
    cpg_name group{};
    group.length = static_cast<std::uint32_t>(kGroup.size());
    std::memcpy(group.value, kGroup.data(), kGroup.size());
    do {
      error = cpg_join(handle_, &group);
    } while (error == CS_ERR_TRY_AGAIN);
    Must(error, "cpg_join");
    own_pid_ = static_cast<std::uint32_t>(getpid());
  }
  ~LoadMember() { cpg_finalize(handle_); }
  LoadMember(const LoadMember&) = delete;
  LoadMember& operator=(const LoadMember&) = delete;

  // Until everybody is a member, and then until the parent says so.
  void AwaitStart() {
    std::size_t members = 0;
    while (members < role_.processes && board_.Now() != Phase::kStop) {
      cpg_zcb_message event{};
      const cs_error_t error = cpg_zcb_next_timed(handle_, &event, kLookMs);
      if (error == CS_ERR_TIMEOUT) continue;
      Must(error, "cpg_zcb_next_timed");
      if (event.kind == CPG_ZCB_VIEW) members = event.length / kAddressBytes;
    }
    if (role_.index == 0) NotePages();
    // release: the pages are written
    board_.ready.fetch_add(1, std::memory_order_release);
    while (board_.Now() == Phase::kJoin) SleepNs(100'000);
  }

  // True until the end. Begins and ends the window.
  bool GoesOn() {
    const Phase now = board_.Now();
    if (now == phase_) [[likely]]
      return now != Phase::kStop;
    if (now == Phase::kMeasure) {
      mine_.window_ns = MonotonicNs();
      mine_.processor_ns = ProcessorNs();
    } else if (now == Phase::kStop) {
      if (phase_ != Phase::kMeasure) Fail("the window was missed");
      mine_.window_ns = MonotonicNs() - mine_.window_ns;
      mine_.processor_ns = ProcessorNs() - mine_.processor_ns;
    }
    phase_ = now;
    return now != Phase::kStop;
  }

  // Takes one event and reads it. False: there was none.
  bool Read(int timeout_ms) {
    cpg_zcb_message event{};
    const cs_error_t error =
        timeout_ms == 0 ? cpg_zcb_next(handle_, &event)
                        : cpg_zcb_next_timed(handle_, &event, timeout_ms);
    if (error == CS_ERR_TRY_AGAIN || error == CS_ERR_TIMEOUT) return false;
    Must(error, "cpg_zcb_next");
    if (event.kind != CPG_ZCB_MESSAGE || event.pid == own_pid_) return true;
    std::uint64_t stamp = 0;
    std::memcpy(&stamp, event.data, kStampBytes);
    if (role_.touched) {
      sum_ = sum_ + SumOf(static_cast<const char*>(event.data), event.length);
    }
    if (phase_ != Phase::kMeasure) return true;
    ++mine_.messages;
    mine_.latency.Add(MonotonicNs() - stamp);
    return true;
  }

  // Sends one message, and waits for room if need be; false: told to stop.
  bool Send(std::uint64_t length_bytes) {
    const std::uint64_t length =
        std::max<std::uint64_t>(length_bytes, kStampBytes);
    const std::uint64_t stamp = MonotonicNs();
    void* buffer = nullptr;
    cs_error_t error = cpg_zcb_alloc(handle_, length, &buffer);
    while (error == CS_ERR_NO_MEMORY) {
      if (!MakeRoom(length)) return false;
      error = cpg_zcb_alloc(handle_, length, &buffer);
    }
    Must(error, "cpg_zcb_alloc");
    if (role_.touched) {
      std::memset(buffer, static_cast<int>(stamp & 0xff), length);
    }
    std::memcpy(buffer, &stamp, kStampBytes);
    for (;;) {
      error = cpg_zcb_mcast_joined(handle_, CPG_TYPE_AGREED, buffer, length);
      if (error != CS_ERR_TRY_AGAIN) break;
      if (!MakeRoom(0)) {
        cpg_zcb_free(handle_, buffer);
        return false;
      }
    }
    Must(error, "cpg_zcb_mcast_joined");
    if (role_.rate_per_s > 0 && phase_ == Phase::kMeasure) {
      mine_.sending_ns += MonotonicNs() - stamp;
    }
    return true;
  }

 private:
  static constexpr std::size_t kAddressBytes = sizeof(cpg_address);

  void NotePages() {
    struct cpg_zcb_region_info info{};
    info.size = sizeof(info);
    Must(cpg_zcb_region_info(handle_, &info), "cpg_zcb_region_info");
    const std::string_view kind = info.page_kind;
    std::copy_n(kind.begin(), std::min(kind.size(), board_.pages.size() - 1),
                board_.pages.begin());
  }

  static std::uint64_t SumOf(const char* data, std::size_t length) {
    std::uint64_t sum = 0;
    std::size_t at = 0;
    for (; at + kStampBytes <= length; at += kStampBytes) {
      std::uint64_t word = 0;
      std::memcpy(&word, data + at, kStampBytes);
      sum += word;
    }
    for (; at < length; ++at) sum += static_cast<unsigned char>(data[at]);
    return sum;
  }

  // `length_bytes`: of the memory that lacks; 0: places in the ring.
  bool MakeRoom(std::uint64_t length_bytes) {
    if (phase_ == Phase::kMeasure) ++mine_.refused;
    if (!GoesOn()) return false;
    while (Read(0)) {
    }
    const cs_error_t error = cpg_zcb_wait(handle_, length_bytes, kLookMs);
    if (error != CS_ERR_TIMEOUT && error != CS_ERR_BUSY) {
      Must(error, "cpg_zcb_wait");
    }
    return true;
  }

  const LoadRole& role_;
  LoadBoard& board_;
  ProcessFigures& mine_;
  cpg_handle_t handle_ = 0;
  std::uint32_t own_pid_ = 0;
  Phase phase_ = Phase::kWarmUp;
  volatile std::uint64_t sum_ = 0;  // so that the reading is not left out
};

// The times at which a paced sender sends.
class Pace {
 public:
  Pace(const LoadRole& role, LoadMember* member)
      : member_(member),
        may_spin_(role.may_spin),
        step_ns_(role.rate_per_s > 0 ? 1e9 / role.rate_per_s : 0),
        due_ns_(static_cast<double>(MonotonicNs())) {}

  // False: told to stop meanwhile.
  bool Await() {
    if (step_ns_ == 0) return member_->GoesOn();
    due_ns_ += step_ns_;
    const auto due = static_cast<std::uint64_t>(due_ns_);
    std::uint64_t now = MonotonicNs();
    if (now > due + kForgetAfterNs) due_ns_ = static_cast<double>(now);
    if (!member_->GoesOn()) return false;
    while (now < due) {
      if (!member_->Read(0)) SleepTowards(due, now);
      if (!member_->GoesOn()) return false;
      now = MonotonicNs();
    }
    return true;
  }

 private:
  void SleepTowards(std::uint64_t due, std::uint64_t now) const {
    constexpr std::uint64_t kLookNs = kLookMs * std::uint64_t{1'000'000};
    if (!may_spin_) {
      SleepNs(std::min(due - now, kLookNs));
    } else if (due - now > 2 * kSleepMarginNs) {
      SleepNs(std::min(due - now - kSleepMarginNs, kLookNs));
    }
  }

  LoadMember* member_;
  bool may_spin_;
  double step_ns_;
  double due_ns_;
};

void SendAll(const Workload& workload, const LoadRole& role,
             LoadMember& member) {
  const std::vector<std::uint64_t> sequence =
      MakeSequence(workload.sizes, kSequenceLength);
  // Not all senders the same size at the same time.
  std::size_t next = role.index * 97 % sequence.size();
  Pace pace(role, &member);
  for (unsigned sent = 0; pace.Await(); ++sent) {
    if (!member.Send(sequence[next])) break;
    if (++next == sequence.size()) next = 0;
    if (sent % kReadEvery == 0) {
      while (member.Read(0)) {
      }
    }
  }
}

}  // namespace

void RunProcess(const Workload& workload, const LoadRole& role,
                LoadBoard& board) {
  LoadMember member(role, board);
  member.AwaitStart();
  if (role.sends) {
    SendAll(workload, role, member);
  } else {
    while (member.GoesOn()) member.Read(kLookMs);
  }
}

}  // namespace zcb::bench::tune
