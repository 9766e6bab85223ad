// Finding a region, or making it: the loop behind Region::Open().
#ifndef ZCB_ALLOCATOR_REGION_OPENER_H_
#define ZCB_ALLOCATOR_REGION_OPENER_H_

#include <memory>
#include <mutex>
#include <utility>

#include "allocator/region.h"
#include "allocator/region_core.h"
#include "allocator/region_registry.h"

namespace zcb::alloc {

// One call of Region::Open(). What it meets on the way belongs to other
// processes, which come and go meanwhile; so each attempt either ends the
// search or says what stood in its way, and the loop looks again from the
// start: soon, or, while the same thing stands there, with growing pauses and
// not for ever.
class RegionOpener {
 public:
  RegionOpener(const RegionOptions& options, RegionRegistry* registry)
      : options_(options), registry_(registry), held_(registry->mutex()) {}

  Result<std::shared_ptr<Region>> Open();

 private:
  struct Attempt {
    std::shared_ptr<Region> region;  // nullptr: look again
    bool must_wait = false;
    FileId obstacle;          // the lock file of whoever is at work
    const char* reason = "";  // for who waits in vain
  };
  static Attempt AgainNow() { return {}; }
  static Attempt AgainAfter(FileId obstacle, const char* reason) {
    return {nullptr, true, obstacle, reason};
  }

  Result<Attempt> Try();
  // The meta file has its name.
  Result<Attempt> Attach(const SeenFile& meta);
  Result<Attempt> TakeLease(std::unique_ptr<RegionCore> core);
  // Neither the meta file nor the lock file has.
  Result<Attempt> Create();
  // The meta file has none, but the lock file has.
  Result<Attempt> MeetLockFile();

  std::shared_ptr<Region> Finish(std::unique_ptr<RegionCore> core);

  const RegionOptions& options_;
  RegionRegistry* const registry_;
  std::unique_lock<std::mutex> held_;
  RegionDirectory directory_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_OPENER_H_
