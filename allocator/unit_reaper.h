// What a dead process owned goes over to the living.
#ifndef ZCB_ALLOCATOR_UNIT_REAPER_H_
#define ZCB_ALLOCATOR_UNIT_REAPER_H_

#include <cstdint>
#include <optional>

#include "allocator/buffer_ref.h"
#include "allocator/buffer_run.h"
#include "allocator/buffer_word.h"
#include "allocator/extent_words.h"
#include "allocator/lease_word.h"
#include "allocator/shared_tables.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {

// One reaping of one Dead lease. Any number of processes may do the same at the
// same time, be killed at it, or sleep through its end: every change is a
// compare-and-swap from exactly what was judged, made only after the lease was
// seen to be still Dead in that generation.
//
//   extents half made      undone            Reserved{dead} -> Free
//   extents half freed     finished          Freeing{dead} -> Free
//   extents                freed, or orphans if their buffer is out
//   Sent, not in the ring  free again        word -> Free, then the hint
//   Held{dead}             free again        in its own units, and wherever its
//                                            touched map says
//   units                  Owned{dead} -> Abandoned, after their words
//
// word         transition here              edge
// buffer word  Sent (unpublished) -> Free   word.free
//              Held{dead} -> Free           word.free
// hint byte    1                            hint.set
// unit word    -> Abandoned                 unit.release
class UnitReaper {
 public:
  // Whether the ring of its group holds the message that a Sent word names.
  using SentJudge = bool (*)(void* context, BufferRef ref, BufferWord word);

  UnitReaper(const SharedTables& shared, LeaseId self, LeaseId dead,
             SentJudge judge, void* context)
      : shared_(shared),
        extents_(shared),
        self_(self),
        dead_(dead),
        judge_(judge),
        context_(context) {}

  // False: what it held in others' units is out of reach for want of memory.
  bool Run();

 private:
  bool IsStillDead() const;
  // These leave early when the lease is no longer Dead.
  void UndoReservations();
  void ReapUnit(std::uint32_t unit);
  bool ReapTouched();

  void ReapExtent(std::uint32_t unit, UnitWord head);
  void ReapOwned(std::uint32_t unit, UnitWord owned);
  // The dead one's words among those become Free: those that it Held, and if
  // the memory was its own (`holder`, which the unit word must still be) those
  // that it Sent and no ring has.
  void ReapRun(const BufferRun& run, std::optional<UnitWord> holder);
  void FreeWord(const BufferRun& run, std::uint32_t index, std::uint64_t seen);
  bool IsUnpublished(const BufferRun& run, std::uint32_t index,
                     BufferWord word) const;

  SharedTables shared_;
  ExtentWords extents_;
  LeaseId self_;
  LeaseId dead_;
  SentJudge judge_;
  void* context_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_UNIT_REAPER_H_
