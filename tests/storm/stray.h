// A handle in groups that nobody keeps a log of: for the calls that have no
// place in an order that can be judged. What it reads must be whole, and each
// call must answer something that its manual page says.
#ifndef ZCB_TESTS_STORM_STRAY_H_
#define ZCB_TESTS_STORM_STRAY_H_

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <cstdint>
#include <initializer_list>

#include "tests/order/dice.h"
#include "tests/order/journal.h"
#include "tests/storm/kept_pool.h"

namespace zcb::storm {

// Threads: one at a time.
class Stray {
 public:
  static constexpr std::uint32_t kGroups = 3;

  Stray(order::Journal* journal, std::uint32_t life, KeptPool* kept)
      : journal_(journal), life_(life), kept_(kept) {}
  Stray(const Stray&) = delete;
  Stray& operator=(const Stray&) = delete;

  // A few calls.
  void Step(order::Dice* dice);
  void Close();

  // Lets go of a kept message, after a look at it.
  void LetGo(const KeptMessage& message);

 private:
  struct Callbacks;
  void Open();
  void SetOptions();
  void JoinOrLeave();
  void Send();
  void SendBatch();
  void Forward();
  void Read();
  void ReadBatch();
  void Poll(bool for_room);
  void Heard(const void* bytes, std::size_t length_bytes);
  void MaybeKeep(const void* bytes, std::size_t length_bytes);
  // True on CS_OK. A refusal that is not `allowed` is complained about;
  // CS_ERR_LIBRARY means evicted, and closes the handle.
  bool Expect(const char* call, cs_error_t error,
              std::initializer_list<cs_error_t> allowed);

  order::Journal* const journal_;
  const std::uint32_t life_;
  KeptPool* const kept_;
  order::Dice* dice_ = nullptr;  // of the step under way
  cpg_handle_t handle_ = 0;
  bool is_zcb_ = false;
  bool joined_ = false;  // or leaving
  bool evicted_ = false;
  std::uint32_t group_ = 0;
  std::uint32_t sent_ = 0;
};

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_STRAY_H_
