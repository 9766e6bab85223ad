// What a survivor has been told, in a form that two of them can compare.
#ifndef ZCB_TESTS_PROCESS_EVENT_LOG_H_
#define ZCB_TESTS_PROCESS_EVENT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace zcb::steps {

struct Seen {
  enum class Kind : std::uint32_t { kMessage, kJoin, kLeave, kDown };
  std::uint64_t sequence = 0;
  Kind kind = Kind::kMessage;
  std::uint32_t pid = 0;   // who sent, or whom the change is about
  std::uint64_t hash = 0;  // DigestOf() it, or of the members afterwards
  std::uint64_t length_bytes = 0;
  friend bool operator==(const Seen&, const Seen&) = default;
};

// What survivors write into all memory that they can get after a death: a
// message that somebody has still to read must not be in it.
inline constexpr std::byte kScribble{0xee};

// Every message consists of one byte, again and again. That byte, or kTorn.
inline constexpr std::uint64_t kTorn = ~std::uint64_t{0};
inline std::uint64_t DigestOf(std::span<const std::byte> bytes) {
  if (bytes.empty()) return 0;
  for (const std::byte byte : bytes) {
    if (byte != bytes[0] || byte == kScribble) return kTorn;
  }
  return static_cast<std::uint64_t>(bytes[0]);
}

// In memory that processes share. One writes, and then says so by other means.
struct EventLog {
  static constexpr std::size_t kMost = 4096;
  std::uint64_t count = 0;
  Seen events[kMost];

  void Add(const Seen& seen) {
    if (count < kMost) events[count] = seen;
    ++count;
  }
  std::span<const Seen> all() const {
    return {events, count < kMost ? count : kMost};
  }
};

inline std::string TextOf(const EventLog& log) {
  static constexpr const char* kNames[] = {"message", "join", "leave", "down"};
  constexpr std::size_t kMostWords = 20;
  const auto all = log.all();
  std::string text;
  for (const Seen& seen :
       all.subspan(all.size() > kMostWords ? all.size() - kMostWords : 0)) {
    text += " " + std::to_string(seen.sequence) + ":" +
            kNames[static_cast<std::size_t>(seen.kind)] + "(" +
            std::to_string(seen.pid) + "," + std::to_string(seen.length_bytes) +
            ")";
  }
  return text;
}

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_EVENT_LOG_H_
