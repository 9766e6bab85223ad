// One handle of a run: it joins, sends, reads and leaves through the public C
// API, and writes down whatever it is told.
#ifndef ZCB_TESTS_ORDER_PARTICIPANT_H_
#define ZCB_TESTS_ORDER_PARTICIPANT_H_

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <cstdint>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "tests/order/dice.h"
#include "tests/order/journal.h"
#include "tests/order/wire.h"

namespace zcb::order {

// What a run lets its participants do.
struct Habits {
  // Groups from this one on: senders put out who does not read.
  std::uint32_t evicts_from = ~0U;
  std::uint32_t evict_after_ms = 0;
  // Refusals for want of room in tables, not only in rings, are no failures.
  bool is_crowded = false;
  // Once in so many sends the buffer is far larger than its message; 0: never.
  std::uint32_t large_one_in = 0;
  // Sends and reads that wait for a moment, too.
  bool waits = false;
};

enum class Mode : std::uint8_t {
  kV1,    // callbacks, copies
  kZcb,   // callbacks, in place
  kPull,  // cpg_zcb_next
};

// Groups of different regions, one after the other, have different numbers.
inline constexpr std::uint32_t kGroupsOfARegion = 64;

cpg_name GroupName(std::uint32_t group);

// The last message of each group that a thread knows to be in the order: it saw
// it, or its send returned CS_OK. What it mentions in what it sends next.
using Sightings = std::map<std::uint32_t, MessageId>;

// Owned by one thread, which alone calls what is not said to be for others. A
// second thread may send.
class Participant {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // After each event, in the owner's thread, inside the callback if there is
    // one. May call anything of the participant but Join() and Reopen().
    virtual void Heard(Participant* participant) = 0;
    // A send has returned CS_OK, and that was written down; in either thread.
    virtual void Sent() = 0;
  };

  // `sightings`: the owner's.
  Participant(Journal* journal, Mode mode, Sightings* sightings,
              Listener* listener, const Habits& habits = {});
  // Finalizes. No second thread any more.
  ~Participant();
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;

  // An error that the run does not make possible is complained about, and ends
  // the process.

  // --- membership: true on CS_OK.
  bool Join(std::uint32_t group);
  bool Leave();
  // Its group is free for this process's other handles then, or soon.
  void Finalize();
  // After Finalize(): a new handle.
  void Reopen(Mode mode);
  bool is_open() const { return handle_ != 0; }
  // Others have put it out: to be finalized.
  bool is_evicted() const { return evicted_; }
  // From a join until the own leave was read.
  bool is_member() const {
    return entry_.has_value() && !own_leave_read_ && !evicted_;
  }
  bool is_leaving() const { return leaving_; }
  bool may_send() const { return is_member() && !leaving_; }
  std::uint32_t group() const { return entry_->group(); }

  // --- sending
  enum class Sent : std::uint8_t { kYes, kFull, kNoMember };
  // Sends one message of random length.
  Sent Send(Dice* dice);
  // The same from the second thread, with its own dice and sightings, at any
  // time, also while the owner leaves or finalizes.
  Sent SendFromOutside(Dice* dice, Sightings* sightings);
  // Its sends that returned CS_OK, since the handle joined.
  std::uint32_t sent_from_outside() const { return entry_->SentOn(1); }

  // --- receiving
  // One event, if there is one; false if there was none.
  bool ReadOne();
  // All there is now.
  void ReadAll();
  // Waits for an event and reads it.
  void WaitForOne();
  // The same, but for that long at most.
  void WaitForOne(int timeout_ms);
  int Descriptor();
  // For calls that are no part of the order; 0: none.
  cpg_handle_t handle() const { return handle_; }
  // Whether messages were read since the last call that mention `group`.
  bool TakeMentionOf(std::uint32_t group);
  // Writes down that `other` has just read all that it could.
  void NoteDrained(const Participant& other);
  // Members in the last view that was read; 0: none was, since the join.
  std::size_t view_size() const { return view_size_; }
  void NoteReadUntilAlone() { entry_->ReadUntilAlone(); }

  // --- kept messages (not kV1)
  void ReleaseKept();
  // Complains unless the region is as empty as it was.
  void ExpectNothingOut();

 private:
  struct Callbacks;
  Sent SendOn(cpg_handle_t handle, Entry* entry, std::uint32_t lane, Dice* dice,
              Sightings* sightings);
  // The same for several; kYes if all were sent.
  Sent SendBatchOn(cpg_handle_t handle, Entry* entry, std::uint32_t lane,
                   Dice* dice, Sightings* sightings);
  Sent Judge(cs_error_t error, const Entry& entry, std::uint32_t lane);
  cs_error_t SendBytes(cpg_handle_t handle, const Wire& wire,
                       std::size_t length_bytes, Dice* dice);
  cs_error_t SendInPlace(cpg_handle_t handle, const Wire& wire,
                         std::size_t length_bytes, Dice* dice);
  // Whether `error` says that others have put this one out, which may be.
  bool IsEviction(cs_error_t error) const;
  bool MayBeEvicted() const;
  bool Pull();
  bool PullBatch();
  bool TakePulled(const cpg_zcb_message& message);
  void EndRead();
  // Each with the sequence as Event has it.
  void HearMessage(Address sender, const void* bytes, std::size_t length_bytes,
                   std::uint64_t sequence);
  // The same, but for whoever listens. False: it was no message to hear.
  bool NoteMessage(Address sender, const void* bytes, std::size_t length_bytes,
                   std::uint64_t sequence);
  void HearView(const cpg_address* members, std::size_t member_count,
                const cpg_address* left, std::size_t left_count,
                const cpg_address* joined, std::size_t joined_count);
  void HearPulledView(const cpg_zcb_message& view);
  void Heard();
  // False: put out, so the bytes may have been anything.
  bool MaybeKeep(const void* bytes, std::size_t length_bytes);
  void Dispatch(cs_dispatch_flags_t how);
  void Initialize();
  // What the library must not answer: nothing that follows would mean much.
  [[noreturn]] void Fail(const char* call, cs_error_t error) const;

  Journal* const journal_;
  Mode mode_;
  Sightings* const sightings_;
  Listener* const listener_;
  const Habits habits_;
  Address self_;
  cpg_handle_t handle_ = 0;
  bool leaving_ = false;         // cpg_leave returned CS_OK
  bool own_leave_read_ = false;  // but reading is not over yet
  bool evicted_ = false;
  std::uint32_t reads_ = 0;  // under way, one in the other
  std::size_t view_size_ = 0;
  std::uint32_t events_read_ = 0;
  std::map<std::uint32_t, bool> mentioned_;
  struct Kept {
    const void* bytes = nullptr;
    std::size_t length_bytes = 0;
  };
  std::vector<Kept> kept_;

  // The second thread sends under `mutex_` held shared. The owner takes it only
  // to begin a membership: so leave and finalize may run into a send, but no
  // send runs from one membership into the next.
  std::shared_mutex mutex_;
  std::optional<Entry> entry_;
  std::optional<Entry> outside_;  // the second thread's copy
  cpg_handle_t outside_handle_ = 0;
};

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_PARTICIPANT_H_
