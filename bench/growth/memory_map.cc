#include "bench/growth/memory_map.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <string>
#include <string_view>

#include "bench/failure.h"

namespace zcb::bench {
namespace {

// "Rss:    12 kB" -> bytes; -1 if the line is about something else.
std::int64_t FieldBytes(std::string_view line, std::string_view title) {
  if (!line.starts_with(title)) return -1;
  const std::size_t at = line.find_first_not_of(" \t", title.size());
  if (at == std::string_view::npos) return -1;
  std::int64_t kib = 0;
  std::from_chars(line.data() + at, line.data() + line.size(), kib);
  return kib * 1024;
}

// "55d0...-55d0... r-xp 00001000 fd:00 1234   /path/of/it"
bool IsHeader(std::string_view line) {
  const std::size_t space = line.find(' ');
  return space != std::string_view::npos && space > 0 && line[space - 1] != ':';
}

std::string_view NameIn(std::string_view header) {
  const std::size_t at = header.find_first_of("/[");
  return at == std::string_view::npos ? std::string_view() : header.substr(at);
}

MemoryKind KindOf(std::string_view name) {
  // What a file is called after its last link has gone.
  constexpr std::string_view kGone = " (deleted)";
  if (name.ends_with(kGone)) name.remove_suffix(kGone.size());
  if (name.starts_with("/") && name.ends_with(".data")) {
    return MemoryKind::kRegionData;
  }
  if (name.starts_with("/") && name.ends_with(".meta")) {
    return MemoryKind::kRegionMeta;
  }
  if (name == "[stack]") return MemoryKind::kStack;
  return name.starts_with("/") ? MemoryKind::kFiles : MemoryKind::kHeap;
}

}  // namespace

MemoryUse& MemoryUse::operator+=(const MemoryUse& other) {
  resident += other.resident;
  proportional += other.proportional;
  own += other.own;
  return *this;
}

MemoryUse MemoryUse::operator-(const MemoryUse& other) const {
  return {resident - other.resident, proportional - other.proportional,
          own - other.own};
}

MemoryUse MemoryMap::Sum() const {
  MemoryUse sum;
  for (const MemoryUse& use : by_kind) sum += use;
  return sum;
}

MemoryMap operator-(const MemoryMap& after, const MemoryMap& before) {
  MemoryMap difference;
  for (std::size_t i = 0; i < kMemoryKinds; ++i) {
    difference.by_kind[i] = after.by_kind[i] - before.by_kind[i];
  }
  difference.page_tables = after.page_tables - before.page_tables;
  return difference;
}

MemoryMap ReadMemoryMap(pid_t pid) {
  MemoryMap map;
  std::ifstream smaps(fmt::format("/proc/{}/smaps", pid));
  if (!smaps) Fail("no smaps of process {}", pid);
  MemoryUse* use = nullptr;
  for (std::string line; std::getline(smaps, line);) {
    if (IsHeader(line)) {
      use = &map.of(KindOf(NameIn(line)));
    } else if (use != nullptr) {
      if (const auto rss = FieldBytes(line, "Rss:"); rss > 0) {
        use->resident += rss;
      } else if (const auto pss = FieldBytes(line, "Pss:"); pss > 0) {
        use->proportional += pss;
      } else if (const auto dirty = FieldBytes(line, "Private_Dirty:");
                 dirty > 0) {
        use->own += dirty;
      } else if (const auto clean = FieldBytes(line, "Private_Clean:");
                 clean > 0) {
        use->own += clean;
      }
    }
  }
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (const auto tables = FieldBytes(line, "VmPTE:"); tables > 0) {
      map.page_tables = tables;
    }
  }
  return map;
}

}  // namespace zcb::bench
