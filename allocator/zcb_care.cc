// The C interface: memory ahead of time and after it, figures, and words.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "allocator/allocator.h"
#include "allocator/audit.h"
#include "allocator/audit_report.h"
#include "allocator/lease_word.h"
#include "allocator/page_backing.h"
#include "allocator/region.h"
#include "allocator/region_header.h"
#include "allocator/zcb_allocator.h"
#include "allocator/zcb_call.h"

namespace zcb::alloc {
namespace {

using Stats = struct zcb_allocator_stats;
using Report = struct zcb_audit_report;

std::uint64_t CountProcesses(const Region& region) {
  std::uint64_t count = 0;
  const std::uint16_t high = region.LeaseHighWater();
  for (std::uint16_t slot = 0; slot < high; ++slot) {
    // relaxed: a figure for people
    const LeaseWord word(
        region.lease_word(slot).load(std::memory_order_relaxed));
    if (word.phase() == LeaseWord::Phase::kAlive) ++count;
  }
  return count;
}

// What the caller's struct has room for; its size says how much that was.
template <typename Struct>
zcb_status Fill(Struct filled, Struct* callers) {
  if (callers->size < sizeof(std::size_t) + sizeof(std::uint64_t)) {
    return Fail({Status::kInvalidParam, "the struct's size is not set"});
  }
  filled.size = std::min(callers->size, sizeof(Struct));
  std::memcpy(callers, &filled, filled.size);
  return ZCB_OK;
}

zcb_status AnswerBytes(const Result<std::uint64_t>& done,
                       std::uint64_t* bytes) {
  if (!done) return Fail(done.failure());
  if (bytes != nullptr) *bytes = *done;
  return ZCB_OK;
}

Stats Measure(Allocator& allocator) {
  const Region& region = allocator.region();
  const PageReport pages = region.ReportPages();
  const AllocatorStats own = allocator.Stats();
  const std::uint64_t unit_bytes = region.geometry().unit_bytes;
  Stats stats{};
  stats.live_buffers = own.live_buffers;
  stats.taken_buffers = own.taken_buffers;
  stats.cached_buffers = own.cached_buffers;
  stats.out_buffers = own.out_buffers;
  stats.owned_bytes = own.owned_units * unit_bytes;
  stats.extent_bytes = own.owned_extent_units * unit_bytes;
  stats.poison_damage = own.poison_damage;
  stats.region_bytes = region.geometry().region_bytes;
  stats.committed_bytes = pages.committed_bytes;
  stats.huge_bytes = pages.huge_bytes;
  stats.page_bytes = pages.page_bytes;
  stats.page_kind = pages.how;
  stats.unit_bytes = unit_bytes;
  stats.processes = CountProcesses(region);
  return stats;
}

Report Tell(const AuditReport& audit) {
  const auto bytes = [&](AuditPlace place) { return audit.of(place).bytes; };
  const AuditFindings& findings = audit.findings;
  Report report{};
  report.damage_count =
      findings.damage() + (audit.SumBytes() != audit.region_bytes);
  report.repair_count = findings.repairs();
  report.moving_count = findings.moving();
  report.region_bytes = audit.region_bytes;
  report.free_bytes = bytes(AuditPlace::kFreeHole) +
                      bytes(AuditPlace::kFreeCommitted) +
                      bytes(AuditPlace::kAbandoned);
  report.owned_bytes =
      bytes(AuditPlace::kOwnedFree) + bytes(AuditPlace::kSlabTail) +
      bytes(AuditPlace::kPrivate) + bytes(AuditPlace::kExtent) +
      bytes(AuditPlace::kInTransit);
  report.held_bytes = bytes(AuditPlace::kHeld);
  report.sent_bytes = bytes(AuditPlace::kSent) + bytes(AuditPlace::kRetained);
  report.dead_bytes = bytes(AuditPlace::kRepair);
  report.damaged_bytes = bytes(AuditPlace::kDamaged);
  report.first_finding = "";
  for (const AuditFinding& finding : findings.list()) {
    const bool is_damage = finding.severity == AuditSeverity::kDamage;
    if (*report.first_finding != '\0' && !is_damage) continue;
    report.first_finding = Describe(finding.kind);
    report.first_index = finding.index;
    if (is_damage) break;
  }
  return report;
}

}  // namespace
}  // namespace zcb::alloc

using zcb::Result;
using zcb::alloc::Allocator;
using zcb::alloc::Answer;
using zcb::alloc::AnswerBytes;
using zcb::alloc::AuditReport;
using zcb::alloc::Call;
using zcb::alloc::Fail;
using zcb::alloc::FailNull;
using zcb::alloc::Fill;
using zcb::alloc::zcb_reason;

extern "C" {

// --- care ------------------------------------------------------------------

zcb_status zcb_collect(zcb_allocator* allocator) {
  return Call(allocator, [](Allocator& own) {
    own.Collect();
    return ZCB_OK;
  });
}

zcb_status zcb_reap_dead(zcb_allocator* allocator, uint32_t* count) {
  return Call(allocator, [&](Allocator& own) {
    const std::uint32_t reaped = own.ReapDead();
    if (count != nullptr) *count = reaped;
    return ZCB_OK;
  });
}

zcb_status zcb_prefault(zcb_allocator* allocator, uint64_t bytes,
                        uint64_t* ready_bytes) {
  return Call(allocator, [&](Allocator& own) {
    return AnswerBytes(own.Prefault(bytes), ready_bytes);
  });
}

zcb_status zcb_lock_memory(zcb_allocator* allocator) {
  return Call(allocator,
              [](Allocator& own) { return Answer(own.region().LockMemory()); });
}

zcb_status zcb_unlock_memory(zcb_allocator* allocator) {
  return Call(allocator, [](Allocator& own) {
    own.region().UnlockMemory();
    return ZCB_OK;
  });
}

zcb_status zcb_trim(zcb_allocator* allocator, uint64_t keep_bytes,
                    uint64_t* given_back_bytes) {
  return Call(allocator, [&](Allocator& own) {
    return AnswerBytes(own.Trim(keep_bytes), given_back_bytes);
  });
}

// --- figures ---------------------------------------------------------------

zcb_status zcb_stats(zcb_allocator* allocator,
                     struct zcb_allocator_stats* stats) {
  return Call(allocator, [&](Allocator& own) {
    if (stats == nullptr) return FailNull();
    return Fill(zcb::alloc::Measure(own), stats);
  });
}

zcb_status zcb_audit(zcb_allocator* allocator,
                     struct zcb_audit_report* report) {
  return Call(allocator, [&](Allocator& own) {
    if (report == nullptr) return FailNull();
    const Result<AuditReport> audit = zcb::alloc::Audit(own.region());
    if (!audit) return Fail(audit.failure());
    return Fill(zcb::alloc::Tell(*audit), report);
  });
}

// --- words -----------------------------------------------------------------

const char* zcb_status_text(zcb_status status) {
  switch (status) {
    case ZCB_OK:
      return "all is well";
    case ZCB_LIBRARY:
      return "the region is damaged, or the kernel refused";
    case ZCB_VERSION:
      return "a region of another layout version";
    case ZCB_TRY_AGAIN:
      return "not now: try again";
    case ZCB_INVALID_PARAM:
      return "the caller's mistake";
    case ZCB_NO_MEMORY:
      return "no memory: free something";
    case ZCB_BAD_HANDLE:
      return "inherited over fork, or not open";
    case ZCB_ACCESS:
      return "a foreign owner, or no permission";
    case ZCB_NOT_EXIST:
      return "there is none";
    case ZCB_NAME_TOO_LONG:
      return "a name too long";
    case ZCB_EXIST:
      return "it belongs to something else";
    case ZCB_NO_RESOURCES:
      return "a table of fixed size is full";
    case ZCB_NOT_SUPPORTED:
      return "not to be had on this system";
    case ZCB_TOO_BIG:
      return "more than the region could ever hold";
  }
  return "not a status";
}

const char* zcb_last_reason(void) { return zcb_reason; }

const char* zcb_version(void) { return "0.1.0"; }

}  // extern "C"
