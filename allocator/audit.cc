#include "allocator/audit.h"

#include <sys/stat.h>

#include <algorithm>
#include <new>

#include "allocator/audit_backing.h"
#include "allocator/audit_unit.h"
#include "allocator/audit_view.h"

namespace zcb::alloc {
namespace {

// A finding must be seen this often, each time with the same word.
constexpr int kLooks = 3;

// Adds what is in both to `sure`; how many were in `first` only.
std::uint64_t KeepWhatIsSeenAgain(const std::vector<AuditFinding>& again,
                                  std::vector<AuditFinding>* sure) {
  return std::erase_if(*sure, [&](const AuditFinding& finding) {
    return std::find(again.begin(), again.end(), finding) == again.end();
  });
}

class RegionAudit {
 public:
  RegionAudit(Region& region, const AuditOptions& options)
      : region_(region),
        options_(options),
        view_(region),
        unit_audit_(view_, options) {
    report_.findings = AuditFindings(options.max_findings, options.list_notes);
  }

  AuditReport Run() {
    const Geometry& g = region_.geometry();
    report_.region_bytes = g.region_bytes;
    report_.unit_bytes = g.unit_bytes;
    CountLeases();
    for (std::uint32_t unit = 0; unit < g.unit_count; ++unit) LookAt(unit);
    MeasureTables();
    MeasureClasses();
    report_.data_backed_bytes = BackedBytes(region_.data_fd());
    if (options_.check_backing) {
      CheckBacking(region_, options_.quiet, &report_.findings);
    }
    return std::move(report_);
  }

 private:
  void CountLeases() {
    for (std::uint32_t slot = 0; slot < region_.geometry().lease_count;
         ++slot) {
      switch (view_.LifeOf(static_cast<std::uint16_t>(slot), 0, 0)) {
        case LeaseLife::kLiving:
          ++report_.living_leases;
          break;
        case LeaseLife::kDead:
          ++report_.dead_leases;
          break;
        case LeaseLife::kGone:
          break;
      }
    }
  }

  void LookAt(std::uint32_t unit) {
    seen_.clear();
    unit_audit_.Look(unit, &tally_, &seen_);
    std::uint64_t moving = 0;
    for (int look = 1; look < kLooks && !seen_.empty(); ++look) {
      again_.clear();
      unit_audit_.Look(unit, &tally_, &again_);
      moving += KeepWhatIsSeenAgain(again_, &seen_);
    }
    report_.findings.AddMoving(moving);
    for (const AuditFinding& finding : seen_) report_.findings.Add(finding);
    AddTally();
  }

  void AddTally() {
    for (std::size_t i = 0; i < kAuditPlaceCount; ++i) {
      report_.places[i].bytes += tally_.places[i].bytes;
      report_.places[i].buffers += tally_.places[i].buffers;
    }
    for (std::uint32_t i = 0; i < tally_.slab_count; ++i) {
      const UnitTally::Slab& slab = tally_.slabs[i];
      const SizeClass& cut = slab.shape.cut();
      AuditClass& sum = report_.classes[slab.shape.size_class];
      sum.slabs += 1;
      sum.buffers += cut.count;
      sum.buffers_out += slab.out;
      sum.payload_bytes += cut.count * cut.bytes();
      slabs_.push_back(slab.shape);
    }
    if (tally_.extent_bytes != 0) {
      AuditClass& sum = report_.classes[kExtentClass];
      sum.slabs += 1;
      sum.buffers += 1;
      sum.buffers_out += tally_.is_extent_out;
      sum.payload_bytes += tally_.extent_bytes;
    }
  }

  void MeasureTables() {
    const Geometry& g = region_.geometry();
    const struct {
      const char* name;
      std::uint64_t begin, end;
    } tables[] = {
        {"header", 0, g.leases_offset},
        {"leases", g.leases_offset, g.units_offset},
        {"unit words", g.units_offset, g.committed_offset},
        {"commit bytes", g.committed_offset, g.granules_offset},
        {"granule words", g.granules_offset, g.dense_words_offset},
        {"dense words", g.dense_words_offset, g.sparse_words_offset},
        {"sparse words", g.sparse_words_offset, g.dense_hints_offset},
        {"dense hints", g.dense_hints_offset, g.sparse_hints_offset},
        {"sparse hints", g.sparse_hints_offset, g.touched_offset},
        {"touched maps", g.touched_offset, g.client_offset},
        {"client area", g.client_offset, g.meta_bytes},
    };
    view_.pages().Look(0, g.meta_bytes);
    for (const auto& table : tables) {
      const std::uint64_t length_bytes = table.end - table.begin;
      report_.tables.push_back(
          {table.name, length_bytes,
           view_.pages().BytesIn(table.begin, length_bytes)});
    }
  }

  // Of a class's slabs: their share of the tables of words and hints.
  void MeasureClasses() {
    const Geometry& g = region_.geometry();
    for (const SlabShape& slab : slabs_) {
      const SizeClass& cut = slab.cut();
      const std::uint64_t per_granule =
          cut.is_dense ? kDenseWordsPerGranule : kSparseWordsPerGranule;
      const std::uint64_t first = slab.head * per_granule;
      const std::uint64_t count = cut.granules * per_granule;
      const std::uint64_t words =
          cut.is_dense ? g.dense_words_offset : g.sparse_words_offset;
      const std::uint64_t hints =
          cut.is_dense ? g.dense_hints_offset : g.sparse_hints_offset;
      AuditClass& sum = report_.classes[slab.size_class];
      sum.metadata_bytes += count * 9;
      sum.metadata_committed_bytes +=
          view_.pages().BytesIn(words + first * 8, count * 8) +
          view_.pages().BytesIn(hints + first, count);
    }
    // An extent has one word and one hint, in pages that it shares.
    AuditClass& extents = report_.classes[kExtentClass];
    extents.metadata_bytes = extents.metadata_committed_bytes =
        extents.slabs * 9;
  }

  Region& region_;
  const AuditOptions& options_;
  AuditView view_;
  UnitAudit unit_audit_;
  UnitTally tally_;
  std::vector<AuditFinding> seen_;
  std::vector<AuditFinding> again_;
  std::vector<SlabShape> slabs_;
  AuditReport report_;
};

}  // namespace

Result<AuditReport> Audit(Region& region, const AuditOptions& options) {
  if (!region.IsOurs()) {
    return {Status::kBadHandle, "inherited over fork: attach anew"};
  }
  try {
    return RegionAudit(region, options).Run();
  } catch (const std::bad_alloc&) {
    return {Status::kNoMemory, "no private memory for the report"};
  }
}

}  // namespace zcb::alloc
