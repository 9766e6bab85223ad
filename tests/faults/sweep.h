// Runs one operation once for each call that it makes and each error that the
// call can have, in a process of its own each time, and says what was wrong.
#ifndef ZCB_TESTS_FAULTS_SWEEP_H_
#define ZCB_TESTS_FAULTS_SWEEP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/faults/fault.h"

namespace zcb::faults {

// All of it runs in a child; what it captures is the child's copy.
struct Scenario {
  std::string name;
  std::function<void()> prepare;  // all that comes before the call
  std::function<int()> call;      // under faults; its error code
  std::function<void()> undo;     // back to where prepare() left it
  // A look at what a call that worked did.
  std::function<void(const Fault& fault)> after_call;
  std::function<void()> finish;  // last; what a clean end asks for
  int ok = 1;                    // what a call without a fault returns
  // Whether a code is an answer that the documentation lists.
  std::function<bool(int code)> is_documented;
  // Whether it is a fitting one for that errno of that call.
  std::function<bool(const Fault& fault, int code)> is_clear;
};

// What is said of memory, of descriptors and so on; in numbers that cs_error_t
// and zcb_status have in common. What has no better name may be anything.
bool IsClearAnswer(const Fault& fault, int code);

struct Aftermath {
  bool died = false;             // killed, or its end was under faults
  bool may_leave_names = false;  // it could not unlink them
};

// Where scenarios run. Called in the parent, but for `directory`.
class World {
 public:
  virtual ~World() = default;
  // What the files and mappings of its regions have in their names.
  virtual std::string directory() const = 0;
  // After each child: what it left that it should not have; empty if nothing.
  virtual std::string Check(const Aftermath& after) = 0;
};

struct Tally {
  std::uint64_t points = 0;  // calls of the operation that can fail
  std::uint64_t runs = 0;
  std::uint64_t failed_calls = 0;      // that did fail, over all runs
  std::map<int, std::uint64_t> codes;  // of the operation's first answer
  Counts calls{};                      // of a run without faults
  std::vector<std::string> complaints;

  void Add(const Tally& other);
  // "31 functions, 412 places, ..."
  std::string Figures() const;
};

// The faults: each call that the operation makes, failing once with each of
// its errors, and failing from there on for ever with the first of them. Only a
// part of these, unless the environment has ZCB_TEST_ALL_FAULTS.
Tally Sweep(const Scenario& scenario, World* world);

// The same with the end of the process as the operation: prepare() and then
// exit(3), whose destructors detach. What is left may be for others to finish,
// as if the process had been killed.
Tally SweepExit(const Scenario& scenario, World* world);

// A child that failed a step that is no part of the test ends with this.
inline constexpr int kBrokenScenario = 200;
void Require(bool is_true, const char* what);

}  // namespace zcb::faults

#endif  // ZCB_TESTS_FAULTS_SWEEP_H_
