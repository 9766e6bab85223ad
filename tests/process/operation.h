// One public operation, in the setting in which it is killed.
#ifndef ZCB_TESTS_PROCESS_OPERATION_H_
#define ZCB_TESTS_PROCESS_OPERATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/process/child.h"
#include "tests/process/scene.h"

namespace zcb::steps {

// In the order in which they happen. Empty ones are left out.
struct Operation {
  std::string name;
  std::function<std::unique_ptr<Scene>()> make_scene;

  std::function<void(Scene&)> before;   // driver: there is no child yet
  std::function<void(Child&)> prepare;  // child
  std::function<void(Scene&)> meet;     // driver: while the child is in Meet()
  std::function<void(Scene&)> arrange;  // driver: the child is at the marker
  // Child: what it is killed in. True: as it should be.
  std::function<bool(Child&)> run;
  // Driver: the child is about to sleep in `run`.
  std::function<void(Scene&)> hook;
  std::function<void(Child&)> finish;  // child: what is left to do
  // Driver: the child is dead (or has finished), before anything is mended.
  std::function<void(Scene&)> after;

  bool is_member = false;   // of kGroup, before `run`
  bool leaves = false;      // it, in `run`
  std::uint32_t sends = 0;  // messages that `run` sends to kGroup
  bool in_thread = false;   // `run` ends with the end of a thread
  bool punches = false;     // all free memory is holes when it begins
  bool exits = false;       // `run` does not return: the process ends in it
  // A fresh region after so many positions.
  std::size_t positions_per_scene = 1000;
  // A stopped one is so much in the way that looking takes long: every how many
  // positions the others do what takes longer.
  std::size_t thorough_every = 50;
};

// All of them.
const std::vector<Operation>& Operations();

// The parts of the list.
void AddMemoryOperations(std::vector<Operation>* all);
void AddMemberOperations(std::vector<Operation>* all);
void AddMessageOperations(std::vector<Operation>* all);
void AddAllocatorOperations(std::vector<Operation>* all);
void AddFileOperations(std::vector<Operation>* all);

// A callback for one kind of scene.
template <typename Kind>
std::function<void(Scene&)> On(void (*act)(Kind&)) {
  return [act](Scene& scene) { act(static_cast<Kind&>(scene)); };
}

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_OPERATION_H_
