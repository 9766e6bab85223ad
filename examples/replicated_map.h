// A map that every member of a group has. Every change is a message, so all of
// them go through the same states. A joiner starts with nothing and is sent
// the state by the oldest member, in the middle of the traffic.
//
// Virtual synchrony is what makes that simple: all members meet a join view at
// the same place, between the same two messages. So "the state as of that view"
// is the same at each of them, and nobody has to stop for it:
//   - The oldest member copies its map when it meets the join view, and sends
//     the copy to the joiner: a checkpoint, as many messages as it takes.
//   - The joiner queues the changes that it meets from its join view on. When
//     it has the whole checkpoint, it drops those that are in there already
//     (ordered before the view that the copy was taken at), applies the others.
//   - A checkpoint goes to a process and its join view: after a leave the same
//     process is another joiner, and the rest of the old one is not for it.
//   - All members see all checkpoints go by, hence know who waits. When the
//     oldest goes, the next oldest meets that view at the same place as
//     everybody, and sends those who wait its state as of *that* view. A joiner
//     forgets half a checkpoint when another one begins.
// The oldest is who has outlived all others of its own join view: one member at
// each place of the order, and it knows by itself. Joiners are served in the
// order they came, so an oldest that waits itself knows that nobody has the
// state any more. It goes on with what it has queued.
#ifndef ZCB_EXAMPLES_REPLICATED_MAP_H_
#define ZCB_EXAMPLES_REPLICATED_MAP_H_

#include <corosync/cpg_zcb.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <vector>

namespace example {

using Key = std::array<char, 24>;
using Number = unsigned long long;
struct Record {
  Key key;
  Number value;
};
struct Process {
  std::uint32_t nodeid, pid;
  bool operator==(const Process&) const = default;
};
struct Joiner {
  Process process;
  Number join_sequence;  // of its join view
  bool operator==(const Joiner&) const = default;
};
enum Kind : std::uint32_t { kChange, kMark, kCheckpoint };
struct Message {  // written and read where it lies, in shared memory
  Kind kind;
  std::uint32_t is_last;  // this and the next two: kCheckpoint only
  Joiner to;
  Number as_of;  // sequence number of the view that it was taken at

  Record* records() { return reinterpret_cast<Record*>(this + 1); }
  const Record* records() const {
    return reinterpret_cast<const Record*>(this + 1);
  }
};

inline void Must(bool ok, const char* otherwise) {
  if (ok) return;
  std::fprintf(stderr, "state_transfer: %s\n", otherwise);
  std::exit(EXIT_FAILURE);
}

class ReplicatedMap {
 public:
  ReplicatedMap(cpg_handle_t handle, std::size_t records_per_message)
      : handle_(handle), records_per_message_(records_per_message) {
    me_.process.pid = static_cast<std::uint32_t>(getpid());
    Must(cpg_local_get(handle_, &me_.process.nodeid) == CS_OK, "no node");
  }

  // One event, if there is one: what all members meet in the same order.
  bool TakeEvent() {
    cpg_zcb_message event;
    const cs_error_t error = cpg_zcb_next(handle_, &event);
    if (error == CS_ERR_TRY_AGAIN || error == CS_ERR_NOT_EXIST) return false;
    Must(error == CS_OK, "cannot receive");
    event.kind == CPG_ZCB_VIEW ? OnView(event) : OnMessage(event);
    return true;
  }
  // From our own join view to our own leave view.
  bool is_in() const { return is_in_; }

  // One try. False: no room. That may be our own fault (CS_ERR_BUSY), so take
  // events before the next; and they may say that it is not needed any more.
  bool TrySend(Kind kind, const Record& record) {
    return TrySend(Message{kind, 0, {}, 0}, &record, 1);
  }
  // What this member owes to joiners. After cpg_leave() the next oldest does.
  bool has_to_send() const { return !checkpoints_.empty(); }
  void TrySendPart() {
    Checkpoint& front = checkpoints_.front();
    const std::size_t left = front.records.size() - front.sent;
    const std::size_t count = std::min(left, records_per_message_);
    const Message head{kCheckpoint, count == left, front.to, front.as_of};
    if (!TrySend(head, front.records.data() + front.sent, count)) return;
    front.sent += count;
    if (count < left) return;
    std::printf("sent the state to %u\n", front.to.process.pid);
    checkpoints_.pop_front();
  }

 private:
  struct Checkpoint {
    Joiner to;
    Number as_of;
    std::vector<Record> records;
    std::size_t sent;  // of the records
  };
  struct Queued {
    Number sequence;
    Kind kind;
    Record record;
  };

  void OnView(const cpg_zcb_message& view) {
    const Process who{view.nodeid, view.pid};
    const bool joined = view.reason == CPG_REASON_JOIN;
    const auto* members = static_cast<const cpg_address*>(view.data);
    const std::size_t count = view.length / sizeof(cpg_address);
    std::printf("%u %s, %zu here\n", who.pid, joined ? "joined" : "left",
                count);
    if (who == me_.process && joined) {
      is_in_ = true;
      me_.join_sequence = view.sequence;
      for (std::size_t i = 0; i < count; ++i) {
        const Process other{members[i].nodeid, members[i].pid};
        if (other != who) older_.push_back(other);
      }
      has_state_ = older_.empty();  // the first of all: the empty map
    } else if (who == me_.process) {
      *this = ReplicatedMap(handle_, records_per_message_);
    } else if (joined) {
      waiting_.push_back({who, view.sequence});
      if (older_.empty()) Promise(waiting_.back(), view.sequence);
    } else {
      std::erase_if(waiting_, [&](auto& one) { return one.process == who; });
      std::erase_if(checkpoints_,
                    [&](auto& one) { return one.to.process == who; });
      if (std::erase(older_, who) == 0 || !older_.empty()) return;
      if (!has_state_) Adopt(kLost);
      for (const Joiner& joiner : waiting_) Promise(joiner, view.sequence);
    }
  }

  // Fixes what will be sent; sending it takes its time.
  void Promise(const Joiner& to, Number as_of) {
    checkpoints_.push_back({to, as_of, {}, 0});
    for (const auto& [key, value] : map_) {
      checkpoints_.back().records.push_back({key, value});
    }
  }

  void OnMessage(const cpg_zcb_message& event) {
    const auto& message = *static_cast<const Message*>(event.data);
    if (message.kind == kCheckpoint) {
      OnPart(message, (event.length - sizeof message) / sizeof(Record),
             event.pid);
      return;
    }
    const Queued one{event.sequence, message.kind, *message.records()};
    if (has_state_) {
      Apply(one);
    } else {
      queue_.push_back(one);
    }
  }

  void OnPart(const Message& part, std::size_t count, std::uint32_t from) {
    if (part.is_last != 0) std::erase(waiting_, part.to);
    if (part.to.process != me_.process) return;
    if (part.to != me_) {
      std::printf("that was for an earlier join of ours\n");
      return;
    }
    if (part.as_of != incoming_as_of_) {
      std::printf("the state begins, from %u\n", from);
      map_.clear();
      incoming_as_of_ = part.as_of;
    }
    for (std::size_t i = 0; i < count; ++i) {
      map_[part.records()[i].key] = part.records()[i].value;
    }
    if (part.is_last != 0) Adopt(part.as_of);
  }

  void Adopt(Number as_of) {
    if (as_of == kLost) map_.clear();
    std::printf("%s, %zu keys\n",
                as_of == kLost ? "the state is lost" : "the state is whole",
                map_.size());
    has_state_ = true;
    for (const Queued& one : queue_) {
      if (one.sequence > as_of) Apply(one);
    }
    queue_.clear();
  }

  void Apply(const Queued& one) {
    const auto& [key, number] = one.record;
    if (one.kind == kChange && number == 0) {
      map_.erase(key);
      return;
    }
    if (one.kind == kChange) {  // missing, doubled or out of order: it shows
      Number& value = map_[key];
      value = 31 * value + number;
      return;
    }
    Number digest = 0;
    for (const auto& [name, value] : map_) {
      for (const char c : name) digest = digest * kPrime + Number(c);
      digest = digest * kPrime + value;
    }
    std::printf("mark %s at %llu: %zu keys, digest %016llx\n", key.data(),
                one.sequence, map_.size(), digest);
  }

  bool TrySend(const Message& head, const Record* records, std::size_t count) {
    constexpr int kPatienceMs = 100;
    const std::size_t bytes = sizeof head + count * sizeof *records;
    void* buffer = nullptr;
    cs_error_t error = cpg_zcb_alloc(handle_, bytes, &buffer);
    if (error == CS_ERR_NO_MEMORY) {
      error = cpg_zcb_wait(handle_, bytes, kPatienceMs);
      if (error == CS_OK) return false;  // now there is
    } else if (error == CS_OK) {
      auto* message = static_cast<Message*>(buffer);
      *message = head;
      std::copy_n(records, count, message->records());
      error = cpg_zcb_mcast_timed(handle_, CPG_TYPE_AGREED, buffer, bytes,
                                  kPatienceMs);
      if (error == CS_OK) return true;  // the buffer is the group's
      Must(cpg_zcb_free(handle_, buffer) == CS_OK, "not our buffer");
    }
    Must(error == CS_ERR_BUSY || error == CS_ERR_TIMEOUT, "cannot send");
    if (error == CS_ERR_TIMEOUT) std::printf("no room yet\n");
    return false;
  }

  static constexpr Number kLost = 0;  // before every view
  static constexpr Number kPrime = 1099511628211;

  cpg_handle_t handle_;
  std::size_t records_per_message_;
  Joiner me_{};
  bool is_in_ = false;
  bool has_state_ = false;
  std::map<Key, Number> map_;  // until we have the state: what has come of it
  Number incoming_as_of_ = 0;
  std::deque<Queued> queue_;            // until we have the state
  std::vector<Process> older_;          // of our join view, still here
  std::vector<Joiner> waiting_;         // younger ones without the state
  std::deque<Checkpoint> checkpoints_;  // empty unless we are the oldest
};

}  // namespace example

#endif  // ZCB_EXAMPLES_REPLICATED_MAP_H_
