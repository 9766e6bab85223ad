// A group's name: up to 128 bytes, NULs allowed, compared by length and bytes.
#ifndef ZCB_IPC_GROUP_NAME_H_
#define ZCB_IPC_GROUP_NAME_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace zcb::ipc {

class GroupName {
 public:
  static constexpr std::size_t kMaxBytes = 128;

  GroupName() = default;
  // Precondition: bytes.size() <= kMaxBytes; what is beyond is cut.
  explicit GroupName(std::span<const char> bytes)
      : length_(static_cast<std::uint32_t>(std::min(bytes.size(), kMaxBytes))) {
    std::copy_n(bytes.begin(), length_, bytes_.begin());
  }
  std::span<const char> bytes() const { return {bytes_.data(), length_}; }

  friend bool operator==(const GroupName& a, const GroupName& b) {
    return std::ranges::equal(a.bytes(), b.bytes());
  }

 private:
  std::uint32_t length_ = 0;
  std::array<char, kMaxBytes> bytes_{};
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_GROUP_NAME_H_
