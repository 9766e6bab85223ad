// A process's membership of one group, by the zero-copy model of the CPG API.
#ifndef ZCB_BENCH_CROWD_MEMBER_H_
#define ZCB_BENCH_CROWD_MEMBER_H_

#include <corosync/cpg_zcb.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace zcb::bench {

// What a message says: who sent it, and as which of his.
struct Stamp {
  std::uint64_t sender = 0;
  std::uint64_t number = 0;
};

// Errors that are not "not now" throw Failed.
class CrowdMember {
 public:
  static constexpr std::size_t kMessageBytes = 64;

  // What Await() does while there is nothing.
  enum class Wait { kSpin, kFutex, kDescriptor };

  explicit CrowdMember(Wait wait, const std::string& group = "crowd");
  ~CrowdMember();
  CrowdMember(const CrowdMember&) = delete;
  CrowdMember& operator=(const CrowdMember&) = delete;

  void SetWait(Wait wait) const;

  // A new message, out. False: no room, try again later.
  bool TrySend(Stamp stamp) {
    Prepare(stamp);
    const cs_error_t error = cpg_zcb_mcast_joined(handle_, CPG_TYPE_AGREED,
                                                  prepared_, kMessageBytes);
    if (error == CS_OK) {
      prepared_ = nullptr;
      return true;
    }
    CheckRefusal(error);
    return false;
  }
  // The same, waiting for room. False: it waits for this member to read.
  bool SendTimed(Stamp stamp);

  // The next message. False: there is none now.
  bool TryNext(Stamp* stamp) {
    cpg_zcb_message event;
    for (;;) {
      const cs_error_t error = cpg_zcb_next(handle_, &event);
      if (error == CS_ERR_TRY_AGAIN) return false;
      if (Accept(error, event, stamp)) return true;
    }
  }
  Stamp Await();
  // Reads all there is; how many messages that was.
  std::uint64_t Drain();

  // Reads until so many have joined; throws Failed if a message comes first.
  void AwaitMembers(std::size_t count);

  cpg_handle_t handle() const { return handle_; }

 private:
  void Prepare(Stamp stamp);
  // True if it was a message.
  bool Accept(cs_error_t error, const cpg_zcb_message& event, Stamp* stamp);
  static void CheckRefusal(cs_error_t error);

  cpg_handle_t handle_ = 0;
  void* prepared_ = nullptr;
  std::size_t member_count_ = 0;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_CROWD_MEMBER_H_
