// A member of a team who replaces names in its directory as fast as it can,
// while another user of the team attaches, joins, sends and goes. That may keep
// him out; what is his elsewhere stays as it is, and he gets an answer.
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/entry/users.h"

namespace zcb::testing {
namespace {

using cpg::testing::Client;

constexpr const char* kSecret = "nobody but me writes this\n";

class RaceTest : public SharedBaseTest {
 protected:
  struct Shared {
    std::atomic<std::uint64_t> swaps{0};
    std::atomic<bool> is_over{false};
  };
  void SetUp() override {
    SharedBaseTest::SetUp();
    if (IsSkipped()) return;
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    shared_ = new (memory) Shared();
    precious_ = base_.path() + "/precious";
  }
  void TearDown() override {
    if (shared_ != nullptr) munmap(shared_, sizeof(Shared));
  }

  static constexpr std::uint64_t kSwaps = 600;

  // With an error, the victim must not wait for more.
  int Attack() const {
    const int result = AttackUntilOver();
    if (result != 0) shared_->swaps = ~std::uint64_t{0};
    return result;
  }
  // Puts something else in the place of a name, whatever it was.
  int AttackUntilOver() const {
    Become(kMember);
    const int directory = open(TeamDirectory().c_str(), O_RDONLY | O_DIRECTORY);
    if (directory < 0) return 1;
    std::uint64_t dice = 88172645463325252ULL;
    std::uint64_t number = 0;
    // relaxed: only says when to stop
    while (!shared_->is_over.load(std::memory_order_relaxed)) {
      DIR* listing = opendir(TeamDirectory().c_str());
      if (listing == nullptr) return 2;
      while (const dirent* entry = readdir(listing)) {
        const std::string name = entry->d_name;
        if (!name.starts_with("r.")) continue;
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        if (dice % 4 == 0) continue;
        const std::string draft = "draft" + std::to_string(++number);
        int made = 0;
        switch (dice / 4 % 7) {
          case 0:
            made = symlinkat((precious_ + "/file").c_str(), directory,
                             draft.c_str());
            break;
          case 1:
            made = symlinkat(precious_.c_str(), directory, draft.c_str());
            break;
          case 2:
            made = mknodat(directory, draft.c_str(), S_IFIFO | 0660, 0);
            break;
          case 3:
            made = mknodat(directory, draft.c_str(), S_IFIFO, 0);
            break;
          case 4:
            made = mknodat(directory, draft.c_str(), S_IFREG | 0660, 0);
            break;
          case 5:
            made = linkat(directory, "r.lock", directory, draft.c_str(), 0);
            break;
          default:
            unlinkat(directory, name.c_str(), 0);
            continue;
        }
        if (made == 0 &&
            renameat(directory, draft.c_str(), directory, name.c_str()) == 0) {
          // relaxed: a count
          shared_->swaps.fetch_add(1, std::memory_order_relaxed);
        }
        unlinkat(directory, draft.c_str(), 0);
      }
      closedir(listing);
      unlinkat(directory, "r.meta", 0);  // so that there is another region
      unlinkat(directory, "r.lock", 0);
    }
    return 0;
  }

  int Live(int rounds) {
    Become(kVictim);
    umask(0777);
    std::map<cs_error_t, int> answers;
    // relaxed: a count
    for (int round = 0; round < rounds ||
                        shared_->swaps.load(std::memory_order_relaxed) < kSwaps;
         ++round) {
      Client client;
      ++answers[client.status];
      if (client.status != CS_OK) continue;
      int fd = -1;
      ++answers[cpg_fd_get(client.handle, &fd)];
      const cs_error_t joined = client.Join("g");
      ++answers[joined];
      if (joined != CS_OK) continue;
      EXPECT_EQ(client.Send("hello"), CS_OK);
      EXPECT_EQ(client.Dispatch(), CS_OK);
      EXPECT_EQ(client.Texts(), std::vector<std::string>{"hello"});
    }
    EXPECT_GT(answers[CS_OK], 0);
    for (const auto& [answer, count] : answers) {
      EXPECT_TRUE(answer == CS_OK || answer == CS_ERR_ACCESS ||
                  answer == CS_ERR_TRY_AGAIN || answer == CS_ERR_LIBRARY ||
                  answer == CS_ERR_NO_RESOURCES)
          << answer << ": " << count;
      std::printf("answer %d: %d times\n", static_cast<int>(answer), count);
    }
    std::fflush(stdout);
    return Verdict();
  }

  Shared* shared_ = nullptr;
  std::string precious_;
};

TEST_F(RaceTest, NamesThatComeAndGoLeadNobodyElsewhere) {
  UseTeamRegion();
  ASSERT_TRUE(SucceedsAs(kVictim, [&] {
    ASSERT_EQ(mkdir(precious_.c_str(), 0750), 0);
    std::ofstream(precious_ + "/file") << kSecret;
    ASSERT_EQ(chmod((precious_ + "/file").c_str(), 0600), 0);
    const Client client;  // makes the directory
    ASSERT_EQ(client.status, CS_OK);
  }));
  ChildProcess attacker([&] { return Attack(); });
  ChildProcess victim([&] { return Live(2000); });
  EXPECT_EQ(victim.Join(), 0);
  shared_->is_over = true;
  EXPECT_EQ(attacker.Join(), 0);

  struct stat facts{};
  ASSERT_EQ(stat((precious_ + "/file").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode, S_IFREG | 0600U);
  EXPECT_EQ(facts.st_nlink, 1U);
  EXPECT_EQ(facts.st_uid, kVictim.uid);
  EXPECT_EQ(facts.st_gid, kVictim.gid);
  ASSERT_EQ(stat(precious_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode, S_IFDIR | 0750U);
  EXPECT_EQ(facts.st_gid, kVictim.gid);
  std::ifstream stream(precious_ + "/file");
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_EQ(text, kSecret);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(precious_), {}),
            1);
}

}  // namespace
}  // namespace zcb::testing
