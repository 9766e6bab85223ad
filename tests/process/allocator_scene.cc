#include "tests/process/allocator_scene.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <vector>

namespace zcb::steps {
namespace {

constexpr std::size_t kGranule = 64 << 10;
constexpr std::size_t kSizes[] = {4000, 30'000, 400'000};
// A look at whether all memory is there takes longer than the others.
constexpr std::uint64_t kAllOfItEvery = 8;
constexpr int kMostLooks = 50;

std::string TextOf(const struct zcb_audit_report& report) {
  return std::string("audit: ") + report.first_finding + " #" +
         std::to_string(report.first_index) + " damage " +
         std::to_string(report.damage_count) + " repair " +
         std::to_string(report.repair_count) + " free " +
         std::to_string(report.free_bytes) + " owned " +
         std::to_string(report.owned_bytes) + " held " +
         std::to_string(report.held_bytes) + " dead " +
         std::to_string(report.dead_bytes);
}

}  // namespace

zcb_allocator* AllocatorScene::Open(bool gives_back_at_once) {
  struct zcb_options options{};
  options.size = sizeof(options);
  options.region_bytes = 8 << 20;
  options.prefault_bytes = ZCB_NONE;
  options.process_count = 16;
  if (gives_back_at_once) {
    options.spare_bytes = ZCB_NONE;
    options.idle_bytes = ZCB_NONE;
  }
  zcb_allocator* allocator = nullptr;
  Must(zcb_allocator_open(&options, &allocator) == ZCB_OK, "cannot open");
  return allocator;
}

AllocatorScene::AllocatorScene() {
  setenv("ZCB_DIR", directory_.path().c_str(), 1);
  for (const char* name : {"ZCB_REGION", "ZCB_REGION_BYTES", "ZCB_KEEP",
                           "ZCB_PAGES", "ZCB_SPARE_BYTES", "ZCB_IDLE_BYTES"}) {
    unsetenv(name);
  }
  allocator_ = Open();
  Must(CheckAllOfIt().empty() && CheckMemory().empty(), "a fresh region");
  file_count_ = directory_.CountFiles();
}

AllocatorScene::~AllocatorScene() {
  third_.reset();
  (void)zcb_allocator_close(allocator_);
}

void AllocatorScene::Begin() {
  if (board_ == nullptr) return;
  for (auto& ticket : board_->tickets) ticket.store(0);
}

void AllocatorScene::Give(std::size_t bytes, std::size_t number) {
  void* buffer = nullptr;
  Must(zcb_alloc(allocator_, bytes, &buffer) == ZCB_OK, "no memory");
  std::memset(buffer, 'g', bytes);
  zcb_ticket ticket = 0;
  Must(zcb_give(allocator_, buffer, &ticket) == ZCB_OK, "cannot give");
  board_->tickets[number].store(ticket);
}

void AllocatorScene::GiveSome() {
  for (std::size_t i = 0; i < std::size(kSizes); ++i) Give(kSizes[i], i);
}

void AllocatorScene::GiveOne(std::size_t bytes) { Give(bytes, 1); }

void AllocatorScene::TakeAll() {
  for (auto& ticket : board_->tickets) {
    if (ticket.load() == 0) continue;
    void* buffer = nullptr;
    const zcb_status taken = zcb_take(allocator_, ticket.exchange(0), &buffer);
    Must(taken == ZCB_OK || taken == ZCB_NOT_EXIST, "cannot take");
    if (taken == ZCB_OK) {
      Must(zcb_free(allocator_, buffer) == ZCB_OK, "cannot free");
    }
  }
}

void AllocatorScene::StartThird(const std::function<void(Child&)>& body) {
  zcb::testing::Gate ready;
  third_ = std::make_unique<zcb::testing::ChildProcess>([&] {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Child child;
    child.board = board_;
    body(child);
    ready.Signal();
    for (;;) pause();
    return 0;
  });
  ready.Wait();
}

std::string AllocatorScene::Mend(const ChildFacts& child) {
  third_.reset();
  // Sometimes what it gave is taken before anybody knows that it is dead.
  if (child.pid % 2 == 0) TakeAll();
  std::uint32_t reaped = 0;
  if (zcb_reap_dead(allocator_, &reaped) != ZCB_OK) return "cannot reap";
  TakeAll();
  std::string finding = CheckMemory();
  if (finding.empty() && !punches_ && rounds_++ % kAllOfItEvery == 0) {
    finding = CheckAllOfIt();
  }
  if (finding.empty() && directory_.CountFiles() > file_count_) {
    finding = "files are left";
  }
  return finding;
}

std::string AllocatorScene::CheckMemory() {
  std::string finding;
  for (int look = 0; look < kMostLooks; ++look) {
    if (look != 0) usleep(1000);
    (void)zcb_reap_dead(allocator_, nullptr);
    (void)zcb_collect(allocator_);
    if (zcb_trim(allocator_, punches_ ? 0 : UINT64_MAX, nullptr) != ZCB_OK)
      return "trim";
    struct zcb_audit_report report{};
    report.size = sizeof(report);
    if (zcb_audit(allocator_, &report) != ZCB_OK) return "no audit";
    struct zcb_allocator_stats stats{};
    stats.size = sizeof(stats);
    if (zcb_stats(allocator_, &stats) != ZCB_OK) return "no figures";
    if (report.damage_count == 0 && report.repair_count == 0 &&
        report.held_bytes == 0 && report.sent_bytes == 0 &&
        report.dead_bytes == 0 && report.damaged_bytes == 0 &&
        report.free_bytes + report.owned_bytes == report.region_bytes &&
        stats.live_buffers == 0 && stats.out_buffers == 0 &&
        stats.taken_buffers == 0 && stats.processes == 1) {
      return "";
    }
    finding = TextOf(report) + " live " + std::to_string(stats.live_buffers) +
              " out " + std::to_string(stats.out_buffers) + " taken " +
              std::to_string(stats.taken_buffers) + " processes " +
              std::to_string(stats.processes);
  }
  return finding;
}

// Every granule can be had.
std::string AllocatorScene::CheckAllOfIt() {
  std::vector<void*> all;
  void* buffer = nullptr;
  while (zcb_alloc(allocator_, kGranule, &buffer) == ZCB_OK) {
    all.push_back(buffer);
  }
  for (void* const one : all) {
    if (zcb_free(allocator_, one) != ZCB_OK) return "cannot free";
  }
  if (all_count_ == 0) all_count_ = all.size();
  if (all.size() != all_count_) {
    return std::to_string(all.size()) + " granules, were " +
           std::to_string(all_count_);
  }
  return "";
}

std::string AllocatorScene::WorkBesides(const ChildFacts&, bool thorough) {
  for (const std::size_t bytes : kSizes) {
    void* buffer = nullptr;
    zcb_ticket ticket = 0;
    if (zcb_alloc(allocator_, bytes, &buffer) != ZCB_OK ||
        zcb_give(allocator_, buffer, &ticket) != ZCB_OK ||
        zcb_take(allocator_, ticket, &buffer) != ZCB_OK ||
        zcb_free(allocator_, buffer) != ZCB_OK) {
      return "besides: memory";
    }
  }
  if (!thorough) return "";
  zcb::testing::ChildProcess other([] {
    zcb_allocator* const mine = Open();
    void* buffer = nullptr;
    const bool good = zcb_alloc(mine, 1000, &buffer) == ZCB_OK &&
                      zcb_free(mine, buffer) == ZCB_OK &&
                      zcb_allocator_close(mine) == ZCB_OK;
    return good ? 0 : 1;
  });
  return other.Join() == 0 ? "" : "besides: another process";
}

}  // namespace zcb::steps
