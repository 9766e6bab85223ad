#include "tests/process/code_map.h"

#include <cxxabi.h>
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

namespace zcb::steps {
namespace {

std::vector<char> ReadWhole(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Where the program lies minus where its headers say it does.
std::uintptr_t LoadBase() {
  std::uintptr_t base = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* result) {
        // The first one is the program.
        *static_cast<std::uintptr_t*>(result) = info->dlpi_addr;
        return 1;
      },
      &base);
  return base;
}

std::string Hex(const unsigned char* bytes, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    char two[3];
    std::snprintf(two, sizeof(two), "%02x", bytes[i]);
    text += two;
  }
  return text;
}

std::string Demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
  if (status != 0) return name;
  std::string pretty(text.get());
  // The arguments make a line unreadable.
  const auto open = pretty.find('(');
  return open == std::string::npos || open == 0 ? pretty
                                                : pretty.substr(0, open);
}

}  // namespace

const CodeMap& CodeMap::OfThisProgram() {
  // Never freed: children that exit would do it step by step.
  static const CodeMap* const map = new CodeMap;
  return *map;
}

CodeMap::CodeMap() : base_(LoadBase()) {
  const std::vector<char> file = ReadWhole("/proc/self/exe");
  const auto at = [&file](std::uint64_t offset) {
    if (offset >= file.size()) std::abort();
    return file.data() + offset;
  };
  ElfW(Ehdr) header;
  std::memcpy(&header, at(0), sizeof(header));
  std::vector<ElfW(Shdr)> sections(header.e_shnum);
  std::memcpy(sections.data(), at(header.e_shoff),
              sections.size() * sizeof(ElfW(Shdr)));
  for (const auto& section : sections) {
    if (section.sh_type == SHT_NOTE) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at(section.sh_offset), sizeof(note));
      if (note.n_type == NT_GNU_BUILD_ID) {
        build_id_ = Hex(reinterpret_cast<const unsigned char*>(
                            at(section.sh_offset + sizeof(note) +
                               ((note.n_namesz + 3U) & ~3U))),
                        note.n_descsz);
      }
    }
    if (section.sh_type != SHT_SYMTAB) continue;
    const char* const names = at(sections[section.sh_link].sh_offset);
    for (std::uint64_t i = 0; i < section.sh_size / sizeof(ElfW(Sym)); ++i) {
      ElfW(Sym) symbol;
      std::memcpy(&symbol, at(section.sh_offset + i * sizeof(symbol)),
                  sizeof(symbol));
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_size == 0) {
        continue;
      }
      Function function;
      function.begin = base_ + symbol.st_value;
      function.end = function.begin + symbol.st_size;
      function.name = names + symbol.st_name;
      function.is_ours = function.name.find("3zcb5steps") == std::string::npos;
      functions_.push_back(function);
    }
  }
  std::sort(functions_.begin(), functions_.end(),
            [](const Function& a, const Function& b) {
              return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
            });
  if (functions_.empty()) {
    std::fputs("steps: no symbol table: build without stripping\n", stderr);
    std::abort();
  }
  if (build_id_.empty()) {
    // As good, for saying that the program is another one.
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char byte : file) {
      hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
    }
    build_id_ = std::to_string(hash);
  }
}

const CodeMap::Function* CodeMap::Find(std::uintptr_t pc) const {
  auto after = std::upper_bound(
      functions_.begin(), functions_.end(), pc,
      [](std::uintptr_t value, const Function& f) { return value < f.begin; });
  // Functions do not overlap, but aliases of one lie side by side.
  if (after == functions_.begin()) return nullptr;
  const Function& function = *std::prev(after);
  return pc < function.end ? &function : nullptr;
}

bool CodeMap::IsOurs(std::uintptr_t pc) const {
  const Function* const function = Find(pc);
  return function != nullptr && function->is_ours;
}

bool CodeMap::IsHarness(std::uintptr_t pc) const {
  const Function* const function = Find(pc);
  return function != nullptr && !function->is_ours;
}

std::string CodeMap::NameOf(std::uintptr_t pc) const {
  const Function* const function = Find(pc);
  char offset[32];
  std::snprintf(
      offset, sizeof(offset), "+0x%llx",
      static_cast<unsigned long long>(
          pc - (function != nullptr ? function->begin : std::uintptr_t{0})));
  return (function != nullptr ? Demangled(function->name) : "?") + offset;
}

}  // namespace zcb::steps
