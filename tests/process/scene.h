// Where an operation is killed: a region, and those who survive in it.
#ifndef ZCB_TESTS_PROCESS_SCENE_H_
#define ZCB_TESTS_PROCESS_SCENE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "tests/process/tracee.h"

namespace zcb::steps {

// What the driver knows of a child that has ended.
struct ChildFacts {
  pid_t pid = 0;
  bool is_member = false;     // it had joined the group before it began
  bool leaves = false;        // and leaves it
  bool has_returned = false;  // from the operation, with "good"
  std::uint32_t sends = 0;    // that the operation makes
};

class Scene {
 public:
  virtual ~Scene() = default;
  // Before the child is forked. What is logged counts from here.
  virtual void Begin() {}
  // Whether Mend() gives all free memory back to the system.
  virtual void SetPunching(bool) {}
  // After its death or end: recovers, audits, exchanges messages. What is
  // wrong, in words; "" if nothing.
  virtual std::string Mend(const ChildFacts& child) = 0;
  // While the child is stopped: everybody else works. `thorough`: also what
  // takes longer. What is wrong, in words; "" if nothing.
  virtual std::string WorkBesides(const ChildFacts& child, bool thorough) = 0;
};

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_SCENE_H_
