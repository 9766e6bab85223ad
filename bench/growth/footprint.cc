// What there is of a region, a group, a member and a message: bytes of the
// region's files, and what an idle member has resident.
//
// Members are processes of their own, started anew (execve), so that nothing of
// another one's heap is theirs.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/crowd/member.h"
#include "bench/failure.h"
#include "bench/growth/memory_map.h"
#include "bench/processes/children.h"
#include "bench/processes/measured_once.h"

namespace zcb::bench {
namespace {

constexpr const char* kRole = "as-member";
constexpr std::size_t kMessages = 3000;
constexpr std::array<const char*, kMemoryKinds> kKindNames = {
    "data", "meta", "heap", "stack", "files"};

// --- a member, as its own process --------------------------------------------

void Say(char word) {
  if (::write(STDOUT_FILENO, &word, 1) != 1) ::_exit(1);
}
// True: go on. False: whoever asks has gone.
bool Hear() {
  char word = 0;
  return ::read(STDIN_FILENO, &word, 1) == 1;
}

int BeMember() {
  Say('0');  // all that a program has that does nothing
  if (!Hear()) return 0;
  CrowdMember member(CrowdMember::Wait::kFutex);
  Stamp stamp;
  while (member.TryNext(&stamp)) {  // its own view, and what came since
  }
  Say('1');
  std::vector<std::unique_ptr<CrowdMember>> more;
  for (std::size_t group = 0; Hear(); ++group) {
    more.push_back(std::make_unique<CrowdMember>(
        CrowdMember::Wait::kFutex, fmt::format("more-{}", group)));
    Say('2');
  }
  return 0;
}

// --- from outside
// -------------------------------------------------------------

class MemberProcess {
 public:
  explicit MemberProcess(Children* children) {
    int to[2], from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) {
      Fail("no pipe");
    }
    pid_ = children->Start([&] {
      ::dup2(to[0], STDIN_FILENO);
      ::dup2(from[1], STDOUT_FILENO);
      ::execl("/proc/self/exe", "footprint", kRole, nullptr);
      Fail("cannot start myself again");
    });
    ::close(to[0]);
    ::close(from[1]);
    out_ = to[1];
    in_ = from[0];
    AwaitWord();
  }
  ~MemberProcess() {
    ::close(out_);
    ::close(in_);
  }
  MemberProcess(const MemberProcess&) = delete;
  MemberProcess& operator=(const MemberProcess&) = delete;

  // The next thing it has to do is done.
  void GoOn() {
    const char word = 0;
    if (::write(out_, &word, 1) != 1) Fail("a member has ended");
    AwaitWord();
  }
  pid_t pid() const { return pid_; }

 private:
  void AwaitWord() const {
    char word = 0;
    if (::read(in_, &word, 1) != 1) Fail("a member has ended");
  }
  pid_t pid_ = -1;
  int out_ = -1;
  int in_ = -1;
};

struct RegionFiles {
  double meta = 0;
  double data = 0;
  double count = 0;  // FIFOs included
};

RegionFiles ReadRegionFiles() {
  RegionFiles files;
  constexpr double kBlockBytes = 512;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(::getenv("ZCB_DIR"))) {
    if (entry.is_directory()) continue;
    struct stat about{};
    if (::stat(entry.path().c_str(), &about) != 0) continue;
    const double bytes = static_cast<double>(about.st_blocks) * kBlockBytes;
    ++files.count;
    if (entry.path().extension() == ".meta") files.meta += bytes;
    if (entry.path().extension() == ".data") files.data += bytes;
  }
  return files;
}

// Messages that nobody has read: pages of the region that the sender touched
// for them, whole pages over many messages.
void MeasureMessages(Figures* figures) {
  CrowdMember sender(CrowdMember::Wait::kSpin);
  if (!sender.TrySend({0, 0})) Fail("refused");  // the first slab and page
  const MemoryMap before = ReadMemoryMap(::getpid());
  for (std::size_t i = 0; i < kMessages; ++i) {
    if (!sender.TrySend({0, i})) Fail("refused");
  }
  MemoryMap cost = ReadMemoryMap(::getpid()) - before;
  const auto count = static_cast<double>(kMessages);
  figures->emplace_back(
      "message_data_bytes",
      static_cast<double>(cost.of(MemoryKind::kRegionData).resident) / count);
  figures->emplace_back(
      "message_meta_bytes",
      static_cast<double>(cost.of(MemoryKind::kRegionMeta).resident) / count);
}

void ReportIdle(const MemoryMap& idle, Figures* figures) {
  const auto add = [figures](std::string name, std::int64_t bytes) {
    figures->emplace_back(std::move(name), static_cast<double>(bytes));
  };
  const MemoryUse sum = idle.Sum();
  add("idle_own_bytes", sum.own);
  add("idle_proportional_bytes", sum.proportional);
  add("idle_resident_bytes", sum.resident);
  add("idle_page_table_bytes", idle.page_tables);
  for (std::size_t i = 0; i < kMemoryKinds; ++i) {
    add(fmt::format("idle_own_{}_bytes", kKindNames[i]), idle.by_kind[i].own);
    add(fmt::format("idle_resident_{}_bytes", kKindNames[i]),
        idle.by_kind[i].resident);
  }
}

Figures Measure(std::uint64_t members) {
  constexpr std::size_t kMoreGroups = 16;
  // As the shared library is linked. Otherwise members pay for what binding the
  // C++ library's calls takes of the stack, which this program needs and that
  // one does not.
  ::setenv("LD_BIND_NOW", "1", 1);
  // Otherwise a touched page may be 2 MiB of which little is used.
  ::setenv("ZCB_PAGES", "small", 1);
  Figures figures;
  Children children;
  std::vector<std::unique_ptr<MemberProcess>> crowd;
  crowd.push_back(std::make_unique<MemberProcess>(&children));
  crowd.back()->GoOn();
  const RegionFiles one = ReadRegionFiles();
  figures.emplace_back("region_meta_bytes", one.meta);
  figures.emplace_back("region_data_bytes", one.data);
  for (std::size_t i = 0; i < kMoreGroups; ++i) crowd.back()->GoOn();
  const RegionFiles groups = ReadRegionFiles();
  figures.emplace_back("group_meta_bytes",
                       (groups.meta - one.meta) / kMoreGroups);
  while (crowd.size() < members) {
    crowd.push_back(std::make_unique<MemberProcess>(&children));
    crowd.back()->GoOn();
  }
  const RegionFiles many = ReadRegionFiles();
  const auto added = static_cast<double>(members - 1);
  figures.emplace_back("member_meta_bytes", (many.meta - groups.meta) / added);
  figures.emplace_back("member_files", (many.count - groups.count) / added);

  MemberProcess last(&children);
  const MemoryMap before = ReadMemoryMap(last.pid());
  last.GoOn();
  ReportIdle(ReadMemoryMap(last.pid()) - before, &figures);
  MeasureMessages(&figures);
  return figures;
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  if (argc == 2 && std::string_view(argv[1]) == kRole) {
    try {
      return BeMember();
    } catch (const Failed& failed) {
      fmt::print(stderr, "footprint: {}\n", failed.what());
      return 1;
    }
  }
  MeasuredOnce program("footprint", "What things take of memory.");
  std::uint64_t members = 16;
  program.Number("--members", &members, "that are there before the last one", 2,
                 250);
  return program.Run(argc, argv, [&] { return Measure(members); });
}
