// Helpers for tests about messages that are kept.
#ifndef ZCB_TESTS_CPG_KEPT_H_
#define ZCB_TESTS_CPG_KEPT_H_

#include <corosync/cpg_zcb.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {

inline struct cpg_zcb_region_info InfoOf(const Client& client) {
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  EXPECT_EQ(cpg_zcb_collect(client.handle), CS_OK);
  EXPECT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
  return info;
}

// Sends the text through an entered CPG_MODEL_ZCB client and keeps what comes.
inline const char* SendAndKeep(Client& client, std::string_view text) {
  EXPECT_EQ(client.SendInPlace(text), CS_OK);
  cpg_zcb_message message{};
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_EQ(cpg_zcb_retain(client.handle, message.data), CS_OK);
  return static_cast<const char*>(message.data);
}

inline std::string TextAt(const char* kept, std::size_t length_bytes) {
  return {kept, length_bytes};
}

}  // namespace zcb::cpg::testing

#endif  // ZCB_TESTS_CPG_KEPT_H_
