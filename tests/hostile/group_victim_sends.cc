// Messages out: copied, or in buffers of the region.
#include "tests/hostile/group_victim.h"

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <vector>

namespace zcb::hostile {

std::size_t GroupVictim::SomeLength() {
  if (dice_.OneIn(24)) return dice_.Below(3 << 20);
  return dice_.Below(dice_.OneIn(4) ? 100'000 : 1'000);
}

void GroupVictim::Send(Open* open) {
  static std::array<unsigned char, 3 << 20> bytes;
  const iovec pieces[] = {{bytes.data(), SomeLength()}, {bytes.data(), 16}};
  const unsigned count = dice_.Below(2) + 1;
  if (dice_.OneIn(4)) {
    caller_.Do("cpg_zcb_mcastv_timed", [&] {
      return cpg_zcb_mcastv_timed(open->handle, CPG_TYPE_AGREED, pieces, count,
                                  static_cast<int>(dice_.Below(3)));
    });
    return;
  }
  caller_.Do("cpg_mcast_joined", [&] {
    return cpg_mcast_joined(open->handle, CPG_TYPE_AGREED, pieces, count);
  });
}

void GroupVictim::SendBuffer(Open* open) {
  if (open->buffers.size() < 8 && !dice_.OneIn(3)) {
    Buffer buffer{nullptr, SomeLength()};
    const bool has = caller_.Do("cpg_zcb_alloc", [&] {
      return dice_.OneIn(4)
                 ? cpg_zcb_alloc_aligned(open->handle, buffer.bytes,
                                         std::size_t{64} << dice_.Below(13),
                                         &buffer.at)
                 : cpg_zcb_alloc(open->handle, buffer.bytes, &buffer.at);
    });
    if (!has) return;
    Caller::Write(buffer.at, buffer.bytes);
    open->buffers.push_back(buffer);
    return;
  }
  if (open->buffers.empty()) return;
  const std::size_t which =
      dice_.Below(static_cast<std::uint32_t>(open->buffers.size()));
  const Buffer buffer = open->buffers[which];
  Caller::Write(buffer.at, buffer.bytes);
  bool is_gone = false;
  switch (dice_.Below(6)) {
    case 0:
      is_gone = caller_.Do("cpg_zcb_free", [&] {
        return cpg_zcb_free(open->handle, buffer.at);
      });
      break;
    case 1:
      SendBuffers(open);
      return;
    case 2:
      is_gone = caller_.Do("cpg_zcb_mcast_timed", [&] {
        return cpg_zcb_mcast_timed(open->handle, CPG_TYPE_AGREED, buffer.at,
                                   buffer.bytes,
                                   static_cast<int>(dice_.Below(3)));
      });
      break;
    default:
      is_gone = caller_.Do("cpg_zcb_mcast_joined", [&] {
        return cpg_zcb_mcast_joined(open->handle, CPG_TYPE_AGREED, buffer.at,
                                    buffer.bytes);
      });
  }
  // With CPG_MODEL_V1 a sent buffer is still the caller's.
  if (is_gone) {
    if (open->model == CPG_MODEL_V1)
      (void)cpg_zcb_free(open->handle, buffer.at);
    open->buffers[which] = open->buffers.back();
    open->buffers.pop_back();
  }
}

void GroupVictim::SendBuffers(Open* open) {
  std::vector<iovec> messages;
  for (const Buffer& buffer : open->buffers) {
    messages.push_back({buffer.at, buffer.bytes});
  }
  unsigned int sent = 0;
  (void)caller_.Do("cpg_zcb_mcast_batch", [&] {
    return cpg_zcb_mcast_batch(open->handle, CPG_TYPE_AGREED, messages.data(),
                               static_cast<unsigned int>(messages.size()),
                               &sent);
  });
  for (unsigned int i = 0; i < sent && open->model == CPG_MODEL_V1; ++i) {
    (void)cpg_zcb_free(open->handle, messages[i].iov_base);
  }
  open->buffers.erase(open->buffers.begin(), open->buffers.begin() + sent);
}

}  // namespace zcb::hostile
