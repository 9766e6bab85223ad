#include "tests/faults/cpg_life.h"

#include <corosync/cpg_zcb.h>
#include <sys/uio.h>

#include <array>
#include <cstring>

#include "tests/faults/cpg_world.h"
#include "tests/faults/listed_errors.h"

namespace zcb::faults {
namespace {

class Liver {
 public:
  explicit Liver(const std::function<void(int)>& between) : between_(between) {
    group_.length = static_cast<std::uint32_t>(std::strlen(kGroupName));
    std::memcpy(group_.value, kGroupName, group_.length);
  }

  Life Run() {
    if (!Is("cpg_model_initialize", [this] {
          return cpg_model_initialize(&handle_, CPG_MODEL_ZCB, nullptr,
                                      nullptr);
        })) {
      return life_;
    }
    if (Is("cpg_join", [this] { return cpg_join(handle_, &group_); })) {
      Send();
      Read();
      Ask();
      Is("cpg_leave", [this] { return cpg_leave(handle_, &group_); });
      Dispatch();
    }
    Is("cpg_finalize", [this] { return cpg_finalize(handle_); });
    return life_;
  }

 private:
  bool Is(const std::string& function,
          const std::function<cs_error_t()>& call) {
    if (between_) between_(life_.calls);
    ++life_.calls;
    const cs_error_t code = call();
    if (code == CS_OK) return true;
    ++life_.refused;
    if (!IsListed(function, code)) {
      life_.wrong += function + " says " + std::to_string(code) + "; ";
    }
    return false;
  }

  void Dispatch() {
    Is("cpg_dispatch",
       [this] { return cpg_dispatch(handle_, CS_DISPATCH_ALL); });
  }

  void Send() {
    static std::array<char, 1 << 20> text{};
    int fd = -1;
    Is("cpg_zcb_send_fd_get",
       [&] { return cpg_zcb_send_fd_get(handle_, &fd); });
    for (const std::size_t length : {10U, 5000U, 1U << 20}) {
      const iovec piece{text.data(), length};
      Is("cpg_mcast_joined",
         [&] { return cpg_mcast_joined(handle_, CPG_TYPE_AGREED, &piece, 1); });
      void* buffer = nullptr;
      if (!Is("cpg_zcb_alloc",
              [&] { return cpg_zcb_alloc(handle_, length, &buffer); })) {
        continue;
      }
      std::memset(buffer, 1, length);
      Is("cpg_zcb_mcast_joined", [&] {
        return cpg_zcb_mcast_joined(handle_, CPG_TYPE_AGREED, buffer, length);
      });
    }
  }

  void Read() {
    cpg_zcb_message message{};
    for (;;) {
      const cs_error_t next = cpg_zcb_next(handle_, &message);
      if (next == CS_ERR_TRY_AGAIN) break;
      if (next != CS_OK) {
        Is("cpg_zcb_next", [next] { return next; });
        return;
      }
      if (message.kind != CPG_ZCB_MESSAGE) continue;
      if (Is("cpg_zcb_retain",
             [&] { return cpg_zcb_retain(handle_, message.data); })) {
        Is("cpg_zcb_release", [&] { return cpg_zcb_release(message.data); });
      }
    }
  }

  void Ask() {
    std::array<cpg_address, CPG_MEMBERS_MAX> members{};
    int count = 0;
    Is("cpg_membership_get", [&] {
      return cpg_membership_get(handle_, &group_, members.data(), &count);
    });
    cpg_iteration_handle_t walk = 0;
    if (Is("cpg_iteration_initialize", [&] {
          return cpg_iteration_initialize(handle_, CPG_ITERATION_ALL, nullptr,
                                          &walk);
        })) {
      Is("cpg_iteration_finalize",
         [&] { return cpg_iteration_finalize(walk); });
    }
    Is("cpg_zcb_collect", [this] { return cpg_zcb_collect(handle_); });
  }

  const std::function<void(int)>& between_;
  cpg_name group_{};
  cpg_handle_t handle_ = 0;
  Life life_;
};

}  // namespace

Life Live(const std::function<void(int call)>& between) {
  return Liver(between).Run();
}

}  // namespace zcb::faults
