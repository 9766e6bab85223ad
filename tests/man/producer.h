// Who makes an error happen. One row at least for each cause that a page names.
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
  // The cause's name on the page (see man_page.h), a sentence as one CamelCase
  // word; rows of one cause differ in what follows a "_".
  std::string cause;
  // Runs in a process of its own with a region directory of its own, and
  // returns what the function said. See scene.h.
  std::function<cs_error_t()> produce;
};
using Producers = std::vector<Producer>;

// Calls that would do, made while the process has no memory. Those for which a
// producer does the same are left out.
std::map<std::string, std::function<cs_error_t()>> NoMemoryCalls();

// Every function of a cpg_handle_t, with arguments that would do.
using CallOfAHandle = cs_error_t (*)(cpg_handle_t);
const std::map<std::string, CallOfAHandle>& CallsOfAHandle();

// What cpg_initialize and cpg_model_initialize say after one preparation.
void AddToInitialize(Producers* all, cs_error_t error, const std::string& cause,
                     const std::function<void()>& prepare);

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
Producers TruncatedErrors();
Producers ResourceErrors();
Producers MeanwhileErrors();

}  // namespace zcb::man

#endif  // ZCB_TESTS_MAN_PRODUCER_H_
