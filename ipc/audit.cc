#include "ipc/audit.h"

#include <algorithm>
#include <new>
#include <optional>
#include <vector>

#include "allocator/buffer_word.h"
#include "allocator/lease_word.h"
#include "ipc/message_place.h"
#include "ipc/reaper.h"
#include "ipc/ring.h"

namespace zcb::ipc {
namespace {

using alloc::AuditFinding;
using alloc::AuditKind;
using alloc::AuditSeverity;
using alloc::AuditWhere;
using alloc::BufferRef;
using alloc::BufferWord;
using alloc::LeaseWord;

class IpcAudit {
 public:
  IpcAudit(Attachment& attachment, const alloc::AuditOptions& options)
      : attachment_(attachment), options_(options) {}

  Result<alloc::AuditReport> Run() {
    has_group_.resize(attachment_.geometry().group_count);
    attachment_.directory().ForEachGroup(
        [&](const GroupView& group) { has_group_[group.group_slot()] = true; });
    attachment_.keeps().ForEachRecord([&](std::uint16_t, KeepRecord record) {
      kept_lines_.push_back(record.ref().line());
    });
    std::sort(kept_lines_.begin(), kept_lines_.end());
    options_.context = this;
    options_.group_count = attachment_.geometry().group_count;
    options_.is_published = [](void* self, BufferRef ref, BufferWord word) {
      return static_cast<IpcAudit*>(self)->IsInRing(ref, word);
    };
    options_.is_kept = [](void* self, BufferRef ref) {
      return static_cast<IpcAudit*>(self)->IsKept(ref);
    };
    auto report = alloc::Audit(attachment_.region(), options_);
    if (report) LookAtRecords(&report->findings);
    return report;
  }

 private:
  bool IsInRing(BufferRef ref, BufferWord word) const {
    // A group that was never made has no pages to look at.
    return has_group_[word.group_slot()] &&
           IsPublished(attachment_.allocator(), attachment_.geometry(), ref,
                       word);
  }

  // By the records as they were; what is not among them may be new, or still
  // in a ring, whose reclaimer turns the word Retained before it passes it.
  bool IsKept(BufferRef ref) const {
    if (std::binary_search(kept_lines_.begin(), kept_lines_.end(),
                           ref.line())) {
      return true;
    }
    bool found = false;
    attachment_.keeps().ForEachRecord([&](std::uint16_t, KeepRecord record) {
      found = found || record.ref() == ref;
    });
    attachment_.directory().ForEachGroup([&](const GroupView& group) {
      found = found || RingNames(group, ref);
    });
    return found;
  }

  bool RingNames(const GroupView& group, BufferRef ref) const {
    // acquire <- ring.reclaim: what lies below has been passed.
    const std::uint64_t base =
        group.header().reclaimed.load(std::memory_order_acquire);
    for (std::uint64_t i = 0; i < group.slot_count(); ++i) {
      SlotWord slot;
      if (ReadSlot(group, base + i, &slot) != RingAnswer::kOk) return false;
      if (slot.is_control()) continue;
      const auto message =
          MessagePlace::Of(attachment_.allocator(), slot.ref());
      if (message && message->buffer().ref == ref) return true;
    }
    return false;
  }

  // What a record lacks; nothing, if it is as it should be. A record that is
  // just being made or let go looks like one that names nothing.
  std::optional<AuditFinding> Judge(std::uint16_t slot,
                                    KeepRecord record) const {
    // acquire <- lease.attach, lease.death: whose record it is.
    const LeaseWord lease(
        attachment_.region().lease_word(slot).load(std::memory_order_acquire));
    AuditFinding finding{AuditSeverity::kDamage, AuditKind::kKeepLease,
                         AuditWhere::kLine, record.ref().line(), record.raw()};
    if (lease.IsDead(record.lease_generation()) ||
        (lease.IsAlive(record.lease_generation()) &&
         !attachment_.region().HoldsLock(slot))) {
      finding.severity = AuditSeverity::kRepair;
      finding.kind = AuditKind::kKeepDead;
      return finding;
    }
    if (!lease.IsAlive(record.lease_generation())) return finding;
    finding.severity =
        options_.quiet ? AuditSeverity::kDamage : AuditSeverity::kNote;
    finding.kind = AuditKind::kKeepNothing;
    const auto place = attachment_.allocator().Locate(record.ref());
    if (!place || !record.holds(record.ref())) return finding;
    // acquire <- word.free: only looked at.
    const BufferWord word(place->word->load(std::memory_order_acquire));
    if (word.state() == BufferWord::State::kRetained ||
        (word.state() == BufferWord::State::kSent && word.kept())) {
      return std::nullopt;
    }
    return finding;
  }

  void LookAtRecords(alloc::AuditFindings* findings) const {
    attachment_.keeps().ForEachRecord(
        [&](std::uint16_t slot, KeepRecord record) {
          const auto first = Judge(slot, record);
          if (!first) return;
          const bool is_same = first == Judge(slot, record) &&
                               attachment_.keeps().HasRecord(slot, record);
          if (is_same) {
            findings->Add(*first);
          } else {
            findings->AddMoving(1);
          }
        });
  }

  Attachment& attachment_;
  alloc::AuditOptions options_;
  std::vector<bool> has_group_;
  std::vector<std::uint32_t> kept_lines_;
};

}  // namespace

Result<alloc::AuditReport> Audit(Attachment& attachment,
                                 alloc::AuditOptions options) {
  if (!attachment.IsOurs()) {
    return {Status::kBadHandle, "inherited over fork: attach anew"};
  }
  try {
    return IpcAudit(attachment, options).Run();
  } catch (const std::bad_alloc&) {
    return {Status::kNoMemory, "no private memory for the report"};
  }
}

}  // namespace zcb::ipc
