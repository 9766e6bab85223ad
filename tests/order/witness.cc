// The process that is there from first to last.
#include <poll.h>
#include <unistd.h>

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
      : journal_(journal),
        orders_(orders),
        plan_(orders.plan),
        dice_(orders.seed, ~0ULL) {}

  void Run() {
    for (std::uint32_t i = 0; i < plan_.witnessed; ++i) Join(plan_.first + i);
    Say(orders_.ready_to);
    while (WatchUntilTold() == WitnessOrders::kBeAlone) BeAlone();
    // Every second time it is the bells alone that tell of the last deaths.
    if (orders_.seed % 2 == 1) WaitUntilAlone();
    // A join looks for whoever has died: after it, all of that is in the order.
    for (std::uint32_t i = plan_.witnessed; i < plan_.count; ++i) {
      Join(plan_.first + i);
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

  // By what the descriptors say and nothing else: a bell that was lost is not
  // made good by looking anyway.
  void BeAlone() {
    for (const auto& who : members_) {
      pollfd wait{who->Descriptor(), POLLIN, 0};
      while (who->view_size() != 1) {
        if (poll(&wait, 1, -1) < 0) _exit(3);
        who->ReadAll();
      }
    }
    for (const auto& who : members_) {
      who->ReadAll();
      who->ReleaseKept();
    }
    Say(orders_.ready_to);
    (void)Listen();
  }

  char Listen() {
    char told = 0;
    if (read(orders_.stop_from, &told, 1) != 1) _exit(3);
    return told;
  }

  // Reads, and now and then says something; sleeps when there is nothing. What
  // it was told.
  char WatchUntilTold() {
    const std::uint32_t count = plan_.witnessed;
    std::vector<pollfd> waits(count + 1);
    for (std::uint32_t i = 0; i < count; ++i) {
      waits[i] = {members_[i]->Descriptor(), POLLIN, 0};
    }
    waits[count] = {orders_.stop_from, POLLIN, 0};
    while (waits[count].revents == 0) {
      for (std::uint32_t i = 0; i < count; ++i) {
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
    return Listen();
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
  const GroupPlan plan_;
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
