// Where the demo's region lies: a directory of its own, unless the user says.
#ifndef ZCB_TOOLS_DEMO_WORKSPACE_H_
#define ZCB_TOOLS_DEMO_WORKSPACE_H_

#include <filesystem>
#include <string>
#include <vector>

namespace zcb::demo {

// Sets ZCB_DIR and ZCB_REGION for this process and its children, each unless
// it is set. Removes at its end whatever of the demo's is left.
class Workspace {
 public:
  Workspace();
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  std::string Description() const;
  // The region's files that are there now; nothing if the region is the user's.
  std::vector<std::filesystem::path> Leftovers() const;

 private:
  std::filesystem::path directory_;
  std::string region_;
  bool made_directory_ = false;
  bool named_region_ = false;
};

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_WORKSPACE_H_
