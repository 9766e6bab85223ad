// Who a member is, for people and for applications.
#ifndef ZCB_IPC_MEMBER_ADDRESS_H_
#define ZCB_IPC_MEMBER_ADDRESS_H_

#include <compare>
#include <cstdint>

namespace zcb::ipc {

struct MemberAddress {
  std::uint32_t node_id = 0;
  std::uint32_t pid = 0;
  friend constexpr auto operator<=>(const MemberAddress&,
                                    const MemberAddress&) = default;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_MEMBER_ADDRESS_H_
