// The processes of the demo: sender, receivers, and an observer that keeps the
// region alive and reports on it. Each does one order and ends.
#ifndef ZCB_TOOLS_DEMO_WORKER_H_
#define ZCB_TOOLS_DEMO_WORKER_H_

#include <string>

#include "tools/demo/order.h"

namespace zcb::demo {

Report RunSender(const Order& order);
Report RunReceiver(const Order& order);
Report RunObserver();

// One line on standard output, at once.
void Tell(const Report& report);

// main() of a worker.
int RunWorker(const std::string& order_json);

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_WORKER_H_
