// What the audit asks of groups and keep records.
#include "ipc/audit.h"

#include <gtest/gtest.h>

#include "allocator/buffer_word.h"
#include "ipc/keep_record.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using alloc::AuditKind;
using alloc::AuditPlace;
using alloc::AuditSeverity;
using alloc::BufferRef;
using alloc::BufferWord;
using alloc::LeaseWord;

class IpcAuditTest : public MemberTest {
 protected:
  alloc::AuditReport Look(bool quiet = true) {
    alloc::AuditOptions options;
    options.quiet = quiet;
    options.list_notes = !quiet;
    auto report = Audit(*attachment_, options);
    EXPECT_TRUE(report.ok()) << report.reason();
    return std::move(*report);
  }
  void ExpectOnly(AuditSeverity severity, AuditKind kind, bool quiet = true) {
    const alloc::AuditReport report = Look(quiet);
    ASSERT_EQ(report.findings.list().size(), 1U)
        << alloc::testing::TextOf(report.findings);
    EXPECT_EQ(report.findings.list()[0].severity, severity);
    EXPECT_EQ(report.findings.list()[0].kind, kind)
        << Describe(report.findings.list()[0].kind);
  }
  alloc::Allocator& allocator() { return attachment_->allocator(); }
  std::atomic<std::uint64_t>& WordOf(BufferRef ref) {
    return *allocator().Locate(ref)->word;
  }
  // A buffer that is out, by a word that is written here.
  BufferRef Out(BufferWord word) {
    const auto place = allocator().BeginSend(*allocator().Alloc(1000));
    EXPECT_TRUE(place.ok());
    place->word->store(word.raw());
    allocator().CommitSend(*place);
    return place->ref;
  }
  void ComeBack(BufferRef ref) {
    WordOf(ref).store(BufferWord(WordOf(ref).load()).Free().raw());
    allocator().ComeBack(*allocator().Locate(ref));
  }
  // The first record of a lease slot that is not this process's.
  static constexpr std::uint16_t kOtherSlot = 9;
  std::atomic<std::uint64_t>& ForgeRecord(KeepRecord record) {
    alloc::Region& region = attachment_->region();
    const IpcGeometry& g = attachment_->geometry();
    const std::uint64_t offset =
        g.keeps_offset + g.keep_bytes_per_lease * kOtherSlot;
    EXPECT_TRUE(region.CommitMeta(offset, 8).ok());
    auto& word = *region.meta<std::atomic<std::uint64_t>>(offset);
    word.store(record.raw());
    region.lease_record(kOtherSlot).client_word.store(1);
    // Slots below the mark have been used.
    region.meta<alloc::RegionHeader>(0)->lease_high_water.store(kOtherSlot + 1);
    return word;
  }
};

TEST_F(IpcAuditTest, MessagesAreSentUntilTheyAreReadAndReclaimed) {
  const Joined a = JoinGroup(*attachment_, "g");
  ASSERT_TRUE(SendText(*a.member, std::string(900, 'x')).ok());
  ASSERT_TRUE(SendText(*a.member, std::string(900, 'y')).ok());
  alloc::AuditReport report = Look();
  EXPECT_TRUE(report.IsClean()) << alloc::testing::TextOf(report.findings);
  EXPECT_EQ(report.of(AuditPlace::kSent).buffers, 2U);
  ReadAll(*a.member);
  attachment_->ReclaimAllGroups();
  report = Look();
  EXPECT_TRUE(report.IsClean()) << alloc::testing::TextOf(report.findings);
  EXPECT_EQ(report.of(AuditPlace::kSent).buffers, 0U);
}

TEST_F(IpcAuditTest, AKeptMessageIsSentAndThenRetained) {
  const Joined a = JoinGroup(*attachment_, "g");
  EXPECT_EQ(ReadOne(*a.member), "join 1");
  ASSERT_TRUE(SendText(*a.member, "keep").ok());
  const auto event = a->Next();
  ASSERT_TRUE(event.ok());
  ASSERT_TRUE(a->Retain(*event).ok());
  EXPECT_TRUE(Look().IsClean());
  EXPECT_EQ(Look().of(AuditPlace::kSent).buffers, 1U);
  a->Done();
  attachment_->ReclaimAllGroups();
  EXPECT_TRUE(Look().IsClean());
  EXPECT_EQ(Look().of(AuditPlace::kRetained).buffers, 1U);
  ASSERT_TRUE(attachment_->Release(event->payload).ok());
  EXPECT_EQ(Look().of(AuditPlace::kRetained).buffers, 0U);
}

// Its reclaimer may stop just there; whoever comes next goes on.
TEST_F(IpcAuditTest, ARetainedMessageThatIsStillInItsRingIsNotLost) {
  const Joined a = JoinGroup(*attachment_, "g");
  ASSERT_TRUE(SendText(*a.member, "x").ok());
  BufferRef ref;
  attachment_->directory().ForEachGroup([&](const GroupView& group) {
    ref = SlotWord(group.slot(1).load()).ref();
  });
  const std::uint64_t sent = WordOf(ref).load();
  WordOf(ref).store(BufferWord(sent).Keep().Retain().raw());
  EXPECT_TRUE(Look().IsClean());
  ReadAll(*a.member);
  attachment_->ReclaimAllGroups();
  EXPECT_TRUE(BufferWord(WordOf(ref).load()).is_free());
}

TEST_F(IpcAuditTest, ASentWordThatNoRingHoldsIsFound) {
  const Joined a = JoinGroup(*attachment_, "g");
  const auto group = attachment_->directory().Find(Named("g"));
  const BufferRef ref = Out(BufferWord().Send((*group)->group_slot(), 1));
  ExpectOnly(AuditSeverity::kDamage, AuditKind::kSentNowhere);
  ExpectOnly(AuditSeverity::kNote, AuditKind::kSentNowhere, false);
  // A group that nobody has made, and one that cannot be.
  WordOf(ref).store(BufferWord().Send(777, 1).raw());
  ExpectOnly(AuditSeverity::kDamage, AuditKind::kSentNowhere);
  ComeBack(ref);
}

TEST_F(IpcAuditTest, ARetainedWordThatNobodyKeepsIsFound) {
  const BufferRef ref = Out(BufferWord().Send(1, 1).Keep().Retain());
  ExpectOnly(AuditSeverity::kDamage, AuditKind::kRetainedByNobody);
  ComeBack(ref);
}

TEST_F(IpcAuditTest, ARecordThatNamesNothingIsFound) {
  alloc::Region& region = attachment_->region();
  const LeaseWord lease(region.lease_word(region.lease().slot).load());
  const Joined a = JoinGroup(*attachment_, "g");
  EXPECT_EQ(ReadOne(*a.member), "join 1");
  ASSERT_TRUE(SendText(*a.member, "keep").ok());
  const auto event = a->Next();
  ASSERT_TRUE(event.ok());
  ASSERT_TRUE(a->Retain(*event).ok());
  auto& record = *region.meta<std::atomic<std::uint64_t>>(
      attachment_->geometry().keeps_offset +
      attachment_->geometry().keep_bytes_per_lease * region.lease().slot);
  const KeepRecord kept(record.load());
  ASSERT_EQ(kept.lease_generation(), lease.generation());
  const auto unused = allocator().Alloc(64);
  for (const KeepRecord wrong :
       {KeepRecord::Hold(lease.generation(), BufferRef(BufferRef::kMax)),
        KeepRecord::Hold(lease.generation(), *unused),
        KeepRecord::Hold(lease.generation(), *unused).LetGo()}) {
    record.store(wrong.raw());
    ExpectOnly(AuditSeverity::kDamage, AuditKind::kKeepNothing);
    ExpectOnly(AuditSeverity::kNote, AuditKind::kKeepNothing, false);
  }
  record.store(kept.raw());
  ASSERT_TRUE(allocator().Free(*unused).ok());
  ASSERT_TRUE(attachment_->Release(event->payload).ok());
}

TEST_F(IpcAuditTest, ARecordOfADeadOrUnknownLeaseIsFound) {
  auto& record = ForgeRecord(KeepRecord::Hold(1, BufferRef(64)));
  ExpectOnly(AuditSeverity::kDamage, AuditKind::kKeepLease);
  auto& lease = attachment_->region().lease_word(kOtherSlot);
  lease.store(LeaseWord().Attach(4711).raw());  // but nobody holds its lock
  ExpectOnly(AuditSeverity::kRepair, AuditKind::kKeepDead);
  lease.store(LeaseWord().Attach(4711).Die().raw());
  ExpectOnly(AuditSeverity::kRepair, AuditKind::kKeepDead);
  lease.store(LeaseWord().Attach(4711).Release().Attach(4712).Die().raw());
  ExpectOnly(AuditSeverity::kDamage, AuditKind::kKeepLease);
  lease.store(0);
  record.store(0);
}

}  // namespace
}  // namespace zcb::ipc
