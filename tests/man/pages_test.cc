// The pages, the headers and the library name the same functions alike.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

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

// Of both headers: function, and its prototype normalized.
std::map<std::string, std::string> DeclaredFunctions() {
  std::map<std::string, std::string> functions;
  for (const char* header : {"cpg.h", "cpg_zcb.h"}) {
    const std::string text = std::regex_replace(
        Contents(std::string("cpg/include/corosync/") + header),
        std::regex(R"(/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)"), "");
    const std::regex prototype(
        R"((?:^|\n)((?:cs_error_t|const char\*)\s+(cpg_\w+)\([^;{]*\));)");
    for (std::sregex_iterator i(text.begin(), text.end(), prototype), end;
         i != end; ++i) {
      functions[(*i)[2]] = Normalized((*i)[1].str());
    }
  }
  return functions;
}

std::set<std::string> ExportedFunctions() {
  std::set<std::string> functions;
  const std::string text = Contents("cpg/libcpg.map");
  const std::regex name(R"(\n\s+(cpg_\w+);)");
  for (std::sregex_iterator i(text.begin(), text.end(), name), end; i != end;
       ++i) {
    functions.insert((*i)[1]);
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
  const auto variables = [](const std::string& text, const char* pattern) {
    std::set<std::string> found;
    const std::regex expression(pattern);
    for (std::sregex_iterator i(text.begin(), text.end(), expression), end;
         i != end; ++i) {
      found.insert((*i)[1]);
    }
    return found;
  };
  std::set<std::string> read;
  for (const char* source :
       {"allocator/region_options.cc", "allocator/allocator_options.cc",
        "ipc/attachment.cc", "cpg/handle_options.cc"}) {
    read.merge(variables(Contents(source), R"re("(ZCB_[A-Z_]+)")re"));
  }
  const std::string page = Contents("docs/man/zcb.7");
  EXPECT_GE(read.size(), 16U);
  EXPECT_EQ(variables(page, R"(\.It Ev (ZCB_[A-Z_]+))"), read);
}

}  // namespace
}  // namespace zcb::man
