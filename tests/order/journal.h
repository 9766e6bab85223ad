// A history while it is being made: in memory that all processes of a run share
// and that outlives each of them, so that the killed are judged too, up to
// where they got.
#ifndef ZCB_TESTS_ORDER_JOURNAL_H_
#define ZCB_TESTS_ORDER_JOURNAL_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/order/history.h"

namespace zcb::order {

// What of a membership is in shared memory. Each field has one writer.
//
// word        written by          read by        edge
// lanes.sent  the sending thread  the leaver     journal.sent
// used_words  the receiving one   as below       journal.append
// the rest    the member's own    whoever waited for the process's end
//             threads
struct SharedMembership {
  struct SharedLane {
    std::atomic<std::uint32_t> begun;
    std::atomic<std::uint32_t> sent;
    std::atomic<std::uint32_t> before_leave;
  };
  std::atomic<std::uint32_t> group;
  std::atomic<std::uint32_t> node;
  std::atomic<std::uint32_t> pid;
  std::atomic<std::uint32_t> join;  // a Membership::Join
  std::atomic<std::uint32_t> end;   // a Membership::End
  std::atomic<std::uint32_t> read_to_its_leave;
  std::atomic<std::uint32_t> read_until_alone;
  std::atomic<std::uint32_t> may_be_evicted;
  std::array<SharedLane, kLanes> lanes;
  std::atomic<std::uint32_t> first_chunk;  // of the log; 0: none
};

class Journal;

// One membership's part of it. The sends of each lane, and the rest, by one
// thread at a time each. Every call is a store or two: a process killed between
// them leaves what it had done.
class Entry {
 public:
  // --- the membership's life
  void JoinReturned(bool joined);
  void LeaveCalled();
  void LeaveReturned(bool left);
  void ReadToItsLeave();
  void ReadUntilAlone();
  void MayBeEvicted();

  // --- sends: the number of the next one, of `count`; then how many were sent.
  std::uint32_t SendCalled(std::uint32_t lane, std::uint32_t count = 1);
  void SendReturned(std::uint32_t lane, std::uint32_t sent);
  std::uint32_t SentOn(std::uint32_t lane) const;

  // --- what was received
  void Append(const Event& event);
  // Events so far, but for the kDrained.
  std::uint32_t length() const { return length_; }

  std::uint32_t number() const { return number_; }
  std::uint32_t group() const { return group_; }

 private:
  friend class Journal;
  Entry(Journal* journal, SharedMembership* shared, std::uint32_t number,
        std::uint32_t group)
      : journal_(journal), shared_(shared), number_(number), group_(group) {}

  Journal* journal_;
  SharedMembership* shared_;
  std::uint32_t number_;
  std::uint32_t group_;
  std::uint32_t length_ = 0;
  std::uint32_t chunk_ = 0;
};

class Journal {
 public:
  // Room for that many memberships and bytes of logs; only what is used of it
  // takes memory. To be made before the processes are forked.
  Journal(std::size_t memberships, std::size_t log_bytes);
  // The same one again, in a program that was executed with its descriptor;
  // the numbers are those it was made with.
  Journal(std::size_t memberships, std::size_t log_bytes, int descriptor);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Closed on exec; whoever wants it beyond clears that flag.
  int descriptor() const { return descriptor_; }

  // Before cpg_join is called. Aborts when there is no room.
  Entry Begin(std::uint32_t group, Address who);

  // Of a membership that somebody's Begin() returned.
  std::uint32_t GroupOf(std::uint32_t membership) const;

  // Something that has nothing to do with order went wrong; any process.
  void Complain(std::string_view what);

  // --- for the process that waited for the others
  History Read() const;
  std::vector<std::string> Complaints() const;

 private:
  friend class Entry;
  struct Header;
  struct Chunk;
  void Map();
  std::uint32_t NewChunk();
  Chunk& ChunkAt(std::uint32_t index) const;
  void ReadLog(const SharedMembership& shared, std::vector<Event>* log) const;

  std::size_t membership_count_;
  std::size_t chunk_count_;
  std::size_t bytes_ = 0;
  int descriptor_ = -1;
  Header* header_ = nullptr;
  SharedMembership* memberships_ = nullptr;
  Chunk* chunks_ = nullptr;
};

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_JOURNAL_H_
