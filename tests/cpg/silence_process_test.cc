// The library prints nothing, whatever happens: a program's worth of calls,
// the wrong ones too, by processes whose outputs end in a pipe.
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "tests/cpg/abandoned_memory.h"
#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::TempDirectory;

const RegionOfThisTest region_of_this_test;

// What `body`, run in a child, writes to its descriptors 1 and 2.
template <typename Body>
std::string OutputOf(Body body, int expected_end = 0) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(pipe(ends), 0);
  ChildProcess child([&] {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    body();
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  close(ends[1]);
  std::string output;
  char part[4096];
  for (ssize_t got = 0; (got = read(ends[0], part, sizeof(part))) > 0;) {
    output.append(part, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  EXPECT_EQ(child.Join(), expected_end);
  return output;
}

TEST(SilenceTest, TheProbeHearsWhatIsPrinted) {
  EXPECT_EQ(OutputOf([] {
              (void)!write(STDOUT_FILENO, "out", 3);
              (void)!write(STDERR_FILENO, "err", 3);
            }),
            "outerr");
}

void DoEverythingRight(cpg_model_t model) {
  auto client =
      std::make_unique<Client>(model, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
  client->Enter("silence");
  const std::string large(std::size_t{3} << 20, 'l');
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client->Send("small"), CS_OK);
    EXPECT_EQ(client->Send(large), CS_OK);
    EXPECT_EQ(client->SendInPlace("in place"), CS_OK);
  }
  client->DispatchUntilMessages(9);
  int fd = -1;
  unsigned node = 0;
  std::uint32_t size = 0;
  int count = 0;
  cpg_name name = Named("silence");
  cpg_address members[CPG_MEMBERS_MAX];
  cpg_flow_control_state_t flow{};
  cpg_iteration_handle_t walk = 0;
  cpg_iteration_description_t item{};
  void* buffer = nullptr;
  EXPECT_EQ(cpg_fd_get(client->handle, &fd), CS_OK);
  EXPECT_EQ(cpg_local_get(client->handle, &node), CS_OK);
  EXPECT_EQ(cpg_max_atomic_msgsize_get(client->handle, &size), CS_OK);
  EXPECT_EQ(cpg_membership_get(client->handle, &name, members, &count), CS_OK);
  EXPECT_EQ(cpg_flow_control_state_get(client->handle, &flow), CS_OK);
  EXPECT_EQ(cpg_iteration_initialize(client->handle, CPG_ITERATION_ALL, nullptr,
                                     &walk),
            CS_OK);
  while (cpg_iteration_next(walk, &item) == CS_OK) {
  }
  EXPECT_EQ(cpg_iteration_finalize(walk), CS_OK);
  EXPECT_EQ(cpg_zcb_alloc(client->handle, 10, &buffer), CS_OK);
  EXPECT_EQ(cpg_zcb_free(client->handle, buffer), CS_OK);
  std::atomic<bool> left{false};
  client->on_change = [&] { left = true; };
  std::thread waiting([&] {
    EXPECT_EQ(client->Dispatch(CS_DISPATCH_BLOCKING), CS_ERR_BAD_HANDLE);
  });
  EXPECT_EQ(client->Leave("silence"), CS_OK);
  while (!left) std::this_thread::yield();  // the callback asks for its context
  EXPECT_EQ(cpg_finalize(client->handle), CS_OK);
  waiting.join();
}

void DoEverythingWrong(cpg_model_t model) {
  Client client(model);
  Client other(model);
  cpg_name too_long = Named("x");
  too_long.length = CPG_MAX_NAME_LENGTH + 1;
  char foreign[64] = {};
  const iovec overflow[2] = {{foreign, ~std::size_t{0}}, {foreign, 2}};
  cpg_iteration_handle_t walk = 0;
  EXPECT_NE(cpg_join(0, &too_long), CS_OK);
  EXPECT_NE(cpg_join(client.handle, nullptr), CS_OK);
  EXPECT_NE(cpg_finalize(4711), CS_OK);
  EXPECT_NE(cpg_dispatch(4711, CS_DISPATCH_ALL), CS_OK);
  EXPECT_NE(client.Send("not joined"), CS_OK);
  EXPECT_NE(client.Leave("not joined"), CS_OK);
  EXPECT_NE(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_OK);
  client.Enter("wrong");
  EXPECT_NE(other.Join("wrong"), CS_OK);
  EXPECT_NE(client.Join("wrong"), CS_OK);
  EXPECT_NE(client.Leave("other"), CS_OK);
  EXPECT_NE(cpg_mcast_joined(client.handle, CPG_TYPE_SAFE, nullptr, 1), CS_OK);
  EXPECT_NE(cpg_mcast_joined(client.handle, CPG_TYPE_SAFE, overflow, 2), CS_OK);
  EXPECT_NE(cpg_zcb_free(client.handle, foreign), CS_OK);
  EXPECT_NE(cpg_zcb_release(foreign), CS_OK);
  EXPECT_NE(cpg_iteration_initialize(client.handle, CPG_ITERATION_ONE_GROUP,
                                     nullptr, &walk),
            CS_OK);
  // A full ring, then full memory.
  cs_error_t error = CS_OK;
  while (error == CS_OK) error = client.Send("full");
  EXPECT_EQ(error, CS_ERR_TRY_AGAIN);
  void* buffer = nullptr;
  error = CS_OK;
  while (error == CS_OK) {
    error = cpg_zcb_alloc(client.handle, std::size_t{8} << 20, &buffer);
  }
  EXPECT_EQ(error, CS_ERR_NO_MEMORY);
  EXPECT_EQ(cpg_zcb_alloc(client.handle, std::size_t{1} << 40, &buffer),
            CS_ERR_TOO_BIG);
}

void OpenInWrongPlaces() {
  const auto refused = [](const char* name, const char* value) {
    const char* const before = std::getenv(name);
    const std::string saved = before == nullptr ? "" : before;
    setenv(name, value, 1);
    cpg_handle_t handle = 0;
    EXPECT_NE(cpg_initialize(&handle, nullptr), CS_OK) << name << value;
    if (before == nullptr) {
      unsetenv(name);
    } else {
      setenv(name, saved.c_str(), 1);
    }
  };
  refused("ZCB_DIR", "/proc");
  refused("ZCB_DIR", "/no/such/directory");
  refused("ZCB_NODEID", "none");
  refused("ZCB_REGION_BYTES", "lots");
  cpg_handle_t handle = 0;
  EXPECT_NE(cpg_model_initialize(&handle, static_cast<cpg_model_t>(9), nullptr,
                                 nullptr),
            CS_OK);
}

TEST(SilenceTest, ProgramThatDoesEverythingRightPrintsNothing) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    EXPECT_EQ(OutputOf([model] { DoEverythingRight(model); }), "");
    // Also its exit handlers, with handles open.
    EXPECT_EQ(OutputOf([model] {
                auto client = std::make_unique<Client>(model);
                client->Enter("silent-exit");
                EXPECT_EQ(client->Send("x"), CS_OK);
                (void)client.release();
                std::exit(::testing::Test::HasFailure() ? 1 : 0);
              }),
              "");
  }
}

TEST(SilenceTest, ProgramThatDoesEverythingWrongPrintsNothing) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    EXPECT_EQ(OutputOf([model] { DoEverythingWrong(model); }), "");
  }
  EXPECT_EQ(OutputOf([] { OpenInWrongPlaces(); }), "");
}

TEST(SilenceTest, MembersThatAreKilledAndThoseThatBuryThemPrintNothing) {
  EXPECT_EQ(OutputOf([] {
              Client client;
              client.Enter("silent-death");
              for (int round = 0; round < 3; ++round) {
                ChildProcess victim([] {
                  Client peer(CPG_MODEL_ZCB);
                  peer.Enter("silent-death");
                  EXPECT_EQ(peer.SendInPlace("x"), CS_OK);
                  kill(getpid(), SIGKILL);
                  return 0;
                });
                const std::size_t before = client.changes.size();
                client.DispatchUntilChanges(before + 2);
              }
              ChildProcess child([&] {
                EXPECT_EQ(client.Send("x"), CS_ERR_BAD_HANDLE);
                return ::testing::Test::HasFailure() ? 1 : 0;
              });
              EXPECT_EQ(child.Join(), 0);
            }),
            "");
}

TEST(SilenceTest, WhoFindsADamagedRegionPrintsNothing) {
  const TempDirectory elsewhere;
  setenv("ZCB_DIR", elsewhere.path().c_str(), 1);
  ChildProcess victim([] {
    Client client;
    client.Enter("damaged");
    kill(getpid(), SIGKILL);
    return 0;
  });
  EXPECT_EQ(victim.Join(), 128 + SIGKILL);
  int cut = 0;
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(elsewhere.path())) {
    if (!file.is_regular_file() || file.file_size() <= 100) continue;
    std::filesystem::resize_file(file, 100);
    ++cut;
  }
  EXPECT_GE(cut, 1);
  EXPECT_EQ(OutputOf([] {
              cpg_handle_t handle = 0;
              EXPECT_NE(cpg_initialize(&handle, nullptr), CS_OK);
            }),
            "");
  setenv("ZCB_DIR", region_of_this_test.directory().path().c_str(), 1);
}

}  // namespace
}  // namespace zcb::cpg::testing
