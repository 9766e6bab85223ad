// A shared library from outside: what it says of itself, by binutils, and its
// functions, found at run time.
#ifndef ZCB_TESTS_SUPPORT_SHARED_LIBRARY_H_
#define ZCB_TESTS_SUPPORT_SHARED_LIBRARY_H_

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <set>
#include <sstream>
#include <string>

namespace zcb::testing {

inline std::string OutputOf(const std::string& command) {
  std::string output;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  char part[4096];
  while (const std::size_t got = std::fread(part, 1, sizeof(part), pipe)) {
    output.append(part, got);
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

// Its soname, after a look at what must not be in it: anything needed but the
// C library, relocations of its text, and paths of a machine.
inline std::string CheckedSonameOf(const std::string& path) {
  std::istringstream lines(OutputOf("readelf -Wd " + path));
  std::string soname;
  for (std::string line; std::getline(lines, line);) {
    const auto open = line.find('[');
    const std::string name =
        open == std::string::npos
            ? ""
            : line.substr(open + 1, line.find(']') - open - 1);
    if (line.find("(NEEDED)") != std::string::npos) {
      EXPECT_TRUE(name == "libc.so.6" || name.rfind("ld-linux", 0) == 0)
          << name;
    }
    if (line.find("(SONAME)") != std::string::npos) soname = name;
    for (const char* unwanted : {"(TEXTREL)", "(RUNPATH)", "(RPATH)"}) {
      EXPECT_EQ(line.find(unwanted), std::string::npos) << line;
    }
  }
  return soname;
}

// The functions that it exports, as NAME@@VERSION; everything else that it
// exports is an error.
inline std::set<std::string> ExportsOf(const std::string& path) {
  std::istringstream lines(
      OutputOf("nm -D --defined-only --with-symbol-versions " + path));
  std::set<std::string> exported;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string address;
    std::string kind;
    std::string name;
    words >> address >> kind >> name;
    // The versions themselves; and local symbols, which nobody can bind to.
    if (kind == "A" || kind == "b" || kind == "d") continue;
    EXPECT_EQ(kind, "T") << name;
    exported.insert(name);
  }
  return exported;
}

// Bytes of thread-local memory; and its stack must not be executable.
inline std::uint64_t ThreadLocalBytesOf(const std::string& path) {
  std::istringstream lines(OutputOf("readelf -Wl " + path));
  std::uint64_t tls_bytes = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string type;
    std::string skipped;
    std::string memory_bytes;
    words >> type >> skipped >> skipped >> skipped >> skipped >> memory_bytes;
    if (type == "TLS") tls_bytes = std::stoull(memory_bytes, nullptr, 16);
    if (type == "GNU_STACK") {
      EXPECT_EQ(line.find("RWE"), std::string::npos);
    }
  }
  return tls_bytes;
}

// A library opened at run time; whoever opened it closes `handle`.
struct LoadedLibrary {
  void* handle = nullptr;

  bool Load(const std::string& path) {
    handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    return handle != nullptr;
  }
  template <typename Function>
  void Get(const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(handle, name));
    EXPECT_NE(*function, nullptr) << name;
  }
};

}  // namespace zcb::testing

#endif  // ZCB_TESTS_SUPPORT_SHARED_LIBRARY_H_
