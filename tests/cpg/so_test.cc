// The shared library as a file: what it is called, needs and exports; and as a
// drop-in: a stock program runs on it, and it can be opened and closed.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include "tests/support/child_process.h"
#include "tests/support/shared_library.h"
#include "tests/support/temp_directory.h"

namespace zcb::cpg {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::TempDirectory;

// Where Bazel puts it below the test's working directory, or as told.
std::string LibraryDirectory() {
  const char* const told = std::getenv("ZCB_TEST_LIBRARY_DIR");
  return told != nullptr ? told : "cpg";
}
std::string LibraryPath() { return LibraryDirectory() + "/libcpg.so.4"; }

const char* const kCorosyncFunctions[] = {
    "cpg_context_get",
    "cpg_context_set",
    "cpg_dispatch",
    "cpg_fd_get",
    "cpg_finalize",
    "cpg_flow_control_state_get",
    "cpg_initialize",
    "cpg_iteration_finalize",
    "cpg_iteration_initialize",
    "cpg_iteration_next",
    "cpg_join",
    "cpg_leave",
    "cpg_local_get",
    "cpg_max_atomic_msgsize_get",
    "cpg_mcast_joined",
    "cpg_membership_get",
    "cpg_model_initialize",
    "cpg_zcb_alloc",
    "cpg_zcb_free",
    "cpg_zcb_mcast_joined",
};
const char* const kOurFunctions[] = {
    "cpg_zcb_alloc_aligned",  "cpg_zcb_collect",     "cpg_zcb_describe",
    "cpg_zcb_dispatch_timed", "cpg_zcb_forward",     "cpg_zcb_group_stats_get",
    "cpg_zcb_mcast_batch",    "cpg_zcb_mcast_timed", "cpg_zcb_mcastv_timed",
    "cpg_zcb_next",           "cpg_zcb_next_batch",  "cpg_zcb_next_timed",
    "cpg_zcb_option_get",     "cpg_zcb_option_set",  "cpg_zcb_region_info",
    "cpg_zcb_release",        "cpg_zcb_retain",      "cpg_zcb_send_fd_get",
    "cpg_zcb_version",        "cpg_zcb_wait",
};

TEST(SharedLibraryTest, SonameAndNeededAreWhatADropInHas) {
  EXPECT_EQ(zcb::testing::CheckedSonameOf(LibraryPath()), "libcpg.so.4");
}

TEST(SharedLibraryTest, ExportsAreExactlyTheFunctionsWithTheirVersions) {
  std::set<std::string> expected;
  for (const char* name : kCorosyncFunctions) {
    expected.insert(std::string(name) + "@@COROSYNC_CPG_1.0");
  }
  for (const char* name : kOurFunctions) {
    expected.insert(std::string(name) + "@@ZCB_1.0");
  }
  EXPECT_EQ(zcb::testing::ExportsOf(LibraryPath()), expected);
}

TEST(SharedLibraryTest, ThreadLocalMemoryIsSmallAndStatic) {
  const std::uint64_t tls_bytes =
      zcb::testing::ThreadLocalBytesOf(LibraryPath());
  EXPECT_GT(tls_bytes, 0U);
  EXPECT_LE(tls_bytes, 64U);
}

// --- as a drop-in ------------------------------------------------------------

int RunStockClient(const TempDirectory& directory) {
  ChildProcess child([&] {
    const char* const told = std::getenv("ZCB_TEST_STOCK_CLIENT");
    const std::string program =
        told != nullptr ? told : "tests/cpg/stock_client";
    setenv("ZCB_DIR", directory.path().c_str(), 1);
    setenv("LD_LIBRARY_PATH", LibraryDirectory().c_str(), 1);
    setenv("LD_BIND_NOW", "1", 1);
    execl(program.c_str(), program.c_str(), nullptr);
    return 254;
  });
  return child.Join();
}

TEST(DropInTest, StockProgramRunsUnchangedAndLeavesNothingBehind) {
  const TempDirectory directory;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(RunStockClient(directory), 0);
    EXPECT_EQ(directory.CountFiles(), 0U);
  }
}

// The functions, from the library opened at run time.
struct Library : zcb::testing::LoadedLibrary {
  decltype(&cpg_model_initialize) initialize = nullptr;
  decltype(&cpg_finalize) finalize = nullptr;
  decltype(&cpg_join) join = nullptr;
  decltype(&cpg_dispatch) dispatch = nullptr;
  decltype(&cpg_zcb_alloc) alloc = nullptr;
  decltype(&cpg_zcb_mcast_joined) send = nullptr;
  decltype(&cpg_zcb_version) version = nullptr;

  bool Open() {
    if (!Load(LibraryPath())) return false;
    Get("cpg_model_initialize", &initialize);
    Get("cpg_finalize", &finalize);
    Get("cpg_join", &join);
    Get("cpg_dispatch", &dispatch);
    Get("cpg_zcb_alloc", &alloc);
    Get("cpg_zcb_mcast_joined", &send);
    Get("cpg_zcb_version", &version);
    return true;
  }
};

TEST(DlopenTest, OpenedUsedAndClosedWithThreadsThatGoOn) {
  const TempDirectory directory;
  setenv("ZCB_DIR", directory.path().c_str(), 1);
  std::vector<std::thread> threads;
  std::atomic<int> started{0};
  std::atomic<bool> end{false};
  for (int round = 0; round < 5; ++round) {
    Library library;
    ASSERT_TRUE(library.Open()) << dlerror();
    cpg_handle_t handle = 0;
    ASSERT_EQ(library.initialize(&handle, CPG_MODEL_ZCB, nullptr, nullptr),
              CS_OK);
    cpg_name name{};
    name.length = static_cast<std::uint32_t>(
        std::snprintf(name.value, sizeof(name.value), "dlopen-%d", round));
    ASSERT_EQ(library.join(handle, &name), CS_OK);
    // One that waits inside the library, one that has a cache of buffers and
    // ends long after the library was closed.
    threads.emplace_back([&started, library, handle] {
      ++started;
      EXPECT_EQ(library.dispatch(handle, CS_DISPATCH_BLOCKING),
                CS_ERR_BAD_HANDLE);
    });
    threads.emplace_back([&started, &end, library, handle] {
      for (int i = 0; i < 100; ++i) {
        void* buffer = nullptr;
        EXPECT_EQ(library.alloc(handle, 500, &buffer), CS_OK);
        EXPECT_EQ(library.send(handle, CPG_TYPE_AGREED, buffer, 500), CS_OK);
      }
      ++started;
      while (!end) std::this_thread::yield();
    });
    while (started != 2 * (round + 1)) std::this_thread::yield();
    EXPECT_EQ(library.finalize(handle), CS_OK);
    EXPECT_EQ(dlclose(library.handle), 0);
  }
  end = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(DlopenTest, LibraryClosedWithOpenHandlesStillEndsCleanly) {
  const TempDirectory directory;
  setenv("ZCB_DIR", directory.path().c_str(), 1);
  ChildProcess child([] {
    Library library;
    if (!library.Open()) return 1;
    cpg_handle_t handle = 0;
    if (library.initialize(&handle, CPG_MODEL_V1, nullptr, nullptr) != CS_OK) {
      return 2;
    }
    cpg_name name{};
    if (library.join(handle, &name) != CS_OK) return 3;
    dlclose(library.handle);
    std::exit(0);
    return 0;
  });
  EXPECT_EQ(child.Join(), 0);
  EXPECT_EQ(directory.CountFiles(), 0U);
}

}  // namespace
}  // namespace zcb::cpg
