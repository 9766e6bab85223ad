#include <corosync/cpg_zcb.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "tools/demo/chunk.h"
#include "tools/demo/failure.h"
#include "tools/demo/worker.h"

namespace zcb::demo {
namespace {

constexpr std::uint64_t kPatienceNs = 10'000'000'000;
constexpr int kLookAgainMs = 5;

// Attached to the region, in no group.
class Attached {
 public:
  Attached() {
    cs_error_t error = CS_ERR_TRY_AGAIN;
    while (error == CS_ERR_TRY_AGAIN) {
      error = cpg_model_initialize(&handle_, CPG_MODEL_ZCB, nullptr, nullptr);
    }
    if (error != CS_OK) Fail("cpg_model_initialize: error {}", +error);
  }
  ~Attached() { cpg_finalize(handle_); }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

  Report Look() const {
    struct cpg_zcb_region_info info{};
    info.size = sizeof(info);
    cpg_zcb_collect(handle_);
    const cs_error_t error = cpg_zcb_region_info(handle_, &info);
    if (error != CS_OK) Fail("cpg_zcb_region_info: error {}", +error);
    Report report;
    report.page_kind = info.page_kind;
    report.page_bytes = info.page_bytes;
    report.committed_bytes = info.committed_bytes;
    report.huge_bytes = info.huge_bytes;
    report.live_buffers = info.live_buffers;
    report.out_buffers = info.out_buffers;
    report.kept_messages = info.kept_messages;
    report.processes = info.processes;
    return report;
  }

 private:
  cpg_handle_t handle_ = 0;
};

void WaitForEndOfInput() {
  char byte = 0;
  ssize_t got = -1;
  do {
    got = read(STDIN_FILENO, &byte, 1);
  } while (got > 0 || (got < 0 && errno == EINTR));
}

}  // namespace

// The others have ended; what is left of them may take a moment to be noticed.
Report RunObserver() {
  const Attached attached;
  Report report = attached.Look();
  report.kind = "ready";
  Tell(report);
  WaitForEndOfInput();
  const std::uint64_t limit_ns = NowNs() + kPatienceNs;
  do {
    report = attached.Look();
    if (report.processes <= 1 && report.out_buffers == 0) break;
    poll(nullptr, 0, kLookAgainMs);
  } while (NowNs() < limit_ns);
  report.kind = "done";
  return report;
}

}  // namespace zcb::demo
