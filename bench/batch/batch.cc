// Messages by the batch: the rate from one pinned process to another, when the
// sender sends so many by one call, and the receiver takes so many by one call.
// 0 is one call per message. What is timed is what stream times.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bench/clock.h"
#include "bench/failure.h"
#include "bench/payload.h"
#include "bench/process_pair.h"
#include "bench/processes/measured_once.h"

namespace zcb::bench {
namespace {

constexpr unsigned kLimitSeconds = 120;
constexpr std::size_t kSides = 2;
// A sender takes its own messages out of the way that often.
constexpr std::uint64_t kMessagesBetweenReads = 64;

struct Plan {
  std::uint64_t send_batch = 0;
  std::uint64_t receive_batch = 0;
  std::uint64_t length_bytes = kLeastPayloadBytes;
  Touch touch = Touch::kEveryByte;
  std::uint64_t count = 500'000;
};

void Must(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

// A member of the group of two.
class Party {
 public:
  explicit Party(const Plan& plan)
      : plan_(plan),
        own_pid_(static_cast<std::uint32_t>(getpid())),
        events_(std::max(plan.receive_batch, std::uint64_t{1})) {
    cpg_model_zcb_data_t model{};
    cs_error_t error = CS_ERR_TRY_AGAIN;
    while (error == CS_ERR_TRY_AGAIN) {
      error = cpg_model_initialize(&handle_, CPG_MODEL_ZCB,
                                   reinterpret_cast<cpg_model_data_t*>(&model),
                                   nullptr);
    }
    Must(error, "cpg_model_initialize");
    const cpg_name group{5, "batch"};
    do {
      error = cpg_join(handle_, &group);
    } while (error == CS_ERR_TRY_AGAIN);
    Must(error, "cpg_join");
    while (members_ < kSides) {
      Take([](const cpg_zcb_message&) { Fail("a message before the view"); });
    }
  }
  ~Party() { (void)cpg_finalize(handle_); }
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;

  void SendAll() {
    for (std::uint64_t number = 0; number < plan_.count;) {
      const std::uint64_t now = std::min<std::uint64_t>(
          std::max(plan_.send_batch, std::uint64_t{1}), plan_.count - number);
      messages_.clear();
      for (std::uint64_t i = 0; i < now; ++i) Prepare(number + i);
      Send();
      number += now;
      since_read_ += now;
      if (since_read_ >= kMessagesBetweenReads) ReadOwn();
    }
  }
  void ReceiveAll() {
    std::uint64_t next = 0;
    while (next < plan_.count) {
      Take([&](const cpg_zcb_message& message) {
        if (message.length != plan_.length_bytes ||
            !ReadPayload(plan_.touch, next,
                         static_cast<const std::byte*>(message.data),
                         message.length)) {
          Fail("message {} came damaged or out of order", next);
        }
        ++next;
      });
    }
  }

 private:
  void Prepare(std::uint64_t number) {
    iovec message{nullptr, plan_.length_bytes};
    for (;;) {
      const cs_error_t error =
          cpg_zcb_alloc(handle_, message.iov_len, &message.iov_base);
      if (error == CS_OK) break;
      if (error != CS_ERR_NO_MEMORY) Must(error, "cpg_zcb_alloc");
      ReadOwn();
    }
    WritePayload(plan_.touch, number, static_cast<std::byte*>(message.iov_base),
                 message.iov_len);
    messages_.push_back(message);
  }
  void Send() {
    std::span<const iovec> rest(messages_);
    while (!rest.empty()) {
      unsigned int sent = 0;
      const cs_error_t error =
          plan_.send_batch == 0
              ? cpg_zcb_mcast_joined(handle_, CPG_TYPE_AGREED, rest[0].iov_base,
                                     rest[0].iov_len)
              : cpg_zcb_mcast_batch(handle_, CPG_TYPE_AGREED, rest.data(),
                                    static_cast<unsigned int>(rest.size()),
                                    &sent);
      if (plan_.send_batch == 0 && error == CS_OK) sent = 1;
      rest = rest.subspan(sent);
      if (error == CS_OK) continue;
      if (error != CS_ERR_TRY_AGAIN) Must(error, "a send");
      ReadOwn();
    }
  }
  void ReadOwn() {
    since_read_ = 0;
    while (Take([](const cpg_zcb_message&) { Fail("a reply"); })) {
    }
  }
  // Gives what others sent to `reader`. False: there was nothing.
  template <typename Reader>
  bool Take(Reader&& reader) {
    unsigned int count = 1;
    const cs_error_t error =
        plan_.receive_batch == 0
            ? cpg_zcb_next(handle_, events_.data())
            : cpg_zcb_next_batch(handle_, events_.data(),
                                 static_cast<unsigned int>(plan_.receive_batch),
                                 &count);
    if (error == CS_ERR_TRY_AGAIN) return false;
    Must(error, "receiving");
    for (const cpg_zcb_message& event : std::span(events_).first(count)) {
      if (event.kind == CPG_ZCB_VIEW) {
        members_ = event.length / sizeof(cpg_address);
      } else if (event.pid != own_pid_) {
        reader(event);
      }
    }
    return true;
  }

  const Plan& plan_;
  const std::uint32_t own_pid_;
  cpg_handle_t handle_ = 0;
  std::size_t members_ = 0;
  std::uint64_t since_read_ = 0;
  std::vector<cpg_zcb_message> events_;
  std::vector<iovec> messages_;
};

Figures Measure(const Plan& plan, PairPlaces places) {
  const auto first = [&](PairPage& page) {
    Party party(plan);
    PassGate(page, Side::kFirst);
    const std::uint64_t start_ns = MonotonicNs();
    party.SendAll();
    PassGate(page, Side::kFirst);
    const auto took_ns = static_cast<double>(page.second_time_ns - start_ns);
    page.result.messages_per_s =
        static_cast<double>(plan.count) * 1e9 / took_ns;
  };
  const auto second = [&](PairPage& page) {
    Party party(plan);
    PassGate(page, Side::kSecond);
    party.ReceiveAll();
    page.second_time_ns = MonotonicNs();
    PassGate(page, Side::kSecond);
  };
  const PairFigures figures = RunPair(places, kLimitSeconds, first, second);
  return {{"messages_per_s", figures.messages_per_s}};
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  MeasuredOnce program(
      "batch", "Stream rate by the batch, from one process to another.");
  Plan plan;
  bool untouched = false;
  program.Number("--send", &plan.send_batch, "messages per call; 0: no batch",
                 0);
  program.Number("--receive", &plan.receive_batch, "likewise", 0,
                 CPG_ZCB_MAX_BATCH);
  program.Number("--bytes", &plan.length_bytes, "payload, a multiple of 64", 64,
                 16 << 20);
  program.Flag("--untouched", &untouched, "the first word of each only");
  program.Number("--count", &plan.count, "messages");
  return program.Run(argc, argv, [&] {
    plan.touch = untouched ? Touch::kFirstWord : Touch::kEveryByte;
    return Measure(plan, program.places());
  });
}
