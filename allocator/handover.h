// Buffers that go from process to process by ticket, without a message layer.
#ifndef ZCB_ALLOCATOR_HANDOVER_H_
#define ZCB_ALLOCATOR_HANDOVER_H_

#include <cstdint>

#include "allocator/buffer_place.h"
#include "allocator/buffer_ref.h"
#include "allocator/buffer_supply.h"
#include "allocator/buffer_ticket.h"
#include "allocator/status.h"

namespace zcb::alloc {

// At every instant the buffer word says who answers for a buffer, and whose
// death sets it free:
//
//   ours, live     Free{g}            the unit's owner (us)
//   given          Held{g', us}       us, until somebody takes it
//   taken          Held{g'+1, taker}  the taker
//   taken, freed   Free{g'+1}, hint   the unit's owner again
//
// Given and taken once: Held{g', us} -> Held{g'+1, taker} is one
// compare-and-swap. What was taken may be given on by the same steps; what the
// unit's own process takes back becomes live as it was.
//
// word         transition here             edge
// buffer word  Free, Held -> Held{us}      buffer.give
//              Held{us} -> Free            word.free
// state byte   kLive, kTaken -> kAway      buffer.leave
//
// Thread-safe. Nobody waits for another process. Death: whoever reaps us finds
// our words in our own units and by our touched map.
class Handover {
 public:
  explicit Handover(BufferSupply& supply) : supply_(supply) {}

  // A buffer of ours that is live, and the caller's: it is away after.
  BufferTicket Give(const BufferPlace& own, std::uint32_t size_class);
  // The same for a taken one; kInvalidParam: it is not (another thread was
  // faster), kLibrary: its word was damaged.
  Result<BufferTicket> GiveOn(BufferRef taken);
  Result<BufferRef> Take(BufferTicket ticket);
  // `poison`: fill it before it goes.
  Outcome FreeTaken(BufferRef taken, bool poison);
  std::uint64_t CountTaken() const;
  // The end: what we have taken is freed, what nobody took is withdrawn. No
  // other thread of ours may be in the allocator.
  void LetAllGo();

 private:
  bool LetGo(const BufferPlace& place);

  BufferSupply& supply_;
  std::atomic<bool> has_given_{false};
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_HANDOVER_H_
