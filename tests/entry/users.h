// Users of a test: numbers without an account, taken on in forked children,
// which takes root.
#ifndef ZCB_TESTS_ENTRY_USERS_H_
#define ZCB_TESTS_ENTRY_USERS_H_

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace zcb::testing {

struct User {
  uid_t uid;
  gid_t gid;  // primary
  std::vector<gid_t> groups;
};

inline constexpr gid_t kTeam = 65530;
inline const User kVictim{65533, 65533, {kTeam}};
inline const User kMember{65531, 65531, {kTeam}};
inline const User kStranger{65532, 65532, {}};

inline bool IsRoot() { return geteuid() == 0; }
inline int Verdict() { return ::testing::Test::HasFailure() ? 1 : 0; }

// For good. Only in a forked child.
inline void Become(const User& user) {
  ASSERT_EQ(setgroups(user.groups.size(), user.groups.data()), 0);
  ASSERT_EQ(setresgid(user.gid, user.gid, user.gid), 0);
  ASSERT_EQ(setresuid(user.uid, user.uid, user.uid), 0);
}

// Runs `body` as that user; true if nothing failed in it.
template <typename Body>
bool SucceedsAs(const User& user, Body body) {
  ChildProcess child([&] {
    Become(user);
    body();
    return Verdict();
  });
  return child.Join() == 0;
}

// What cpg_initialize() says to that user.
inline cs_error_t AnswerTo(const User& user) {
  ChildProcess child([&] {
    Become(user);
    const cpg::testing::Client client;
    return static_cast<int>(client.status);
  });
  return static_cast<cs_error_t>(child.Join());
}

// A base like /dev/shm: everybody may make his own directory in it, and
// nobody may take another's away.
class SharedBaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!IsRoot()) GTEST_SKIP() << "not run: needs root";
    ASSERT_EQ(chmod(base_.path().c_str(), 01777), 0);
    setenv("ZCB_DIR", base_.path().c_str(), 1);
    setenv("ZCB_REGION_BYTES", "4m", 1);
    unsetenv("ZCB_KEEP");
    unsetenv("ZCB_REGION");
  }
  void UseTeamRegion() {
    setenv("ZCB_REGION", ("r@" + std::to_string(kTeam)).c_str(), 1);
  }
  std::string DirectoryOf(const User& user) const {
    return base_.path() + "/zcb-" + std::to_string(user.uid);
  }
  std::string TeamDirectory() const {
    return base_.path() + "/zcb-g" + std::to_string(kTeam);
  }

  TempDirectory base_;
};

// A member of the group "g" with every file that a member can have, asleep
// until a message comes; then it answers with "answer".
class Resident {
 public:
  explicit Resident(const User& user)
      : child_([&] {
          Become(user);
          cpg::testing::Client client;
          int fd = -1;
          EXPECT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
          EXPECT_EQ(cpg_zcb_send_fd_get(client.handle, &fd), CS_OK);
          [&] { client.Enter("g"); }();
          if (Verdict() != 0) return 1;
          is_in_.Signal();
          for (std::size_t seen = 0;;) {
            if (client.Dispatch(CS_DISPATCH_ONE) != CS_OK) return 1;
            if (client.messages.size() == seen) continue;
            seen = client.messages.size();
            if (client.messages.back().text == "question" &&
                client.Send("answer") != CS_OK) {
              return 1;
            }
          }
        }) {
    is_in_.Wait();
  }
  pid_t pid() const { return child_.pid(); }

 private:
  Gate is_in_;
  ChildProcess child_;
};

// In a member's process: somebody answers.
inline void ExpectAnAnswer(cpg::testing::Client& client) {
  ASSERT_EQ(client.Send("question"), CS_OK);
  client.DispatchUntil([&] {
    return !client.messages.empty() && client.messages.back().text == "answer";
  });
}

}  // namespace zcb::testing

#endif  // ZCB_TESTS_ENTRY_USERS_H_
