// Symbols and versions of our libcpg.so.4 against those of the installed one,
// and the two ways in which programs are bound to them. What the symbols mean,
// their arguments and layouts, the binary does not say (it has no debug data):
// abi_test.cc compares the headers.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>

#include "tests/support/shared_library.h"
#include "tests/support/temp_directory.h"

namespace zcb::cpg {
namespace {

using zcb::testing::OutputOf;

constexpr const char* kOurs = "cpg/libcpg.so.4";
constexpr const char* kVersion = "COROSYNC_CPG_1.0";
constexpr const char* kClient = "tests/cpg/stock_client";
constexpr const char* kVersionedClient = "tests/cpg/stock_client_versioned";

// The system's library; empty if there is none.
std::string TheirPath() {
  std::istringstream lines(OutputOf("/sbin/ldconfig -p"));
  for (std::string line; std::getline(lines, line);) {
    if (line.find("libcpg.so.4 ") == std::string::npos) continue;
    const std::string arrow = " => ";
    const std::size_t at = line.find(arrow);
    if (at != std::string::npos) return line.substr(at + arrow.size());
  }
  return "";
}

// cpg_*, each with its version, or "" without one. `kind` as in nm(1).
std::map<std::string, std::string> Symbols(const std::string& path,
                                           const std::string& options,
                                           const std::string& kind) {
  std::istringstream lines(
      OutputOf("nm -D --with-symbol-versions " + options + " " + path));
  std::map<std::string, std::string> symbols;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t name_at = line.find(" cpg_");
    if (name_at == std::string::npos) continue;
    EXPECT_EQ(line.substr(name_at - 1, 1), kind) << line;
    const std::string name = line.substr(name_at + 1);
    const std::size_t version_at = name.find('@');
    symbols[name.substr(0, version_at)] =
        version_at == std::string::npos
            ? ""
            : name.substr(name.find_first_not_of('@', version_at));
  }
  return symbols;
}

// The versions that a library defines; its own name is the first.
std::set<std::string> VersionsOf(const std::string& path) {
  std::istringstream lines(OutputOf("readelf -WV " + path));
  std::set<std::string> versions;
  bool defined_here = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("section '") != std::string::npos) {
      defined_here = line.find("Version definition") != std::string::npos;
    }
    const std::size_t at = line.find("Name: ");
    if (defined_here && at != std::string::npos) {
      versions.insert(line.substr(at + 6));
    }
  }
  return versions;
}

TEST(AbiSymbolsTest, EveryFunctionOfTheInstalledLibraryIsOursUnderItsVersion) {
  const std::string their_path = TheirPath();
  if (their_path.empty()) GTEST_SKIP() << "no libcpg is installed";
  const auto theirs = Symbols(their_path, "--defined-only", "T");
  const auto ours = Symbols(kOurs, "--defined-only", "T");
  EXPECT_EQ(theirs.size(), 20U);
  for (const auto& [name, version] : theirs) {
    ASSERT_EQ(ours.count(name), 1U) << name;
    // Some of theirs have none; ours are all named alike.
    EXPECT_EQ(ours.at(name), kVersion) << name;
    EXPECT_TRUE(version.empty() || version == kVersion) << name;
  }
}

TEST(AbiSymbolsTest, SonameIsThatOfTheInstalledLibrary) {
  const std::string their_path = TheirPath();
  if (their_path.empty()) GTEST_SKIP() << "no libcpg is installed";
  const auto soname_of = [](const std::string& path) {
    const std::string all = OutputOf("readelf -Wd " + path);
    const std::size_t at = all.find("(SONAME)");
    return all.substr(at, all.find('\n', at) - at);
  };
  EXPECT_EQ(soname_of(kOurs), soname_of(their_path));
}

TEST(AbiSymbolsTest, VersionsAreTheirsAndOneOfOurOwn) {
  EXPECT_EQ(VersionsOf(kOurs),
            (std::set<std::string>{"libcpg.so.4", kVersion, "ZCB_1.0"}));
  const std::string their_path = TheirPath();
  if (their_path.empty()) GTEST_SKIP() << "no libcpg is installed";
  EXPECT_EQ(VersionsOf(their_path),
            (std::set<std::string>{"libcpg.so.4", kVersion}));
}

TEST(AbiSymbolsTest, ProgramLinkedToTheInstalledLibraryHasEightBareNames) {
  const auto used = Symbols(kClient, "--undefined-only", "U");
  std::set<std::string> bare;
  for (const auto& [name, version] : used) {
    if (version.empty()) bare.insert(name);
  }
  EXPECT_EQ(used.size(), 20U);
  EXPECT_EQ(bare, (std::set<std::string>{
                      "cpg_flow_control_state_get", "cpg_iteration_finalize",
                      "cpg_iteration_initialize", "cpg_iteration_next",
                      "cpg_local_get", "cpg_max_atomic_msgsize_get",
                      "cpg_model_initialize", "cpg_zcb_mcast_joined"}));
}

TEST(AbiSymbolsTest, ProgramLinkedToOursHasAVersionOnEveryName) {
  const auto used = Symbols(kVersionedClient, "--undefined-only", "U");
  EXPECT_EQ(used.size(), 20U);
  for (const auto& [name, version] : used) EXPECT_EQ(version, kVersion) << name;
}

// ld.so complains on standard error, or refuses, when versions do not fit.
TEST(AbiSymbolsTest, BothProgramsRunWithEverySymbolBoundAtTheStart) {
  for (const char* program : {kClient, kVersionedClient}) {
    const zcb::testing::TempDirectory directory;
    EXPECT_EQ(
        OutputOf("ZCB_DIR=" + directory.path() +
                 " LD_LIBRARY_PATH=cpg LD_BIND_NOW=1 " + program + " 2>&1"),
        "")
        << program;
  }
}

// As a distribution would have it that goes back to Corosync's library, some of
// whose symbols have no version. There is no daemon, so the program ends at its
// first call; what counts is that the loader bound every symbol and is content.
TEST(AbiSymbolsTest, ProgramLinkedToOursLoadsTheInstalledLibraryToo) {
  const std::string their_path = TheirPath();
  if (their_path.empty()) GTEST_SKIP() << "no libcpg is installed";
  const std::string with_theirs =
      "LD_LIBRARY_PATH=" + their_path.substr(0, their_path.rfind('/')) + " ";
  const std::string loaded =
      OutputOf(with_theirs + "ldd -r " + kVersionedClient + " 2>&1");
  EXPECT_NE(loaded.find("libcpg.so.4 => " + their_path), std::string::npos)
      << loaded;
  for (const char* complaint : {"undefined symbol", "not found", "not defined",
                                "no version information", "cpg/libcpg"}) {
    EXPECT_EQ(loaded.find(complaint), std::string::npos) << loaded;
  }
  // The loader's own code for what it cannot bind is 127.
  EXPECT_EQ(OutputOf(with_theirs + "LD_BIND_NOW=1 " + kVersionedClient +
                     " 2>&1; test $? -ne 127"),
            "");
}

// The loader's own word on which library each program would get.
TEST(AbiSymbolsTest, BothProgramsGetOurLibrary) {
  for (const char* program : {kClient, kVersionedClient}) {
    const std::string loaded =
        OutputOf(std::string("LD_LIBRARY_PATH=cpg ldd -r ") + program);
    EXPECT_NE(loaded.find("libcpg.so.4 => cpg/libcpg.so.4"), std::string::npos)
        << loaded;
    EXPECT_EQ(loaded.find("undefined symbol"), std::string::npos) << loaded;
  }
}

}  // namespace
}  // namespace zcb::cpg
