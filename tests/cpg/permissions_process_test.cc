// Who may attach to a region, and what its files look like: modes, groups and
// umasks; several users; a program with raised privileges. Users and groups are
// taken on in forked children, which takes root.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/entry/users.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::AnswerTo;
using zcb::testing::Become;
using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::IsRoot;
using zcb::testing::TempDirectory;
using zcb::testing::User;
using zcb::testing::Verdict;

// Numbers that no user or group of the machine needs to have.
constexpr gid_t kTeam = 64242;
constexpr gid_t kOtherTeam = 64243;
const User kAnn{64001, 64101, {kTeam}};
const User kBob{64002, 64102, {kTeam}};
const User kEve{64003, 64103, {kOtherTeam}};

struct Facts {
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};
Facts FactsOf(const std::string& path) {
  struct stat facts{};
  EXPECT_EQ(lstat(path.c_str(), &facts), 0) << path;
  return {facts.st_mode, facts.st_uid, facts.st_gid};
}
std::map<std::string, Facts> FilesIn(const std::string& directory) {
  std::map<std::string, Facts> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    files[entry.path().filename()] = FactsOf(entry.path());
  }
  return files;
}

// A process of that user that is attached to the region, for others to meet.
class Resident {
 public:
  explicit Resident(const User& user)
      : child_([&] {
          Become(user);
          const Client client;
          EXPECT_EQ(client.status, CS_OK);
          attached_.Signal();
          never_.Wait();
          return 0;
        }) {
    attached_.Wait();
  }

 private:
  Gate attached_;
  Gate never_;
  ChildProcess child_;
};

// A directory that every user may make his own directory in, like /dev/shm.
class PermissionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(chmod(base_.path().c_str(), 01777), 0);
    setenv("ZCB_DIR", base_.path().c_str(), 1);
    setenv("ZCB_REGION_BYTES", "32m", 1);
    unsetenv("ZCB_KEEP");
    unsetenv("ZCB_REGION");
  }
  std::string TeamName() const { return "r@" + std::to_string(kTeam); }
  std::string TeamDirectory() const {
    return base_.path() + "/zcb-g" + std::to_string(kTeam);
  }
  // A member with both of its doorbells, whose life can be watched; then a look
  // at all files that this takes.
  void ExpectFilesOf(const User* user, mode_t mask,
                     const std::string& directory, mode_t directory_mode,
                     mode_t file_mode, gid_t group);
  // Two users of the team wake each other in every way.
  void ExpectConversation();

  TempDirectory base_;
};

void PermissionsTest::ExpectFilesOf(const User* user, mode_t mask,
                                    const std::string& directory,
                                    mode_t directory_mode, mode_t file_mode,
                                    gid_t group) {
  Gate ready;
  Gate seen;
  ChildProcess child([&] {
    if (user != nullptr) Become(*user);
    umask(mask);
    Client client;
    int fd = -1;
    EXPECT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
    EXPECT_EQ(cpg_zcb_send_fd_get(client.handle, &fd), CS_OK);
    [&] { client.Enter("g"); }();
    EXPECT_EQ(umask(0), mask) << "the caller's umask is left alone";
    ready.Signal();
    seen.Wait();
    return Verdict();
  });
  ready.Wait();
  EXPECT_EQ(FactsOf(directory).mode, S_IFDIR | directory_mode);
  EXPECT_EQ(FactsOf(directory).gid, group);
  std::map<std::string, int> kinds;
  for (const auto& [name, facts] : FilesIn(directory)) {
    const bool is_fifo = S_ISFIFO(facts.mode);
    EXPECT_EQ(facts.mode, (is_fifo ? S_IFIFO : S_IFREG) | file_mode) << name;
    EXPECT_EQ(facts.gid, group) << name;
    EXPECT_EQ(facts.uid, user != nullptr ? user->uid : geteuid()) << name;
    // r.data; r.bell.0.1.0
    ++kinds[name.substr(0, name.find('.', name.find('.') + 1))];
  }
  const std::string stem =
      kinds.begin()->first.substr(0, kinds.begin()->first.find('.'));
  EXPECT_EQ(kinds, (std::map<std::string, int>{{stem + ".bell", 2},
                                               {stem + ".data", 1},
                                               {stem + ".life", 1},
                                               {stem + ".lock", 1},
                                               {stem + ".meta", 1}}));
  seen.Signal();
  EXPECT_EQ(child.Join(), 0);
}

TEST_F(PermissionsTest, AUsersRegionIsHisAloneWhateverTheUmask) {
  // Root may do anything, so as another user if possible.
  const User* const user = IsRoot() ? &kAnn : nullptr;
  const uid_t uid = user != nullptr ? user->uid : geteuid();
  const gid_t gid = user != nullptr ? user->gid : getegid();
  for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
    SCOPED_TRACE(mask);
    const std::string directory = base_.path() + "/zcb-" + std::to_string(uid);
    ExpectFilesOf(user, mask, directory, 0700, 0600, gid);
    std::filesystem::remove_all(directory);  // made anew under the next umask
  }
}

TEST_F(PermissionsTest, ATeamsRegionIsTheTeamsWhateverUmaskAndPrimaryGroup) {
  if (!IsRoot()) GTEST_SKIP() << "not run: needs root";
  setenv("ZCB_REGION", TeamName().c_str(), 1);
  for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
    SCOPED_TRACE(mask);
    ExpectFilesOf(&kAnn, mask, TeamDirectory(), 02770, 0660, kTeam);
    std::filesystem::remove_all(TeamDirectory());
  }
}

TEST_F(PermissionsTest, WithoutTheSetGroupIdBitEachFileStillGetsItsGroup) {
  if (!IsRoot()) GTEST_SKIP() << "not run: needs root";
  setenv("ZCB_REGION", TeamName().c_str(), 1);
  ASSERT_EQ(AnswerTo(kAnn), CS_OK);  // makes the directory
  ASSERT_EQ(chmod(TeamDirectory().c_str(), 0770), 0);
  for (const mode_t mask : {0U, 0777U}) {
    SCOPED_TRACE(mask);
    ExpectFilesOf(&kBob, mask, TeamDirectory(), 0770, 0660, kTeam);
  }
}

TEST_F(PermissionsTest, OnlyThoseOfTheGroupAttach) {
  if (!IsRoot()) GTEST_SKIP() << "not run: needs root";
  setenv("ZCB_REGION", TeamName().c_str(), 1);
  const User eve_as_primary{kEve.uid, kTeam, {}};
  // Whether there is a directory yet or not.
  EXPECT_EQ(AnswerTo(kEve), CS_ERR_ACCESS);
  EXPECT_EQ(FilesIn(base_.path()).size(), 0U) << "no draft of it is left";
  const Resident ann(kAnn);
  EXPECT_EQ(AnswerTo(kEve), CS_ERR_ACCESS);
  EXPECT_EQ(AnswerTo(kBob), CS_OK);
  EXPECT_EQ(AnswerTo(eve_as_primary), CS_OK);
}

TEST_F(PermissionsTest, WhatBelongsToAnotherGroupIsRefused) {
  if (!IsRoot()) GTEST_SKIP() << "not run: needs root";
  setenv("ZCB_REGION", TeamName().c_str(), 1);
  const Resident ann(kAnn);
  // In both groups, so that it is not the kernel that refuses.
  const User both{kBob.uid, kBob.gid, {kTeam, kOtherTeam}};
  for (const std::string name : {"", "/r.meta", "/r.data", "/r.lock"}) {
    const std::string path = TeamDirectory() + name;
    const Facts before = FactsOf(path);
    ASSERT_EQ(chown(path.c_str(), before.uid, kOtherTeam), 0);
    ASSERT_EQ(chmod(path.c_str(), before.mode & 07777), 0);
    EXPECT_EQ(AnswerTo(both), CS_ERR_ACCESS) << name;
    ASSERT_EQ(chown(path.c_str(), before.uid, kTeam), 0);
    ASSERT_EQ(chmod(path.c_str(), (before.mode & 07777) | S_IWOTH), 0);
    EXPECT_EQ(AnswerTo(both), CS_ERR_ACCESS) << name << ", others may write";
    ASSERT_EQ(chmod(path.c_str(), before.mode & 07777), 0);
  }
  EXPECT_EQ(AnswerTo(both), CS_OK);
}

TEST_F(PermissionsTest, WhoMayNotMakeFilesIsToldSo) {
  if (!IsRoot()) GTEST_SKIP() << "not run: needs root";
  setenv("ZCB_REGION", TeamName().c_str(), 1);
  const Resident ann(kAnn);
  ASSERT_EQ(chmod(TeamDirectory().c_str(), 02750), 0);
  EXPECT_EQ(AnswerTo(kBob), CS_ERR_ACCESS);
  ASSERT_EQ(chmod(TeamDirectory().c_str(), 02770), 0);
  EXPECT_EQ(AnswerTo(kBob), CS_OK);
}

void PermissionsTest::ExpectConversation() {
  Gate ann_is_in;
  Gate ring_is_full;
  Gate ann_went_on;
  Gate never;
  const auto ring = [](const Client& client, bool of_room) {
    pollfd entry{-1, POLLIN, 0};
    EXPECT_EQ(of_room ? cpg_zcb_send_fd_get(client.handle, &entry.fd)
                      : cpg_fd_get(client.handle, &entry.fd),
              CS_OK);
    return entry;
  };
  ChildProcess ann([&] {
    Become(kAnn);
    umask(077);
    Client client;
    pollfd events = ring(client, false);
    pollfd room = ring(client, true);
    [&] { client.Enter("g"); }();
    ann_is_in.Signal();
    while (client.messages.empty()) {  // asleep until Bob rings
      EXPECT_EQ(poll(&events, 1, -1), 1);
      EXPECT_EQ(client.Dispatch(), CS_OK);
    }
    while (client.Send("x") == CS_OK) EXPECT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.Dispatch(), CS_OK);
    ring_is_full.Signal();
    while (client.Send("y") != CS_OK) {  // until he rings the other one
      EXPECT_EQ(poll(&room, 1, -1), 1);
    }
    ann_went_on.Signal();
    if (Verdict() != 0) return 1;
    never.Wait();
    return 0;
  });
  ann_is_in.Wait();
  const auto ann_pid = static_cast<std::uint32_t>(ann.pid());
  ChildProcess bob([&] {
    Become(kBob);
    umask(0);
    Client client;
    [&] { client.Enter("g"); }();
    EXPECT_EQ(client.Send("hello"), CS_OK);
    ring_is_full.Wait();
    [&] {
      client.DispatchUntil([&] {
        return !client.messages.empty() && client.messages.back().text == "y";
      });
      client.DispatchUntil([&] {
        return client.changes.back().left ==
               std::vector<std::uint32_t>{ann_pid};
      });
    }();
    EXPECT_EQ(client.changes.back().reason, std::uint32_t{CPG_REASON_PROCDOWN});
    return Verdict();
  });
  ann_went_on.Wait();
  ann.Kill();
  EXPECT_EQ(bob.Join(), 0);
}

TEST_F(PermissionsTest, UsersOfATeamWakeEachOther) {
  if (!IsRoot()) GTEST_SKIP() << "not run: needs root";
  setenv("ZCB_REGION", TeamName().c_str(), 1);
  ExpectConversation();
  ASSERT_EQ(chmod(TeamDirectory().c_str(), 0770), 0);  // the bit is lost
  ExpectConversation();
}

// --- a program with raised privileges --------------------------------------

// Variables that would each be CS_ERR_INVALID_PARAM if they were read.
constexpr const char* kSenseless[] = {
    "ZCB_REGION_BYTES",   "ZCB_PAGES",
    "ZCB_KEEP",           "ZCB_QUOTA_BYTES",
    "ZCB_SPARE_BYTES",    "ZCB_IDLE_BYTES",
    "ZCB_NUMA",           "ZCB_POISON",
    "ZCB_NODEID",         "ZCB_WAIT",
    "ZCB_SPIN_NS",        "ZCB_PARK",
    "ZCB_EVICT_MS",       "ZCB_SEND_TIME",
    "ZCB_REGION",         "ZCB_PREFAULT_BYTES",
    "ZCB_MAGAZINE_BYTES", "ZCB_RING_SLOTS",
    "ZCB_GROUP_MEMBERS",  "ZCB_RECLAIM_MESSAGES",
    "ZCB_RECLAIM_BYTES",  "ZCB_PREFETCH",
    "ZCB_BURST_PAUSE_NS",
};
constexpr const char* kProgram = "/dev/shm/program";
constexpr const char* kElsewhere = "/dev/shm/elsewhere";
constexpr int kNoNamespace = 100;
constexpr int kNotRaised = 101;

// In the re-executed program. Exit code: what cpg_initialize() says.
int RunAgain() {
  const bool is_raised = getauxval(AT_SECURE) != 0;
  if (is_raised != (std::getenv("WANT_RAISED") != nullptr)) return kNotRaised;
  const Client client;
  return static_cast<int>(client.status);
}

// This program again, with a set-ID bit or without, with /dev/shm to itself.
int RunProgram(mode_t set_id_bit, const std::vector<const char*>& senseless) {
  ChildProcess child([&]() -> int {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777") != 0) {
      return kNoNamespace;
    }
    std::filesystem::copy_file("/proc/self/exe", kProgram);
    if (chown(kProgram, kAnn.uid, kAnn.gid) != 0 ||
        chmod(kProgram, 0755 | set_id_bit) != 0 ||
        mkdir(kElsewhere, 01777) != 0 || chmod(kElsewhere, 01777) != 0) {
      return kNoNamespace;
    }
    setenv("ZCB_DIR", kElsewhere, 1);
    for (const char* name : kSenseless) unsetenv(name);
    for (const char* name : senseless) setenv(name, "/no sense/", 1);
    if (set_id_bit != 0) setenv("WANT_RAISED", "1", 1);
    ChildProcess program([&]() -> int {
      execl(kProgram, kProgram, "again", nullptr);
      return kNoNamespace;
    });
    const int answer = program.Join();
    // Where it was: a directory stays, empty.
    const std::string mine =
        "/dev/shm/zcb-" + std::to_string(set_id_bit == S_ISUID ? kAnn.uid : 0);
    EXPECT_EQ(std::filesystem::exists(mine), set_id_bit != 0);
    EXPECT_EQ(std::filesystem::is_empty(kElsewhere),
              set_id_bit != 0 || answer != CS_OK);
    return Verdict() != 0 ? 1000 : answer;
  });
  return child.Join();
}

TEST(RaisedPrivilegesTest, ASetIdProgramIgnoresTheEnvironment) {
  if (!IsRoot()) GTEST_SKIP() << "not run: needs root";
  const int plain = RunProgram(0, {});
  if (plain == kNoNamespace) GTEST_SKIP() << "needs a mount namespace";
  EXPECT_EQ(plain, CS_OK);
  std::vector<const char*> all;
  for (const char* name : kSenseless) {
    EXPECT_EQ(RunProgram(0, {name}), CS_ERR_INVALID_PARAM) << name;
    all.push_back(name);
  }
  for (const mode_t bit : {mode_t{S_ISUID}, mode_t{S_ISGID}}) {
    const int raised = RunProgram(bit, all);
    if (raised == kNotRaised) GTEST_SKIP() << "set-ID bits have no effect here";
    EXPECT_EQ(raised, CS_OK) << (bit == S_ISUID ? "user" : "group");
  }
}

}  // namespace
}  // namespace zcb::cpg::testing

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "again") {
    return zcb::cpg::testing::RunAgain();
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
