// One word per handle: which handle it is, whether it is open, who is inside.
#ifndef ZCB_CPG_PIN_WORD_H_
#define ZCB_CPG_PIN_WORD_H_

#include <cstdint>
#include <optional>

namespace zcb::cpg {

//   63 62        32 31   30        16 15       0
//   | 0 | check:31 | open | senders:15 | calls:16 |
//
// All-zero is an unused slot. `check` is random and never 0; it makes a stale
// handle fail when its slot is used again. A handle closes once; the thread
// that then takes the last pin away destroys what the slot holds.
class PinWord {
 public:
  static constexpr std::uint32_t kMaxCheck = 0x7fff'ffff;
  // A sender finds the member without the handle's lock, and the member stays
  // as long as the pin. Either may wait, and is told when the handle closes.
  enum class Kind { kCall, kSender };

  constexpr PinWord() = default;
  constexpr explicit PinWord(std::uint64_t raw) : raw_(raw) {}
  static constexpr PinWord Opened(std::uint32_t check) {
    return PinWord(std::uint64_t{check} << kCheckShift | kOpen);
  }

  constexpr std::uint64_t raw() const { return raw_; }
  constexpr std::uint32_t check() const {
    return static_cast<std::uint32_t>(raw_ >> kCheckShift);
  }
  constexpr bool open() const { return (raw_ & kOpen) != 0; }
  constexpr bool IsOpenAs(std::uint32_t check_wanted) const {
    return raw_ >> kOpenShift == (std::uint64_t{check_wanted} << 1 | 1);
  }
  constexpr std::uint64_t senders() const {
    return (raw_ >> kSenderShift) & kMaxSenders;
  }
  constexpr std::uint64_t calls() const { return raw_ & kMaxCalls; }
  constexpr bool unpinned() const { return senders() == 0 && calls() == 0; }
  // Closed, and nobody inside: whoever brought this about destroys.
  constexpr bool finished() const { return !open() && unpinned(); }

  // Pure transitions. nullopt: not this handle, closed, or a counter is full.
  constexpr std::optional<PinWord> Pin(std::uint32_t check_wanted,
                                       Kind kind) const {
    if (!IsOpenAs(check_wanted)) return std::nullopt;
    if (kind == Kind::kSender) {
      if (senders() == kMaxSenders) return std::nullopt;
    } else if (calls() == kMaxCalls) {
      return std::nullopt;
    }
    return PinWord(raw_ + One(kind));
  }
  // Closes, and pins as a call.
  constexpr std::optional<PinWord> Close(std::uint32_t check_wanted) const {
    const auto pinned = Pin(check_wanted, Kind::kCall);
    if (!pinned) return std::nullopt;
    return PinWord(pinned->raw_ & ~kOpen);
  }
  // What one pin adds; taken away again by a subtraction.
  static constexpr std::uint64_t One(Kind kind) {
    return kind == Kind::kSender ? std::uint64_t{1} << kSenderShift : 1;
  }

  friend constexpr bool operator==(PinWord, PinWord) = default;

 private:
  static constexpr unsigned kSenderShift = 16;
  static constexpr unsigned kCheckShift = 32;
  static constexpr std::uint64_t kMaxCalls = 0xffff;
  static constexpr std::uint64_t kMaxSenders = 0x7fff;
  static constexpr unsigned kOpenShift = 31;
  static constexpr std::uint64_t kOpen = std::uint64_t{1} << kOpenShift;
  std::uint64_t raw_ = 0;
};
static_assert(sizeof(PinWord) == 8);

}  // namespace zcb::cpg

#endif  // ZCB_CPG_PIN_WORD_H_
