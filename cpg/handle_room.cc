// Waiting until a send can succeed: threads on a futex, the program on a
// descriptor of its own. How members learn that somebody waits: ipc/member.h.
#include <pthread.h>

#include <algorithm>

#include "cpg/cs_error.h"
#include "cpg/handle.h"
#include "ipc/futex.h"

namespace zcb::cpg {

using RoomKind = ipc::Member::RoomKind;

namespace {

// Memory that another process sets free into its own caches is told to nobody,
// and where there is no membarrier(2) a reader may miss that we wait. A look
// for memory goes through all processes: the longer it was in vain, the rarer.
constexpr std::int64_t kLookAgainNs = 4'000'000;
constexpr std::int64_t kMostLookAgainNs = 64'000'000;

// A thread that has read the handle before, and is in no call now, may be just
// about to, or may have ended.
constexpr std::int64_t kReaderMayBeAwayNs = 1'000'000'000;
constexpr std::int64_t kLookForReaderNs = 50'000'000;

}  // namespace

// --- those who do not read ---------------------------------------------------

// Nobody rings because somebody's time to read is over: who waits looks when
// the next one is due; and where nobody is just now, since who holds the ring
// back cannot be put out, before the next one could be.
ipc::LaggardWatch::Verdict Handle::EvictWhoeverIsDue(ipc::Member* member,
                                                     RoomKind lacking) const {
  const std::uint32_t evict_ms = options_.evict_ms();
  if (evict_ms == 0) return {};
  ipc::LaggardWatch::Verdict verdict = member->EvictLaggards(lacking, evict_ms);
  if (verdict.next_due_ns == 0) {
    verdict.next_due_ns = std::uint64_t{evict_ms} * 1'000'000;
  }
  return verdict;
}

// --- the descriptor ----------------------------------------------------------

Result<int> Handle::ShareSendDescriptor() {
  if (send_descriptor_ == nullptr) {
    auto made = SendDescriptor::Make(attachment_.get());
    if (!made) return made.failure();
    send_descriptor_ = std::move(*made);
    if (current_ != nullptr) current_->SetRoomBell(send_descriptor_->bell());
    // release -> handle.send_bell: it can be rung
    send_descriptor_shared_.store(send_descriptor_.get(),
                                  std::memory_order_release);
  }
  return send_descriptor_->descriptor();
}

void Handle::OnRefused(ipc::Member* member, RoomKind kind) {
  // acquire <- handle.send_bell: it can be rung
  SendDescriptor* const shared =
      send_descriptor_shared_.load(std::memory_order_acquire);
  if (shared == nullptr) return;
  shared->Quiet();
  // One descriptor for all senders: what another one waits for still counts.
  const ipc::Member::Wants wants{
      .room = kind == RoomKind::kRing || !member->HasRoom(),
      .memory = memory_wanted_.any()};
  const bool will_be_told = member->ArmRoomBell(wants);
  const ipc::LaggardWatch::Verdict verdict = EvictWhoeverIsDue(
      member, wants.room ? RoomKind::kRing : RoomKind::kMemory);
  if (verdict.next_due_ns != 0) {
    shared->RingAfter(static_cast<std::int64_t>(verdict.next_due_ns));
  }
  // What came in between nobody rings for. Without membarrier(2) nobody may
  // ring at all: then the descriptor stays readable, and the program looks.
  if (!will_be_told || verdict.evicted != 0 || member->leaving() ||
      member->IsOut() || closing() || (wants.room && member->HasRoom()) ||
      (wants.memory && !memory_wanted_.LacksLeast(*attachment_))) {
    shared->Ring();
  }
}

void Handle::EndRoomWaits() {
  // seq_cst <-> handle.close: named before its waiter looked whether we close
  if (auto* word = room_parked_on_.load(std::memory_order_seq_cst)) {
    ipc::FutexRing(word);
  }
  // acquire <- handle.send_bell: it can be rung
  if (auto* shared = send_descriptor_shared_.load(std::memory_order_acquire)) {
    shared->Ring();
  }
}

// --- threads -----------------------------------------------------------------

// One thread that waits; an object, since it may be cancelled there.
class Handle::RoomWaiter {
 public:
  RoomWaiter(Handle* handle, ipc::Member* member, RoomKind kind)
      : member_(member),
        kind_(kind),
        // relaxed: read before we are announced, so a ringer changes it
        seen_(member->RoomWord()->load(std::memory_order_relaxed)) {
    // seq_cst <-> handle.close: before we look whether the handle closes
    handle->room_parked_on_.store(member->RoomWord(),
                                  std::memory_order_seq_cst);
    will_be_told_ = member_->AnnounceRoomWait(kind_);
  }
  ~RoomWaiter() { member_->EndRoomWait(kind_); }
  RoomWaiter(const RoomWaiter&) = delete;
  RoomWaiter& operator=(const RoomWaiter&) = delete;

  // `must_look`: for what nobody tells.
  void Wait(ipc::Deadline deadline, bool must_look,
            std::int64_t look_again_ns) const {
    if (!will_be_told_ || must_look) {
      deadline = Sooner(deadline, ipc::Deadline::InNs(look_again_ns));
    }
    (void)ipc::FutexWait(member_->RoomWord(), seen_, deadline);
  }

 private:
  ipc::Member* member_;
  RoomKind kind_;
  std::uint32_t seen_;
  bool will_be_told_ = false;
};

Handle::Reader Handle::FindReader() {
  if (!lock_.TryLock()) return Reader::kInside;
  const bool is_in_callback = lock_.depth() > 1;
  const bool others_are_inside = waiters_ != 0 || lock_.Wanted();
  lock_.Unlock();
  // Whoever else is inside does not get the lock before we are back.
  if (is_in_callback) return Reader::kNone;
  if (others_are_inside) return Reader::kInside;
  // relaxed: a value compared with our own
  const pthread_t last = reader_.load(std::memory_order_relaxed);
  return last == pthread_t{} || pthread_equal(last, pthread_self()) != 0
             ? Reader::kNone
             : Reader::kLast;
}

cs_error_t Handle::WaitForRoom(std::uint64_t length_bytes,
                               ipc::Deadline deadline) {
  ipc::Member* const member = SendingMember();
  if (member == nullptr) return CS_ERR_NOT_EXIST;
  // Nothing to wait for, something else than room, or (CS_ERR_TRY_AGAIN) which
  // of the two kinds is lacking.
  RoomKind kind = RoomKind::kRing;
  const auto look = [&] {
    if (closing()) return CS_ERR_BAD_HANDLE;
    if (!member->CheckDamage()) return CS_ERR_LIBRARY;
    if (member->leaving()) return CS_ERR_NOT_EXIST;
    if (member->IsOut()) return CS_ERR_LIBRARY;
    kind = RoomKind::kRing;
    if (!member->HasRoom()) return CS_ERR_TRY_AGAIN;
    if (length_bytes == 0) return CS_OK;
    kind = RoomKind::kMemory;
    const Status memory = attachment_->TryPayload(length_bytes).status();
    return memory == Status::kNoMemory ? CS_ERR_TRY_AGAIN : ToCsError(memory);
  };
  std::uint32_t room_seen = 0;
  auto patience = ipc::Deadline::InNs(kReaderMayBeAwayNs);
  std::int64_t look_again_ns = kLookAgainNs;
  // Whether it is this handle that has to read.
  const auto holds = [&] {
    return kind == RoomKind::kRing ? member->HoldsRingBack()
                                   : member->HoldsMemory();
  };
  for (;;) {
    const cs_error_t first = look();
    if (first != CS_ERR_TRY_AGAIN) return first;
    ipc::Deadline until = deadline;
    const Reader reader = FindReader();
    if (holds()) {
      if (reader == Reader::kNone) return CS_ERR_BUSY;
      // relaxed: whether somebody has made room since the last look
      const std::uint32_t room =
          member->RoomWord()->load(std::memory_order_relaxed);
      if (reader == Reader::kInside || room != room_seen) {
        patience = ipc::Deadline::InNs(kReaderMayBeAwayNs);
        room_seen = room;
      }
      if (patience.passed()) return CS_ERR_BUSY;
      until = Sooner(until, ipc::Deadline::InNs(kLookForReaderNs));
    } else {
      patience = ipc::Deadline::InNs(kReaderMayBeAwayNs);
    }
    if (deadline.passed()) return CS_ERR_TIMEOUT;
    const RoomKind wanted = kind;
    const RoomWaiter waiter(this, member, wanted);
    const auto [evicted, due_ns] = EvictWhoeverIsDue(member, wanted);
    const cs_error_t second = look();
    if (second != CS_ERR_TRY_AGAIN) return second;
    if (kind != wanted || evicted != 0) continue;
    // The others may have read meanwhile. Later, too: nobody tells us that we
    // are the last.
    if (reader == Reader::kNone && holds()) return CS_ERR_BUSY;
    waiter.Wait(
        due_ns == 0 ? until
                    : Sooner(until, ipc::Deadline::InNs(
                                        static_cast<std::int64_t>(due_ns))),
        wanted == RoomKind::kMemory || reader == Reader::kNone, look_again_ns);
    look_again_ns = std::min(2 * look_again_ns, kMostLookAgainNs);
  }
}

}  // namespace zcb::cpg
