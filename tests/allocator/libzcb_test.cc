// The shared library as a file: what it is called, needs and exports; and that
// it can be opened at run time, and closed.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "allocator/zcb_allocator.h"
#include "tests/support/child_process.h"
#include "tests/support/shared_library.h"
#include "tests/support/temp_directory.h"

namespace zcb::alloc {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::TempDirectory;

// Where Bazel puts it below the test's working directory, or as told.
std::string LibraryPath() {
  const char* const told = std::getenv("ZCB_TEST_LIBRARY_DIR");
  return std::string(told != nullptr ? told : "allocator") + "/libzcb.so.0";
}

const char* const kFunctions[] = {
    "zcb_alloc",          "zcb_alloc_aligned", "zcb_allocator_close",
    "zcb_allocator_open", "zcb_audit",         "zcb_collect",
    "zcb_free",           "zcb_give",          "zcb_last_reason",
    "zcb_prefault",       "zcb_ptr_of",        "zcb_reap_dead",
    "zcb_ref_of",         "zcb_stats",         "zcb_status_text",
    "zcb_take",           "zcb_trim",          "zcb_usable_size",
    "zcb_lock_memory",    "zcb_unlock_memory", "zcb_version",
};

TEST(LibzcbTest, ItNeedsNothingButTheCLibrary) {
  EXPECT_EQ(zcb::testing::CheckedSonameOf(LibraryPath()), "libzcb.so.0");
}

TEST(LibzcbTest, ItExportsExactlyTheFunctionsOfTheHeader) {
  std::set<std::string> expected;
  for (const char* name : kFunctions) {
    expected.insert(std::string(name) + "@@ZCB_1.0");
  }
  EXPECT_EQ(zcb::testing::ExportsOf(LibraryPath()), expected);
}

TEST(LibzcbTest, ItsThreadLocalMemoryFitsWhatDlopenHasLeft) {
  const std::uint64_t tls_bytes =
      zcb::testing::ThreadLocalBytesOf(LibraryPath());
  EXPECT_GT(tls_bytes, 0U);
  EXPECT_LE(tls_bytes, 64U);
}

// The functions, from the library opened at run time.
struct Library : zcb::testing::LoadedLibrary {
  decltype(&zcb_allocator_open) open = nullptr;
  decltype(&zcb_allocator_close) close = nullptr;
  decltype(&zcb_alloc) alloc = nullptr;
  decltype(&zcb_free) free = nullptr;

  bool Open() {
    if (!Load(LibraryPath())) return false;
    Get("zcb_allocator_open", &open);
    Get("zcb_allocator_close", &close);
    Get("zcb_alloc", &alloc);
    Get("zcb_free", &free);
    return true;
  }
};

TEST(LibzcbTest, OpenedUsedAndClosedWithThreadsThatGoOn) {
  const TempDirectory directory;
  setenv("ZCB_DIR", directory.path().c_str(), 1);
  std::vector<std::thread> threads;
  std::atomic<int> started{0};
  std::atomic<bool> end{false};
  for (int round = 0; round < 5; ++round) {
    Library library;
    ASSERT_TRUE(library.Open()) << dlerror();
    zcb_allocator* allocator = nullptr;
    ASSERT_EQ(library.open(nullptr, &allocator), ZCB_OK);
    // Has magazines, and ends long after the library was closed.
    threads.emplace_back([&started, &end, library, allocator] {
      for (int i = 0; i < 1000; ++i) {
        void* buffer = nullptr;
        EXPECT_EQ(library.alloc(allocator, 500, &buffer), ZCB_OK);
        if (i % 2 == 0) {
          EXPECT_EQ(library.free(allocator, buffer), ZCB_OK);
        }
      }
      ++started;
      while (!end) std::this_thread::yield();
    });
    while (started != round + 1) std::this_thread::yield();
    EXPECT_EQ(library.close(allocator), ZCB_OK);
    EXPECT_EQ(dlclose(library.handle), 0);
    EXPECT_EQ(directory.CountFiles(), 0U);
  }
  end = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(LibzcbTest, AProcessThatEndsWithoutClosingEndsCleanly) {
  const TempDirectory directory;
  setenv("ZCB_DIR", directory.path().c_str(), 1);
  for (int i = 0; i < 3; ++i) {
    ChildProcess child([] {
      Library library;
      if (!library.Open()) return 1;
      zcb_allocator* allocator = nullptr;
      if (library.open(nullptr, &allocator) != ZCB_OK) return 2;
      void* buffer = nullptr;
      if (library.alloc(allocator, 500, &buffer) != ZCB_OK) return 3;
      dlclose(library.handle);
      std::exit(0);
      return 0;
    });
    EXPECT_EQ(child.Join(), 0);
  }
  // The last one left the files; the next one to come recovers them.
  Library library;
  ASSERT_TRUE(library.Open()) << dlerror();
  zcb_allocator* allocator = nullptr;
  ASSERT_EQ(library.open(nullptr, &allocator), ZCB_OK);
  EXPECT_EQ(library.close(allocator), ZCB_OK);
  EXPECT_EQ(directory.CountFiles(), 0U);
}

}  // namespace
}  // namespace zcb::alloc
