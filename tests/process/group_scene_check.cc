// What the survivors look at after a death, and what they do besides.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <vector>

#include "ipc/audit.h"
#include "tests/process/group_scene.h"

namespace zcb::steps {
namespace {

using alloc::AuditPlace;
using alloc::AuditReport;

// A watcher that reaps besides us may have a step left.
constexpr int kMostLooks = 300;
constexpr useconds_t kLookAgainUs = 1000;
// What survivors may have more of than at the beginning.
constexpr std::uint64_t kSlackUnits = 6;

// Of what somebody still answers for beyond his own memory.
constexpr AuditPlace kMustBeEmpty[] = {
    AuditPlace::kHeld,      AuditPlace::kSent,   AuditPlace::kRetained,
    AuditPlace::kInTransit, AuditPlace::kRepair, AuditPlace::kDamaged};

std::string TextOf(const AuditReport& report) {
  std::string text = "audit:";
  for (const auto& finding : report.findings.list()) {
    text += std::string(" [") + Describe(finding.kind) + " #" +
            std::to_string(finding.index) + " " +
            std::to_string(finding.value) + "]";
  }
  for (std::size_t i = 0; i < alloc::kAuditPlaceCount; ++i) {
    const auto& share = report.places[i];
    if (share.bytes == 0) continue;
    text += std::string(" ") + NameOf(static_cast<AuditPlace>(i)) + "=" +
            std::to_string(share.bytes) + "/" + std::to_string(share.buffers);
  }
  return text;
}

std::uint64_t FreeBytes(const AuditReport& report) {
  return report.of(AuditPlace::kFreeHole).bytes +
         report.of(AuditPlace::kFreeCommitted).bytes;
}

}  // namespace

std::string GroupScene::Mend(const ChildFacts& child) {
  if (witness_is_stopped_) {
    witness_->Continue();
    witness_is_stopped_ = false;
  }
  if (witness_waits_) {
    // By what the dead one did or left, and by who noticed its death; nobody
    // sends anything, nobody looks on purpose.
    witness_waits_ = false;
    if (witness_->Finish() != 0) return "the sleeping witness failed";
  }
  attachment_->RelievePressure();
  if (scribbles_) Scribble();
  if (!Send(24)) return "the driver cannot send";
  if (const int answer = witness_->Do(Witness::Task::kRound)) {
    return "the witness cannot send and read, " + std::to_string(answer);
  }
  if (may_be_evicted_ && witness_->Do(Witness::Task::kRejoinSlow) != 0) {
    return "the evicted witness cannot join again";
  }
  Read(me_.member.get(), log_.get());
  Read(other_.member.get(), nullptr);
  guest_.member.reset();
  guest_.bell.reset();
  std::string finding = CheckOrder(child);
  if (finding.empty()) finding = CheckPair();
  if (finding.empty()) finding = CheckMemory();
  if (!finding.empty()) {
    finding += "\n    driver:" + steps::TextOf(*log_) +
               "\n    witness:" + steps::TextOf(witness_->log());
  }
  return finding;
}

std::string GroupScene::CheckOrder(const ChildFacts& child) {
  const auto mine = log_->all();
  const auto theirs = witness_->log().all();
  if (!std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end())) {
    return "the survivors saw different orders";
  }
  std::uint32_t joins = 0;
  std::uint32_t ends = 0;
  std::uint32_t messages = 0;
  std::uint32_t of_survivors = 0;
  for (const Seen& seen : mine) {
    if (seen.kind == Seen::Kind::kMessage && seen.hash == kTorn) {
      return "a message was overwritten before it was read";
    }
    if (seen.pid != static_cast<std::uint32_t>(child.pid)) {
      if (seen.kind == Seen::Kind::kMessage) ++of_survivors;
      continue;
    }
    if (seen.kind == Seen::Kind::kMessage) {
      if (joins != 1 || ends != 0) return "a message of a non-member";
      if (child.sends > 1 && seen.length_bytes != kBatchBytes + messages) {
        return "a batch that is not its beginning, in order";
      }
      ++messages;
    } else if (seen.kind == Seen::Kind::kJoin) {
      if (joins++ != 0) return "joined twice";
    } else if (joins != 1 || ends++ != 0) {
      return "an end without a join, or two ends";
    }
  }
  if (of_survivors < 2) return "a message of a survivor is lost";
  if (joins != ends) return "no end of the dead one in the order";
  if (child.is_member && joins != 1) return "its join is lost";
  if (messages > child.sends) return "more messages than it sent";
  if (child.has_returned && messages != child.sends) {
    return "the send had returned \"good\", and the message is lost";
  }
  return "";
}

// kPairGroup has had the third process and the witness in it.
std::string GroupScene::CheckPair() {
  if (third_pid_ == 0) return "";
  const std::uint32_t third = third_pid_;
  third_pid_ = 0;
  std::uint32_t joins = 0;
  std::uint32_t ends = 0;
  for (const Seen& seen : witness_->pair_log().all()) {
    if (seen.pid != third) continue;
    if (seen.kind == Seen::Kind::kJoin) ++joins;
    if (seen.kind == Seen::Kind::kLeave || seen.kind == Seen::Kind::kDown) {
      ++ends;
    }
  }
  return joins == 1 && ends == 1
             ? ""
             : "the third process: " + std::to_string(joins) + " joins and " +
                   std::to_string(ends) + " ends in" +
                   steps::TextOf(witness_->pair_log());
}

// Takes what can be had, the dead one's units first, and writes into it.
void GroupScene::Scribble() {
  constexpr std::size_t kSizes[] = {100, 2000, 4000, 30'000, 300'000};
  constexpr std::size_t kBytesEach = 300'000;
  std::vector<std::byte*> all;
  for (const std::size_t bytes : kSizes) {
    for (std::size_t sum = 0; sum < kBytesEach; sum += bytes + 900) {
      const auto payload = attachment_->AllocPayload(bytes);
      if (!payload) break;
      std::memset(*payload, static_cast<int>(kScribble), bytes);
      all.push_back(*payload);
    }
  }
  for (std::byte* const payload : all) {
    Must(attachment_->FreePayload(payload).ok(), "the driver cannot free");
  }
}

// But for the FIFOs of life, which stay until somebody else has the slot.
std::size_t GroupScene::CountFiles() const {
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(directory_.path())) {
    if (entry.path().filename().string().find(".life.") == std::string::npos) {
      ++count;
    }
  }
  return count;
}

std::string GroupScene::CheckMemory() {
  alloc::AuditOptions options;
  options.quiet = true;
  std::string finding;
  for (int look = 0; look < kMostLooks; ++look) {
    if (look != 0) usleep(kLookAgainUs);
    finding.clear();
    attachment_->RelievePressure();
    attachment_->allocator().Collect();
    if (trims_) {
      (void)attachment_->allocator().Trim(
          punches_ ? 0 : alloc::AllocatorOptions::kKeepAll);
    }
    const auto report = ipc::Audit(*attachment_, options);
    if (!report) return std::string("no audit: ") + report.reason();
    bool is_good = report->IsClean();
    for (const AuditPlace place : kMustBeEmpty) {
      if (report->of(place).bytes != 0) is_good = false;
    }
    if (trims_ && report->of(AuditPlace::kAbandoned).bytes != 0)
      is_good = false;
    if (trims_ && free_bytes_ != 0 &&
        FreeBytes(*report) + kSlackUnits * report->unit_bytes < free_bytes_) {
      is_good = false;
    }
    if (report->dead_leases != 0 || report->living_leases != 2) is_good = false;
    if (!is_good) {
      finding = TextOf(*report) + " leases " +
                std::to_string(report->living_leases) + "+" +
                std::to_string(report->dead_leases);
      continue;
    }
    const auto stats = attachment_->allocator().Stats();
    if (stats.live_buffers != 0 || stats.out_buffers != 0) {
      finding = "the driver's own: live " + std::to_string(stats.live_buffers) +
                ", out " + std::to_string(stats.out_buffers);
      continue;
    }
    const auto own = attachment_->allocator().AuditOwn();
    if (!own || !own->IsSound()) {
      finding = "the driver's books are wrong";
      continue;
    }
    const std::size_t files = CountFiles();
    if (file_count_ != 0 && files > file_count_) {
      finding = "files: " + std::to_string(files) + ", were " +
                std::to_string(file_count_);
      for (const auto& entry :
           std::filesystem::recursive_directory_iterator(directory_.path())) {
        finding += " " + entry.path().filename().string();
      }
      continue;
    }
    return "";
  }
  return finding;
}

// Everything that a stopped process must not be in the way of.
std::string GroupScene::WorkBesides(const ChildFacts& child, bool thorough) {
  if (witness_is_stopped_) {
    witness_->Continue();
    witness_is_stopped_ = false;
  }
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{400'000}}) {
    const auto payload = attachment_->AllocPayload(bytes);
    if (!payload) return "besides: no memory";
    if (!attachment_->FreePayload(*payload)) return "besides: cannot free";
  }
  for (int i = 0; i < 3; ++i) {
    if (!SendOn(other_.member.get(), 100)) {
      return "besides: cannot send to another group";
    }
  }
  Read(other_.member.get(), nullptr);
  if (!witness_waits_) {
    if (const int step = witness_->Do(Witness::Task::kWork)) {
      return "besides: the witness failed at step " + std::to_string(step);
    }
  }
  {
    Joined visitor = Join("steps-visitor");
    Read(visitor.member.get(), nullptr);
    if (!visitor.member->Leave()) return "besides: cannot leave";
    while (!visitor.member->left()) Read(visitor.member.get(), nullptr);
    visitor.member.reset();
  }
  // To its own group, while there is room.
  if (!Send(50)) return "besides: cannot send to its group";
  Read(me_.member.get(), log_.get());
  // What is not the stopped one's is used anew.
  attachment_->ReclaimAllGroups();
  Scribble();
  return thorough && !witness_waits_ ? FillAndSeeRefusal(child) : "";
}

std::string GroupScene::FillAndSeeRefusal(const ChildFacts& child) {
  constexpr int kMost = 3000;
  bool was_refused = false;
  for (int i = 0; i < kMost && !was_refused; ++i) {
    const auto payload = attachment_->AllocPayload(8);
    if (!payload) return "full ring: no memory";
    std::memset(*payload, 'f', 8);
    const Outcome sent = me_.member->Send(*payload, 8);
    if (!sent) {
      if (sent.status() != Status::kTryAgain) {
        return std::string("full ring: ") + sent.reason();
      }
      was_refused = true;
      if (!attachment_->FreePayload(*payload)) return "full ring: lost buffer";
    }
    Read(me_.member.get(), log_.get());
    if (witness_->Do(Witness::Task::kDispatch) != 0)
      return "full ring: witness";
  }
  if (child.is_member && !child.leaves && !was_refused) {
    return "a stopped member does not hold its ring back";
  }
  return "";
}

}  // namespace zcb::steps
