// Which instructions of this program are the library's.
#ifndef ZCB_TESTS_PROCESS_CODE_MAP_H_
#define ZCB_TESTS_PROCESS_CODE_MAP_H_

#include <cstdint>
#include <string>
#include <vector>

namespace zcb::steps {

// By the symbol table of /proc/self/exe, into which the library is linked
// statically: a function is the library's unless its name says that it belongs
// to namespace zcb::steps (this harness). What has no symbol there (libc,
// libstdc++, the loader, the vDSO, the linker's stubs) is not.
class CodeMap {
 public:
  // The program's own; aborts if it was stripped.
  static const CodeMap& OfThisProgram();

  bool IsOurs(std::uintptr_t pc) const;
  bool IsHarness(std::uintptr_t pc) const;
  // "function+0x12", or "?+0x..." outside: for people.
  std::string NameOf(std::uintptr_t pc) const;
  // The same in every run of the same binary, wherever it was loaded.
  std::uint64_t RelativeOf(std::uintptr_t pc) const { return pc - base_; }
  const std::string& build_id() const { return build_id_; }

 private:
  struct Function {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    bool is_ours = false;
    std::string name;
  };
  CodeMap();
  const Function* Find(std::uintptr_t pc) const;

  std::uintptr_t base_ = 0;
  std::vector<Function> functions_;  // sorted
  std::string build_id_;
};

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_CODE_MAP_H_
