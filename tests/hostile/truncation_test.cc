// A region's file is cut under a process that handles SIGBUS (ZCB_SIGBUS): an
// error of the calls, and no more; and under one that does not.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>

#include "allocator/damage_mark.h"
#include "allocator/zcb_allocator.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace zcb::hostile {
namespace {

using testing::ChildProcess;
using testing::TempDirectory;

// What children answer.
enum Answer : int { kFine = 0, kWrong = 1 };
#define CHECK_THAT(what)                                         \
  do {                                                           \
    if (!(what)) {                                               \
      std::fprintf(stderr, "%d: not so: %s\n", __LINE__, #what); \
      return kWrong;                                             \
    }                                                            \
  } while (false)

std::string FileOf(const std::string& directory, const std::string& name) {
  return directory + "/zcb-" + std::to_string(geteuid()) + "/" + name;
}

bool Cut(const std::string& file, double share) {
  struct stat facts = {};
  return stat(file.c_str(), &facts) == 0 &&
         truncate(file.c_str(),
                  static_cast<off_t>(static_cast<double>(facts.st_size) *
                                     share)) == 0;
}

// How often something was delivered, and what runs then.
struct Delivered {
  int messages = 0;
  std::function<void(const void* bytes, std::size_t length_bytes)> then;
};

Delivered* Of(cpg_handle_t handle) {
  void* context = nullptr;
  return cpg_context_get(handle, &context) == CS_OK
             ? static_cast<Delivered*>(context)
             : nullptr;
}

void DeliverInPlace(cpg_handle_t handle, const cpg_name*, std::uint32_t,
                    std::uint32_t, const void* bytes,
                    std::size_t length_bytes) {
  Delivered* const delivered = Of(handle);
  ++delivered->messages;
  if (delivered->then) delivered->then(bytes, length_bytes);
}

void DeliverCopy(cpg_handle_t handle, const cpg_name* group, std::uint32_t node,
                 std::uint32_t pid, void* bytes, std::size_t length_bytes) {
  DeliverInPlace(handle, group, node, pid, bytes, length_bytes);
}

cpg_name Named(const char* text) {
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(std::strlen(text));
  std::memcpy(name.value, text, name.length);
  return name;
}

void UseRegion(const std::string& directory, bool handles_sigbus = true) {
  setenv("ZCB_DIR", directory.c_str(), 1);
  setenv("ZCB_REGION_BYTES", "16m", 1);
  setenv("ZCB_SIGBUS", handles_sigbus ? "1" : "0", 1);
}

// A handle that has joined, or 0.
cpg_handle_t Enter(Delivered* delivered, cpg_model_t model = CPG_MODEL_ZCB) {
  cpg_handle_t handle = 0;
  cpg_model_zcb_data_t in_place{};
  in_place.cpg_deliver_fn = &DeliverInPlace;
  cpg_model_v1_data_t copied{};
  copied.cpg_deliver_fn = &DeliverCopy;
  auto* const data = model == CPG_MODEL_ZCB
                         ? reinterpret_cast<cpg_model_data_t*>(&in_place)
                         : reinterpret_cast<cpg_model_data_t*>(&copied);
  const cpg_name group = Named("group");
  if (cpg_model_initialize(&handle, model, data, delivered) != CS_OK ||
      cpg_join(handle, &group) != CS_OK ||
      cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) {
    return 0;
  }
  return handle;
}

cs_error_t Send(cpg_handle_t handle, std::size_t bytes = 100) {
  static std::array<char, 1 << 16> text;
  const iovec piece{text.data(), bytes};
  return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1);
}

// Each call on the region: an error from then on.
int AllAreErrors(cpg_handle_t handle) {
  cpg_name group = Named("group");
  void* buffer = nullptr;
  cpg_zcb_message message{};
  std::array<cpg_address, CPG_MEMBERS_MAX> members{};
  int count = 0;
  cpg_iteration_handle_t walk = 0;
  cpg_flow_control_state_t state{};
  struct cpg_zcb_group_stats stats{};
  stats.size = sizeof stats;
  struct cpg_zcb_region_info info{};
  info.size = sizeof info;
  for (int i = 0; i < 2; ++i) {
    CHECK_THAT(Send(handle) == CS_ERR_LIBRARY);
    CHECK_THAT(cpg_zcb_alloc(handle, 100, &buffer) == CS_ERR_LIBRARY);
    CHECK_THAT(cpg_zcb_alloc_aligned(handle, 100, 4096, &buffer) ==
               CS_ERR_LIBRARY);
    CHECK_THAT(cpg_dispatch(handle, CS_DISPATCH_ALL) == CS_ERR_LIBRARY);
    CHECK_THAT(cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING) ==
               CS_ERR_LIBRARY);
    // Not for ever, and not until its time is up.
    CHECK_THAT(cpg_dispatch(handle, CS_DISPATCH_ONE) == CS_ERR_LIBRARY);
    CHECK_THAT(cpg_zcb_next(handle, &message) == CS_ERR_LIBRARY ||
               cpg_zcb_next(handle, &message) == CS_ERR_NOT_SUPPORTED);
    CHECK_THAT(cpg_zcb_wait(handle, 100, 1) == CS_ERR_LIBRARY);
    CHECK_THAT(cpg_membership_get(handle, &group, members.data(), &count) ==
               CS_ERR_LIBRARY);
    CHECK_THAT(cpg_iteration_initialize(handle, CPG_ITERATION_ALL, nullptr,
                                        &walk) == CS_ERR_LIBRARY);
    CHECK_THAT(cpg_flow_control_state_get(handle, &state) == CS_ERR_LIBRARY);
    CHECK_THAT(cpg_zcb_group_stats_get(handle, &group, &stats) ==
               CS_ERR_LIBRARY);
    CHECK_THAT(cpg_zcb_region_info(handle, &info) == CS_ERR_LIBRARY);
    CHECK_THAT(cpg_zcb_collect(handle) == CS_ERR_LIBRARY);
    CHECK_THAT(cpg_leave(handle, &group) == CS_ERR_LIBRARY);
    CHECK_THAT(cpg_join(handle, &group) == CS_ERR_LIBRARY);
  }
  unsigned node = 0;
  CHECK_THAT(cpg_local_get(handle, &node) == CS_OK);  // asks nothing of it
  return kFine;
}

std::size_t OpenDescriptors() {
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    (void)entry;
    ++count;
  }
  return count;
}

// A region of another name works as if nothing had been.
int AnotherWorks() {
  const TempDirectory fresh;
  UseRegion(fresh.path());
  Delivered delivered;
  const cpg_handle_t handle = Enter(&delivered);
  CHECK_THAT(handle != 0);
  CHECK_THAT(Send(handle) == CS_OK);
  CHECK_THAT(cpg_dispatch(handle, CS_DISPATCH_ALL) == CS_OK);
  CHECK_THAT(delivered.messages == 1);
  CHECK_THAT(cpg_finalize(handle) == CS_OK);
  return kFine;
}

// A handle on a damaged region answers with errors and can be closed, and the
// process goes on elsewhere.
Answer EndsProperly(cpg_handle_t handle) {
  CHECK_THAT(AllAreErrors(handle) == kFine);
  CHECK_THAT(cpg_finalize(handle) == CS_OK);
  CHECK_THAT(AnotherWorks() == kFine);
  return kFine;
}

// Runs in a child, whose standard error shows what was not so.
template <typename Body>
int InChild(Body body) {
  return ChildProcess(body).Join();
}

struct Case {
  const char* file;
  double share;
};

class TruncationTest : public ::testing::TestWithParam<Case> {
 protected:
  bool CutNow() const {
    return Cut(
        FileOf(directory_.path(), std::string("default.") + GetParam().file),
        GetParam().share);
  }
  TempDirectory directory_;
};

TEST(WithoutTheHandlerTest, ItIsSigbus) {
  for (const char* const file : {"default.data", "default.meta"}) {
    const TempDirectory directory;
    EXPECT_EQ(InChild([&] {
                signal(SIGBUS, SIG_DFL);  // not a sanitizer's
                UseRegion(directory.path(), false);
                Delivered delivered;
                const cpg_handle_t handle = Enter(&delivered);
                CHECK_THAT(handle != 0);
                CHECK_THAT(Cut(FileOf(directory.path(), file), 0));
                (void)Send(handle, 10'000);
                return kFine;
              }),
              128 + SIGBUS)
        << file;
  }
}

TEST_P(TruncationTest, SendersGetAnErrorAndEndInOrder) {
  EXPECT_EQ(InChild([&] {
              UseRegion(directory_.path());
              Delivered delivered;
              const cpg_handle_t handle = Enter(&delivered);
              CHECK_THAT(handle != 0);
              CHECK_THAT(CutNow());
              cs_error_t error = CS_OK;
              for (int i = 0; i < 5'000 && error != CS_ERR_LIBRARY; ++i) {
                error = Send(handle, 10'000);
                if (error == CS_ERR_TRY_AGAIN) {
                  error = cpg_dispatch(handle, CS_DISPATCH_ALL);
                }
              }
              CHECK_THAT(error == CS_ERR_LIBRARY);
              return EndsProperly(handle);
            }),
            kFine);
}

TEST_P(TruncationTest, ReceiversGetAnErrorAndNoZeros) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    const TempDirectory directory;
    EXPECT_EQ(
        InChild([&] {
          UseRegion(directory.path());
          Delivered delivered;
          const cpg_handle_t handle = Enter(&delivered, model);
          CHECK_THAT(handle != 0);
          // All over the file.
          void* buffer = nullptr;
          std::size_t sent = 0;
          while (sent < 900 &&
                 cpg_zcb_alloc(handle, 16'000, &buffer) == CS_OK) {
            std::memset(buffer, 0x5a, 16'000);
            if (cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 16'000) !=
                CS_OK) {
              break;
            }
            if (model == CPG_MODEL_V1) cpg_zcb_free(handle, buffer);
            ++sent;
          }
          CHECK_THAT(sent > 100);
          // A copy is whole. In place the callback may see zeros; then
          // the dispatch that it is in says so.
          int zeros = 0;
          delivered.then = [&](const void* bytes, std::size_t length_bytes) {
            const auto* const at = static_cast<const char*>(bytes);
            zeros += length_bytes != 16'000 || at[0] != 0x5a ||
                     at[length_bytes - 1] != 0x5a;
          };
          CHECK_THAT(Cut(FileOf(directory.path(),
                                std::string("default.") + GetParam().file),
                         GetParam().share));
          cs_error_t error = CS_OK;
          while (error == CS_OK) {
            CHECK_THAT(zeros == 0);
            error = cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING);
          }
          // Where the cut is behind all that this group needs, all is read.
          if (error == CS_ERR_TRY_AGAIN) {
            CHECK_THAT(std::string(GetParam().file) == "meta" &&
                       GetParam().share != 0);
            CHECK_THAT(static_cast<std::size_t>(delivered.messages) == sent);
            CHECK_THAT(zeros == 0);
            CHECK_THAT(cpg_finalize(handle) == CS_OK);
            return kFine;
          }
          CHECK_THAT(error == CS_ERR_LIBRARY);
          CHECK_THAT(model == CPG_MODEL_ZCB || zeros == 0);
          return EndsProperly(handle);
        }),
        kFine);
  }
}

// The header is there, and half of the bytes.
TEST(CutMessageTest, ACopyThatIsNotWholeIsNeverDelivered) {
  for (const double share : {0.31, 0.37, 0.43, 0.47, 0.53}) {
    const TempDirectory directory;
    EXPECT_EQ(
        InChild([&] {
          UseRegion(directory.path());
          Delivered delivered;
          const cpg_handle_t handle = Enter(&delivered, CPG_MODEL_V1);
          CHECK_THAT(handle != 0);
          constexpr std::size_t kBytes = 150'000;  // the lowest unit first
          static std::array<char, kBytes> text;
          text.fill(0x5a);
          const iovec piece{text.data(), text.size()};
          while (cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1) ==
                 CS_OK) {
          }
          int zeros = 0;
          delivered.then = [&](const void* bytes, std::size_t length_bytes) {
            zeros += length_bytes != kBytes ||
                     std::memcmp(bytes, text.data(), kBytes) != 0;
          };
          CHECK_THAT(Cut(FileOf(directory.path(), "default.data"), share));
          cs_error_t error = CS_OK;
          while (error == CS_OK) {
            error = cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING);
          }
          CHECK_THAT(error == CS_ERR_LIBRARY);
          CHECK_THAT(delivered.messages > 0 && zeros == 0);
          return kFine;
        }),
        kFine)
        << share;
  }
}

TEST_P(TruncationTest, InsideACallbackItIsAnErrorOfTheDispatch) {
  EXPECT_EQ(InChild([&] {
              UseRegion(directory_.path());
              Delivered delivered;
              const cpg_handle_t handle = Enter(&delivered);
              CHECK_THAT(handle != 0);
              CHECK_THAT(Send(handle, 50'000) == CS_OK);
              bool cut = false;
              cs_error_t inside = CS_OK;
              delivered.then = [&](const void* bytes,
                                   std::size_t length_bytes) {
                cut = CutNow();
                const auto* const at = static_cast<const volatile char*>(bytes);
                (void)at[length_bytes - 1];
                inside = cpg_zcb_collect(handle);
                for (int i = 0; i < 3'000 && inside != CS_ERR_LIBRARY; ++i) {
                  inside = Send(handle, 10'000);
                }
              };
              CHECK_THAT(cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING) ==
                         CS_ERR_LIBRARY);
              CHECK_THAT(cut && delivered.messages == 1);
              CHECK_THAT(inside == CS_ERR_LIBRARY);
              return EndsProperly(handle);
            }),
            kFine);
}

TEST_P(TruncationTest, TheThreadThatWatchesSurvives) {
  testing::Gate is_in;
  ChildProcess other([&] {
    UseRegion(directory_.path());
    Delivered delivered;
    if (Enter(&delivered) == 0) return kWrong;
    is_in.Signal();
    pause();
    return kWrong;
  });
  is_in.Wait();
  EXPECT_EQ(InChild([&] {
              UseRegion(directory_.path());
              Delivered delivered;
              const cpg_handle_t handle = Enter(&delivered);
              CHECK_THAT(handle != 0);
              CHECK_THAT(CutNow());
              // Its death has the watcher look at the region.
              other.Kill();
              cs_error_t error = CS_OK;
              while (error != CS_ERR_LIBRARY) {
                // More than is read, or what lies before the cut would do.
                for (int i = 0; i < 8; ++i) (void)Send(handle, 10'000);
                error = cpg_zcb_dispatch_timed(handle, CS_DISPATCH_ONE, 1);
              }
              return EndsProperly(handle);
            }),
            kFine);
}

// That thread meets the damage itself: nobody else looks.
TEST(WatcherTest, MeetsTheDamageAndMarksIt) {
  const TempDirectory directory;
  testing::Gate is_in;
  ChildProcess other([&] {
    UseRegion(directory.path());
    Delivered delivered;
    if (Enter(&delivered) == 0) return kWrong;
    is_in.Signal();
    pause();
    return kWrong;
  });
  is_in.Wait();
  EXPECT_EQ(InChild([&] {
              signal(SIGBUS, SIG_DFL);  // not a sanitizer's
              UseRegion(directory.path());
              Delivered delivered;
              const cpg_handle_t handle = Enter(&delivered);
              CHECK_THAT(handle != 0);
              CHECK_THAT(Cut(FileOf(directory.path(), "default.meta"), 0));
              other.Kill();
              while (alloc::damaged_regions.load() == 0) sched_yield();
              CHECK_THAT(AllAreErrors(handle) == kFine);
              CHECK_THAT(cpg_finalize(handle) == CS_OK);
              return kFine;
            }),
            kFine);
}

TEST_P(TruncationTest, OfTwoRegionsOnlyThatOneIsDamaged) {
  const TempDirectory other;
  EXPECT_EQ(InChild([&] {
              UseRegion(other.path());
              Delivered whole;
              const cpg_handle_t sound = Enter(&whole);
              UseRegion(directory_.path());
              Delivered delivered;
              const cpg_handle_t handle = Enter(&delivered);
              CHECK_THAT(handle != 0 && sound != 0);
              CHECK_THAT(CutNow());
              for (int i = 0; i < 3'000; ++i) (void)Send(handle, 10'000);
              CHECK_THAT(AllAreErrors(handle) == kFine);
              CHECK_THAT(Send(sound) == CS_OK);
              CHECK_THAT(cpg_dispatch(sound, CS_DISPATCH_ALL) == CS_OK);
              CHECK_THAT(cpg_dispatch(sound, CS_DISPATCH_ONE_NONBLOCKING) ==
                         CS_ERR_TRY_AGAIN);
              CHECK_THAT(whole.messages == 1);
              CHECK_THAT(cpg_finalize(handle) == CS_OK);
              CHECK_THAT(Send(sound) == CS_OK);
              CHECK_THAT(cpg_finalize(sound) == CS_OK);
              return kFine;
            }),
            kFine);
}

TEST_P(TruncationTest, AllocatorCallsAreErrorsAndItCloses) {
  EXPECT_EQ(
      InChild([&] {
        UseRegion(directory_.path());
        const std::size_t before = OpenDescriptors();
        zcb_allocator* allocator = nullptr;
        CHECK_THAT(zcb_allocator_open(nullptr, &allocator) == ZCB_OK);
        void* warm = nullptr;
        CHECK_THAT(zcb_alloc(allocator, 100, &warm) == ZCB_OK);
        CHECK_THAT(zcb_free(allocator, warm) == ZCB_OK);
        CHECK_THAT(zcb_alloc(allocator, 100, &warm) == ZCB_OK);
        CHECK_THAT(Cut(FileOf(directory_.path(),
                              std::string("allocator.") + GetParam().file),
                       GetParam().share));
        zcb_status status = ZCB_OK;
        for (int i = 0; i < 400 && status != ZCB_LIBRARY; ++i) {
          void* buffer = nullptr;
          status = zcb_alloc(allocator, 50'000, &buffer);
          if (status == ZCB_OK) std::memset(buffer, 1, 50'000);
          if (status == ZCB_NO_MEMORY) (void)zcb_collect(allocator);
        }
        zcb_ticket ticket = 0;
        std::uint32_t count = 0;
        struct zcb_allocator_stats stats{};
        stats.size = sizeof stats;
        for (int i = 0; i < 2; ++i) {
          void* buffer = nullptr;
          // Warm ones look at nothing of the region, and are errors too.
          CHECK_THAT(zcb_alloc(allocator, 100, &buffer) == ZCB_LIBRARY);
          CHECK_THAT(zcb_free(allocator, warm) == ZCB_LIBRARY);
          CHECK_THAT(zcb_give(allocator, warm, &ticket) == ZCB_LIBRARY);
          CHECK_THAT(zcb_collect(allocator) == ZCB_LIBRARY);
          CHECK_THAT(zcb_reap_dead(allocator, &count) == ZCB_LIBRARY);
          CHECK_THAT(zcb_stats(allocator, &stats) == ZCB_LIBRARY);
          CHECK_THAT(zcb_trim(allocator, 0, nullptr) == ZCB_LIBRARY);
        }
        CHECK_THAT(zcb_allocator_close(allocator) == ZCB_OK);
        CHECK_THAT(OpenDescriptors() == before);
        CHECK_THAT(AnotherWorks() == kFine);
        return kFine;
      }),
      kFine);
}

// To the others it is as if that process had died, and the last one that leaves
// takes the files away.
TEST_P(TruncationTest, NothingOfItIsLeft) {
  EXPECT_EQ(
      InChild([&] {
        UseRegion(directory_.path());
        zcb_allocator* allocator = nullptr;
        CHECK_THAT(zcb_allocator_open(nullptr, &allocator) == ZCB_OK);
        CHECK_THAT(Cut(FileOf(directory_.path(),
                              std::string("allocator.") + GetParam().file),
                       GetParam().share));
        for (int i = 0; i < 400; ++i) {
          void* buffer = nullptr;
          if (zcb_alloc(allocator, 50'000, &buffer) == ZCB_OK) {
            std::memset(buffer, 1, 50'000);
          }
        }
        (void)zcb_collect(allocator);
        CHECK_THAT(zcb_allocator_close(allocator) == ZCB_OK);
        CHECK_THAT(directory_.CountFiles() == 0);
        // The name is free for a new one.
        CHECK_THAT(zcb_allocator_open(nullptr, &allocator) == ZCB_OK);
        void* buffer = nullptr;
        CHECK_THAT(zcb_alloc(allocator, 50'000, &buffer) == ZCB_OK);
        CHECK_THAT(zcb_allocator_close(allocator) == ZCB_OK);
        return kFine;
      }),
      kFine);
}

INSTANTIATE_TEST_SUITE_P(Files, TruncationTest,
                         ::testing::Values(Case{"data", 0}, Case{"data", 0.5},
                                           Case{"meta", 0}, Case{"meta", 0.5}),
                         [](const auto& tested) {
                           return std::string(tested.param.file) +
                                  (tested.param.share == 0 ? "ToNothing"
                                                           : "ToHalf");
                         });

}  // namespace
}  // namespace zcb::hostile
