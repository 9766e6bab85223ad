// Every error that a page lists happens, and no other has a producer.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "tests/man/man_page.h"
#include "tests/man/producer.h"
#include "tests/man/scene.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace zcb::man {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::TempDirectory;

const std::map<cs_error_t, std::string> kNames = {
    {CS_ERR_LIBRARY, "CS_ERR_LIBRARY"},
    {CS_ERR_VERSION, "CS_ERR_VERSION"},
    {CS_ERR_TIMEOUT, "CS_ERR_TIMEOUT"},
    {CS_ERR_TRY_AGAIN, "CS_ERR_TRY_AGAIN"},
    {CS_ERR_INVALID_PARAM, "CS_ERR_INVALID_PARAM"},
    {CS_ERR_NO_MEMORY, "CS_ERR_NO_MEMORY"},
    {CS_ERR_BAD_HANDLE, "CS_ERR_BAD_HANDLE"},
    {CS_ERR_BUSY, "CS_ERR_BUSY"},
    {CS_ERR_ACCESS, "CS_ERR_ACCESS"},
    {CS_ERR_NOT_EXIST, "CS_ERR_NOT_EXIST"},
    {CS_ERR_NAME_TOO_LONG, "CS_ERR_NAME_TOO_LONG"},
    {CS_ERR_EXIST, "CS_ERR_EXIST"},
    {CS_ERR_NO_RESOURCES, "CS_ERR_NO_RESOURCES"},
    {CS_ERR_NOT_SUPPORTED, "CS_ERR_NOT_SUPPORTED"},
    {CS_ERR_TOO_BIG, "CS_ERR_TOO_BIG"},
    {CS_ERR_NO_SECTIONS, "CS_ERR_NO_SECTIONS"},
};

Producers AllProducers() {
  Producers all;
  for (Producers (*some)() :
       {&BadHandleErrors, &InitializeErrors, &RegionErrors, &HandleErrors,
        &GroupErrors, &SendErrors, &BufferErrors, &ReceiveErrors, &WaitErrors,
        &ReportErrors, &TruncatedErrors, &ResourceErrors, &MeanwhileErrors}) {
    Producers more = some();
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

TEST(ErrorsTest, EveryListedErrorHasAProducerAndEveryProducerIsListed) {
  std::set<std::string> listed;
  for (const ManPage& page : AllPages()) {
    listed.insert(page.errors.begin(), page.errors.end());
  }
  std::set<std::string> produced;
  for (const Producer& producer : AllProducers()) {
    produced.insert(producer.function + " " + kNames.at(producer.error));
  }
  EXPECT_GE(listed.size(), 150U) << "are the pages read at all?";
  for (const std::string& error : listed) {
    EXPECT_TRUE(produced.contains(error)) << "listed only: " << error;
  }
  for (const std::string& error : produced) {
    EXPECT_TRUE(listed.contains(error)) << "produced only: " << error;
  }
}

// "function CS_ERR_X Cause" of a row.
std::string CauseOf(const Producer& producer) {
  return producer.function + " " + kNames.at(producer.error) + " " +
         producer.cause.substr(0, producer.cause.find('_'));
}

TEST(ErrorsTest, EveryCauseOfAPageHasAProducerAndEveryProducerIsOfACause) {
  std::set<std::string> named;
  for (const ManPage& page : AllPages()) {
    named.insert(page.causes.begin(), page.causes.end());
    for (const std::string& error : page.unnamed) {
      ADD_FAILURE() << "more alternatives than names of causes: " << error;
    }
    for (const std::string& error : page.errors) {
      EXPECT_TRUE(std::ranges::any_of(page.causes, [&](const auto& cause) {
        return cause.starts_with(error + " ");
      })) << error;
    }
  }
  std::set<std::string> made;
  for (const Producer& producer : AllProducers()) {
    made.insert(CauseOf(producer));
  }
  for (const std::string& cause : named) {
    EXPECT_TRUE(made.contains(cause)) << "on a page only: " << cause;
  }
  for (const std::string& cause : made) {
    EXPECT_TRUE(named.contains(cause)) << "made only: " << cause;
  }
}

// A small region, in a directory of the scene's own.
void SetEnvironment(const TempDirectory& directory) {
  for (char** variable = environ; *variable != nullptr;) {
    const std::string text = *variable;
    if (text.starts_with("ZCB_")) {
      unsetenv(text.substr(0, text.find('=')).c_str());
      variable = environ;
    } else {
      ++variable;
    }
  }
  setenv("ZCB_DIR", directory.path().c_str(), 1);
  setenv("ZCB_REGION_BYTES", std::to_string(kRegionBytes).c_str(), 1);
}

// What a scene in a process of its own says: a cs_error_t, or kSceneFailed...
int CodeOf(const std::function<cs_error_t()>& produce) {
  const TempDirectory directory;
  ChildProcess scene([&] {
    BeginScene();
    SetEnvironment(directory);
    return static_cast<int>(produce());
  });
  return scene.Join();
}

// Each of these calls is CS_OK, or what its page lists.
void ExpectNothingUnlisted(
    const std::map<std::string, std::function<cs_error_t()>>& calls) {
  std::set<std::string> listed;
  for (const ManPage& page : AllPages()) {
    listed.insert(page.errors.begin(), page.errors.end());
  }
  for (const auto& [function, call] : calls) {
    const int code = CodeOf(call);
    if (code == CS_OK) continue;
    const auto name = kNames.find(static_cast<cs_error_t>(code));
    EXPECT_TRUE(name != kNames.end() &&
                listed.contains(function + " " + name->second))
        << function << " says " << code;
  }
}

TEST(ErrorsTest, WithoutMemoryEveryCallWorksOrFailsAsItsPageSays) {
  ExpectNothingUnlisted(NoMemoryCalls());
}

TEST(ErrorsTest, AfterACutEveryCallWorksOrFailsAsItsPageSays) {
  std::map<std::string, std::function<cs_error_t()>> calls;
  for (const auto& entry : CallsOfAHandle()) {
    const CallOfAHandle call = entry.second;
    calls[entry.first] = [call] {
      const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
      CutDataFile(member);
      return call(member);
    };
  }
  ExpectNothingUnlisted(calls);
}

// A walk over all groups goes on where it cannot read.
TEST(ErrorsTest, WalksOverAllGroupsLeaveOutThoseThatAreDamaged) {
  for (const cpg_iteration_type_t type :
       {CPG_ITERATION_NAME_ONLY, CPG_ITERATION_ALL}) {
    EXPECT_EQ(
        CodeOf([type] {
          const cpg_handle_t member = NewMember();
          DamageDirectoryOfGroups();
          cpg_iteration_handle_t walk = 0;
          MustBeOk(cpg_iteration_initialize(member, type, nullptr, &walk));
          cpg_iteration_description_t item{};
          return cpg_iteration_next(walk, &item);
        }),
        CS_ERR_NO_SECTIONS);
  }
}

class ProducerTest : public ::testing::Test {
 public:
  explicit ProducerTest(Producer producer) : producer_(std::move(producer)) {}

  void TestBody() override {
    const int code = CodeOf(producer_.produce);
    if (code == kNotHere) GTEST_SKIP() << "see above";
    ASSERT_NE(code, kSceneFailed);
    EXPECT_EQ(code, static_cast<int>(producer_.error));
  }

 private:
  Producer producer_;
};

// One case for each row: "cpg_join.ExistIfTheHandleIsInAGroup" and so on.
bool RegisterProducers() {
  for (const Producer& producer : AllProducers()) {
    const std::string name =
        kNames.at(producer.error).substr(7) + "_" + producer.cause;
    ::testing::RegisterTest(
        producer.function.c_str(), name.c_str(), nullptr, nullptr, __FILE__,
        __LINE__,
        [producer]() -> ProducerTest* { return new ProducerTest(producer); });
  }
  return true;
}
[[maybe_unused]] const bool g_registered = RegisterProducers();

}  // namespace
}  // namespace zcb::man
