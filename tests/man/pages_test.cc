// The pages, the headers and the library name the same functions alike.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/man/man_page.h"

namespace zcb::man {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string WithoutComments(std::string text) {
  for (std::size_t at = text.find("/*"); at != std::string::npos;
       at = text.find("/*", at)) {
    text.erase(at, text.find("*/", at) + 2 - at);
  }
  return text;
}

// What stands between `begin` and `end` in the text, each time.
std::vector<std::string> Between(const std::string& text,
                                 const std::string& begin,
                                 const std::string& end) {
  std::vector<std::string> found;
  std::size_t at = 0;
  while ((at = text.find(begin, at)) != std::string::npos) {
    at += begin.size();
    found.push_back(text.substr(at, text.find(end, at) - at));
  }
  return found;
}

// Of both headers: function, and its prototype normalized.
std::map<std::string, std::string> DeclaredFunctions() {
  std::map<std::string, std::string> functions;
  for (const char* header : {"cpg.h", "cpg_zcb.h"}) {
    const std::string text = WithoutComments(
        Contents(std::string("cpg/include/corosync/") + header));
    for (const std::string type : {"cs_error_t ", "const char* "}) {
      for (const std::string& rest : Between(text, "\n" + type, ";")) {
        const std::string name = rest.substr(0, rest.find('('));
        functions[name] = Normalized(type + rest);
      }
    }
  }
  return functions;
}

std::set<std::string> ExportedFunctions() {
  std::set<std::string> functions;
  for (const std::string& rest :
       Between(Contents("cpg/libcpg.map"), "\n    cpg_", ";")) {
    functions.insert("cpg_" + rest);
  }
  return functions;
}

std::map<std::string, std::string> DescribedFunctions() {
  std::map<std::string, std::string> functions;
  for (const ManPage& page : AllPages()) {
    for (const auto& [name, prototype] : page.prototypes) {
      EXPECT_TRUE(functions.emplace(name, prototype).second)
          << name << " is on two pages";
    }
  }
  return functions;
}

TEST(PagesTest, EveryExportedFunctionIsDeclaredAndHasAPageAndNoOther) {
  std::set<std::string> declared;
  for (const auto& [name, prototype] : DeclaredFunctions()) {
    declared.insert(name);
  }
  std::set<std::string> described;
  for (const auto& [name, prototype] : DescribedFunctions()) {
    described.insert(name);
  }
  EXPECT_GE(declared.size(), 38U);
  EXPECT_EQ(declared, ExportedFunctions());
  EXPECT_EQ(described, ExportedFunctions());
}

TEST(PagesTest, EveryPrototypeIsTheHeaders) {
  const auto declared = DeclaredFunctions();
  for (const auto& [name, prototype] : DescribedFunctions()) {
    const auto found = declared.find(name);
    ASSERT_NE(found, declared.end()) << name;
    EXPECT_EQ(prototype, found->second) << name;
  }
}

TEST(PagesTest, EveryNameOfAPageIsAFunctionOfItAndTheFileBearsOneOfThem) {
  for (const ManPage& page : AllPages()) {
    const std::string stem = std::filesystem::path(page.file).stem();
    EXPECT_EQ(std::count(page.names.begin(), page.names.end(), stem), 1)
        << page.file;
    if (page.prototypes.empty()) continue;
    const std::set<std::string> names(page.names.begin(), page.names.end());
    std::set<std::string> functions;
    for (const auto& [name, prototype] : page.prototypes) {
      functions.insert(name);
    }
    EXPECT_EQ(names, functions) << page.file;
  }
}

TEST(PagesTest, EveryReferenceToAPageOfOursLeadsSomewhere) {
  std::set<std::string> known;
  for (const ManPage& page : AllPages()) {
    for (const std::string& name : page.names) {
      known.insert(name + " " + page.file.back());
    }
  }
  for (const ManPage& page : AllPages()) {
    for (const std::string& reference : page.references) {
      if (!reference.starts_with("cpg_") && !reference.starts_with("zcb")) {
        continue;
      }
      EXPECT_TRUE(known.contains(reference)) << page.file << ": " << reference;
    }
    const std::string overview = "cpg_overview 3";
    EXPECT_TRUE(page.references.contains(overview) ||
                page.file == "cpg_overview.3")
        << page.file;
  }
}

TEST(PagesTest, TheOverviewNamesEveryFunction) {
  for (const ManPage& page : AllPages()) {
    if (page.file != "cpg_overview.3") continue;
    for (const std::string& function : ExportedFunctions()) {
      EXPECT_TRUE(page.references.contains(function + " 3")) << function;
    }
    return;
  }
  FAIL() << "no overview";
}

// As text: what the code reads (and the tests of which are elsewhere) is named
// in the page, and the page names nothing else.
TEST(PagesTest, TheEnvironmentOfTheLibraryIsTheEnvironmentOfThePage) {
  std::set<std::string> read;
  for (const char* source :
       {"allocator/region_options.cc", "allocator/allocator_options.cc",
        "ipc/ipc_options.cc", "cpg/handle_options.cc"}) {
    for (const std::string& rest : Between(Contents(source), "\"ZCB_", "\"")) {
      // Not the reasons that begin with one: "ZCB_KEEP: 0 or 1".
      if (rest.find_first_of(": ") == std::string::npos) {
        read.insert("ZCB_" + rest);
      }
    }
  }
  std::set<std::string> described;
  for (const std::string& rest :
       Between(Contents("docs/man/zcb.7"), "\n.It Ev ZCB_", "\n")) {
    described.insert("ZCB_" + rest);
  }
  EXPECT_GE(read.size(), 24U);
  EXPECT_EQ(described, read);
}

}  // namespace
}  // namespace zcb::man
