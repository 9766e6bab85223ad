#include "tools/demo/checks.h"

#include <corosync/cpg.h>
#include <fmt/format.h>

#include <algorithm>

namespace zcb::demo {
namespace {

// The views from the one on in which all of the pass were members.
std::vector<ViewSeen> SinceTogether(const Report& report,
                                    std::size_t everyone) {
  const auto together = std::find_if(report.views.begin(), report.views.end(),
                                     [everyone](const ViewSeen& view) {
                                       return view.member_count == everyone;
                                     });
  return {together, report.views.end()};
}

}  // namespace

Check CheckDigests(const PassResult& pass, const std::string& file_sha256) {
  Check check{true, "every survivor's SHA-256 is that of the file", ""};
  std::size_t right = 0;
  const auto survivors = pass.Survivors();
  for (const auto* receiver : survivors) {
    right += receiver->report.sha256 == file_sha256 ? 1 : 0;
  }
  check.holds = !survivors.empty() && right == survivors.size();
  check.detail = fmt::format("{} of {}", right, survivors.size());
  return check;
}

Check CheckComplete(const std::vector<const PassResult*>& passes) {
  std::uint64_t sent = 0, want = 0, got = 0;
  bool same_bytes = true;
  for (const PassResult* pass : passes) {
    sent += pass->sender.messages;
    for (const auto* receiver : pass->Survivors()) {
      want += pass->sender.messages;
      got += receiver->report.messages;
      same_bytes &=
          receiver->report.payload_bytes == pass->sender.payload_bytes;
    }
  }
  return {same_bytes && got == want, "every message came, in order, once",
          fmt::format("{} sent, {} of {} received", sent, got, want)};
}

Check CheckInPlace(const std::vector<const PassResult*>& passes) {
  std::uint64_t messages = 0, in_place = 0;
  for (const PassResult* pass : passes) {
    for (const auto* receiver : pass->Survivors()) {
      messages += receiver->report.messages;
      in_place += receiver->report.in_place;
    }
  }
  return {messages > 0 && in_place == messages,
          "no copy: read at the place in the region where it was written",
          fmt::format("{} of {}", in_place, messages)};
}

Check CheckViews(const PassResult& pass) {
  const std::size_t everyone = pass.receivers.size() + 1;
  const auto want = SinceTogether(pass.sender, everyone);
  bool same = !want.empty();
  std::uint64_t victims = 0;
  for (const auto* receiver : pass.Survivors()) {
    same &= SinceTogether(receiver->report, everyone) == want;
  }
  bool all_told = true;
  std::string place;
  for (const auto& receiver : pass.receivers) {
    if (!receiver.was_killed) continue;
    ++victims;
    const auto down =
        std::find_if(want.begin(), want.end(), [&](const ViewSeen& view) {
          return view.pid == static_cast<std::uint32_t>(receiver.pid) &&
                 view.reason == CPG_REASON_PROCDOWN;
        });
    all_told &= down != want.end();
    if (down != want.end()) {
      place = fmt::format("PROCDOWN between messages {} and {}",
                          down->after_messages, down->after_messages + 1);
    }
  }
  return {same && all_told && victims == 1,
          "all saw the same views between the same messages", place};
}

Check CheckNothingOut(const std::vector<const PassResult*>& passes,
                      const Report& observer) {
  std::uint64_t live = observer.live_buffers;
  std::uint64_t kept = observer.kept_messages;
  for (const PassResult* pass : passes) {
    live += pass->sender.live_buffers;
    kept += pass->sender.kept_messages;
    for (const auto* receiver : pass->Survivors()) {
      live += receiver->report.live_buffers;
      kept += receiver->report.kept_messages;
    }
  }
  const std::uint64_t others = observer.processes - 1;
  return {live == 0 && kept == 0 && observer.out_buffers == 0 && others == 0,
          "the region is empty again",
          fmt::format("{} live, {} kept, {} out, {} processes", live, kept,
                      observer.out_buffers, others)};
}

}  // namespace zcb::demo
