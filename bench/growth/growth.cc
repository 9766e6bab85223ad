// What calls cost in a region of so many bytes, with so many members there: all
// idle but one, which is measured.
#include <fmt/format.h>
#include <stdlib.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/crowd/member.h"
#include "bench/failure.h"
#include "bench/processes/children.h"
#include "bench/processes/measured_once.h"
#include "bench/processes/shared_count.h"
#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

constexpr std::uint32_t kAttaches = 30;
constexpr std::uint32_t kJoins = 30;
constexpr std::size_t kPairsPerSample = 1000;
// Nobody else reads meanwhile, so all of them must find room.
constexpr std::size_t kMessagesPerSample = 64;
constexpr std::size_t kMessageSamples = 32;
constexpr std::size_t kLargeBytes = 1 << 20;

struct Options {
  std::uint64_t region_mib = 1024;
  std::uint64_t members = 1;
  std::uint64_t samples = 100;
};

struct Board {
  SharedCount joined;
  SharedCount order;    // the idle members are to read what there is
  SharedCount drained;  // cumulative
  SharedCount kept;     // 1: the region is there; 2: need not be any more
  std::atomic<std::uint64_t> attach_ns;  // of the last one that attached
};

void Check(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

class Growth {
 public:
  Growth(const Options& options, const MeasuredOnce& program)
      : options_(options), program_(program), board_(MakeShared<Board>()) {}

  Figures Measure() {
    ::setenv("ZCB_REGION_BYTES",
             fmt::format("{}m", options_.region_mib).c_str(), 1);
    // One at a time: it is not their meeting that is measured.
    for (std::uint32_t i = 0; i < Idle(); ++i) {
      children_.Start([this] { BeIdle(); });
      board_->joined.WaitFor(i + 1, "idle members");
    }
    PinTo(program_.places().first_cpu);
    MeasureAttach();
    MeasureMember();
    return figures_;
  }

 private:
  using Times = std::vector<double>;

  std::uint32_t Idle() const {
    return static_cast<std::uint32_t>(options_.members - 1);
  }
  void Report(const char* name, Times& times) {
    figures_.emplace_back(name, Quantile(times, 0.5));
  }

  [[noreturn]] void BeIdle() {
    CrowdMember member(CrowdMember::Wait::kFutex);
    member.Drain();
    board_->joined.Add(Idle());
    for (std::uint32_t round = 0;; ++round) {
      board_->order.WaitWhile(round);
      member.Drain();
      board_->drained.Add((round + 1) * Idle());
    }
  }
  void LetOthersRead() {
    board_->order.Set(++drains_);
    board_->drained.WaitFor(drains_ * Idle(), "idle members that read");
  }

  // The first call of a process. With nobody else there it would make the
  // region, too; so somebody is.
  void MeasureAttach() {
    Times attach_us;
    const pid_t keeper = children_.Start([this] {
      const CrowdMember member(CrowdMember::Wait::kFutex, "keeper");
      board_->kept.Set(1);
      board_->kept.WaitWhile(1);
    });
    board_->kept.WaitFor(1, "who keeps the region");
    for (std::uint32_t i = 0; i < kAttaches; ++i) {
      const pid_t child = children_.Start([this] {
        const std::uint64_t start_ns = MonotonicNs();
        cpg_handle_t handle = 0;
        Check(cpg_model_initialize(&handle, CPG_MODEL_ZCB, nullptr, nullptr),
              "cpg_model_initialize");
        // relaxed: the parent waits for this process's end
        board_->attach_ns.store(MonotonicNs() - start_ns,
                                std::memory_order_relaxed);
        Check(cpg_finalize(handle), "cpg_finalize");
      });
      if (children_.Collect(child) != 0) Fail("one could not attach");
      attach_us.push_back(static_cast<double>(board_->attach_ns.load(
                              std::memory_order_relaxed)) /
                          1000);
    }
    board_->kept.Set(2);
    children_.Collect(keeper);
    Report("attach_p50_us", attach_us);
  }

  void MeasureMember() {
    MeasureJoins();
    LetOthersRead();
    CrowdMember member(CrowdMember::Wait::kSpin);
    member.AwaitMembers(options_.members);
    LetOthersRead();
    MeasureAllocs(member.handle(), CrowdMember::kMessageBytes,
                  "alloc_free_p50_ns");
    MeasureAllocs(member.handle(), kLargeBytes, "alloc_free_1mib_p50_ns");
    Times send_ns, receive_ns;
    for (std::size_t i = 0; i < options_.samples; ++i) {
      MeasureMessages(member, &send_ns, &receive_ns);
      if (i % kMessageSamples == 0) LetOthersRead();
    }
    Report("send_p50_ns", send_ns);
    Report("receive_p50_ns", receive_ns);
  }

  // From before cpg_initialize, in a process that is attached, until the own
  // join has come through; and from the leave until that has.
  void MeasureJoins() {
    Times join_us, leave_us;
    const CrowdMember keeper(CrowdMember::Wait::kFutex, "keeper");
    for (std::uint32_t i = 0; i < kJoins; ++i) {
      const std::uint64_t start = clock_.Now();
      CrowdMember member(CrowdMember::Wait::kSpin);
      member.AwaitMembers(options_.members);
      const std::uint64_t joined = clock_.Now();
      const cpg_name group{5, "crowd"};
      Check(cpg_leave(member.handle(), &group), "cpg_leave");
      AwaitLeave(member.handle());
      leave_us.push_back(Us(joined, clock_.Now()));
      join_us.push_back(Us(start, joined));
      LetOthersRead();
    }
    Report("join_p50_us", join_us);
    Report("leave_p50_us", leave_us);
  }

  static void AwaitLeave(cpg_handle_t handle) {
    cs_error_t error = CS_OK;
    while (error == CS_OK) {
      cpg_zcb_message event{};
      error = cpg_zcb_next_timed(handle, &event, -1);
    }
    if (error != CS_ERR_NOT_EXIST) Check(error, "cpg_zcb_next");
  }

  void MeasureAllocs(cpg_handle_t handle, std::size_t bytes, const char* name) {
    Times pair_ns;
    for (std::size_t sample = 0; sample <= options_.samples; ++sample) {
      const std::uint64_t start = clock_.Now();
      for (std::size_t i = 0; i < kPairsPerSample; ++i) {
        void* buffer = nullptr;
        Check(cpg_zcb_alloc(handle, bytes, &buffer), "cpg_zcb_alloc");
        Check(cpg_zcb_free(handle, buffer), "cpg_zcb_free");
      }
      if (sample == 0) continue;  // finds everything cold
      pair_ns.push_back(Us(start, clock_.Now()) * 1000 / kPairsPerSample);
    }
    Report(name, pair_ns);
  }

  void MeasureMessages(CrowdMember& member, Times* send_ns, Times* receive_ns) {
    const std::uint64_t start = clock_.Now();
    for (std::size_t i = 0; i < kMessagesPerSample; ++i) {
      if (!member.TrySend({0, i})) Fail("refused");
    }
    const std::uint64_t sent = clock_.Now();
    if (member.Drain() != kMessagesPerSample) Fail("messages are missing");
    receive_ns->push_back(Us(sent, clock_.Now()) * 1000 / kMessagesPerSample);
    send_ns->push_back(Us(start, sent) * 1000 / kMessagesPerSample);
  }

  double Us(std::uint64_t start, std::uint64_t end) const {
    return static_cast<double>(end - start) * clock_.NsPerTick() / 1000;
  }

  const Options options_;
  const MeasuredOnce& program_;
  const TickClock clock_;
  Board* const board_;
  std::uint32_t drains_ = 0;
  Figures figures_;
  Children children_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  MeasuredOnce program("growth", "Cost against size and number.");
  Options options;
  program.Number("--region-mib", &options.region_mib, "its size", 4,
                 128 * 1024);
  program.Number("--members", &options.members, "the measured one included", 1,
                 256);
  program.Number("--samples", &options.samples, "of each short call");
  return program.Run(argc, argv,
                     [&] { return Growth(options, program).Measure(); });
}
