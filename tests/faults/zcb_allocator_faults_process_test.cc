// Every call of the allocator's C interface, with each of its calls to the
// system failing.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "allocator/zcb_allocator.h"
#include "tests/faults/resources.h"
#include "tests/faults/sweep.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

// The sweep counts live blocks itself. A child that ends with an open allocator
// is meant to; what refers to it lies in mappings, where nobody looks.
extern "C" __attribute__((visibility("default"))) const char*
__lsan_default_options() {  // NOLINT: its name is the sanitizer's
  return "detect_leaks=0";
}

namespace zcb::faults {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;

void UseDirectory(const std::string& directory) {
  setenv("ZCB_DIR", directory.c_str(), 1);
  setenv("ZCB_REGION", "a-region-with-a-long-name", 1);
  setenv("ZCB_REGION_BYTES", "16m", 1);
}

// Nobody has a region here but the scenario's child.
class EmptyWorld : public World {
 public:
  EmptyWorld() { UseDirectory(directory_.path()); }
  std::string directory() const override { return directory_.path(); }
  std::string Check(const Aftermath& after) override {
    if (after.died || after.may_leave_names) {
      ChildProcess next([] {
        zcb_allocator* allocator = nullptr;
        if (zcb_allocator_open(nullptr, &allocator) != ZCB_OK) return 1;
        return zcb_allocator_close(allocator) == ZCB_OK ? 0 : 2;
      });
      if (next.Join() != 0) return "what keeps the next one out";
    }
    std::string left;
    for (const std::string& name : FilesBelow(directory_.path())) {
      left += " " + name;
    }
    std::error_code ignored;
    for (const auto& entry :
         std::filesystem::directory_iterator(directory_.path())) {
      const std::string name = entry.path().filename();
      if (name != "zcb-" + std::to_string(geteuid())) left += " " + name;
      std::filesystem::remove_all(entry.path(), ignored);
    }
    return left;
  }

 private:
  zcb::testing::TempDirectory directory_;
};

// Another process has opened the region first, and answers for it.
class KeptWorld : public World {
 public:
  KeptWorld() {
    UseDirectory(directory_.path());
    keeper_ = std::make_unique<ChildProcess>([this] { return Keep(); });
    answered_.Wait();
  }
  std::string directory() const override { return directory_.path(); }
  std::string Check(const Aftermath& after) override {
    asked_.Signal();
    answered_.Wait();
    std::string left;
    if (wrong_.TryWait()) left += " what the audit does not like";
    if (!after.died && FilesBelow(directory_.path()).size() != 3) {
      left += " files";
    }
    return left;
  }

 private:
  int Keep() {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    zcb_allocator* allocator = nullptr;
    if (zcb_allocator_open(nullptr, &allocator) != ZCB_OK) return 1;
    answered_.Signal();
    for (;;) {
      asked_.Wait();
      zcb_reap_dead(allocator, nullptr);
      struct zcb_audit_report report{};
      report.size = sizeof(report);
      struct zcb_allocator_stats stats{};
      stats.size = sizeof(stats);
      if (zcb_audit(allocator, &report) != ZCB_OK ||
          zcb_stats(allocator, &stats) != ZCB_OK || report.damage_count != 0 ||
          report.repair_count != 0 || report.held_bytes != 0 ||
          report.dead_bytes != 0 || report.damaged_bytes != 0 ||
          report.free_bytes != report.region_bytes || stats.processes != 1) {
        wrong_.Signal();
      }
      answered_.Signal();
    }
  }

  zcb::testing::TempDirectory directory_;
  Gate asked_;
  Gate answered_;
  Gate wrong_;
  std::unique_ptr<ChildProcess> keeper_;
};

// What a scenario's functions share, in the child.
struct Stage {
  zcb_allocator* allocator = nullptr;
  void* buffer = nullptr;
  zcb_ticket ticket = 0;

  void Open() {
    Require(zcb_allocator_open(nullptr, &allocator) == ZCB_OK, "open");
  }
  void Close() const {
    Require(zcb_allocator_close(allocator) == ZCB_OK, "close");
  }
  void Alloc(std::size_t length) {
    Require(zcb_alloc(allocator, length, &buffer) == ZCB_OK, "alloc");
  }
  void Free() const { Require(zcb_free(allocator, buffer) == ZCB_OK, "free"); }
  void Give() {
    Require(zcb_give(allocator, buffer, &ticket) == ZCB_OK, "give");
  }
};

class Maker {
 public:
  using Do = std::function<void(Stage&)>;
  using Ask = std::function<zcb_status(Stage&)>;

  // `listed`: what the header says that it may answer.
  void Add(const std::string& name, std::set<zcb_status> listed,
           const Do& prepare, const Ask& call, const Do& undo) {
    const auto stage = std::make_shared<Stage>();
    Scenario made;
    made.name = name;
    made.prepare = [=] { prepare(*stage); };
    made.call = [=] { return static_cast<int>(call(*stage)); };
    made.undo = [=] { undo(*stage); };
    made.ok = ZCB_OK;
    made.is_documented = [listed](int code) {
      return listed.contains(static_cast<zcb_status>(code));
    };
    made.is_clear = &IsClearAnswer;
    all_.push_back(std::move(made));
    last_ = stage;
  }
  // Of the last one.
  void Finish(const Do& finish) {
    all_.back().finish = [finish, stage = last_] { finish(*stage); };
  }
  std::vector<Scenario>& all() { return all_; }

 private:
  std::vector<Scenario> all_;
  std::shared_ptr<Stage> last_;
};

void AddOpening(Maker* maker) {
  const std::set<zcb_status> opening{ZCB_ACCESS,        ZCB_LIBRARY,
                                     ZCB_NO_MEMORY,     ZCB_NO_RESOURCES,
                                     ZCB_NOT_SUPPORTED, ZCB_TRY_AGAIN};
  maker->Add(
      "zcb_allocator_open", opening, [](Stage&) {},
      [](Stage& s) { return zcb_allocator_open(nullptr, &s.allocator); },
      [](Stage& s) { s.Close(); });
  maker->Add(
      "zcb_allocator_close", {}, [](Stage& s) { s.Open(); },
      [](Stage& s) { return zcb_allocator_close(s.allocator); },
      [](Stage& s) { s.Open(); });
  maker->Finish([](Stage& s) { s.Close(); });
}

void AddBuffers(Maker* maker) {
  const Maker::Do open = [](Stage& s) { s.Open(); };
  for (const std::size_t length : {100U, 300'000U, 3U << 20}) {
    const Maker::Do with_buffer = [length](Stage& s) {
      s.Open();
      s.Alloc(length);
    };
    const std::string of = ", of " + std::to_string(length);
    maker->Add(
        "zcb_alloc" + of, {ZCB_NO_MEMORY, ZCB_LIBRARY}, open,
        [length](Stage& s) {
          return zcb_alloc(s.allocator, length, &s.buffer);
        },
        [](Stage& s) { s.Free(); });
    maker->Add(
        "zcb_free" + of, {}, with_buffer,
        [](Stage& s) { return zcb_free(s.allocator, s.buffer); },
        [length](Stage& s) { s.Alloc(length); });
    maker->Add(
        "zcb_give" + of, {}, with_buffer,
        [](Stage& s) { return zcb_give(s.allocator, s.buffer, &s.ticket); },
        [length](Stage& s) {
          Require(zcb_take(s.allocator, s.ticket, &s.buffer) == ZCB_OK, "take");
          s.Free();
          s.Alloc(length);
        });
  }
  // A process that died had given it: so the words are somebody else's.
  maker->Add(
      "zcb_take", {ZCB_NO_MEMORY, ZCB_LIBRARY},
      [](Stage& s) {
        s.Open();
        s.Alloc(5000);
        s.Give();
      },
      [](Stage& s) { return zcb_take(s.allocator, s.ticket, &s.buffer); },
      [](Stage& s) {
        s.Free();
        s.Alloc(5000);
        s.Give();
      });
  maker->Add(
      "zcb_alloc_aligned", {ZCB_NO_MEMORY, ZCB_LIBRARY}, open,
      [](Stage& s) {
        return zcb_alloc_aligned(s.allocator, 10'000, 4096, &s.buffer);
      },
      [](Stage& s) { s.Free(); });
}

void AddCare(Maker* maker) {
  const Maker::Do open = [](Stage& s) { s.Open(); };
  const Maker::Do nothing = [](Stage&) {};
  const auto add = [&](const std::string& name, std::set<zcb_status> listed,
                       const Maker::Do& prepare, const Maker::Ask& call) {
    maker->Add(name, std::move(listed), prepare, call, nothing);
  };
  const Maker::Do with_idle = [](Stage& s) {
    s.Open();
    s.Alloc(3 << 20);
    s.Free();
  };
  add("zcb_collect", {}, open,
      [](Stage& s) { return zcb_collect(s.allocator); });
  add("zcb_reap_dead", {}, open,
      [](Stage& s) { return zcb_reap_dead(s.allocator, nullptr); });
  add("zcb_prefault", {ZCB_NO_MEMORY, ZCB_LIBRARY}, open, [](Stage& s) {
    std::uint64_t ready = 0;
    const zcb_status done = zcb_prefault(s.allocator, 8 << 20, &ready);
    return done == ZCB_OK && ready != 8 << 20 ? ZCB_TRY_AGAIN : done;
  });
  add("zcb_trim", {}, with_idle,
      [](Stage& s) { return zcb_trim(s.allocator, 0, nullptr); });
  add("zcb_stats", {ZCB_NO_MEMORY}, open, [](Stage& s) {
    struct zcb_allocator_stats stats{};
    stats.size = sizeof(stats);
    return zcb_stats(s.allocator, &stats);
  });
  add("zcb_audit", {ZCB_NO_MEMORY}, with_idle, [](Stage& s) {
    struct zcb_audit_report report{};
    report.size = sizeof(report);
    return zcb_audit(s.allocator, &report);
  });
  maker->Add(
      "zcb_lock_memory", {ZCB_NO_RESOURCES, ZCB_NOT_SUPPORTED, ZCB_LIBRARY},
      [](Stage& s) {
        s.Open();
        // RLIMIT_MEMLOCK may be below the region's size.
        if (zcb_lock_memory(s.allocator) == ZCB_OK) {
          zcb_unlock_memory(s.allocator);
        }
      },
      [](Stage& s) {
        const zcb_status locked = zcb_lock_memory(s.allocator);
        return geteuid() == 0 || locked != ZCB_NO_RESOURCES ? locked : ZCB_OK;
      },
      [](Stage& s) { zcb_unlock_memory(s.allocator); });
}

void Expect(const std::string& name, const Tally& tally) {
  std::printf("%s: %s\n", name.c_str(), tally.Figures().c_str());
  constexpr std::size_t kMostShown = 20;
  for (std::size_t i = 0; i < tally.complaints.size() && i < kMostShown; ++i) {
    ADD_FAILURE() << tally.complaints[i];
  }
  EXPECT_EQ(tally.complaints.size(), 0U) << name;
}

TEST(ZcbAllocatorFaultsTest, OpeningFailsClearlyAndLeavesNothing) {
  EmptyWorld world;
  Maker maker;
  AddOpening(&maker);
  for (const Scenario& scenario : maker.all()) {
    Expect(scenario.name, Sweep(scenario, &world));
  }
}

TEST(ZcbAllocatorFaultsTest, EveryCallFailsClearlyAndLeavesNothing) {
  KeptWorld world;
  Maker maker;
  AddOpening(&maker);
  AddBuffers(&maker);
  AddCare(&maker);
  Tally all;
  for (const Scenario& scenario : maker.all()) {
    const Tally tally = Sweep(scenario, &world);
    Expect(scenario.name, tally);
    all.Add(tally);
  }
  std::printf("all: %s\n", all.Figures().c_str());
  EXPECT_GE(all.points, 150U);
}

}  // namespace
}  // namespace zcb::faults
