#include "tests/storm/extras.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <system_error>
#include <thread>

#include "ipc/attachment.h"
#include "tests/storm/life.h"

namespace zcb::storm {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;  // the board's notes
constexpr std::size_t kMostHoarded = 8;

}  // namespace

// Says what its thread is at.
class Extras::At {
 public:
  At(Life::Thread* thread, Doing doing) : thread_(thread) {
    thread_->doing.store(doing, kRelaxed);
  }
  ~At() { thread_->doing.store(Doing::kOrder, kRelaxed); }
  At(const At&) = delete;
  At& operator=(const At&) = delete;

 private:
  Life::Thread* const thread_;
};

Extras::Extras(Board* board, order::Journal* journal, std::uint32_t life)
    : board_(board),
      journal_(journal),
      life_(life),
      pool_(board, journal, life) {
  for (Thread& thread : threads_) {
    thread.stray = std::make_unique<Stray>(journal, life, &kept_);
  }
}

void Extras::Expect(const char* call, cs_error_t error,
                    std::initializer_list<cs_error_t> allowed) {
  if (error == CS_OK || std::ranges::count(allowed, error) != 0) return;
  journal_->Complain("life " + std::to_string(life_) + ": " + call +
                     " returned " + std::to_string(error));
}

bool Extras::Step(std::uint32_t index, order::Participant* who,
                  order::Dice* dice) {
  Life& life = board_->life(life_);
  Life::Thread& thread = life.threads[index];
  const std::uint64_t steps = thread.steps.fetch_add(1, kRelaxed) + 1;
  thread.doing.store(Doing::kOrder, kRelaxed);
  const cpg_handle_t handle = who->handle();
  if (steps == 1 && index == 0) {
    if (const auto options = ipc::IpcOptions::FromEnvironment()) {
      if (const auto attachment = ipc::Attachment::Open(*options)) {
        const alloc::LeaseId lease = (*attachment)->region().lease();
        life.lease.store(lease.slot | std::uint64_t{lease.generation} << 32,
                         kRelaxed);
      }
    }
  }
  if (index == 0 && life.orders.executes_after == steps) {
    const At at(&thread, Doing::kExecuting);
    Execute(dice);
  }
  const std::uint32_t kind = dice->Below(256);
  if (kind < 60) {
    const At at(&thread, Doing::kStray);
    threads_[index].stray->Step(dice);
  } else if (kind < 110) {
    const At at(&thread, Doing::kPool);
    pool_.Step(dice);
  } else if (kind < 130 && handle != 0) {
    const At at(&thread, Doing::kHoarding);
    Hoard(&threads_[index], handle, dice);
  } else if (kind < 140 && handle != 0) {
    const At at(&thread, Doing::kAsking);
    Ask(handle, dice);
  } else if (kind < 150 && who->is_member()) {
    const At at(&thread, Doing::kWaiting);
    Wait(who, dice);
  } else if (kind < 153 && handle != 0) {
    const At at(&thread, Doing::kThread);
    RunThread(handle, dice);
  } else if (kind < 155 && life.orders.may_fork && dice->OneIn(4)) {
    const At at(&thread, Doing::kForking);
    Fork(dice);
  }
  return !board_->finishing().load(kRelaxed);
}

void Extras::Ended(std::uint32_t index) {
  Life::Thread& thread = board_->life(life_).threads[index];
  thread.doing.store(Doing::kEnding, kRelaxed);
  threads_[index].stray->Close();
  thread.doing.store(Doing::kEnded, kRelaxed);
}

void Extras::Close() {
  order::Dice dice(life_);
  while (const auto kept = kept_.TakeOut(&dice)) {
    threads_[0].stray->LetGo(*kept);
  }
  pool_.Close(dice.OneIn(2));
  // What is hoarded is left to whoever notices the end.
}

void Extras::Ask(cpg_handle_t handle, order::Dice* dice) {
  const auto roll_group = [&] {
    const order::GroupPlan& plan = board_->life(life_).orders.worker.plan;
    return order::GroupName(plan.first + dice->Below(plan.count));
  };
  switch (dice->Below(8)) {
    case 0: {
      cpg_name group = roll_group();
      cpg_address members[CPG_MEMBERS_MAX];
      int count = 0;
      Expect("cpg_membership_get",
             cpg_membership_get(handle, &group, members, &count), {});
      break;
    }
    case 1: {
      cpg_iteration_handle_t walk = 0;
      const cs_error_t error =
          cpg_iteration_initialize(handle, CPG_ITERATION_ALL, nullptr, &walk);
      Expect("cpg_iteration_initialize", error, {});
      if (error != CS_OK) break;
      cpg_iteration_description_t found{};
      cs_error_t next = CS_OK;
      while (!dice->OneIn(100) &&
             (next = cpg_iteration_next(walk, &found)) == CS_OK) {
      }
      Expect("cpg_iteration_next", next, {CS_ERR_NO_SECTIONS});
      if (!dice->OneIn(4)) {
        Expect("cpg_iteration_finalize", cpg_iteration_finalize(walk), {});
      }
      break;
    }
    case 2: {
      cpg_zcb_group_stats stats{};
      stats.size = sizeof(stats);
      const cpg_name group = roll_group();
      Expect("cpg_zcb_group_stats_get",
             cpg_zcb_group_stats_get(handle, &group, &stats), {});
      break;
    }
    case 3: {
      if (!dice->OneIn(32)) break;  // slow
      struct cpg_zcb_region_info info{};
      info.size = sizeof(info);
      Expect("cpg_zcb_region_info", cpg_zcb_region_info(handle, &info), {});
      break;
    }
    case 4: {
      std::uint32_t bytes = 0;
      Expect("cpg_max_atomic_msgsize_get",
             cpg_max_atomic_msgsize_get(handle, &bytes), {});
      break;
    }
    case 5:
      Expect("cpg_zcb_collect", cpg_zcb_collect(handle), {});
      break;
    default: {
      cpg_flow_control_state_t state{};
      Expect("cpg_flow_control_state_get",
             cpg_flow_control_state_get(handle, &state), {});
      break;
    }
  }
}

void Extras::Wait(order::Participant* who, order::Dice* dice) {
  const int timeout_ms = static_cast<int>(dice->Below(4));
  if (dice->OneIn(2)) {
    who->WaitForOne(timeout_ms);
    return;
  }
  pollfd entry{who->Descriptor(), POLLIN, 0};
  (void)poll(&entry, 1, timeout_ms);
  who->ReadAll();
}

void Extras::Hoard(Thread* thread, cpg_handle_t handle, order::Dice* dice) {
  std::vector<Buffer>& hoard = thread->hoard;
  if (hoard.size() >= kMostHoarded || (!hoard.empty() && dice->OneIn(2))) {
    Drop(thread, handle, dice->Below(static_cast<std::uint32_t>(hoard.size())));
    return;
  }
  Buffer fresh;
  fresh.length_bytes = 1 + dice->Below(dice->OneIn(16) ? 3 << 20 : 20'000);
  void* bytes = nullptr;
  const cs_error_t error = cpg_zcb_alloc(handle, fresh.length_bytes, &bytes);
  Expect("cpg_zcb_alloc", error, {CS_ERR_NO_MEMORY});
  if (error != CS_OK) return;
  fresh.bytes = static_cast<std::byte*>(bytes);
  // Ours alone until it is freed.
  fresh.bytes[0] = fresh.bytes[fresh.length_bytes - 1] =
      static_cast<std::byte>(life_);
  hoard.push_back(fresh);
}

void Extras::Drop(Thread* thread, cpg_handle_t handle, std::size_t index) {
  const Buffer buffer = thread->hoard[index];
  thread->hoard.erase(thread->hoard.begin() +
                      static_cast<std::ptrdiff_t>(index));
  if (buffer.bytes[0] != static_cast<std::byte>(life_) ||
      buffer.bytes[buffer.length_bytes - 1] != static_cast<std::byte>(life_)) {
    journal_->Complain("life " + std::to_string(life_) +
                       ": a live buffer was written by another");
  }
  Expect("cpg_zcb_free", cpg_zcb_free(handle, buffer.bytes), {});
}

// A thread that ends with magazines full, having let go of what others kept.
void Extras::RunThread(cpg_handle_t handle, order::Dice* dice) {
  const std::uint64_t seed = dice->Next();
  try {
    std::thread([&] { FillMagazines(handle, seed); }).join();
  } catch (const std::system_error&) {
    // Another thread is just executing: the kernel makes none then.
  }
}

void Extras::FillMagazines(cpg_handle_t handle, std::uint64_t seed) {
  order::Dice dice(seed);
  std::vector<void*> buffers(20 + dice.Below(100));
  const std::uint32_t most_bytes = 64U << dice.Below(8);
  for (void*& buffer : buffers) {
    Expect("cpg_zcb_alloc",
           cpg_zcb_alloc(handle, dice.Below(most_bytes), &buffer),
           {CS_ERR_NO_MEMORY});
  }
  pool_.Step(&dice);
  if (const auto kept = kept_.TakeOut(&dice)) threads_[0].stray->LetGo(*kept);
  for (void* const buffer : buffers) {
    if (buffer == nullptr) continue;
    Expect("cpg_zcb_free", cpg_zcb_free(handle, buffer), {});
  }
}

void Extras::Fork(order::Dice* dice) {
  const std::uint32_t kind = dice->Below(8);
  LifeOrders orders = board_->life(life_).orders;
  orders.may_fork = false;
  orders.executes_after = 0;
  orders.worker.threads = 1;
  orders.worker.sends_from_outside = 0;
  orders.worker.steps_per_thread = 20 + dice->Below(200);
  orders.worker.after = dice->Below(orders.worker.steps_per_thread);
  orders.worker.fate = dice->OneIn(2) ? order::WorkerOrders::Fate::kKillsItself
                                      : order::WorkerOrders::Fate::kFinishes;
  if (kind < 3) orders.kind = LifeKind::kIdler;
  const std::uint32_t child = board_->NewLife(orders);
  orders.worker.stream = child;
  board_->life(child).orders.worker.stream = child;
  const pid_t pid = fork();
  if (pid > 0) board_->life(child).pid.store(pid, kRelaxed);
  if (pid != 0) return;
  board_->life(child).pid.store(getpid(), kRelaxed);
  if (kind == 0) std::_Exit(0);
  if (kind == 1) std::exit(0);
  std::exit(RunLife(board_, journal_, child));
}

void Extras::Execute(order::Dice* dice) {
  LifeOrders orders = board_->life(life_).orders;
  orders.executes_after = 0;
  orders.worker.steps_per_thread = 20 + dice->Below(400);
  const std::uint32_t next = board_->NewLife(orders);
  Life& life = board_->life(next);
  life.orders.worker.stream = next;
  life.pid.store(getpid(), kRelaxed);
  board_->life(life_).replaced.store(true, kRelaxed);
  ExecuteLife(board_, journal_, next);
}

}  // namespace zcb::storm
