// How tests end: every byte of the region accounted for, nothing doubled.
#ifndef ZCB_TESTS_ALLOCATOR_AUDIT_TESTING_H_
#define ZCB_TESTS_ALLOCATOR_AUDIT_TESTING_H_

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "allocator/allocator.h"
#include "allocator/audit.h"

namespace zcb::alloc::testing {

inline std::string TextOf(const AuditFindings& findings) {
  std::ostringstream text;
  text << findings.damage() << " damaged, " << findings.repairs()
       << " to repair, " << findings.moving() << " moving\n";
  for (const AuditFinding& finding : findings.list()) {
    text << "  " << Describe(finding.kind) << ": "
         << static_cast<int>(finding.where) << " #" << finding.index << ", 0x"
         << std::hex << finding.value << std::dec << '\n';
  }
  return text.str();
}

// Nothing lost, nothing doubled; what a death left may wait for its reaper.
inline void ExpectSound(Region& region, AuditOptions options = {}) {
  options.check_backing = true;
  const auto report = Audit(region, options);
  ASSERT_TRUE(report.ok()) << report.reason();
  EXPECT_EQ(report->findings.damage(), 0U) << TextOf(report->findings);
  EXPECT_EQ(report->SumBytes(), report->region_bytes);
}

// The same of a region that is quiet and repaired.
inline void ExpectClean(Region& region, AuditOptions options = {}) {
  options.quiet = true;
  options.check_backing = true;
  const auto report = Audit(region, options);
  ASSERT_TRUE(report.ok()) << report.reason();
  EXPECT_TRUE(report->IsClean()) << TextOf(report->findings);
  EXPECT_EQ(report->SumBytes(), report->region_bytes);
}

// The process's own books; no other thread may use the allocator.
inline void ExpectOwnSound(Allocator& allocator) {
  const auto report = allocator.AuditOwn();
  ASSERT_TRUE(report.ok()) << report.reason();
  EXPECT_TRUE(report->IsSound()) << TextOf(report->findings);
}

}  // namespace zcb::alloc::testing

#endif  // ZCB_TESTS_ALLOCATOR_AUDIT_TESTING_H_
