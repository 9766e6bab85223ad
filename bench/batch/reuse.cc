// In which order should buffers that come back from another core be written
// again? One process writes every byte of a message and hands it over, another
// one reads it and hands it back; the write is timed, each for itself.
//
//   lifo   the one that came back last: its lines are in the reader's cache
//   fifo   the one that came back first, of as many bytes as --rotate says
//   zcb    whatever cpg_zcb_alloc gives, and a real group in between
//
// At most --window messages are on their way: 1 is question and answer, more
// is a stream that the reader keeps up with.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "bench/allocator/spsc_ring.h"
#include "bench/clock.h"
#include "bench/failure.h"
#include "bench/payload.h"
#include "bench/process_pair.h"
#include "bench/processes/measured_once.h"
#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

constexpr unsigned kLimitSeconds = 120;
constexpr std::uint64_t kWarmUp = 2;  // times the rotation, or the window

struct Plan {
  std::string order = "fifo";
  std::uint64_t length_bytes = 64 << 10;
  std::uint64_t rotate_bytes = 4 << 20;
  std::uint64_t window = 8;
  std::uint64_t count = 0;

  std::uint64_t buffers() const {
    return std::clamp<std::uint64_t>(rotate_bytes / length_bytes, window + 1,
                                     SpscRing<std::uint32_t>::kSlots);
  }
  std::uint64_t warm_up() const { return kWarmUp * buffers() + 1000; }
};

void Must(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

// --- buffers without a library -----------------------------------------------

struct Shared {
  SpscRing<std::uint32_t> there;
  SpscRing<std::uint32_t> back;
};

// Made before the fork; each side has its own copy of what is not `shared_`.
class BarePath {
 public:
  explicit BarePath(const Plan& plan) : plan_(plan) {
    bytes_ = sizeof(Shared) + 64 + plan.buffers() * plan.length_bytes;
    void* const memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) Fail("no memory");
    shared_ = new (memory) Shared;
    buffers_ =
        static_cast<std::byte*>(memory) + (sizeof(Shared) + 63) / 64 * 64;
    for (std::uint32_t i = 0; i < plan.buffers(); ++i) free_.push_back(i);
  }
  ~BarePath() { munmap(shared_, bytes_); }
  BarePath(const BarePath&) = delete;
  BarePath& operator=(const BarePath&) = delete;

  void Connect() {}
  std::byte* Alloc() {
    std::uint32_t index = 0;
    while (shared_->back.TryPop(index)) {
      free_.push_back(index);
      --under_way_;
    }
    if (under_way_ >= plan_.window) return nullptr;
    if (plan_.order == "lifo") {
      now_ = free_.back();
      free_.pop_back();
    } else {
      now_ = free_.front();
      free_.pop_front();
    }
    ++under_way_;
    return At(now_);
  }
  void Send(std::byte*) {
    (void)shared_->there.TryPush(now_, SpscRing<std::uint32_t>::kSlots);
  }
  template <typename Reader>
  bool Receive(Reader&& reader) {
    std::uint32_t index = 0;
    if (!shared_->there.TryPop(index)) return false;
    reader(At(index));
    (void)shared_->back.TryPush(index, SpscRing<std::uint32_t>::kSlots);
    return true;
  }

 private:
  std::byte* At(std::uint32_t index) const {
    return buffers_ + index * plan_.length_bytes;
  }
  const Plan& plan_;
  std::size_t bytes_ = 0;
  Shared* shared_ = nullptr;
  std::byte* buffers_ = nullptr;
  std::deque<std::uint32_t> free_;
  std::uint64_t under_way_ = 0;
  std::uint32_t now_ = 0;
};

// --- a group -----------------------------------------------------------------

class GroupPath {
 public:
  explicit GroupPath(const Plan& plan) : plan_(plan) {
    void* const memory = mmap(nullptr, sizeof(*read_), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) Fail("no memory");
    read_ = new (memory) std::atomic<std::uint64_t>{0};
  }
  ~GroupPath() {
    if (handle_ != 0) (void)cpg_finalize(handle_);
    munmap(read_, sizeof(*read_));
  }
  GroupPath(const GroupPath&) = delete;
  GroupPath& operator=(const GroupPath&) = delete;

  void Connect() {
    cpg_model_zcb_data_t model{};
    cs_error_t error = CS_ERR_TRY_AGAIN;
    while (error == CS_ERR_TRY_AGAIN) {
      error = cpg_model_initialize(&handle_, CPG_MODEL_ZCB,
                                   reinterpret_cast<cpg_model_data_t*>(&model),
                                   nullptr);
    }
    Must(error, "cpg_model_initialize");
    own_pid_ = static_cast<std::uint32_t>(getpid());
    const cpg_name group{5, "reuse"};
    do {
      error = cpg_join(handle_, &group);
    } while (error == CS_ERR_TRY_AGAIN);
    Must(error, "cpg_join");
    while (members_ < 2) {
      (void)Receive([](const std::byte*) { Fail("a message too early"); });
    }
  }
  std::byte* Alloc() {
    // acquire <- reuse.read: nothing comes with it
    if (sent_ - read_->load(std::memory_order_acquire) >= plan_.window) {
      return nullptr;
    }
    void* buffer = nullptr;
    Must(cpg_zcb_alloc(handle_, plan_.length_bytes, &buffer), "cpg_zcb_alloc");
    return static_cast<std::byte*>(buffer);
  }
  void Send(std::byte* buffer) {
    Must(cpg_zcb_mcast_joined(handle_, CPG_TYPE_AGREED, buffer,
                              plan_.length_bytes),
         "cpg_zcb_mcast_joined");
    ++sent_;
    (void)Receive([](const std::byte*) { Fail("a reply"); });
  }
  template <typename Reader>
  bool Receive(Reader&& reader) {
    cpg_zcb_message event{};
    const cs_error_t error = cpg_zcb_next(handle_, &event);
    if (error == CS_ERR_TRY_AGAIN) return false;
    Must(error, "cpg_zcb_next");
    if (event.kind == CPG_ZCB_VIEW) {
      members_ = event.length / sizeof(cpg_address);
      return false;
    }
    if (event.pid == own_pid_) return false;
    reader(static_cast<const std::byte*>(event.data));
    // release -> reuse.read: as above
    read_->fetch_add(1, std::memory_order_release);
    return true;
  }

 private:
  const Plan& plan_;
  std::atomic<std::uint64_t>* read_ = nullptr;  // messages, by the reader
  cpg_handle_t handle_ = 0;
  std::uint32_t own_pid_ = 0;
  std::size_t members_ = 0;
  std::uint64_t sent_ = 0;
};

// --- what is timed -----------------------------------------------------------

template <typename Path>
void WriteAll(Path& path, const Plan& plan, const TickClock& clock,
              std::vector<double>* write_ns) {
  for (std::uint64_t number = 0; number < plan.warm_up() + plan.count;
       ++number) {
    std::byte* buffer = path.Alloc();
    while (buffer == nullptr) {
      Relax();
      buffer = path.Alloc();
    }
    const std::uint64_t before = clock.Now();
    WritePayload(Touch::kEveryByte, number, buffer, plan.length_bytes);
    const std::uint64_t after = clock.Now();
    path.Send(buffer);
    if (number >= plan.warm_up()) {
      write_ns->push_back(static_cast<double>(after - before) *
                          clock.NsPerTick());
    }
  }
}

template <typename Path>
void ReadAll(Path& path, const Plan& plan) {
  for (std::uint64_t number = 0; number < plan.warm_up() + plan.count;) {
    const bool read = path.Receive([&](const std::byte* bytes) {
      if (!ReadPayload(Touch::kEveryByte, number, bytes, plan.length_bytes)) {
        Fail("message {} came damaged or out of order", number);
      }
    });
    if (read) {
      ++number;
    } else {
      Relax();
    }
  }
}

template <typename Path>
Figures Measure(const Plan& plan, PairPlaces places) {
  Path path(plan);
  const auto first = [&](PairPage& page) {
    const TickClock clock;
    path.Connect();
    PassGate(page, Side::kFirst);
    std::vector<double> write_ns;
    write_ns.reserve(plan.count);
    const std::uint64_t start_ns = MonotonicNs();
    WriteAll(path, plan, clock, &write_ns);
    PassGate(page, Side::kFirst);
    const auto took_ns = static_cast<double>(MonotonicNs() - start_ns);
    page.result.p50_ns = Quantile(write_ns, 0.5);
    page.result.p90_ns = Quantile(write_ns, 0.9);
    page.result.messages_per_s =
        static_cast<double>(plan.warm_up() + plan.count) * 1e9 / took_ns;
  };
  const auto second = [&](PairPage& page) {
    path.Connect();
    PassGate(page, Side::kSecond);
    ReadAll(path, plan);
    PassGate(page, Side::kSecond);
  };
  const PairFigures figures = RunPair(places, kLimitSeconds, first, second);
  return {{"write_p50_ns", figures.p50_ns},
          {"write_p90_ns", figures.p90_ns},
          {"messages_per_s", figures.messages_per_s}};
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  MeasuredOnce program("reuse",
                       "What it costs to write a buffer that another core has "
                       "read.");
  Plan plan;
  program.Choice("--order", &plan.order, "which buffer comes next",
                 {"lifo", "fifo", "zcb"});
  program.Number("--bytes", &plan.length_bytes, "payload, a multiple of 64", 64,
                 16 << 20);
  program.Number("--rotate", &plan.rotate_bytes, "fifo: bytes of all buffers",
                 0);
  program.Number("--window", &plan.window, "most messages on their way", 1,
                 512);
  program.Number("--count", &plan.count, "messages; 0: by their length", 0);
  return program.Run(argc, argv, [&] {
    if (plan.count == 0) {
      plan.count = std::clamp<std::uint64_t>(
          (std::size_t{1} << 30) / plan.length_bytes, 1000, 100'000);
    }
    return plan.order == "zcb" ? Measure<GroupPath>(plan, program.places())
                               : Measure<BarePath>(plan, program.places());
  });
}
