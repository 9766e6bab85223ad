// The process that is there from first to last.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

#include "tests/order/dice.h"
#include "tests/order/participant.h"
#include "tests/order/worker.h"

namespace zcb::order {
namespace {

class Witness {
 public:
  Witness(Journal* journal, const WitnessOrders& orders)
      : journal_(journal), orders_(orders), dice_(orders.seed, ~0ULL) {}

  void Run() {
    for (std::uint32_t group = 0; group < kWitnessed; ++group) Join(group);
    Say(orders_.ready_to);
    WatchUntilTold();
    // Every second time it is the bells alone that tell of the last deaths.
    if (orders_.seed % 2 == 1) WaitUntilAlone();
    // A join looks for whoever has died: after it, all of that is in the order.
    for (std::uint32_t group = kWitnessed; group < kGroups; ++group) {
      Join(group);
    }
    for (const auto& who : members_) {
      who->ReadAll();
      who->NoteReadUntilAlone();
    }
    for (const auto& who : members_) who->ReleaseKept();
    members_.front()->ExpectNothingOut();
  }

 private:
  void Join(std::uint32_t group) {
    members_.push_back(std::make_unique<Participant>(
        journal_, Mode(dice_.Below(3)), &sightings_, nullptr));
    if (!members_.back()->Join(group)) journal_->Complain("a witness's join");
  }

  static void Say(int descriptor) {
    const char byte = 1;
    if (write(descriptor, &byte, 1) != 1) _exit(3);
  }

  // Reads, and now and then says something; sleeps when there is nothing.
  void WatchUntilTold() {
    std::array<pollfd, kWitnessed + 1> waits{};
    for (std::uint32_t i = 0; i < kWitnessed; ++i) {
      waits[i] = {members_[i]->Descriptor(), POLLIN, 0};
    }
    waits[kWitnessed] = {orders_.stop_from, POLLIN, 0};
    while (waits[kWitnessed].revents == 0) {
      for (std::uint32_t i = 0; i < kWitnessed; ++i) {
        if ((waits[i].revents & POLLIN) == 0) continue;
        Participant& who = *members_[i];
        if (dice_.OneIn(2)) {
          who.ReadAll();
        } else {
          (void)who.ReadOne();
        }
        if (dice_.OneIn(8)) (void)who.Send(&dice_);
        if (dice_.OneIn(8)) who.ReleaseKept();
        DrainMentionedTo(&who);
      }
      if (poll(waits.data(), waits.size(), -1) < 0) _exit(3);
    }
  }

  void DrainMentionedTo(Participant* told) {
    for (const auto& other : members_) {
      if (other.get() == told || !told->TakeMentionOf(other->group())) continue;
      other->ReadAll();
      told->NoteDrained(*other);
    }
  }

  void WaitUntilAlone() {
    for (const auto& who : members_) {
      while (who->view_size() != 1) who->WaitForOne();
    }
  }

  Journal* const journal_;
  const WitnessOrders orders_;
  Dice dice_;
  Sightings sightings_;
  std::vector<std::unique_ptr<Participant>> members_;
};

}  // namespace

int RunWitness(Journal* journal, const WitnessOrders& orders) {
  Witness(journal, orders).Run();
  return 0;
}

}  // namespace zcb::order
