// The processes of a scenario, and what each of them is told through a handle.
#ifndef ZCB_TESTS_CONFORMANCE_MEMBER_H_
#define ZCB_TESTS_CONFORMANCE_MEMBER_H_

#include <corosync/cpg.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/child_process.h"

namespace zcb::conformance {

// --- processes ---------------------------------------------------------------

// The end that a helper process holds: it tells how far it is, and waits to be
// told to go on.
class Wire {
 public:
  void Ready() { ready_.Signal(); }
  void Await() { go_.Wait(); }

 private:
  friend class Peer;
  zcb::testing::Gate ready_;
  zcb::testing::Gate go_;
};

// A helper process. Made before its parent initializes anything. The parent is
// called A in what is observed, the first helper B, and so on.
class Peer {
 public:
  explicit Peer(const std::function<void(Wire&)>& body);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void Go() { wire_.go_.Signal(); }
  void AwaitReady() { wire_.ready_.Wait(); }
  void GoAndAwait() {
    Go();
    AwaitReady();
  }
  pid_t pid() const { return pid_; }
  void Kill();
  // Waits for its end; true if it was a good one.
  bool Join();

 private:
  Wire wire_;
  pid_t pid_ = -1;
};

// "A", "B", ... or "?" for a process that is none of the scenario's.
std::string LabelOf(std::uint32_t pid);

// Waits until a thread sleeps, or has ended.
void AwaitSleep(pid_t process, pid_t thread);

// Entries of a directory; of /proc/self/fd with the one that reads it.
std::size_t EntriesIn(const char* directory);

// Memory, zeroed, that the helpers made afterwards share; never given back.
template <typename T>
T* Shared() {
  void* const memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<T*>(memory);
}

// --- group names, messages ---------------------------------------------------

cpg_name Named(std::string_view text);

// A long message is checked, not shown: byte i is a function of i.
std::string Pattern(std::size_t length_bytes);
std::string Shown(const void* data, std::size_t length_bytes);

// --- a handle ----------------------------------------------------------------

// Records its events as text:
//   "A:hello"              a message from A
//   "[A,B]+B:JOIN"         B joined, A and B are members now
//   "[A]-B:PROCDOWN"       B is gone
//   "totem[1]"             the nodes of the ring
class Member {
 public:
  // Initializes; model V1 with all callbacks.
  explicit Member(unsigned flags = 0);
  // Finalizes.
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // Corosync says TRY_AGAIN while it is busy with the last join, leave, ...;
  // these try again. So does zcb while its ring is full.
  cs_error_t Join(std::string_view group);
  cs_error_t Leave(std::string_view group);
  cs_error_t Send(std::string_view text);
  cs_error_t Finalize();

  cs_error_t Dispatch(cs_dispatch_flags_t how = CS_DISPATCH_ALL) {
    return cpg_dispatch(handle, how);
  }
  // Dispatches, waiting, until an event was this one (since the last Forget).
  void Until(std::string_view event);
  // Joins and waits for the own join.
  void Enter(std::string_view group);
  // Dispatches all that has been sent to this process when it is called, given
  // that its sender has received it: a synchronous call makes sure that
  // Corosync's daemon has handed it to everybody.
  void Settle();
  // Sends a message to itself, and waits for it.
  void RoundTrip();

  // The events since the last Forget(), with spaces between.
  std::string Seen() const;
  bool Saw(std::string_view event) const;
  void Forget() { events.clear(); }

  cpg_handle_t handle = 0;
  cs_error_t status = CS_OK;
  std::vector<std::string> events;
  // Called inside the callbacks, after the event was recorded.
  std::function<void(const std::string& event)> on_event;
  // Of the last configuration change.
  std::vector<cpg_address> members;
  bool sorted = true;
  bool lists_null = false;
  std::string last_group;
  // Of the last message.
  std::uintptr_t last_address = 0;
  bool writable = true;

 private:
  int round_trips_ = 0;
};

// Readable now / wait until it is.
bool Readable(int descriptor);
void AwaitReadable(int descriptor);

}  // namespace zcb::conformance

#endif  // ZCB_TESTS_CONFORMANCE_MEMBER_H_
