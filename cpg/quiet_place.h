// "There was nothing to dispatch, and nothing has come since", without a lock.
//
// word    written by        read by   edge it carries
// place_  Say, Unsay (lock) Holds     quiet.say   (raw_ -> place_)
// raw_    Say (lock)        Holds     quiet.move  (the old place is taken back
//                                                  -> raw_)
#ifndef ZCB_CPG_QUIET_PLACE_H_
#define ZCB_CPG_QUIET_PLACE_H_

#include <atomic>
#include <cstdint>

#include "ipc/member.h"

namespace zcb::cpg {

// The slot into which the next event of a member goes, and what was in it when
// the member had read everything. A slot never holds one value twice, and the
// member does not get past an empty one: while the slot still holds that value,
// no event has come.
//
// Say() and Unsay() by whoever has the handle's lock, Holds() by any thread
// that keeps the slot mapped (a pin on the handle does).
class QuietPlace {
 public:
  void Say(const ipc::EmptyPlace& place) {
    // relaxed, both: written under the lock that we have
    if (place_.load(std::memory_order_relaxed) == place.slot &&
        raw_.load(std::memory_order_relaxed) == place.raw) {
      return;
    }
    place_.store(nullptr, std::memory_order_relaxed);  // the next one carries
    // release -> quiet.move: who sees this value finds the old place gone
    raw_.store(place.raw, std::memory_order_release);
    // release -> quiet.say: the value is this place's
    place_.store(place.slot, std::memory_order_release);
  }
  // For good or until the next Say(): Holds() is false.
  void Unsay() {
    // relaxed: a thread that does not see it yet came before it
    place_.store(nullptr, std::memory_order_relaxed);
  }

  // True: at some moment of this call there was nothing to dispatch. A value
  // of another place than the first look's may come in between; then the
  // second look finds another place, or the same one said anew, when there was
  // nothing either.
  bool Holds() const {
    // acquire <- quiet.say: the value is there, or a later one
    const std::atomic<std::uint64_t>* const place =
        place_.load(std::memory_order_acquire);
    if (place == nullptr) return false;
    // acquire <- quiet.move: if it is a later one, so is the place below
    const std::uint64_t raw = raw_.load(std::memory_order_acquire);
    // acquire <- ring.publish: not after the second look
    if (place->load(std::memory_order_acquire) != raw) return false;
    // relaxed: not before the loads above, which acquire
    return place_.load(std::memory_order_relaxed) == place;
  }

 private:
  std::atomic<const std::atomic<std::uint64_t>*> place_{nullptr};
  std::atomic<std::uint64_t> raw_{0};
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_QUIET_PLACE_H_
