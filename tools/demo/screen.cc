#include "tools/demo/screen.h"

#include <corosync/cpg.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace zcb::demo {
namespace {

std::string Time(std::uint64_t ns) {
  const auto value = static_cast<double>(ns);
  if (value < 1e3) return fmt::format("{:.0f} ns", value);
  if (value < 1e6) return fmt::format("{:.1f} us", value / 1e3);
  return fmt::format("{:.1f} ms", value / 1e6);
}

std::uint64_t At(const std::vector<std::uint64_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto place = share * static_cast<double>(sorted.size());
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(place))];
}

std::string NameOf(const PassResult& pass, std::uint32_t pid) {
  if (pid == static_cast<std::uint32_t>(pass.sender_pid)) return "sender";
  for (std::size_t i = 0; i < pass.receivers.size(); ++i) {
    if (pid == static_cast<std::uint32_t>(pass.receivers[i].pid)) {
      return fmt::format("receiver {}", i + 1);
    }
  }
  return fmt::format("process {}", pid);
}

std::string_view Verb(std::uint32_t reason) {
  switch (reason) {
    case CPG_REASON_JOIN:
      return "joined";
    case CPG_REASON_LEAVE:
      return "left";
    case CPG_REASON_PROCDOWN:
      return "PROCDOWN";
    default:
      return "changed";
  }
}

// One member's views in one line.
std::string Story(const PassResult& pass, const Report& report) {
  std::string story;
  std::uint64_t said_at = 0;
  for (const ViewSeen& view : report.views) {
    if (view.after_messages != said_at) {
      said_at = view.after_messages;
      story += fmt::format("; after message {}:", said_at);
    } else if (!story.empty()) {
      story += ",";
    }
    story += fmt::format("{}{} {} ({})", story.empty() ? "" : " ",
                         NameOf(pass, view.pid), Verb(view.reason),
                         view.member_count);
  }
  return story;
}

}  // namespace

Screen::Screen()
    : is_terminal_(isatty(STDOUT_FILENO) == 1),
      has_colour_(is_terminal_ && getenv("NO_COLOR") == nullptr) {
  setvbuf(stdout, nullptr, _IOLBF, 0);  // line by line also into a file
}

std::string Screen::Bold(std::string_view text) const {
  return has_colour_ ? fmt::format("\033[1m{}\033[0m", text)
                     : std::string(text);
}

std::string Screen::Mark(bool good, std::string_view text) const {
  if (!has_colour_) return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", good ? "32" : "1;31", text);
}

void Screen::ClearLine() const {
  if (is_terminal_) fmt::print("\r\033[K");
}

void Screen::Title(std::string_view text) const {
  ClearLine();
  fmt::print("\n{}\n", Bold(text));
}

void Screen::Fact(std::string_view name, std::string_view value) const {
  ClearLine();
  fmt::print("  {:<10}{}\n", name, value);
}

void Screen::Working(std::string_view what) const {
  if (!is_terminal_) return;
  fmt::print("\r\033[K  {} ...", what);
  std::fflush(stdout);
}

void Screen::PassHead() const {
  ClearLine();
  fmt::print("  {:<42}{:>9}{:>10}{:>12}{:>12}{:>12}\n", "", "MB/s", "messages",
             "per second", "median", "p99");
}

void Screen::Pass(std::string_view name, const PassResult& pass) const {
  const auto latencies = pass.Latencies();
  const double seconds = pass.Seconds();
  const auto bytes = static_cast<double>(pass.sender.payload_bytes);
  const auto messages = static_cast<double>(pass.sender.messages);
  ClearLine();
  fmt::print("  {:<42}{:>9.1f}{:>10}{:>12.0f}{:>12}{:>12}\n", name,
             bytes / seconds / 1e6, pass.sender.messages, messages / seconds,
             Time(At(latencies, 0.50)), Time(At(latencies, 0.99)));
}

void Screen::Note(std::string_view text) const {
  ClearLine();
  fmt::print("  {}\n", text);
}

void Screen::Views(const PassResult& pass) const {
  ClearLine();
  fmt::print("  {:<12}{}\n", "sender", Story(pass, pass.sender));
  for (std::size_t i = 0; i < pass.receivers.size(); ++i) {
    const auto& receiver = pass.receivers[i];
    const std::string story =
        receiver.was_killed
            ? fmt::format("killed by SIGKILL when it had {} messages or more",
                          receiver.report.messages)
            : Story(pass, receiver.report);
    fmt::print("  {:<12}{}\n", fmt::format("receiver {}", i + 1), story);
  }
}

void Screen::Result(const Check& check) const {
  ClearLine();
  fmt::print("  {}  {:<64}{}\n",
             Mark(check.holds, check.holds ? "ok    " : "FAILED"), check.claim,
             check.detail);
}

void Screen::Verdict(bool all_hold) const {
  fmt::print("\n  {}\n\n", Mark(all_hold, all_hold ? "All of it held."
                                                   : "Not all of it held."));
}

}  // namespace zcb::demo
