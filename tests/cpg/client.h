// A CPG program in miniature: a handle that records what it is told. Uses the
// public C API alone, so it runs on the static and on the shared library.
#ifndef ZCB_TESTS_CPG_CLIENT_H_
#define ZCB_TESTS_CPG_CLIENT_H_

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temp_directory.h"

namespace zcb::cpg::testing {

// Every test program has a region of its own. One object of this, global.
class RegionOfThisTest {
 public:
  RegionOfThisTest() {
    setenv("ZCB_DIR", directory_.path().c_str(), 1);
    setenv("ZCB_REGION_BYTES", "256m", 1);
    unsetenv("ZCB_REGION");
    unsetenv("ZCB_NODEID");
    unsetenv("ZCB_KEEP");
  }
  const zcb::testing::TempDirectory& directory() const { return directory_; }

 private:
  zcb::testing::TempDirectory directory_;
};

inline cpg_name Named(std::string_view text) {
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(text.size());
  text.copy(name.value, sizeof(name.value));
  return name;
}

inline std::uint32_t OwnPid() { return static_cast<std::uint32_t>(getpid()); }

struct Message {
  std::string text;
  std::string group;
  std::uint32_t nodeid = 0;
  std::uint32_t pid = 0;
  const void* address = nullptr;
};

struct Change {
  std::string group;
  std::vector<std::uint32_t> members;  // pids
  std::vector<std::uint32_t> left;
  std::vector<std::uint32_t> joined;
  std::uint32_t reason = 0;  // of the one that left or joined
};

class Client {
 public:
  explicit Client(cpg_model_t model = CPG_MODEL_V1, unsigned flags = 0) {
    status = model == CPG_MODEL_V1 ? InitializeV1(flags) : InitializeZcb(flags);
  }
  ~Client() { (void)cpg_finalize(handle); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  cs_error_t Join(std::string_view group) {
    const cpg_name name = Named(group);
    return cpg_join(handle, &name);
  }
  cs_error_t Leave(std::string_view group) {
    const cpg_name name = Named(group);
    return cpg_leave(handle, &name);
  }
  // Joins, and dispatches until the own join has come.
  void Enter(std::string_view group) {
    ASSERT_EQ(Join(group), CS_OK);
    DispatchUntil([this] {
      return !changes.empty() &&
             changes.back().joined == std::vector<std::uint32_t>{OwnPid()};
    });
  }
  cs_error_t Send(std::string_view text) {
    const iovec piece{const_cast<char*>(text.data()), text.size()};
    return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1);
  }
  // CPG_MODEL_ZCB: alloc, fill, send.
  cs_error_t SendInPlace(std::string_view text, const void** where = nullptr) {
    void* buffer = nullptr;
    const cs_error_t error = cpg_zcb_alloc(handle, text.size(), &buffer);
    if (error != CS_OK) return error;
    text.copy(static_cast<char*>(buffer), text.size());
    if (where != nullptr) *where = buffer;
    return cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, text.size());
  }
  cs_error_t Dispatch(cs_dispatch_flags_t how = CS_DISPATCH_ALL) {
    return cpg_dispatch(handle, how);
  }
  // Waits for events until `done`.
  template <typename Done>
  void DispatchUntil(Done done) {
    while (!done()) ASSERT_EQ(Dispatch(CS_DISPATCH_ONE), CS_OK);
  }
  void DispatchUntilMessages(std::size_t count) {
    DispatchUntil([this, count] { return messages.size() >= count; });
  }
  void DispatchUntilChanges(std::size_t count) {
    DispatchUntil([this, count] { return changes.size() >= count; });
  }
  std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    for (const Message& message : messages) texts.push_back(message.text);
    return texts;
  }

  cpg_handle_t handle = 0;
  cs_error_t status = CS_OK;
  std::vector<Message> messages;
  std::vector<Change> changes;
  std::vector<std::uint32_t> totem_nodes;
  // Called inside the callbacks, after recording; for V1 with the copy.
  std::function<void(void* msg, std::size_t length_bytes)> on_message;
  std::function<void(const void* msg)> on_message_in_place;
  std::function<void()> on_change;

 private:
  static Client* Of(cpg_handle_t handle) {
    void* context = nullptr;
    EXPECT_EQ(cpg_context_get(handle, &context), CS_OK);
    return static_cast<Client*>(context);
  }
  static std::string Text(const cpg_name* name) {
    return {name->value, name->length};
  }
  void Record(const cpg_name* group, std::uint32_t nodeid, std::uint32_t pid,
              const void* msg, std::size_t length_bytes) {
    ASSERT_NE(msg, nullptr);
    messages.push_back({{static_cast<const char*>(msg), length_bytes},
                        Text(group),
                        nodeid,
                        pid,
                        msg});
  }
  static void OnDeliver(cpg_handle_t handle, const cpg_name* group,
                        std::uint32_t nodeid, std::uint32_t pid, void* msg,
                        std::size_t length_bytes) {
    Client* self = Of(handle);
    self->Record(group, nodeid, pid, msg, length_bytes);
    if (self->on_message) self->on_message(msg, length_bytes);
  }
  static void OnDeliverInPlace(cpg_handle_t handle, const cpg_name* group,
                               std::uint32_t nodeid, std::uint32_t pid,
                               const void* msg, std::size_t length_bytes) {
    Client* self = Of(handle);
    self->Record(group, nodeid, pid, msg, length_bytes);
    if (self->on_message_in_place) self->on_message_in_place(msg);
  }
  static void OnChange(cpg_handle_t handle, const cpg_name* group,
                       const cpg_address* members, std::size_t member_count,
                       const cpg_address* left, std::size_t left_count,
                       const cpg_address* joined, std::size_t joined_count) {
    Client* self = Of(handle);
    Change change;
    change.group = Text(group);
    ASSERT_NE(members, nullptr);
    ASSERT_NE(left, nullptr);
    ASSERT_NE(joined, nullptr);
    ASSERT_EQ(left_count + joined_count, 1U);
    for (std::size_t i = 0; i < member_count; ++i) {
      EXPECT_EQ(members[i].reason, 0U);
      change.members.push_back(members[i].pid);
    }
    for (std::size_t i = 0; i < left_count; ++i) {
      change.left.push_back(left[i].pid);
      change.reason = left[i].reason;
    }
    for (std::size_t i = 0; i < joined_count; ++i) {
      change.joined.push_back(joined[i].pid);
      change.reason = joined[i].reason;
    }
    self->changes.push_back(change);
    if (self->on_change) self->on_change();
  }
  static void OnTotem(cpg_handle_t handle, cpg_ring_id ring_id,
                      std::uint32_t count, const std::uint32_t* nodes) {
    Client* self = Of(handle);
    EXPECT_EQ(ring_id.seq, 1U);
    EXPECT_EQ(ring_id.nodeid, nodes[0]);
    self->totem_nodes.insert(self->totem_nodes.end(), nodes, nodes + count);
  }

  cs_error_t InitializeV1(unsigned flags) {
    cpg_model_v1_data_t data{};
    data.model = CPG_MODEL_V1;
    data.cpg_deliver_fn = &OnDeliver;
    data.cpg_confchg_fn = &OnChange;
    data.cpg_totem_confchg_fn = &OnTotem;
    data.flags = flags;
    return cpg_model_initialize(&handle, CPG_MODEL_V1,
                                reinterpret_cast<cpg_model_data_t*>(&data),
                                this);
  }
  cs_error_t InitializeZcb(unsigned flags) {
    cpg_model_zcb_data_t data{};
    data.model = CPG_MODEL_ZCB;
    data.cpg_deliver_fn = &OnDeliverInPlace;
    data.cpg_confchg_fn = &OnChange;
    data.cpg_totem_confchg_fn = &OnTotem;
    data.flags = flags;
    return cpg_model_initialize(&handle, CPG_MODEL_ZCB,
                                reinterpret_cast<cpg_model_data_t*>(&data),
                                this);
  }
};

}  // namespace zcb::cpg::testing

#endif  // ZCB_TESTS_CPG_CLIENT_H_
