#include "tests/order/worker.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "tests/order/dice.h"
#include "tests/order/participant.h"

namespace zcb::order {
namespace {

using Fate = WorkerOrders::Fate;

Mode RollMode(Dice* dice) { return Mode(dice->Below(3)); }

// What the threads of the process have in common.
class Process : public Participant::Listener {
 public:
  Process(Journal* journal, const WorkerOrders& orders, SideWork* side_work)
      : journal_(journal), orders_(orders), side_work_(side_work) {}

  Journal* journal() const { return journal_; }
  const WorkerOrders& orders() const { return orders_; }
  SideWork* side_work() const { return side_work_; }

  // One handle of the process at a time is a member of a group; it says so
  // before it asks for it. False: another one is.
  bool Claim(std::uint32_t group) {
    // acquire <- worker.claim: the last one's membership is over
    return !ClaimOn(group).exchange(true, std::memory_order_acquire);
  }
  void Unclaim(std::uint32_t group) {
    // release -> worker.claim: the membership is over
    ClaimOn(group).store(false, std::memory_order_release);
  }

  // Where the thread that owns nothing is to send; nullptr: anywhere.
  void AimAt(Participant* who) {
    // relaxed: all of them outlive that thread
    aim_.store(who, std::memory_order_relaxed);
  }
  Participant* aim() const { return aim_.load(std::memory_order_relaxed); }

  void CountStep() {
    if (orders_.fate == Fate::kVanishes && IsTime(&steps_)) _exit(0);
    if (orders_.fate == Fate::kIsKilled && IsTime(&steps_)) Announce();
  }
  void Sent() override {
    if (orders_.fate == Fate::kKillsItself && IsTime(&sends_)) Die();
  }
  void Heard(Participant*) override {
    if (orders_.fate == Fate::kKillsItselfHearing && IsTime(&events_)) Die();
  }

 private:
  std::atomic<bool>& ClaimOn(std::uint32_t group) {
    return claims_[group - orders_.plan.first];
  }
  bool IsTime(std::atomic<std::uint32_t>* counter) {
    // relaxed: a counter
    return counter->fetch_add(1, std::memory_order_relaxed) == orders_.after;
  }
  static void Die() { kill(getpid(), SIGKILL); }
  void Announce() const {
    const char byte = 1;
    if (write(orders_.announce_to, &byte, 1) != 1) _exit(3);
  }

  Journal* const journal_;
  const WorkerOrders orders_;
  SideWork* const side_work_;
  std::array<std::atomic<bool>, GroupPlan::kMost> claims_{};
  std::atomic<Participant*> aim_{nullptr};
  std::atomic<std::uint32_t> steps_{0};
  std::atomic<std::uint32_t> sends_{0};
  std::atomic<std::uint32_t> events_{0};
};

// A thread and its handles.
class Owner : public Participant::Listener {
 public:
  Owner(Process* process, std::uint32_t index)
      : process_(process),
        plan_(process->orders().plan),
        index_(index),
        dice_(process->orders().seed, process->orders().stream * 64 + index) {
    for (std::uint32_t i = 0; i < process->orders().handles_per_thread; ++i) {
      seats_.push_back({std::make_unique<Participant>(
                            process->journal(), RollMode(&dice_), &sightings_,
                            this, process->orders().habits),
                        plan_.end()});
    }
  }

  void Run() {
    for (std::uint32_t i = 0; i < process_->orders().steps_per_thread; ++i) {
      process_->CountStep();
      Seat& seat = RollSeat();
      Step(&seat);
      if (SideWork* const more = process_->side_work()) {
        const bool goes_on = more->Step(index_, seat.who.get(), &dice_);
        for (Seat& each : seats_) TidyUp(&each);
        if (!goes_on) break;
      }
    }
    for (Seat& seat : seats_) End(&seat);
    if (SideWork* const more = process_->side_work()) more->Ended(index_);
  }

  Participant* At(std::size_t handle) { return seats_[handle].who.get(); }

  void Sent() override { process_->Sent(); }

  void Heard(Participant* who) override {
    process_->Heard(who);
    if (depth_ >= kDeepest) return;
    ++depth_;
    switch (dice_.Below(128)) {
      case 0:
      case 1:
      case 2:
        if (who->may_send()) (void)who->Send(&dice_);
        break;
      case 3:
      case 4:
        if (who->is_member()) (void)who->ReadOne();
        break;
      case 5:
        if (who->may_send() && dice_.OneIn(4)) (void)who->Leave();
        break;
      case 6:
        if (who->is_open() && dice_.OneIn(8)) who->Finalize();
        break;
      default:
        break;
    }
    --depth_;
  }

 private:
  static constexpr int kDeepest = 3;

  // A handle, and the group that it claims; the plan's end(): none.
  struct Seat {
    std::unique_ptr<Participant> who;
    std::uint32_t group;
  };

  Seat& RollSeat() {
    return seats_[dice_.Below(static_cast<std::uint32_t>(seats_.size()))];
  }

  void Step(Seat* seat) {
    Participant& who = *seat->who;
    if (who.is_evicted()) {
      who.Finalize();
    } else if (!who.is_open()) {
      who.Reopen(RollMode(&dice_));
    } else if (!who.is_member()) {
      TryJoin(seat);
    } else {
      Act(&who);
    }
    DrainMentioned();
    for (Seat& each : seats_) TidyUp(&each);
  }

  void TryJoin(Seat* seat) {
    const std::uint32_t group = plan_.first + dice_.Below(plan_.count);
    if (!process_->Claim(group)) return;
    seat->group = group;
    if (!seat->who->Join(group)) {
      if (seat->who->is_evicted()) return;  // TidyUp() does it
      // Also in a group that one joins once only: nothing came of it.
      process_->Unclaim(group);
      seat->group = plan_.end();
      return;
    }
    if (dice_.OneIn(2)) return;
    while (seat->who->is_member() && seat->who->view_size() == 0) {
      seat->who->WaitForOne();  // the own join comes
    }
  }

  void Act(Participant* who) {
    const std::uint32_t kind = dice_.Below(100);
    if (kind < 45) {
      for (std::uint32_t n = 1 + dice_.Below(8); n > 0 && who->may_send();
           --n) {
        if (who->Send(&dice_) == Participant::Sent::kFull) {
          ReadEverything();
          break;
        }
      }
    } else if (kind < 75) {
      for (std::uint32_t n = 1 + dice_.Below(8); n > 0 && who->is_member();
           --n) {
        if (!who->ReadOne()) break;
      }
    } else if (kind < 92) {
      who->ReadAll();
    } else if (kind < 94) {
      who->ReleaseKept();
    } else if (kind < 97) {
      if (who->may_send()) LeaveUnderFire(who);
    } else if (kind < 98) {
      who->Finalize();
    }
  }

  // Leaves while the other thread sends on the same handle, if there is one:
  // what returned CS_OK before is delivered, and nothing after the leave.
  void LeaveUnderFire(Participant* who) {
    if (process_->orders().sends_from_outside != 0) {
      process_->AimAt(who);
      const std::uint32_t before = who->sent_from_outside();
      // Bounded: it may have sent all that it may send.
      for (int i = 0; i < 200 && who->sent_from_outside() == before; ++i) {
        sched_yield();
      }
    }
    (void)who->Leave();
    if (process_->aim() == who) process_->AimAt(nullptr);
  }

  void ReadEverything() {
    for (Seat& seat : seats_) {
      if (seat.who->is_member()) seat.who->ReadAll();
    }
    // It may be another process that is behind.
    sched_yield();
  }

  // The rule across groups: whoever was told of a message of another group has
  // it there, without waiting.
  void DrainMentioned() {
    for (bool again = true; again;) {
      again = false;
      for (Seat& told : seats_) {
        for (Seat& other : seats_) {
          if (&told == &other || !other.who->is_member() ||
              !told.who->TakeMentionOf(other.group)) {
            continue;
          }
          other.who->ReadAll();
          again = true;
          if (told.who->is_member() && other.who->is_member()) {
            told.who->NoteDrained(*other.who);
          }
        }
      }
    }
  }

  // Whether by the own leave or by finalize: its membership is over.
  void TidyUp(Seat* seat) {
    if (seat->group == plan_.end() || seat->who->is_member()) return;
    if (plan_.IsWitnessed(seat->group)) process_->Unclaim(seat->group);
    seat->group = plan_.end();
  }

  void End(Seat* seat) {
    Participant& who = *seat->who;
    if (who.is_member() && !dice_.OneIn(3)) {
      while (who.is_member() && !who.is_leaving() && !who.Leave()) {
        ReadEverything();
      }
      while (who.is_member()) who.WaitForOne();
    }
    TidyUp(seat);
    who.Finalize();
  }

  Process* const process_;
  const GroupPlan plan_;
  const std::uint32_t index_;
  Dice dice_;
  Sightings sightings_;
  std::vector<Seat> seats_;
  int depth_ = 0;
};

// The thread that owns nothing and sends on everybody's handles.
void SendFromOutside(Process* process,
                     const std::vector<std::unique_ptr<Owner>>& owners,
                     const std::atomic<std::uint32_t>& owners_at_work) {
  const WorkerOrders& orders = process->orders();
  Dice dice(orders.seed, orders.stream * 64 + 63);
  Sightings sightings;
  for (std::uint32_t sent = 0; sent < orders.sends_from_outside;) {
    // relaxed: they end, sooner or later
    if (owners_at_work.load(std::memory_order_relaxed) == 0) return;
    Owner& owner = *owners[dice.Below(orders.threads)];
    Participant* const anyone = owner.At(dice.Below(orders.handles_per_thread));
    Participant* const wanted = process->aim();
    Participant& who = wanted != nullptr ? *wanted : *anyone;
    for (std::uint32_t n = 1 + dice.Below(16); n > 0; --n) {
      if (who.SendFromOutside(&dice, &sightings) != Participant::Sent::kYes) {
        sched_yield();
        break;
      }
      ++sent;
    }
  }
}

}  // namespace

int RunWorker(Journal* journal, const WorkerOrders& orders,
              SideWork* side_work) {
  Process process(journal, orders, side_work);
  std::vector<std::unique_ptr<Owner>> owners;
  for (std::uint32_t i = 0; i < orders.threads; ++i) {
    owners.push_back(std::make_unique<Owner>(&process, i));
  }
  std::atomic<std::uint32_t> at_work{orders.threads};
  std::thread outside;
  if (orders.sends_from_outside != 0) {
    outside = std::thread([&] { SendFromOutside(&process, owners, at_work); });
  }
  // A thread that executes another program keeps the others from being made.
  std::latch all_made(orders.threads);
  std::vector<std::thread> threads;
  for (const auto& owner : owners) {
    threads.emplace_back([&owner, &at_work, &all_made] {
      all_made.arrive_and_wait();
      owner->Run();
      at_work.fetch_sub(1, std::memory_order_relaxed);  // as above
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (outside.joinable()) outside.join();
  return 0;
}

}  // namespace zcb::order
