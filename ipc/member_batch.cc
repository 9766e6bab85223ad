// The data path for several messages at a time: what goes with a message, and
// not with its place in the order, is done once for many.
#include <algorithm>
#include <array>
#include <new>
#include <optional>

#include "allocator/buffer_word.h"
#include "ipc/bell_ringer.h"
#include "ipc/deadline.h"
#include "ipc/member.h"
#include "ipc/message_header.h"
#include "ipc/message_place.h"

namespace zcb::ipc {

// Messages on their way into the ring together.
//
// Headers and buffer words of all are written first, for the places that they
// will get if no other sender comes between; then the slots are filled, one
// after the other, each by its own compare-and-swap. Whatever is filled is in
// the order, and whatever is not is judged by its slot, as in a send of one: a
// crash leaves nothing that a crash between two sends might not leave. The tail
// follows at the end; until then it is behind, as it is when publishers are
// stopped before they help it.
class Member::Batch {
 public:
  // How many are written before the first is published: what a lost place
  // costs is to write the others anew.
  static constexpr std::size_t kMost = 32;

  explicit Batch(Member* member)
      : member_(*member), group_(member->group_), hints_(member->hints_) {}
  // What was prepared, and not published, is the caller's again.
  ~Batch() {
    alloc::Allocator& allocator = member_.attachment_->allocator();
    for (std::size_t i = published_; i < count_; ++i) {
      allocator.CancelSend(items_[i].buffer);
    }
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // Takes up the first messages, at most kMost; an error is about the next.
  Outcome Prepare(std::span<const iovec> messages);
  // Publishes what was prepared; an error is about the first that was not.
  Outcome Publish(const SendOptions& options);
  std::size_t published() const { return published_; }

 private:
  struct Item {
    alloc::BufferPlace buffer;
    alloc::BufferRef named;  // in the slot
    alloc::BufferWord home;  // before it was sent
    std::byte* header = nullptr;
    std::uint64_t length_bytes = 0;
  };
  Outcome Prepare(const iovec& message);
  // The place for the next message; its errors.
  Outcome FindRoom(const SendOptions& options, RingPlace* place);
  // Writes what is not published for places from `position` on. All in a row:
  // a locked instruction in between would wait for each line in turn.
  void Write(std::uint64_t position);
  // What was published is below the tail, and whoever sleeps has heard of it.
  void Announce();

  Member& member_;
  const GroupView& group_;
  RingHints& hints_;
  std::array<Item, kMost> items_;
  std::size_t count_ = 0;
  std::size_t published_ = 0;
  std::size_t announced_ = 0;
  std::uint64_t last_position_ = 0;  // of what was published
  std::uint64_t bytes_ = 0;          // likewise
  std::uint64_t send_time_ns_ = 0;
  bool reaped_ = false;
};

Outcome Member::Batch::Prepare(const iovec& message) {
  Attachment& attachment = *member_.attachment_;
  alloc::Allocator& allocator = attachment.allocator();
  const auto live = attachment.FindLivePayload(message.iov_base);
  if (!live) return live.failure();
  alloc::BufferPlace buffer;
  if (const Outcome begun = allocator.BeginSend(live->buffer, &buffer);
      !begun) {
    return begun;
  }
  const MessagePlace place(buffer, live->is_aligned);
  if (message.iov_len > place.payload_bytes()) {
    allocator.CancelSend(buffer);
    return {Status::kTooBig, "longer than the buffer"};
  }
  items_[count_++] = {
      buffer, place.named(),
      // relaxed: Free, and ours alone to change until it is out
      alloc::BufferWord(buffer.word->load(std::memory_order_relaxed)),
      place.Header(allocator, attachment.geometry()), message.iov_len};
  return {};
}

Outcome Member::Batch::Prepare(std::span<const iovec> messages) {
  for (const iovec& message : messages) {
    if (count_ == kMost) break;
    if (const Outcome prepared = Prepare(message); !prepared) return prepared;
  }
  return {};
}

Outcome Member::Batch::FindRoom(const SendOptions& options, RingPlace* place) {
  for (int tries = 0; tries < kMaxRingRetries; ++tries) {
    RingAnswer answer = RingAnswer::kOk;
    if (!GuessPlace(group_, group_.message_room(), hints_, place)) {
      // Reclaiming goes as far as the tail, and reading as far as one is awake.
      Announce();
      answer = FindPlace(group_, group_.message_room(), place, &hints_);
    }
    if (answer == RingAnswer::kFull) {
      if (member_.MakeRoom(options, &reaped_)) continue;
      return member_.RefuseFull();
    }
    if (answer != RingAnswer::kOk) break;
    if (member_.leaving() || !member_.IsMember()) return member_.WhyOut();
    return {};
  }
  return {Status::kLibrary, "damaged ring"};
}

void Member::Batch::Write(std::uint64_t position) {
  alloc::Allocator& allocator = member_.attachment_->allocator();
  for (std::size_t i = published_; i < count_; ++i, ++position) {
    const Item& item = items_[i];
    new (item.header) MessageHeader{position,
                                    item.length_bytes,
                                    group_.group_slot(),
                                    member_.address_.node_id,
                                    member_.address_.pid,
                                    member_.entry_,
                                    member_.entry_generation_,
                                    MessageHeader::kMagic,
                                    0,
                                    send_time_ns_,
                                    {}};
    // release -> buffer.leave: a reaper that finds the word finds the slot to
    // judge it by; only the unit's owner writes it while it is not out
    item.buffer.word->store(item.home.Send(group_.group_slot(), position).raw(),
                            std::memory_order_release);
    allocator.CommitSend(item.buffer);
  }
}

Outcome Member::Batch::Publish(const SendOptions& options) {
  if (options.stamp_time) send_time_ns_ = static_cast<std::uint64_t>(NowNs());
  Outcome found;
  std::optional<std::uint64_t> written;  // for which place the next one is
  for (int tries = 0; published_ < count_; ++tries) {
    if (tries == kMaxRingRetries) {
      found = {Status::kLibrary, "damaged ring"};
      break;
    }
    RingPlace place;
    found = FindRoom(options, &place);
    if (!found) break;
    if (written != place.position) Write(place.position);
    written = place.position;
    const Item& item = items_[published_];
    if (!TryFill(group_, place,
                 SlotWord::Message(
                     SlotWord::LapOf(place.position, group_.slot_shift()),
                     item.named))) {
      continue;  // another sender came between
    }
    ++published_;
    bytes_ += item.length_bytes;
    last_position_ = place.position;
    written = place.position + 1;
    // release -> ring.hints: the slots below are filled
    hints_.filled_below.store(place.position + 1, std::memory_order_release);
  }
  Announce();
  if (published_ != 0) {
    member_.counters_.sent_messages.LossyAdd(published_);
    member_.counters_.sent_bytes.LossyAdd(bytes_);
    member_.ReclaimAsWeGo(last_position_, bytes_);
  }
  return found;
}

void Member::Batch::Announce() {
  if (announced_ == published_) return;
  announced_ = published_;
  HelpTail(group_, last_position_);
  if (SomebodyMaySleep(group_)) {
    member_.attachment_->ringer().RingSleepers(group_);
  }
}

Outcome Member::SendBatch(std::span<const iovec> messages, std::size_t* sent,
                          const SendOptions& options) {
  *sent = 0;
  // Before it is sent: the bytes may be where nobody else sees them.
  if (const Outcome whole = CheckDamage(); !whole) return whole;
  while (*sent < messages.size()) {
    Batch batch(this);
    const Outcome prepared = batch.Prepare(messages.subspan(*sent));
    const Outcome published = batch.Publish(options);
    *sent += batch.published();
    if (!published) return published;
    if (!prepared) return prepared;
  }
  return {};
}

// --- receive -----------------------------------------------------------------

Result<std::size_t> Member::NextBatch(std::span<Event> events) {
  std::size_t count = 0;
  Outcome failed;
  while (count < events.size()) {
    Event& event = events[count];
    event = {};
    const Outcome begun =
        Begin(&event, count == 0 ? Wanted::kAny : Wanted::kMessage);
    if (!begun) {
      // What was begun before it is whole, unless we were put out.
      if (count == 0 || !IsMember()) failed = begun;
      break;
    }
    if (event.kind == Event::Kind::kNothing) break;
    ++count;
    if (event.kind == Event::Kind::kView) break;
  }
  if (failed) failed = CheckDamage();
  if (failed) return count;
  DoneBatch(count);
  return Failure{failed.status(), failed.reason()};
}

void Member::DoneBatch(std::size_t count) {
  const auto ended =
      static_cast<std::uint32_t>(std::min<std::size_t>(count, depth_));
  if (ended == 0) return;
  depth_ -= ended - 1;
  Done();
}

}  // namespace zcb::ipc
