// A small region with groups. Those who survive: the driver, on the C++ layer,
// and a witness, on the C API.
#ifndef ZCB_TESTS_PROCESS_GROUP_SCENE_H_
#define ZCB_TESTS_PROCESS_GROUP_SCENE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ipc/attachment.h"
#include "ipc/member.h"
#include "tests/process/child.h"
#include "tests/process/event_log.h"
#include "tests/process/scene.h"
#include "tests/process/witness.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace zcb::steps {

class GroupScene : public Scene {
 public:
  GroupScene();
  ~GroupScene() override;

  void Begin() override;
  void SetPunching(bool on) override { punches_ = on; }
  std::string Mend(const ChildFacts& child) override;
  std::string WorkBesides(const ChildFacts& child, bool thorough) override;

  // --- what operations want done beforehand ----------------------------------
  Witness& witness() { return *witness_; }
  ipc::Attachment& attachment() { return *attachment_; }
  // To kGroup, by the driver.
  bool Send(std::size_t bytes);
  // All survivors read; whatever all have read is reclaimed.
  void ReadAll();
  void Reclaim() { attachment_->ReclaimAllGroups(); }
  // Starts the witness's kWait, and returns when it sleeps.
  void SendWitnessToSleep();
  // The next Mend() waits for the end of that.
  bool witness_waits() const { return witness_waits_; }
  // A group in which the driver is a member, too.
  void DriverJoins(std::string_view group);
  void DriverReads() { Read(guest_.member.get(), nullptr); }
  // The driver fills its ring, and puts out who has not read for a while.
  void FillAndEvict();
  // A process that lives, does something and then stands still; until
  // KillThird(), by which nobody is told at once.
  void StartThird(const std::function<void(Child&)>& body);
  void KillThird();
  // A unit that nobody owns, with messages in it that are on their way.
  void LeaveUnitBehind();
  // Memory that Mend() leaves with the dead one's units.
  void KeepAbandoned() { trims_ = scribbles_ = false; }
  // The witness was put out of kSlowGroup, maybe.
  void ExpectEviction() { may_be_evicted_ = true; }

 private:
  struct Joined {
    std::unique_ptr<ipc::Doorbell> bell;
    std::unique_ptr<ipc::Member> member;
  };
  Joined Join(std::string_view group);
  void Read(ipc::Member* member, EventLog* log);
  bool SendOn(ipc::Member* member, std::size_t bytes);
  void Scribble();
  std::string CheckOrder(const ChildFacts& child);
  std::string CheckPair();
  std::size_t CountFiles() const;
  std::string CheckMemory();
  std::string FillAndSeeRefusal(const ChildFacts& child);

  zcb::testing::TempDirectory directory_;
  std::shared_ptr<ipc::Attachment> attachment_;
  Joined me_;
  Joined other_;
  Joined guest_;  // DriverJoins()
  std::unique_ptr<Witness> witness_;
  std::unique_ptr<EventLog> log_ = std::make_unique<EventLog>();
  std::unique_ptr<zcb::testing::ChildProcess> third_;
  std::uint32_t third_pid_ = 0;
  bool witness_waits_ = false;
  bool witness_is_stopped_ = false;
  bool trims_ = true;
  bool scribbles_ = true;
  bool may_be_evicted_ = false;
  bool punches_ = false;
  std::size_t file_count_ = 0;
  std::uint64_t free_bytes_ = 0;  // at the beginning
};

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_GROUP_SCENE_H_
