#include "tests/process/operation.h"

namespace zcb::steps {

const std::vector<Operation>& Operations() {
  // Never freed: children that exit would do it step by step.
  static const auto* const operations = [] {
    auto* const all = new std::vector<Operation>;
    AddMemberOperations(all);
    AddMessageOperations(all);
    AddMemoryOperations(all);
    AddAllocatorOperations(all);
    AddFileOperations(all);
    return all;
  }();
  return *operations;
}

}  // namespace zcb::steps
