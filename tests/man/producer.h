// Who makes an error happen. One row for each cause that a page names and a
// test can bring about; every error of every page has at least one.
#ifndef ZCB_TESTS_MAN_PRODUCER_H_
#define ZCB_TESTS_MAN_PRODUCER_H_

#include <corosync/cpg.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace zcb::man {

struct Producer {
  std::string function;
  cs_error_t error;
  std::string cause;  // a sentence, as one CamelCase word
  // Runs in a process of its own with a region directory of its own, and
  // returns what the function said. See scene.h.
  std::function<cs_error_t()> produce;
};
using Producers = std::vector<Producer>;

// Calls that would do, made while the process has no memory. Those for which a
// producer does the same are left out.
std::map<std::string, std::function<cs_error_t()>> NoMemoryCalls();

Producers BadHandleErrors();
Producers InitializeErrors();
Producers RegionErrors();
Producers HandleErrors();
Producers GroupErrors();
Producers SendErrors();
Producers BufferErrors();
Producers ReceiveErrors();
Producers WaitErrors();
Producers ReportErrors();

}  // namespace zcb::man

#endif  // ZCB_TESTS_MAN_PRODUCER_H_
