#include "tests/storm/auditor.h"

#include <cinttypes>
#include <cstdio>
#include <string>

#include "allocator/lease_word.h"
#include "allocator/unit_word.h"
#include "allocator/zcb_allocator.h"
#include "ipc/attachment.h"
#include "ipc/audit.h"
#include "ipc/entry_word.h"
#include "tests/storm/pool_user.h"

namespace zcb::storm {
namespace {

using alloc::AuditPlace;

class Auditor {
 public:
  Auditor(const Board& board, order::Journal* journal, std::uint32_t living)
      : board_(board), journal_(journal), living_(living) {}

  void Run() {
    AuditGroups();
    AuditPool();
  }

 private:
  void Complain(const std::string& what) {
    journal_->Complain("audit: " + what);
  }
  void ExpectNone(const char* what, std::uint64_t count) {
    if (count != 0) Complain(std::to_string(count) + " " + what);
  }

  void AuditGroups() {
    const auto options = ipc::IpcOptions::FromEnvironment();
    if (!options) return Complain(options.reason());
    const auto attachment = ipc::Attachment::Open(*options);
    if (!attachment) return Complain(attachment.reason());
    // Rings of which all members have died.
    (*attachment)->ReclaimAllGroups();
    CheckEntries(attachment->get());
    alloc::AuditOptions how;
    how.quiet = true;
    how.check_backing = true;
    const auto report = ipc::Audit(**attachment, how);
    if (!report) return Complain(report.reason());
    for (const alloc::AuditFinding& finding : report->findings.list()) {
      char place[96];
      std::snprintf(
          place, sizeof(place), " (where %u, %" PRIu64 ", value %#" PRIx64 ")",
          static_cast<unsigned>(finding.where), finding.index, finding.value);
      Complain(Describe(finding.kind) + std::string(place));
      if (finding.where == alloc::AuditWhere::kUnit) {
        DescribeOwner(alloc::UnitWord(finding.value), **attachment);
      }
    }
    if (!report->IsClean()) Complain("not clean");
    ExpectNone("findings that moved", report->findings.moving());
    ExpectNone("dead leases", report->dead_leases);
    if (report->living_leases != living_ + 1) {
      Complain(std::to_string(report->living_leases) + " leases live");
    }
    for (const AuditPlace place :
         {AuditPlace::kHeld, AuditPlace::kSent, AuditPlace::kRetained,
          AuditPlace::kInTransit, AuditPlace::kRepair, AuditPlace::kDamaged}) {
      ExpectNone(NameOf(place), report->of(place).bytes);
    }
  }

  // Those who had the lease slot that a unit's word names, and how they ended.
  void DescribeOwner(alloc::UnitWord word, const ipc::Attachment& attachment) {
    const std::uint16_t slot = word.lease_slot();
    const alloc::LeaseWord lease(
        // acquire <- lease.attach: at rest
        attachment.region().lease_word(slot).load(std::memory_order_acquire));
    std::string text = "slot " + std::to_string(slot) + " of it, generation " +
                       std::to_string(word.length_units()) + ", now " +
                       std::to_string(lease.generation()) + " in phase " +
                       std::to_string(static_cast<int>(lease.phase())) + ":";
    for (std::uint32_t index = 1; index < board_.LifeEnd(); ++index) {
      const Life& life = board_.life(index);
      // relaxed: the board's notes
      const std::uint64_t had = life.lease.load(std::memory_order_relaxed);
      if (had == 0 || static_cast<std::uint16_t>(had) != slot) continue;
      text +=
          " life " + std::to_string(index) + " of process " +
          std::to_string(life.pid.load(std::memory_order_relaxed)) + " had " +
          std::to_string(had >> 32) + ", end " +
          std::to_string(life.end_status.load(std::memory_order_relaxed)) +
          (life.replaced.load(std::memory_order_relaxed) ? " executed" : "") +
          (life.orders.exits_cleanly ? " cleanly" : "") + " doing " +
          NameOf(life.threads[0].doing.load(std::memory_order_relaxed)) + ";";
      // A complaint is short; the latest count.
      if (text.size() > 200) text.erase(60, text.size() - 200);
    }
    Complain(text);
  }

  // Every entry is free, or of somebody who lives.
  void CheckEntries(ipc::Attachment* attachment) {
    std::uint64_t strange = 0;
    attachment->directory().ForEachGroup([&](const ipc::GroupView& group) {
      std::uint64_t members = 0;
      for (std::uint32_t i = 0; i < group.EntryHigh(); ++i) {
        // acquire <- member.claim: at rest
        const ipc::EntryWord word(
            group.entry(i).word.load(std::memory_order_acquire));
        if (word.phase() == ipc::EntryWord::Phase::kFree) continue;
        if (word.phase() == ipc::EntryWord::Phase::kMember) {
          ++members;
        } else {
          ++strange;
        }
      }
      if (members > living_) strange += members - living_;
    });
    ExpectNone("entries of groups that nobody frees", strange);
  }

  void AuditPool() {
    zcb_options options = PoolOptions(0);
    zcb_allocator* pool = nullptr;
    if (const zcb_status status = zcb_allocator_open(&options, &pool);
        status != ZCB_OK) {
      return Complain(zcb_last_reason());
    }
    zcb_audit_report report{};
    report.size = sizeof(report);
    if (zcb_audit(pool, &report) != ZCB_OK) Complain(zcb_last_reason());
    if (report.damage_count + report.repair_count + report.moving_count != 0) {
      Complain(std::string("pool: ") + report.first_finding + ", at " +
               std::to_string(report.first_index));
    }
    ExpectNone("bytes of the pool held", report.held_bytes);
    ExpectNone("bytes of the pool sent", report.sent_bytes);
    ExpectNone("bytes of the pool dead", report.dead_bytes);
    ExpectNone("bytes of the pool damaged", report.damaged_bytes);
    if (zcb_allocator_close(pool) != ZCB_OK) Complain(zcb_last_reason());
  }

  const Board& board_;
  order::Journal* const journal_;
  const std::uint32_t living_;
};

}  // namespace

int RunAuditor(const Board& board, order::Journal* journal,
               std::uint32_t living) {
  Auditor(board, journal, living).Run();
  return 0;
}

}  // namespace zcb::storm
