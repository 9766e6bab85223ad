// Strangers: users who may not attach to a region. What they can put in a
// user's way, and what they can reach of his region: a refusal, and nothing.
#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/entry/users.h"

namespace zcb::testing {
namespace {

using cpg::testing::Client;
using cpg::testing::Named;

const User kRoot{0, 0, {}};

// --- a name that is taken ---------------------------------------------------

class TakenNameTest : public SharedBaseTest {
 protected:
  void SetUp() override {
    SharedBaseTest::SetUp();
    if (IsSkipped()) return;
    // Of the victim's, to be led to.
    target_ = base_.path() + "/target";
    ASSERT_EQ(mkdir(target_.c_str(), 0700), 0);
    ASSERT_EQ(chown(target_.c_str(), kVictim.uid, kVictim.gid), 0);
  }

  // Everything that can be at a path, made by a stranger.
  struct Trick {
    const char* what;
    void (*make)(const std::string& path, const std::string& target);
  };
  static const std::vector<Trick>& Tricks() {
    static const std::vector<Trick> tricks = {
        {"a link to the victim's own directory",
         [](const std::string& path, const std::string& target) {
           ASSERT_EQ(symlink(target.c_str(), path.c_str()), 0);
         }},
        {"a link to a directory of the stranger's",
         [](const std::string& path, const std::string&) {
           const std::string mine = path + ".mine";
           ASSERT_TRUE(mkdir(mine.c_str(), 0777) == 0 || errno == EEXIST);
           ASSERT_EQ(symlink(mine.c_str(), path.c_str()), 0);
         }},
        {"a link to nothing",
         [](const std::string& path, const std::string& target) {
           ASSERT_EQ(symlink((target + "/new").c_str(), path.c_str()), 0);
         }},
        {"a directory of the stranger's",
         [](const std::string& path, const std::string&) {
           ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
         }},
        {"a directory of the stranger's, for everybody",
         [](const std::string& path, const std::string&) {
           ASSERT_EQ(mkdir(path.c_str(), 0777), 0);
           ASSERT_EQ(chmod(path.c_str(), 0777), 0);
         }},
        {"a file",
         [](const std::string& path, const std::string&) {
           ASSERT_EQ(mknod(path.c_str(), S_IFREG | 0666, 0), 0);
         }},
        {"a FIFO that nobody writes to",
         [](const std::string& path, const std::string&) {
           ASSERT_EQ(mkfifo(path.c_str(), 0666), 0);
         }},
        {"a socket",
         [](const std::string& path, const std::string&) {
           const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
           sockaddr_un address{};
           address.sun_family = AF_UNIX;
           path.copy(address.sun_path, sizeof(address.sun_path) - 1);
           ASSERT_EQ(
               bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
               0);
           close(fd);
         }},
    };
    return tricks;
  }

  void ExpectRefusedAndUntouched(const std::string& path, const User& user) {
    struct stat before{};
    ASSERT_EQ(lstat(path.c_str(), &before), 0);
    EXPECT_EQ(AnswerTo(user), CS_ERR_ACCESS);
    struct stat after{};
    ASSERT_EQ(lstat(path.c_str(), &after), 0);
    EXPECT_EQ(after.st_ino, before.st_ino);
    EXPECT_EQ(after.st_mode, before.st_mode);
    EXPECT_EQ(after.st_uid, before.st_uid);
    EXPECT_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
    EXPECT_TRUE(std::filesystem::is_empty(target_)) << "led there";
    if (S_ISDIR(before.st_mode)) {
      EXPECT_TRUE(std::filesystem::is_empty(path));
    }
  }

  void TryAll(const std::string& path, const User& user) {
    for (const Trick& trick : Tricks()) {
      SCOPED_TRACE(trick.what);
      ASSERT_TRUE(SucceedsAs(kStranger, [&] { trick.make(path, target_); }));
      ExpectRefusedAndUntouched(path, user);
      std::filesystem::remove_all(path);
    }
    // Those a stranger needs help with.
    ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
    ASSERT_EQ(chown(path.c_str(), kStranger.uid, user.gid), 0);
    ASSERT_EQ(chmod(path.c_str(), 0770), 0);
    ExpectRefusedAndUntouched(path, user);
    std::filesystem::remove_all(path);
    ASSERT_EQ(mknod(path.c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
    ASSERT_EQ(chown(path.c_str(), kStranger.uid, kStranger.gid), 0);
    ExpectRefusedAndUntouched(path, user);
    std::filesystem::remove_all(path);
    EXPECT_EQ(AnswerTo(user), CS_OK) << "once it is gone";
    std::filesystem::remove_all(path);
  }

  std::string target_;
};

TEST_F(TakenNameTest, KeepsAUserOutAndLeadsHimNowhere) {
  TryAll(DirectoryOf(kVictim), kVictim);
}

TEST_F(TakenNameTest, KeepsATeamOutAndLeadsItNowhere) {
  UseTeamRegion();
  TryAll(TeamDirectory(), kVictim);
}

TEST_F(TakenNameTest, KeepsRootOutToo) { TryAll(DirectoryOf(kRoot), kRoot); }

TEST_F(TakenNameTest, MadeByAnAdministratorInAdvanceCannotBeTaken) {
  const std::string path = DirectoryOf(kVictim);
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  ASSERT_EQ(chown(path.c_str(), kVictim.uid, kVictim.gid), 0);
  EXPECT_EQ(AnswerTo(kVictim), CS_OK);
  EXPECT_TRUE(SucceedsAs(kStranger, [&] {
    EXPECT_EQ(rmdir(path.c_str()), -1);
    EXPECT_EQ(rename(path.c_str(), (path + ".old").c_str()), -1);
  }));
  EXPECT_EQ(AnswerTo(kVictim), CS_OK) << "it stays when the region goes";
}

// Whoever makes a directory there makes one of that group.
TEST_F(TakenNameTest, ABaseThatGivesTheGroupToEverybodyIsRefused) {
  UseTeamRegion();
  ASSERT_EQ(chown(base_.path().c_str(), 0, kTeam), 0);
  ASSERT_EQ(chmod(base_.path().c_str(), 03777), 0);
  EXPECT_TRUE(SucceedsAs(kStranger, [&] {
    ASSERT_EQ(mkdir(TeamDirectory().c_str(), 02770), 0);
    struct stat facts{};
    ASSERT_EQ(stat(TeamDirectory().c_str(), &facts), 0);
    EXPECT_EQ(facts.st_gid, kTeam);
  }));
  EXPECT_EQ(AnswerTo(kVictim), CS_ERR_ACCESS);
  EXPECT_TRUE(std::filesystem::is_empty(TeamDirectory()));
  ASSERT_EQ(rmdir(TeamDirectory().c_str()), 0);
  ASSERT_EQ(chmod(base_.path().c_str(), 02770), 0);
  EXPECT_EQ(AnswerTo(kVictim), CS_OK) << "where strangers may not";
}

// --- what a stranger reaches ------------------------------------------------

// Tries a call that must be refused.
#define EXPECT_REFUSED(call)                                                \
  do {                                                                      \
    errno = 0;                                                              \
    EXPECT_EQ(call, -1);                                                    \
    EXPECT_TRUE(errno == EACCES || errno == EPERM) << errno << " " << path; \
  } while (false)

class ReachTest : public SharedBaseTest {
 protected:
  static std::vector<std::string> FilesIn(const std::string& directory) {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      paths.push_back(entry.path());
    }
    return paths;
  }
  // What the stranger does about a directory and each file in it, by names that
  // he knows from elsewhere.
  static void ExpectNothingReached(const std::string& directory,
                                   const std::vector<std::string>& files) {
    std::string path = directory;
    EXPECT_REFUSED(open(path.c_str(), O_RDONLY | O_DIRECTORY));
    EXPECT_REFUSED(open(path.c_str(), O_TMPFILE | O_RDWR, 0600));
    EXPECT_REFUSED(chmod(path.c_str(), 0777));
    EXPECT_REFUSED(chown(path.c_str(), kStranger.uid, kStranger.gid));
    EXPECT_REFUSED(rename(path.c_str(), (path + ".old").c_str()));
    EXPECT_REFUSED(rmdir(path.c_str()));
    const int inotify = inotify_init1(IN_CLOEXEC);
    ASSERT_GE(inotify, 0);
    EXPECT_REFUSED(inotify_add_watch(inotify, path.c_str(), IN_ALL_EVENTS));
    path = directory + "/of-mine";
    EXPECT_REFUSED(mknod(path.c_str(), S_IFREG | 0666, 0));
    EXPECT_REFUSED(mkfifo(path.c_str(), 0666));
    EXPECT_REFUSED(symlink("/etc/passwd", path.c_str()));
    EXPECT_REFUSED(mkdir(path.c_str(), 0777));
    for (const std::string& file : files) {
      path = file;
      struct stat facts{};
      for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR, O_PATH}) {
        EXPECT_REFUSED(open(path.c_str(), flags | O_NONBLOCK));
      }
      EXPECT_REFUSED(stat(path.c_str(), &facts));
      EXPECT_REFUSED(chmod(path.c_str(), 0666));
      EXPECT_REFUSED(truncate(path.c_str(), 0));
      EXPECT_REFUSED(unlink(path.c_str()));
      EXPECT_REFUSED(rename(path.c_str(), (path + "x").c_str()));
      EXPECT_REFUSED(link(path.c_str(), (directory + "-link").c_str()));
      EXPECT_REFUSED(inotify_add_watch(inotify, path.c_str(), IN_ALL_EVENTS));
    }
    close(inotify);
  }
  // A region in which somebody lives, and a stranger.
  void ExpectClosed(const User& owner, const std::string& directory) {
    const Resident resident(owner);
    const std::vector<std::string> files = FilesIn(directory);
    ASSERT_EQ(files.size(), 6U) << "data, meta, lock, life, two bells";
    EXPECT_TRUE(SucceedsAs(kStranger, [&] {
      ExpectNothingReached(directory, files);
      EXPECT_EQ(kill(resident.pid(), 0), -1);
      EXPECT_EQ(errno, EPERM);
    }));
    EXPECT_EQ(FilesIn(directory), files);
    EXPECT_TRUE(SucceedsAs(owner, [&] {
      Client client;
      client.Enter("g");
      ExpectAnAnswer(client);
    })) << "the owner's region works";
  }
};

TEST_F(ReachTest, NothingOfAUsersRegion) {
  ExpectClosed(kVictim, DirectoryOf(kVictim));
}

TEST_F(ReachTest, NothingOfRootsRegion) {
  ExpectClosed(kRoot, DirectoryOf(kRoot));
}

TEST_F(ReachTest, NothingOfATeamsRegion) {
  UseTeamRegion();
  ExpectClosed(kMember, TeamDirectory());
}

// Whatever he writes into the variables: he is refused, or alone.
TEST_F(ReachTest, NoRegionOfAnotherByAnyNameOfIt) {
  UseTeamRegion();
  const Resident team(kMember);
  setenv("ZCB_REGION", "default", 1);
  const Resident victim(kVictim);
  const Resident root(kRoot);
  const std::string base = base_.path();
  const std::string number = std::to_string(kVictim.uid);
  EXPECT_TRUE(SucceedsAs(kStranger, [&] {
    ASSERT_EQ(symlink(DirectoryOf(kVictim).c_str(), (base + "/way-in").c_str()),
              0);
    ASSERT_EQ(mkdir((base + "/mine").c_str(), 0700), 0);
    ASSERT_EQ(
        symlink(DirectoryOf(kVictim).c_str(),
                (base + "/mine/zcb-" + std::to_string(kStranger.uid)).c_str()),
        0);
    const std::string proc = "/proc/" + std::to_string(victim.pid());
    for (const std::string& directory :
         {base, DirectoryOf(kVictim), DirectoryOf(kVictim) + "/..",
          DirectoryOf(kRoot), TeamDirectory(), base + "/way-in", base + "/mine",
          proc + "/root" + base, proc + "/cwd"}) {
      setenv("ZCB_DIR", directory.c_str(), 1);
      for (const std::string& name :
           {std::string("default"), std::string("r"), "r@" + number,
            "default@" + number, std::string("r@0"),
            "r@" + std::to_string(kTeam), std::string("zcb-" + number)}) {
        setenv("ZCB_REGION", name.c_str(), 1);
        Client client;
        if (client.status != CS_OK) {
          EXPECT_EQ(client.status, CS_ERR_ACCESS) << directory << " " << name;
          continue;
        }
        ASSERT_EQ(client.Join("g"), CS_OK);
        client.DispatchUntilChanges(1);
        EXPECT_EQ(client.changes[0].members.size(), 1U)
            << directory << " " << name;
      }
    }
  }));
}

// --- locks as weapons -------------------------------------------------------

// A member can: that is why he is to be trusted.
TEST_F(SharedBaseTest, WhoHoldsAllLocksKeepsNewcomersOutAndNobodyElse) {
  UseTeamRegion();
  const Resident resident(kMember);
  Gate ready;
  Gate locked;
  Gate asked;
  Gate go_on;
  ChildProcess client_process([&] {
    Become(kVictim);
    Client client;
    client.Enter("g");
    ready.Signal();
    go_on.Wait();
    [&] { ExpectAnAnswer(client); }();
    return Verdict();
  });
  ready.Wait();
  ChildProcess hog([&] {
    Become(kMember);
    // Not those that are held already.
    const int fd = open((TeamDirectory() + "/r.lock").c_str(), O_RDWR);
    for (int byte = 0; byte < 8192; ++byte) {
      struct flock lock{};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      lock.l_start = byte;
      lock.l_len = 1;
      (void)fcntl(fd, F_SETLK, &lock);
    }
    locked.Signal();
    asked.Wait();
    return fd < 0 ? 1 : 0;
  });
  locked.Wait();
  EXPECT_EQ(AnswerTo(kVictim), CS_ERR_NO_RESOURCES);
  go_on.Signal();
  EXPECT_EQ(client_process.Join(), 0);
  asked.Signal();
  EXPECT_EQ(hog.Join(), 0);
  EXPECT_EQ(AnswerTo(kVictim), CS_OK);
}

}  // namespace
}  // namespace zcb::testing
