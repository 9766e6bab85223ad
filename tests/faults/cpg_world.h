// Worlds of the CPG API: a directory without a region, and a region that
// another process keeps, as a member of the group and asleep.
#ifndef ZCB_TESTS_FAULTS_CPG_WORLD_H_
#define ZCB_TESTS_FAULTS_CPG_WORLD_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "ipc/attachment.h"
#include "tests/faults/sweep.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace zcb::faults {

// What the audit finds that should not be, while `leases` processes are
// attached and nobody is at work. `free_bytes`: so many; 0: set.
std::string AuditRegion(ipc::Attachment& attachment, std::uint64_t leases,
                        std::uint64_t* free_bytes);

inline constexpr const char* kGroupName = "faults";
// Longer than what a std::string holds without memory.
inline constexpr const char* kRegionName = "a-region-with-a-long-name";

// Sets ZCB_DIR and so on, for this process and those that it forks.
void UseDirectory(const std::string& directory);

// Nobody has a region here but the scenario's child.
class EmptyWorld : public World {
 public:
  EmptyWorld() { UseDirectory(directory_.path()); }
  std::string directory() const override { return directory_.path(); }
  std::string Check(const Aftermath& after) override;

 private:
  zcb::testing::TempDirectory directory_;
};

// A process that attached first and is in the group. It sleeps on its doorbell
// whenever nobody asks it.
class KeptWorld : public World {
 public:
  KeptWorld();
  ~KeptWorld() override;
  std::string directory() const override { return directory_.path(); }
  std::string Check(const Aftermath& after) override;

  // By the scenario's child: has the keeper read what was sent to it. Empty, or
  // what was wrong: nobody rang although there were `events` to read.
  std::string Read(int events);

 private:
  struct Answer;
  int Keep();
  void Unlink();
  void Ask(char question, int events);

  zcb::testing::TempDirectory directory_;
  std::set<std::string> files_;  // the keeper's
  Answer* answer_;               // shared with the keeper
  zcb::testing::Gate asked_;
  zcb::testing::Gate answered_;
  std::unique_ptr<zcb::testing::ChildProcess> keeper_;
};

}  // namespace zcb::faults

#endif  // ZCB_TESTS_FAULTS_CPG_WORLD_H_
