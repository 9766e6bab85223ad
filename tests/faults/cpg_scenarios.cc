#include "tests/faults/cpg_scenarios.h"

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "ipc/attachment.h"
#include "tests/faults/listed_errors.h"
#include "tests/support/child_process.h"

namespace zcb::faults {
namespace {

cpg_name Group() {
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(std::strlen(kGroupName));
  std::memcpy(name.value, kGroupName, name.length);
  return name;
}

// What a scenario's functions share, in the child.
struct Stage {
  cpg_handle_t handle = 0;
  void* buffer = nullptr;
  const void* kept = nullptr;
  cpg_iteration_handle_t walk = 0;
  int bells = 0;  // send descriptors, which last as long as their handle

  void Initialize(cpg_model_t model = CPG_MODEL_ZCB) {
    Require(cpg_model_initialize(&handle, model, nullptr, nullptr) == CS_OK,
            "initialize");
  }
  void Finalize() const { Require(cpg_finalize(handle) == CS_OK, "finalize"); }
  cs_error_t Join() const {
    const cpg_name group = Group();
    return cpg_join(handle, &group);
  }
  cs_error_t Leave() const {
    const cpg_name group = Group();
    return cpg_leave(handle, &group);
  }
  void Enter(cpg_model_t model = CPG_MODEL_ZCB) {
    Initialize(model);
    Require(Join() == CS_OK, "join");
    DispatchAll();
  }
  void DispatchAll() const {
    Require(cpg_dispatch(handle, CS_DISPATCH_ALL) == CS_OK, "dispatch");
  }
  void LeaveQuite() const {
    Require(Leave() == CS_OK, "leave");
    DispatchAll();
  }
  cs_error_t SendCopy(std::size_t length) const {
    static std::array<char, 3 << 20> text{};
    const iovec piece{text.data(), length};
    return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1);
  }
  void Alloc(std::size_t length) {
    Require(cpg_zcb_alloc(handle, length, &buffer) == CS_OK, "alloc");
  }
  void Free() const { Require(cpg_zcb_free(handle, buffer) == CS_OK, "free"); }
  // The message of one's own that comes next, kept.
  void Keep() {
    Require(SendCopy(100) == CS_OK, "send");
    cpg_zcb_message message{};
    do {
      Require(cpg_zcb_next(handle, &message) == CS_OK, "next");
    } while (message.kind != CPG_ZCB_MESSAGE);
    kept = message.data;
    Require(cpg_zcb_retain(handle, kept) == CS_OK, "retain");
    DispatchAll();  // the message is over
  }
};

class Maker {
 public:
  Maker() { (void)IsListed("", 0); }  // the pages are read once, by the parent

  using Do = std::function<void(Stage&)>;
  using Ask = std::function<cs_error_t(Stage&)>;

  void Add(const std::string& name, const Do& prepare, const Ask& call,
           const Do& undo, cs_error_t ok = CS_OK) {
    const auto stage = std::make_shared<Stage>();
    // "cpg_join, by somebody" -> the page of cpg_join
    const std::string function = name.substr(0, name.find(','));
    Scenario made;
    made.name = name;
    made.prepare = [=] { prepare(*stage); };
    made.call = [=] { return static_cast<int>(call(*stage)); };
    made.undo = [=] { undo(*stage); };
    made.ok = ok;
    made.is_documented = [=](int code) { return IsListed(function, code); };
    // Sends say "not now" for want of memory, and those that wait wait on.
    made.is_clear = [](const Fault& fault, int code) {
      return IsClearAnswer(fault, code) || code == CS_ERR_TRY_AGAIN ||
             code == CS_ERR_TIMEOUT;
    };
    all_.push_back(std::move(made));
  }
  std::vector<Scenario>& all() { return all_; }

 private:
  std::vector<Scenario> all_;
};

const Maker::Do kNothing = [](Stage&) {};
const Maker::Do kHandle = [](Stage& s) { s.Initialize(); };
const Maker::Do kMember = [](Stage& s) { s.Enter(); };
const Maker::Do kFree = [](Stage& s) { s.Free(); };
const Maker::Do kDispatch = [](Stage& s) { s.DispatchAll(); };

void AddLifecycle(Maker* maker) {
  maker->Add(
      "cpg_model_initialize", kNothing,
      [](Stage& s) {
        return cpg_model_initialize(&s.handle, CPG_MODEL_ZCB, nullptr, nullptr);
      },
      [](Stage& s) { s.Finalize(); });
  maker->Add(
      "cpg_join", kHandle, [](Stage& s) { return s.Join(); },
      [](Stage& s) { s.LeaveQuite(); });
}

void AddMembership(Maker* maker) {
  maker->Add(
      "cpg_leave", kMember, [](Stage& s) { return s.Leave(); },
      [](Stage& s) {
        s.DispatchAll();
        Require(s.Join() == CS_OK, "join");
        s.DispatchAll();
      });
  maker->Add(
      "cpg_finalize", kMember, [](Stage& s) { return cpg_finalize(s.handle); },
      [](Stage& s) { s.Enter(); });
  maker->Add(
      "cpg_finalize, of a handle without a group", kHandle,
      [](Stage& s) { return cpg_finalize(s.handle); },
      [](Stage& s) { s.Initialize(); });
  maker->Add(
      "cpg_membership_get", kHandle,
      [](Stage& s) {
        cpg_name group = Group();
        std::array<cpg_address, CPG_MEMBERS_MAX> members{};
        int count = 0;
        return cpg_membership_get(s.handle, &group, members.data(), &count);
      },
      kNothing);
  maker->Add(
      "cpg_iteration_initialize", kMember,
      [](Stage& s) {
        return cpg_iteration_initialize(s.handle, CPG_ITERATION_ALL, nullptr,
                                        &s.walk);
      },
      [](Stage& s) {
        Require(cpg_iteration_finalize(s.walk) == CS_OK, "end of a walk");
      });
  maker->Add(
      "cpg_zcb_group_stats_get", kMember,
      [](Stage& s) {
        cpg_zcb_group_stats stats{};
        stats.size = sizeof(stats);
        return cpg_zcb_group_stats_get(s.handle, nullptr, &stats);
      },
      kNothing);
  maker->Add(
      "cpg_zcb_region_info", kMember,
      [](Stage& s) {
        struct cpg_zcb_region_info info{};
        info.size = sizeof(info);
        return cpg_zcb_region_info(s.handle, &info);
      },
      kNothing);
}

void AddSending(Maker* maker, KeptWorld* world) {
  // What was sent is in the order, whatever failed on the way to the bells: so
  // the keeper hears of it.
  const auto heard = [maker, world] {
    maker->all().back().after_call = [world](const Fault& fault) {
      if (fault.for_ever) return;  // no bell can be opened: the next send's
      const std::string wrong = world->Read(1);
      Require(wrong.empty(), wrong.c_str());
    };
  };
  // Its join found the keeper rung already, so no bell is open yet.
  maker->Add(
      "cpg_mcast_joined, for the first time",
      [](Stage& s) {
        zcb::testing::ChildProcess first([] {
          Stage other;
          other.Enter();
          other.LeaveQuite();
          std::exit(0);
          return 0;
        });
        Require(first.Join() == 0, "first");
        s.Enter();
      },
      [](Stage& s) { return s.SendCopy(100); }, kDispatch);
  heard();
  for (const std::size_t length : {100U, 300'000U, 3U << 20}) {
    maker->Add(
        "cpg_mcast_joined, of " + std::to_string(length), kMember,
        [length](Stage& s) { return s.SendCopy(length); }, kDispatch);
    heard();
    maker->Add(
        "cpg_zcb_alloc, of " + std::to_string(length), kMember,
        [length](Stage& s) {
          return cpg_zcb_alloc(s.handle, length, &s.buffer);
        },
        kFree);
    maker->Add(
        "cpg_zcb_free, of " + std::to_string(length),
        [length](Stage& s) {
          s.Enter();
          s.Alloc(length);
        },
        [](Stage& s) { return cpg_zcb_free(s.handle, s.buffer); },
        [length](Stage& s) { s.Alloc(length); });
    maker->Add(
        "cpg_zcb_mcast_joined, of " + std::to_string(length),
        [length](Stage& s) {
          s.Enter();
          s.Alloc(length);
        },
        [length](Stage& s) {
          return cpg_zcb_mcast_joined(s.handle, CPG_TYPE_AGREED, s.buffer,
                                      length);
        },
        [length](Stage& s) {
          s.DispatchAll();
          s.Alloc(length);
        });
    heard();
  }
  maker->Add(
      "cpg_zcb_alloc_aligned", kMember,
      [](Stage& s) {
        return cpg_zcb_alloc_aligned(s.handle, 5000, 4096, &s.buffer);
      },
      kFree);
  maker->Add(
      "cpg_zcb_mcast_timed",
      [](Stage& s) {
        s.Enter();
        s.Alloc(10);
      },
      [](Stage& s) {
        return cpg_zcb_mcast_timed(s.handle, CPG_TYPE_AGREED, s.buffer, 10, 1);
      },
      [](Stage& s) {
        s.DispatchAll();
        s.Alloc(10);
      });
  maker->Add(
      "cpg_zcb_mcast_batch",
      [](Stage& s) {
        s.Enter();
        s.Alloc(10);
      },
      [](Stage& s) {
        const iovec message{s.buffer, 10};
        unsigned int sent = 0;
        return cpg_zcb_mcast_batch(s.handle, CPG_TYPE_AGREED, &message, 1,
                                   &sent);
      },
      [](Stage& s) {
        s.DispatchAll();
        s.Alloc(10);
      });
  heard();
  maker->Add(
      "cpg_zcb_send_fd_get", kMember,
      [](Stage& s) {
        int fd = -1;
        return cpg_zcb_send_fd_get(s.handle, &fd);
      },
      kNothing);
  maker->Add(
      "cpg_zcb_wait", kMember,
      [](Stage& s) { return cpg_zcb_wait(s.handle, 100, 1); }, kNothing);
  maker->Add(
      "cpg_zcb_collect", kMember,
      [](Stage& s) { return cpg_zcb_collect(s.handle); }, kNothing);
}

void AddReceiving(Maker* maker) {
  for (const std::size_t length : {100U, 300'000U}) {
    const Maker::Do send = [length](Stage& s) {
      Require(s.SendCopy(length) == CS_OK, "send");
    };
    maker->Add(
        "cpg_dispatch, of " + std::to_string(length),
        [send](Stage& s) {
          s.Enter(CPG_MODEL_V1);
          send(s);
        },
        [](Stage& s) { return cpg_dispatch(s.handle, CS_DISPATCH_ALL); }, send);
  }
  maker->Add(
      "cpg_dispatch, of the own join",
      [](Stage& s) {
        s.Initialize(CPG_MODEL_V1);
        Require(s.Join() == CS_OK, "join");
      },
      [](Stage& s) { return cpg_dispatch(s.handle, CS_DISPATCH_ALL); },
      [](Stage& s) {
        s.LeaveQuite();
        Require(s.Join() == CS_OK, "join");
      });
  for (const auto park : {CPG_ZCB_PARK_FUTEX, CPG_ZCB_PARK_DESCRIPTOR}) {
    maker->Add(
        "cpg_zcb_dispatch_timed, that waits",
        [park](Stage& s) {
          s.Enter(CPG_MODEL_V1);
          Require(
              cpg_zcb_option_set(s.handle, CPG_ZCB_OPTION_PARK, park) == CS_OK,
              "option");
        },
        [](Stage& s) {
          return cpg_zcb_dispatch_timed(s.handle, CS_DISPATCH_ONE, 1);
        },
        kNothing, CS_ERR_TIMEOUT);
  }
  maker->Add(
      "cpg_zcb_next",
      [](Stage& s) {
        s.Enter();
        Require(s.SendCopy(10) == CS_OK, "send");
      },
      [](Stage& s) {
        cpg_zcb_message message{};
        return cpg_zcb_next(s.handle, &message);
      },
      [](Stage& s) {
        s.DispatchAll();
        Require(s.SendCopy(10) == CS_OK, "send");
      });
  maker->Add(
      "cpg_zcb_next_batch",
      [](Stage& s) {
        s.Enter();
        Require(s.SendCopy(10) == CS_OK, "send");
      },
      [](Stage& s) {
        cpg_zcb_message messages[4]{};
        unsigned int count = 0;
        return cpg_zcb_next_batch(s.handle, messages, 4, &count);
      },
      [](Stage& s) {
        s.DispatchAll();
        Require(s.SendCopy(10) == CS_OK, "send");
      });
  maker->Add(
      "cpg_fd_get", kMember,
      [](Stage& s) {
        int fd = -1;
        return cpg_fd_get(s.handle, &fd);
      },
      kNothing);
  const Maker::Do keep = [](Stage& s) {
    s.Enter();
    s.Keep();
  };
  maker->Add(
      "cpg_zcb_retain", keep,
      [](Stage& s) { return cpg_zcb_retain(s.handle, s.kept); },
      [](Stage& s) { Require(cpg_zcb_release(s.kept) == CS_OK, "release"); });
  maker->Add(
      "cpg_zcb_release", keep, [](Stage& s) { return cpg_zcb_release(s.kept); },
      [](Stage& s) { s.Keep(); });
  maker->Add(
      "cpg_zcb_forward", keep,
      [](Stage& s) {
        return cpg_zcb_forward(s.handle, CPG_TYPE_AGREED, s.kept, 10);
      },
      kDispatch);
}

// A process dies that was in the group, with a kept message, one that nobody
// read, a buffer that it took part of an extent for, and bells.
void LoseAProcess() {
  zcb::testing::ChildProcess lost([] {
    Stage stage;
    stage.Enter();
    stage.Keep();
    stage.Alloc(3 << 20);
    Require(stage.SendCopy(100) == CS_OK, "send");
    int fd = -1;
    Require(cpg_zcb_send_fd_get(stage.handle, &fd) == CS_OK, "descriptor");
    return 0;
  });
  Require(lost.Join() == 0, "loss");
}

// Nothing is left of it.
void ExpectNoDead() {
  const auto options = ipc::IpcOptions::FromEnvironment();
  const auto attachment = ipc::Attachment::Open(*options);
  Require(attachment.ok(), "attachment");
  std::uint64_t free_bytes = 0;
  const std::string wrong = AuditRegion(**attachment, 1, &free_bytes);
  Require(wrong.empty(), wrong.c_str());
}

void AddReaping(Maker* maker) {
  const Maker::Do lose = [](Stage& s) {
    s.Initialize();
    LoseAProcess();
  };
  // Whoever was refused the memory to look leaves the dead to the next.
  const Maker::Do collect = [](Stage& s) {
    Require(cpg_zcb_collect(s.handle) == CS_OK, "collect");
    ExpectNoDead();
    LoseAProcess();
  };
  maker->Add(
      "cpg_zcb_collect, after a death", lose,
      [](Stage& s) { return cpg_zcb_collect(s.handle); }, collect);
  maker->Add(
      "cpg_join, after a death", lose, [](Stage& s) { return s.Join(); },
      [collect](Stage& s) {
        s.DispatchAll();
        s.LeaveQuite();
        collect(s);
      });
}

}  // namespace

std::vector<Scenario> LonelyScenarios() {
  Maker maker;
  AddLifecycle(&maker);
  AddReaping(&maker);
  return std::move(maker.all());
}

std::vector<Scenario> KeptScenarios(KeptWorld* world) {
  Maker maker;
  AddLifecycle(&maker);
  AddMembership(&maker);
  AddSending(&maker, world);
  AddReceiving(&maker);
  // The keeper sleeps before each call, so that whoever has news for it rings.
  for (Scenario& scenario : maker.all()) {
    const auto then_sleep = [world](const std::function<void()>& first) {
      return [world, first] {
        first();
        const std::string wrong = world->Read(0);
        Require(wrong.empty(), wrong.c_str());
      };
    };
    scenario.prepare = then_sleep(scenario.prepare);
    scenario.undo = then_sleep(scenario.undo);
  }
  return std::move(maker.all());
}

Scenario EndOfAMember() {
  const auto stage = std::make_shared<Stage>();
  Scenario end;
  end.name = "exit";
  end.prepare = [stage] {
    stage->Enter();
    stage->Keep();
    stage->Alloc(3 << 20);
    stage->Alloc(100);
    Require(stage->SendCopy(100) == CS_OK, "send");
  };
  return end;
}

}  // namespace zcb::faults
