#include "bench/crowd/member.h"

#include <cstring>

#include "bench/failure.h"

namespace zcb::bench {
namespace {

void Must(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

// Many processes that begin at once meet each other's half-made things.
template <typename Call>
void Insist(const char* what, Call&& call) {
  cs_error_t error = CS_ERR_TRY_AGAIN;
  while (error == CS_ERR_TRY_AGAIN) error = call();
  Must(error, what);
}

}  // namespace

CrowdMember::CrowdMember(Wait wait, const std::string& group) {
  Insist("cpg_model_initialize", [&] {
    return cpg_model_initialize(&handle_, CPG_MODEL_ZCB, nullptr, nullptr);
  });
  SetWait(wait);
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(group.size());
  std::memcpy(name.value, group.data(), group.size());
  Insist("cpg_join", [&] { return cpg_join(handle_, &name); });
}

CrowdMember::~CrowdMember() { (void)cpg_finalize(handle_); }

void CrowdMember::SetWait(Wait wait) const {
  Must(cpg_zcb_option_set(
           handle_, CPG_ZCB_OPTION_WAIT,
           wait == Wait::kSpin ? CPG_ZCB_WAIT_SPIN : CPG_ZCB_WAIT_PARK),
       "option wait");
  Must(cpg_zcb_option_set(handle_, CPG_ZCB_OPTION_PARK,
                          wait == Wait::kDescriptor ? CPG_ZCB_PARK_DESCRIPTOR
                                                    : CPG_ZCB_PARK_FUTEX),
       "option park");
}

void CrowdMember::Prepare(Stamp stamp) {
  if (prepared_ == nullptr) {
    Must(cpg_zcb_alloc(handle_, kMessageBytes, &prepared_), "cpg_zcb_alloc");
  }
  std::memcpy(prepared_, &stamp, sizeof(stamp));
}

void CrowdMember::CheckRefusal(cs_error_t error) {
  if (error != CS_ERR_TRY_AGAIN) Must(error, "cpg_zcb_mcast_joined");
}

bool CrowdMember::SendTimed(Stamp stamp) {
  Prepare(stamp);
  const cs_error_t error = cpg_zcb_mcast_timed(handle_, CPG_TYPE_AGREED,
                                               prepared_, kMessageBytes, -1);
  if (error == CS_ERR_BUSY) return false;
  Must(error, "cpg_zcb_mcast_timed");
  prepared_ = nullptr;
  return true;
}

bool CrowdMember::Accept(cs_error_t error, const cpg_zcb_message& event,
                         Stamp* stamp) {
  Must(error, "cpg_zcb_next");
  if (event.kind == CPG_ZCB_VIEW) {
    member_count_ = event.length / sizeof(cpg_address);
    return false;
  }
  std::memcpy(stamp, event.data, sizeof(*stamp));
  return true;
}

Stamp CrowdMember::Await() {
  Stamp stamp;
  for (;;) {
    cpg_zcb_message event{};
    const cs_error_t error = cpg_zcb_next_timed(handle_, &event, -1);
    if (Accept(error, event, &stamp)) return stamp;
  }
}

std::uint64_t CrowdMember::Drain() {
  std::uint64_t count = 0;
  for (Stamp stamp; TryNext(&stamp);) ++count;
  return count;
}

void CrowdMember::AwaitMembers(std::size_t count) {
  while (member_count_ < count) {
    cpg_zcb_message event{};
    Stamp stamp;
    if (Accept(cpg_zcb_next_timed(handle_, &event, -1), event, &stamp)) {
      Fail("a message before the view of {}", count);
    }
  }
}

}  // namespace zcb::bench
