// A directory in which there is no region, or only the child's.
#include <stdlib.h>

#include <filesystem>

#include "allocator/audit.h"
#include "allocator/region.h"
#include "tests/process/operation.h"
#include "tests/support/temp_directory.h"

namespace zcb::steps {
namespace {

class FileScene : public Scene {
 public:
  FileScene() {
    setenv("ZCB_DIR", directory_.path().c_str(), 1);
    setenv("ZCB_REGION_BYTES", "8m", 1);
    for (const char* name : {"ZCB_REGION", "ZCB_KEEP", "ZCB_PAGES"}) {
      unsetenv(name);
    }
    options_ = *alloc::RegionOptions::FromEnvironment();
  }
  ~FileScene() override { unsetenv("ZCB_REGION_BYTES"); }

  void Begin() override {
    for (const auto& entry :
         std::filesystem::directory_iterator(directory_.path())) {
      std::filesystem::remove_all(entry.path());
    }
  }

  // Whatever the dead one left, the next one attaches, and takes all of it
  // away.
  std::string Mend(const ChildFacts&) override {
    auto region = alloc::Region::Open(options_);
    if (!region) return std::string("cannot open: ") + region.reason();
    alloc::AuditOptions audit;
    audit.quiet = true;
    const auto report = alloc::Audit(**region, audit);
    if (!report || !report->IsSound()) return "the region is damaged";
    *region = nullptr;
    const std::size_t files = directory_.CountFiles();
    return files == 0 ? "" : std::to_string(files) + " files are left";
  }

  // One that is stopped while it makes or removes the region may be in the way
  // of others who want to do that; they are told so, and do not hang.
  std::string WorkBesides(const ChildFacts&, bool thorough) override {
    if (!thorough) return "";
    const auto region = alloc::Region::Open(options_);
    if (region || region.status() == Status::kTryAgain) return "";
    return std::string("besides: ") + region.reason();
  }

 private:
  zcb::testing::TempDirectory directory_;
  alloc::RegionOptions options_;
};

}  // namespace

void AddFileOperations(std::vector<Operation>* all) {
  Operation create;
  create.name = "create-region";
  create.make_scene = [] { return std::make_unique<FileScene>(); };
  create.run = [](Child& child) {
    Attach(child);
    return true;
  };
  all->push_back(create);

  Operation remove = create;
  remove.name = "remove-region";
  remove.prepare = [](Child& child) { Attach(child); };
  remove.exits = true;
  remove.run = [](Child&) -> bool { exit(0); };
  all->push_back(remove);
}

}  // namespace zcb::steps
