// Peer: zcb through its CPG API with CPG_MODEL_ZCB, in a group of two.
#include <corosync/cpg_zcb.h>
#include <poll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/cpg_group.h"
#include "bench/peers/peer.h"

namespace zcb::bench {
namespace {

// How a variant receives.
enum class How : std::uint8_t { kNext, kDispatch, kNextTimed, kPoll };

struct CpgWay {
  std::string_view name;
  How how;
  cpg_zcb_wait_t wait;
  cpg_zcb_park_t park;
};

constexpr std::array kWays = {
    CpgWay{"zcb_cpg_next", How::kNext, CPG_ZCB_WAIT_SPIN, CPG_ZCB_PARK_FUTEX},
    CpgWay{"zcb_cpg_dispatch", How::kDispatch, CPG_ZCB_WAIT_SPIN,
           CPG_ZCB_PARK_FUTEX},
    CpgWay{"zcb_cpg_futex", How::kNextTimed, CPG_ZCB_WAIT_PARK,
           CPG_ZCB_PARK_FUTEX},
    CpgWay{"zcb_cpg_descriptor", How::kNextTimed, CPG_ZCB_WAIT_PARK,
           CPG_ZCB_PARK_DESCRIPTOR},
    CpgWay{"zcb_cpg_adaptive", How::kNextTimed, CPG_ZCB_WAIT_ADAPTIVE,
           CPG_ZCB_PARK_FUTEX},
    CpgWay{"zcb_cpg_poll", How::kPoll, CPG_ZCB_WAIT_PARK,
           CPG_ZCB_PARK_DESCRIPTOR},
};

const CpgWay& WayOf(const Variant& variant) {
  for (const CpgWay& way : kWays) {
    if (way.name == variant.name) return way;
  }
  Fail("no such way: {}", variant.name);
}

class ZcbCpgPeer : CpgGroup {
 public:
  static constexpr std::array kVariants = {
      Variant{"zcb_cpg_next", Wait::kBusy, "cpg_zcb_next() in a loop"},
      Variant{"zcb_cpg_dispatch", Wait::kBusy,
              "cpg_dispatch() in a loop, a callback"},
      Variant{"zcb_cpg_futex", Wait::kSleep,
              "cpg_zcb_next_timed(), CPG_ZCB_WAIT_PARK, futex"},
      Variant{"zcb_cpg_descriptor", Wait::kSleep,
              "cpg_zcb_next_timed(), CPG_ZCB_WAIT_PARK, descriptor"},
      Variant{"zcb_cpg_adaptive", Wait::kSleep,
              "cpg_zcb_next_timed(), looks for 20 us before it sleeps"},
      Variant{"zcb_cpg_poll", Wait::kSleep,
              "poll(2) on cpg_fd_get(), then cpg_dispatch()"},
  };

  explicit ZcbCpgPeer(const PeerSetup& setup) : way_(WayOf(setup.variant)) {}

  void Connect(Side) {
    Initialize(CPG_MODEL_ZCB, cpg_model_zcb_data_t{});
    Must(cpg_zcb_option_set(handle(), CPG_ZCB_OPTION_WAIT, way_.wait), "wait");
    Must(cpg_zcb_option_set(handle(), CPG_ZCB_OPTION_PARK, way_.park), "park");
    Join(CS_DISPATCH_ALL);
    if (way_.how == How::kPoll)
      Must(cpg_fd_get(handle(), &bell_), "cpg_fd_get");
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    if (prepared_.size() == length_bytes) return prepared_;
    void* buffer = nullptr;
    const cs_error_t error = cpg_zcb_alloc(handle(), length_bytes, &buffer);
    if (error == CS_ERR_NO_MEMORY) return {};
    Must(error, "cpg_zcb_alloc");
    prepared_ = {static_cast<std::byte*>(buffer), length_bytes};
    return prepared_;
  }

  bool Send() {
    const cs_error_t error = cpg_zcb_mcast_joined(
        handle(), CPG_TYPE_AGREED, prepared_.data(), prepared_.size());
    if (error == CS_ERR_TRY_AGAIN || error == CS_ERR_NO_MEMORY) return false;
    Must(error, "cpg_zcb_mcast_joined");
    prepared_ = {};
    return true;
  }

  template <typename R>
  bool Receive(const R& reader) {
    switch (way_.how) {
      case How::kNext:
        return TakeNext(reader);
      case How::kDispatch:
        return DispatchAll(reader);
      case How::kNextTimed:
        return AwaitNext(reader);
      case How::kPoll:
        while (!DispatchAll(reader)) {
          pollfd bell{bell_, POLLIN, 0};
          ::poll(&bell, 1, -1);
        }
        return true;
    }
    return false;
  }

  void Service() {
    const auto none = [](auto) { Fail("a message while servicing"); };
    if (way_.how == How::kNext || way_.how == How::kNextTimed) {
      TakeNext(none);
    } else {
      DispatchAll(none);
    }
  }

  std::string Pages() const {
    struct cpg_zcb_region_info info{};
    info.size = sizeof(info);
    Must(cpg_zcb_region_info(handle(), &info), "cpg_zcb_region_info");
    return info.page_kind;
  }

 private:
  // Everything that is there.
  bool DispatchAll(const auto& reader) {
    return Dispatch(CS_DISPATCH_ALL, reader);
  }

  bool IsOfOther(const cpg_zcb_message& event) const {
    return event.kind == CPG_ZCB_MESSAGE && event.pid != own_pid();
  }

  template <typename R>
  bool TakeNext(const R& reader) {
    cpg_zcb_message event;
    for (;;) {
      const cs_error_t error = cpg_zcb_next(handle(), &event);
      if (error == CS_ERR_TRY_AGAIN) return false;
      Must(error, "cpg_zcb_next");
      if (IsOfOther(event)) break;
    }
    reader(std::span(static_cast<const std::byte*>(event.data), event.length));
    return true;
  }

  template <typename R>
  bool AwaitNext(const R& reader) {
    cpg_zcb_message event;
    do {
      Must(cpg_zcb_next_timed(handle(), &event, -1), "cpg_zcb_next_timed");
    } while (!IsOfOther(event));
    reader(std::span(static_cast<const std::byte*>(event.data), event.length));
    return true;
  }

  const CpgWay& way_;
  int bell_ = -1;
  std::span<std::byte> prepared_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::ZcbCpgPeer>(argc, argv,
                                                            "zcb_cpg");
}
