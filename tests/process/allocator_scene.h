// A small region without groups, for the allocator alone.
#ifndef ZCB_TESTS_PROCESS_ALLOCATOR_SCENE_H_
#define ZCB_TESTS_PROCESS_ALLOCATOR_SCENE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "allocator/zcb_allocator.h"
#include "tests/process/child.h"
#include "tests/process/scene.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace zcb::steps {

class AllocatorScene : public Scene {
 public:
  AllocatorScene();
  ~AllocatorScene() override;

  void Begin() override;
  void SetPunching(bool on) override { punches_ = on; }
  std::string Mend(const ChildFacts& child) override;
  std::string WorkBesides(const ChildFacts& child, bool thorough) override;

  // The board's tickets, by the driver.
  Board& board() { return *board_; }
  void Use(Board* board) { board_ = board; }
  zcb_allocator* allocator() { return allocator_; }
  void GiveSome();
  void GiveOne(std::size_t bytes);  // its ticket is number 1
  void TakeAll();
  // A process that lives, does something and then stands still.
  void StartThird(const std::function<void(Child&)>& body);
  void KillThird() { third_.reset(); }

  // What processes of this scene open.
  static zcb_allocator* Open(bool gives_back_at_once = false);

 private:
  void Give(std::size_t bytes, std::size_t number);
  std::string CheckMemory();
  std::string CheckAllOfIt();

  zcb::testing::TempDirectory directory_;
  zcb_allocator* allocator_ = nullptr;
  Board* board_ = nullptr;
  std::unique_ptr<zcb::testing::ChildProcess> third_;
  std::uint64_t rounds_ = 0;
  std::size_t all_count_ = 0;
  bool punches_ = false;
  std::size_t file_count_ = 0;
};

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_ALLOCATOR_SCENE_H_
