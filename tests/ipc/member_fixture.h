// A region of a test's own, and helpers to join, send and read in it.
#ifndef ZCB_TESTS_IPC_MEMBER_FIXTURE_H_
#define ZCB_TESTS_IPC_MEMBER_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/attachment.h"
#include "ipc/audit.h"
#include "ipc/member.h"
#include "tests/allocator/audit_testing.h"
#include "tests/support/temp_directory.h"

namespace zcb::ipc::testing {

inline IpcOptions OptionsIn(const std::string& directory) {
  IpcOptions options;
  options.region.directory = directory;
  options.region.region_bytes = 64 << 20;
  options.region.prefault_bytes = 0;
  return options;
}

inline GroupName Named(std::string_view text) {
  return GroupName({text.data(), text.size()});
}

// A member with its doorbell, in the order in which they must go.
struct Joined {
  std::unique_ptr<Doorbell> bell;
  std::unique_ptr<Member> member;
  Member* operator->() const { return member.get(); }
};

inline Joined JoinGroup(Attachment& attachment, std::string_view group) {
  Joined joined;
  auto bell = attachment.MakeDoorbell();
  EXPECT_TRUE(bell.ok()) << bell.reason();
  joined.bell = std::move(*bell);
  auto member = attachment.Join(Named(group), joined.bell.get(),
                                Attachment::Membership::kMany);
  EXPECT_TRUE(member.ok()) << member.reason();
  joined.member = std::move(*member);
  return joined;
}

inline Outcome SendText(Member& member, std::string_view text) {
  const auto payload = member.attachment().AllocPayload(text.size());
  if (!payload) return payload.failure();
  std::memcpy(*payload, text.data(), text.size());
  const Outcome sent = member.Send(*payload, text.size());
  if (!sent) {
    EXPECT_TRUE(member.attachment().FreePayload(*payload).ok())
        << "after an error the buffer is the caller's";
  }
  return sent;
}

// The next event in words: "join 1", "leave 0", "down 2", a message's text, or
// "" for nothing. The number is the size of the view after it.
inline std::string ReadOne(Member& member) {
  const auto event = member.Next();
  if (!event) return std::string("error: ") + event.reason();
  if (event->kind == Event::Kind::kNothing) return "";
  std::string text;
  if (event->kind == Event::Kind::kMessage) {
    text.assign(reinterpret_cast<const char*>(event->payload),
                event->length_bytes);
  } else {
    const auto kind = event->change.kind;
    text = kind == ViewChange::Kind::kJoin    ? "join "
           : kind == ViewChange::Kind::kLeave ? "leave "
                                              : "down ";
    text += std::to_string(member.view().items().size());
  }
  member.Done();
  return text;
}

inline std::vector<std::string> ReadAll(Member& member) {
  std::vector<std::string> all;
  for (std::string one = ReadOne(member); !one.empty(); one = ReadOne(member)) {
    all.push_back(one);
  }
  return all;
}

// Every buffer in one place, every message in a ring, every keep of a process.
inline void ExpectSound(Attachment& attachment,
                        alloc::AuditOptions options = {}) {
  options.check_backing = true;
  const auto report = Audit(attachment, options);
  ASSERT_TRUE(report.ok()) << report.reason();
  EXPECT_EQ(report->findings.damage(), 0U)
      << alloc::testing::TextOf(report->findings);
  EXPECT_EQ(report->SumBytes(), report->region_bytes);
}
// The same where nobody is at work, and nobody has died unnoticed.
inline void ExpectClean(Attachment& attachment) {
  alloc::AuditOptions options;
  options.quiet = true;
  const auto report = Audit(attachment, options);
  ASSERT_TRUE(report.ok()) << report.reason();
  EXPECT_TRUE(report->IsClean()) << alloc::testing::TextOf(report->findings);
}

class MemberTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Attachment::Open(OptionsIn(directory_.path()));
    ASSERT_TRUE(opened.ok()) << opened.reason();
    attachment_ = *opened;
  }
  void TearDown() override {
    if (attachment_ == nullptr || is_damaged_) return;
    ExpectClean(*attachment_);
    alloc::testing::ExpectOwnSound(attachment_->allocator());
  }
  // For tests that forge words and leave them: no audit at the end.
  void LeaveDamaged() { is_damaged_ = true; }

  zcb::testing::TempDirectory directory_;
  std::shared_ptr<Attachment> attachment_;

 private:
  bool is_damaged_ = false;
};

}  // namespace zcb::ipc::testing

#endif  // ZCB_TESTS_IPC_MEMBER_FIXTURE_H_
