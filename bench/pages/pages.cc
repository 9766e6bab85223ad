// What each kind of page costs: to get, to touch first, and to read at random.
//
//   pages [--json] [ROUNDS]   as root: mounts what it needs where nobody else
//                             sees it, and reserves huge pages while it runs
//
// Exit code 75: not permitted here.
//
// One row per way to have memory, each in processes of its own:
//
//   commit   Region::CommitUnits(), before anything may be written
//   prepare  the call that the row is named after, if it needs one
//   write    the first write to every 4 KiB, by the process that committed
//   attach   the first read of every 4 KiB, by a process that attaches
//   random   one load that depends on the one before, anywhere in the memory
//   return   Region::DecommitUnits()
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/page_backing.h"
#include "allocator/region.h"
#include "allocator/region_options.h"
#include "bench/pages/private_mounts.h"

namespace {

using zcb::alloc::kHugePageBytes;
using zcb::alloc::PagePolicy;
using zcb::alloc::Region;
using zcb::alloc::RegionOptions;

constexpr std::uint32_t kUnits = 128;
constexpr std::uint64_t kBytes = kUnits * kHugePageBytes;
constexpr std::uint64_t kMebibytes = kBytes >> 20;
constexpr std::uint64_t kSmallPageBytes = 4096;
constexpr std::size_t kRounds = 5;
constexpr int kNotRun = 75;
constexpr int kMadvPopulateWrite = 23;

enum class Prepare { kNothing, kPopulate, kPrefault };

struct Way {
  const char* name;
  const char* tmpfs;  // mount option huge=
  PagePolicy pages;
  Prepare prepare;
  bool on_hugetlbfs;
};

constexpr std::array<Way, 7> kWays = {{
    {"4 KiB", "never", PagePolicy::kSmall, Prepare::kNothing, false},
    {"4 KiB, MADV_POPULATE_WRITE", "never", PagePolicy::kSmall,
     Prepare::kPopulate, false},
    {"MADV_COLLAPSE", "never", PagePolicy::kAuto, Prepare::kPrefault, false},
    {"huge=advise, MADV_HUGEPAGE", "advise", PagePolicy::kHuge,
     Prepare::kNothing, false},
    {"huge=always", "always", PagePolicy::kHuge, Prepare::kNothing, false},
    {"huge=always, populated", "always", PagePolicy::kHuge, Prepare::kPopulate,
     false},
    {"hugetlbfs", "never", PagePolicy::kHuge, Prepare::kNothing, true},
}};

struct Row {
  double commit_us, prepare_us, write_us, attach_us, return_us;  // per MiB
  double random_ns;                                              // per load
  double huge_share;
};

[[noreturn]] void Fail(const char* what, const char* why) {
  fmt::print(stderr, "pages: {}: {}\n", what, why);
  std::_Exit(1);
}

// Of this thread's CPU, in and below the kernel: others on the machine do not
// count, and none of this sleeps.
double NowUs() {
  timespec now = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 +
         static_cast<double>(now.tv_nsec) / 1e3;
}

// Microseconds per MiB.
template <typename Work>
double Timed(Work work) {
  const double start_us = NowUs();
  work();
  return (NowUs() - start_us) / kMebibytes;
}

void Check(const char* what, const zcb::Outcome& outcome) {
  if (!outcome) Fail(what, outcome.reason());
}

std::shared_ptr<Region> Open(const RegionOptions& options) {
  auto region = Region::Open(options);
  if (!region) Fail("region", region.reason());
  return *region;
}

// The address of each load comes from the one before: memory and the page
// tables, not bandwidth.
double RandomReadNs(const std::byte* data) {
  constexpr std::uint64_t kLoads = 2'000'000;
  std::uint64_t state = 1;
  const double start_us = NowUs();
  for (std::uint64_t i = 0; i < kLoads; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const std::uint64_t line = (state >> 33) % (kBytes / 64);
    state += *reinterpret_cast<const volatile std::uint64_t*>(data + line * 64);
  }
  return (NowUs() - start_us) * 1000 / kLoads;
}

void PrepareUnits(const Way& way, Region& region) {
  if (way.prepare == Prepare::kPrefault) {
    Check("prefault", region.PrefaultUnits(0, kUnits));
  } else if (way.prepare == Prepare::kPopulate) {
    if (::madvise(region.data(), kBytes, kMadvPopulateWrite) != 0) {
      Fail("populate", "not in this kernel");
    }
  }
}

// Runs `body` in a child, which returns a T over a pipe.
template <typename T, typename Body>
T InChild(Body body) {
  int ends[2];
  if (::pipe(ends) != 0) Fail("pipe", "cannot be made");
  const pid_t child = ::fork();
  if (child == 0) {
    const T result = body();
    const bool sent =
        ::write(ends[1], &result, sizeof result) == ssize_t{sizeof result};
    std::_Exit(sent ? 0 : 1);
  }
  T result{};
  ::close(ends[1]);
  const ssize_t got = ::read(ends[0], &result, sizeof result);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  if (got != ssize_t{sizeof result}) std::_Exit(1);
  return result;
}

double AttachUs(const RegionOptions& options) {
  return InChild<double>([&] {
    const auto region = Open(options);
    std::uint64_t sum = 0;
    const double us = Timed([&] {
      for (std::uint64_t at = 0; at < kBytes; at += kSmallPageBytes) {
        sum += *reinterpret_cast<const volatile std::uint8_t*>(region->data() +
                                                               at);
      }
    });
    return sum == 0 ? -1 : us;  // every byte read was written before
  });
}

Row Measure(const Way& way, const std::string& directory) {
  const std::string tmpfs = directory + "/tmpfs";
  const std::string huge = directory + "/huge";
  if (!zcb::bench::EnterPrivateMounts() ||
      !zcb::bench::Mount("tmpfs", tmpfs,
                         std::string("size=1g,huge=") + way.tmpfs) ||
      (way.on_hugetlbfs &&
       !zcb::bench::Mount("hugetlbfs", huge, "pagesize=2M"))) {
    Fail(way.name, "needs root, and a kernel with these mounts");
  }
  RegionOptions options;
  options.directory = tmpfs;
  options.region_bytes = 2 * kBytes;
  options.prefault_bytes = kHugePageBytes;
  options.pages = way.pages;
  if (way.on_hugetlbfs) options.hugetlbfs_mount = huge;
  const auto region = Open(options);
  // What creation committed, so that every unit costs the same.
  Check("return", region->DecommitUnits(0, kUnits));

  Row row{};
  row.commit_us =
      Timed([&] { Check("commit", region->CommitUnits(0, kUnits)); });
  row.prepare_us = Timed([&] { PrepareUnits(way, *region); });
  row.write_us = Timed([&] {
    for (std::uint64_t at = 0; at < kBytes; at += kSmallPageBytes) {
      *reinterpret_cast<volatile std::uint8_t*>(region->data() + at) = 1;
    }
  });
  row.random_ns = RandomReadNs(region->data());
  row.attach_us = AttachUs(options);
  row.huge_share = static_cast<double>(region->ReportPages().huge_bytes) /
                   static_cast<double>(kBytes);
  row.return_us =
      Timed([&] { Check("return", region->DecommitUnits(0, kUnits)); });
  return row;
}

using Rounds = std::array<std::vector<Row>, kWays.size()>;

// In turns, forwards and backwards, so that a noisy minute hits all ways alike.
Rounds MeasureAll(const std::string& directory, std::size_t rounds) {
  Rounds rows;
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < kWays.size(); ++i) {
      const std::size_t w = round % 2 == 0 ? i : kWays.size() - 1 - i;
      rows[w].push_back(
          InChild<Row>([&] { return Measure(kWays[w], directory); }));
    }
  }
  return rows;
}

void PrintJson(const Rounds& rows) {
  nlohmann::ordered_json ways;
  for (std::size_t w = 0; w < kWays.size(); ++w) {
    for (const Row& row : rows[w]) {
      ways[kWays[w].name].push_back({{"commit_us", row.commit_us},
                                     {"prepare_us", row.prepare_us},
                                     {"write_us", row.write_us},
                                     {"attach_us", row.attach_us},
                                     {"random_ns", row.random_ns},
                                     {"return_us", row.return_us},
                                     {"huge_share", row.huge_share}});
    }
  }
  fmt::print("{}\n", ways.dump());
}

double Median(std::vector<Row> rows, double Row::* field) {
  std::sort(rows.begin(), rows.end(),
            [&](const Row& a, const Row& b) { return a.*field < b.*field; });
  return rows[rows.size() / 2].*field;
}

void PrintTable(const Rounds& rows) {
  fmt::print(
      "{} MiB, CPU time, median of {}; us per MiB, random: ns per load\n\n",
      kMebibytes, rows[0].size());
  fmt::print(
      "| {:<28} | {:>7} | {:>7} | {:>7} | {:>7} | {:>7} | {:>7} | {:>5} "
      "|\n",
      "way", "commit", "prepare", "write", "attach", "random", "return",
      "huge");
  for (std::size_t w = 0; w < kWays.size(); ++w) {
    const auto median = [&](double Row::* field) {
      return Median(rows[w], field);
    };
    fmt::print(
        "| {:<28} | {:>7.1f} | {:>7.1f} | {:>7.1f} | {:>7.1f} | {:>7.1f} "
        "| {:>7.1f} | {:>4.0f}% |\n",
        kWays[w].name, median(&Row::commit_us), median(&Row::prepare_us),
        median(&Row::write_us), median(&Row::attach_us),
        median(&Row::random_ns), median(&Row::return_us),
        median(&Row::huge_share) * 100);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc > 1 && std::string_view(argv[1]) == "--json";
  const char* const number = argc > 1 + json ? argv[1 + json] : nullptr;
  const std::size_t rounds =
      number != nullptr ? std::strtoul(number, nullptr, 10) : kRounds;
  if (rounds == 0) Fail("usage", "pages [--json] [ROUNDS]");
  std::string directory = "/tmp/zcb-pages-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) Fail("directory", "none");
  std::filesystem::create_directory(directory + "/tmpfs");
  std::filesystem::create_directory(directory + "/huge");
  const zcb::bench::ReservedHugePages reserved(kUnits + 2);
  if (reserved.ok()) {
    const Rounds rows = MeasureAll(directory, rounds);
    json ? PrintJson(rows) : PrintTable(rows);
  } else {
    fmt::print(stderr, "pages: nr_hugepages: not so many pages to be had\n");
  }
  std::filesystem::remove_all(directory);
  return reserved.ok() ? 0 : kNotRun;
}
