// A stream of large messages, every byte written and read, over one kind of
// page: a tmpfs of its own is mounted for it where nobody else sees it (root).
#include <corosync/cpg_zcb.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "bench/clock.h"
#include "bench/failure.h"
#include "bench/pages/private_mounts.h"
#include "bench/payload.h"
#include "bench/processes/children.h"
#include "bench/processes/measured_once.h"
#include "bench/processes/shared_count.h"

namespace zcb::bench {
namespace {

struct Options {
  std::string pages = "huge";
  std::uint64_t length_bytes = 64 << 10;
  std::uint64_t messages = 4000;
};

struct Board {
  SharedCount read;
};

// Over a directory below ZCB_DIR, which points there meanwhile.
class OwnTmpfs {
 public:
  explicit OwnTmpfs(bool huge)
      : path_(std::string(::getenv("ZCB_DIR")) + "/m") {
    if (::mkdir(path_.c_str(), 0700) != 0) Fail("no directory {}", path_);
    if (!EnterPrivateMounts() ||
        !Mount("tmpfs", path_,
               std::string("size=90%,huge=") + (huge ? "always" : "never"))) {
      Fail("needs root, and a tmpfs with huge pages");
    }
    ::setenv("ZCB_DIR", path_.c_str(), 1);
    ::setenv("ZCB_PAGES", huge ? "huge" : "small", 1);
  }
  ~OwnTmpfs() { ::umount2(path_.c_str(), MNT_DETACH); }
  OwnTmpfs(const OwnTmpfs&) = delete;
  OwnTmpfs& operator=(const OwnTmpfs&) = delete;

 private:
  std::string path_;
};

void Check(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

cpg_handle_t Join() {
  cpg_handle_t handle = 0;
  Check(cpg_model_initialize(&handle, CPG_MODEL_ZCB, nullptr, nullptr),
        "cpg_model_initialize");
  const cpg_name group{5, "pages"};
  Check(cpg_join(handle, &group), "cpg_join");
  return handle;
}

// The next message there is; nullptr: none. Stops at a view of two if asked to.
const std::byte* Next(cpg_handle_t handle, bool* has_two, std::size_t* length) {
  cpg_zcb_message event{};
  const cs_error_t error = cpg_zcb_next(handle, &event);
  if (error == CS_ERR_TRY_AGAIN) return nullptr;
  Check(error, "cpg_zcb_next");
  if (event.kind == CPG_ZCB_VIEW) {
    *has_two = event.length == 2 * sizeof(cpg_address);
    return nullptr;
  }
  *length = event.length;
  return static_cast<const std::byte*>(event.data);
}

void AwaitTwo(cpg_handle_t handle) {
  std::size_t length = 0;
  for (bool has_two = false; !has_two;) {
    if (Next(handle, &has_two, &length) != nullptr) Fail("a message too soon");
  }
}

void Read(const Options& options, Board* board) {
  const cpg_handle_t handle = Join();
  AwaitTwo(handle);
  bool has_two = true;
  for (std::uint64_t number = 0; number < options.messages;) {
    std::size_t length = 0;
    const std::byte* const payload = Next(handle, &has_two, &length);
    if (payload == nullptr) continue;
    if (length != options.length_bytes ||
        !ReadPayload(Touch::kEveryByte, number, payload, length)) {
      Fail("message {} came damaged or out of order", number);
    }
    ++number;
  }
  board->read.Set(1);
  Check(cpg_finalize(handle), "cpg_finalize");
}

void Drain(cpg_handle_t handle) {
  bool has_two = true;
  std::size_t length = 0;
  while (Next(handle, &has_two, &length) != nullptr) {
  }
}

void* AllocAndWrite(cpg_handle_t handle, const Options& options,
                    std::uint64_t number) {
  void* buffer = nullptr;
  cs_error_t error = CS_ERR_NO_MEMORY;
  while ((error = cpg_zcb_alloc(handle, options.length_bytes, &buffer)) ==
         CS_ERR_NO_MEMORY) {
    Drain(handle);
  }
  Check(error, "cpg_zcb_alloc");
  WritePayload(Touch::kEveryByte, number, static_cast<std::byte*>(buffer),
               options.length_bytes);
  return buffer;
}

Figures Send(const Options& options, Board* board) {
  const cpg_handle_t handle = Join();
  AwaitTwo(handle);
  const std::uint64_t start_ns = MonotonicNs();
  const std::uint64_t cpu_start_ns = ThreadCpuNs();
  for (std::uint64_t number = 0; number < options.messages; ++number) {
    void* const buffer = AllocAndWrite(handle, options, number);
    cs_error_t error = CS_ERR_TRY_AGAIN;
    while ((error = cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer,
                                         options.length_bytes)) ==
           CS_ERR_TRY_AGAIN) {
      Drain(handle);
    }
    Check(error, "cpg_zcb_mcast_joined");
    Drain(handle);
  }
  const auto cpu_ns = static_cast<double>(ThreadCpuNs() - cpu_start_ns);
  board->read.WaitFor(1, "all read");
  const auto took_ns = static_cast<double>(MonotonicNs() - start_ns);
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  Check(cpg_zcb_region_info(handle, &info), "cpg_zcb_region_info");
  Check(cpg_finalize(handle), "cpg_finalize");
  const bool is_huge = info.huge_bytes != 0;
  if (is_huge != (options.pages == "huge")) Fail("got {}", info.page_kind);
  const auto count = static_cast<double>(options.messages);
  return {{"messages_per_s", count * 1e9 / took_ns},
          {"MB_per_s",
           count * static_cast<double>(options.length_bytes) * 1e3 / took_ns},
          {"send_cpu_ns", cpu_ns / count}};
}

Figures Measure(const Options& options, PairPlaces places) {
  const OwnTmpfs tmpfs(options.pages == "huge");
  Board* const board = MakeShared<Board>();
  Children children;
  const pid_t reader = children.Start([&] {
    PinTo(places.second_cpu);
    Read(options, board);
  });
  PinTo(places.first_cpu);
  Figures figures = Send(options, board);
  if (children.Collect(reader) != 0) Fail("the reader failed");
  return figures;
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  MeasuredOnce program("page_stream", "A stream over one kind of page.");
  Options options;
  program.Choice("--pages", &options.pages, "which", {"huge", "small"});
  program.Number("--bytes", &options.length_bytes, "a multiple of 64", 64);
  program.Number("--messages", &options.messages, "how many");
  return program.Run(argc, argv,
                     [&] { return Measure(options, program.places()); });
}
