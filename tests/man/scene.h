// What producers of errors set the scene with. A scene runs in a process of its
// own; what fails while it is set ends that process with kSceneFailed.
#ifndef ZCB_TESTS_MAN_SCENE_H_
#define ZCB_TESTS_MAN_SCENE_H_

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>

#include "ipc/attachment.h"
#include "ipc/group_view.h"
#include "tests/support/child_process.h"
#include "tests/support/refused_calls.h"

namespace zcb::man {

// Exit codes of a scene's process, beside the cs_error_t that it produced.
inline constexpr int kSceneFailed = 200;
inline constexpr int kNotHere = 201;  // needs root, or what this system lacks

void Must(bool is_true,
          std::source_location where = std::source_location::current());
void MustBeOk(cs_error_t error,
              std::source_location where = std::source_location::current());
// Ends the scene: this machine or user cannot set it.
[[noreturn]] void NotHere(const char* why);

// Every process that a scene starts begins with this: it ends when the scene
// does, since nobody else would end it.
void EndWithScene();
// The scene itself begins with this.
void BeginScene();

// --- the plain things ------------------------------------------------------

inline constexpr std::string_view kGroup = "group";
// A small region, so that it is soon full; see errors_test.cc.
inline constexpr std::size_t kRegionBytes = std::size_t{16} << 20;

cpg_name Named(std::string_view text);
// A handle without callbacks.
cpg_handle_t NewHandle(cpg_model_t model = CPG_MODEL_V1);
cs_error_t Join(cpg_handle_t handle, std::string_view group = kGroup);
cs_error_t Leave(cpg_handle_t handle, std::string_view group = kGroup);
cs_error_t Send(cpg_handle_t handle, std::string_view text = "x");
cs_error_t DispatchAll(cpg_handle_t handle);
// A handle that is in kGroup and has read everything.
cpg_handle_t NewMember(cpg_model_t model = CPG_MODEL_V1);
void* NewBuffer(cpg_handle_t handle, std::size_t size = 100);
// A message that a member of CPG_MODEL_ZCB has just taken with cpg_zcb_next().
const void* TakenMessage(cpg_handle_t member, std::size_t length = 1);
// What runs inside the deliver callback of a member of that model, once.
using InCallback = std::function<void(cpg_handle_t, const void* msg)>;
void Deliver(cpg_model_t model, const InCallback& what);

// --- full ------------------------------------------------------------------

// Sends until the ring is full of what `member` has not read.
void FillRing(cpg_handle_t member);
// Allocates until not even one byte can be had.
void FillRegion(cpg_handle_t handle);
// No descriptor can be opened from now on.
void UseUpDescriptors();
// The directory of the regions becomes a file system of that size, which only
// the scene sees; and then there is no room in it any more.
void UseSmallFileSystem(const std::string& size);
void FillFileSystem();
// operator new has nothing while this lives.
class NoMemory {
 public:
  NoMemory();
  ~NoMemory();
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;
};

// Of a region from which a scene has taken all: pieces of half that size are
// free, and none larger.
inline constexpr std::size_t kMoreThanAPiece = std::size_t{2} << 20;
void CutRegionToPieces(cpg_handle_t handle);
// The file system takes no further file. (A small one that says how many.)
void UseUpInodes();
// So many can be open, or it is not here.
void WantDescriptors(std::uint64_t count);
// System calls that fail from now on.
void Refuse(std::initializer_list<zcb::testing::RefusedCall> calls);
void RefuseFifos();
// Pages of the region's tables that this process has not looked at yet.
void RefusePagesOfTables();

// Another process, in kGroup, that does nothing any more. It ends with the
// scene.
class Idler {
 public:
  Idler();

 private:
  zcb::testing::Gate joined_;
  zcb::testing::Gate never_;
  zcb::testing::ChildProcess child_;
};
// Fills the ring with what the idler does not read; `member` reads everything.
void FillRingBehind(const Idler& idler, cpg_handle_t member);
// --- files and words -------------------------------------------------------

// "default.meta" and so on, in the region's directory.
std::string RegionDirectory();
std::string RegionFile(const std::string& kind);
// The attachment that the handles of this process share.
ipc::Attachment& SharedAttachment();
// A group that there is.
ipc::GroupView GroupOf(std::string_view name);
// Makes the region, with its options changed by `change`, and keeps it.
void MakeRegion(const std::function<void(ipc::IpcOptions*)>& change);
void DamageRing(std::string_view group = kGroup);
void DamageDirectoryOfGroups();
// All memory of the region is in use, and said to be free.
void DamageTables(cpg_handle_t handle);
// Somebody cuts the data file, and the process has noticed that.
void CutDataFile(cpg_handle_t handle);
// Another process puts this one, which is in kGroup and reads nothing
// meanwhile, out of it.
void Evict();
// From now on `call` runs when the process is past all its exit handlers, and
// what it returns is what the scene produced. Exits.
[[noreturn]] void CallAtExit(cs_error_t (*call)());

}  // namespace zcb::man

#endif  // ZCB_TESTS_MAN_SCENE_H_
