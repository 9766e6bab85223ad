#include "tests/process/operation.h"

namespace zcb::steps {

const std::vector<Operation>& Operations() {
  static const std::vector<Operation> operations = [] {
    std::vector<Operation> all;
    AddMemberOperations(&all);
    AddMessageOperations(&all);
    AddMemoryOperations(&all);
    AddAllocatorOperations(&all);
    AddFileOperations(&all);
    return all;
  }();
  return operations;
}

}  // namespace zcb::steps
