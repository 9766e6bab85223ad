// The part of a victim that uses process groups.
#ifndef ZCB_TESTS_HOSTILE_GROUP_VICTIM_H_
#define ZCB_TESTS_HOSTILE_GROUP_VICTIM_H_

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/hostile/caller.h"
#include "tests/order/dice.h"

namespace zcb::hostile {

class GroupVictim {
 public:
  GroupVictim(Caller* caller, order::Dice* dice)
      : caller_(*caller), dice_(*dice) {}

  // One call, or a few that belong together.
  void Step();
  // Lets go of everything.
  void End();
  // A message to itself through a new group; whether that arrived.
  bool SendsToItself();

 private:
  struct Buffer {
    void* at;
    std::size_t bytes;
  };
  struct Open {
    cpg_handle_t handle = 0;
    cpg_model_t model = CPG_MODEL_V1;
    cpg_name group{};
    std::vector<Buffer> buffers;
    int depth = 0;  // of callbacks
  };
  static constexpr std::size_t kHandles = 3;
  static constexpr std::size_t kMostKept = 16;

  // --- handles
  void Initialize(Open* open);
  void Finalize(Open* open);
  void Membership(Open* open);
  cpg_name SomeName();
  static GroupVictim* Of(cpg_handle_t handle, Open** open);

  // --- out: group_victim_sends.cc
  void Send(Open* open);
  void SendBuffer(Open* open);
  // All of them.
  void SendBuffers(Open* open);
  std::size_t SomeLength();

  // --- in: group_victim_receives.cc
  void Receive(Open* open);
  void Pull(Open* open);
  void PullBatch(Open* open);
  void Keep(Open* open);
  void OnMessage(Open* open, const void* message, std::size_t length_bytes);
  void OnView(const cpg_address* members, std::size_t count);
  static void DeliverCopy(cpg_handle_t handle, const cpg_name* group,
                          std::uint32_t node, std::uint32_t pid, void* message,
                          std::size_t length_bytes);
  static void DeliverInPlace(cpg_handle_t handle, const cpg_name* group,
                             std::uint32_t node, std::uint32_t pid,
                             const void* message, std::size_t length_bytes);
  static void Changed(cpg_handle_t handle, const cpg_name* group,
                      const cpg_address* members, std::size_t member_count,
                      const cpg_address* left, std::size_t left_count,
                      const cpg_address* joined, std::size_t joined_count);

  // --- questions: group_victim_asks.cc
  void Wait(Open* open);
  void Ask(Open* open);
  void Walk(Open* open);
  void Options(Open* open);
  void AuditRegion();

  Caller& caller_;
  order::Dice& dice_;
  std::array<Open, kHandles> open_;
  std::vector<const void*> kept_;
  std::uint64_t messages_ = 0;
};

}  // namespace zcb::hostile

#endif  // ZCB_TESTS_HOSTILE_GROUP_VICTIM_H_
