// Who makes an error happen. One row for each cause that a page names and a
// test can bring about; every error of every page has at least one.
#ifndef ZCB_TESTS_MAN_PRODUCER_H_
#define ZCB_TESTS_MAN_PRODUCER_H_

#include <corosync/cpg.h>

#include <functional>
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
