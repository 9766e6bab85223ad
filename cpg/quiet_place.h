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
    if (place.raw == kNever) return;  // no honest slot says that
    // relaxed, both: written under the lock that we have
    if (place_.load(std::memory_order_relaxed) == place.slot &&
        raw_.load(std::memory_order_relaxed) == place.raw) {
      return;
    }
    place_.store(&kNowhere, std::memory_order_relaxed);  // the next one carries
    // release -> quiet.move: who sees this value finds the old place gone
    raw_.store(place.raw, std::memory_order_release);
    // release -> quiet.say: the value is this place's
    place_.store(place.slot, std::memory_order_release);
  }
  // For good or until the next Say(): Holds() is false.
  void Unsay() {
    // relaxed: a thread that does not see it yet came before it
    place_.store(&kNowhere, std::memory_order_relaxed);
  }

  // True: at some moment of this call there was nothing to dispatch.
  //
  // A value may be read that was said of another place. If of a later one, the
  // second look finds another place, or this one said anew. If of an earlier
  // one, its lap is below that of any event that this slot gets: the slot
  // holds such a value only if it is empty.
  bool Holds() const {
    // relaxed: the second look acquires
    const std::atomic<std::uint64_t>* const place =
        place_.load(std::memory_order_relaxed);
    // acquire <- quiet.move: if it is of a later place, this one is gone
    const std::uint64_t raw = raw_.load(std::memory_order_acquire);
    // acquire <- quiet.say: what was dispatched before it was said is done
    if (place_.load(std::memory_order_acquire) != place) return false;
    // relaxed: compared, and nothing that it might stand for is read
    return place->load(std::memory_order_relaxed) == raw;
  }

 private:
  // Where nothing is ever quiet: spares Holds() a test.
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  static constexpr std::atomic<std::uint64_t> kNowhere{kNever};

  std::atomic<const std::atomic<std::uint64_t>*> place_{&kNowhere};
  std::atomic<std::uint64_t> raw_{0};
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_QUIET_PLACE_H_
