// What the demo claims, and whether it held.
#ifndef ZCB_TOOLS_DEMO_CHECKS_H_
#define ZCB_TOOLS_DEMO_CHECKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/demo/order.h"
#include "tools/demo/pass.h"

namespace zcb::demo {

struct Check {
  bool holds = false;
  std::string claim;
  std::string detail;
};

// Every survivor of the pass hashed the same as the file.
Check CheckDigests(const PassResult& pass, const std::string& file_sha256);
// Every survivor got every byte, and every message that the sender sent.
Check CheckComplete(const std::vector<const PassResult*>& passes);
// Every message lay at one place, of one file, at its sender and receivers.
Check CheckInPlace(const std::vector<const PassResult*>& passes);
// Sender and survivors saw the same views between the same messages, from the
// one in which all were together on; and the killed one's process-down.
Check CheckViews(const PassResult& pass);
// Nothing is live, kept or on its way, in any process or in the region.
Check CheckNothingOut(const std::vector<const PassResult*>& passes,
                      const Report& observer);

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_CHECKS_H_
