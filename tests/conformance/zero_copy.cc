// cpg_zcb_alloc, cpg_zcb_free, cpg_zcb_mcast_joined under CPG_MODEL_V1.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

void* Buffer(const Member& member, std::size_t size_bytes) {
  void* buffer = nullptr;
  if (cpg_zcb_alloc(member.handle, size_bytes, &buffer) != CS_OK) std::abort();
  return buffer;
}

cs_error_t SendBuffer(const Member& member, void* buffer,
                      std::size_t length_bytes) {
  return cpg_zcb_mcast_joined(member.handle, CPG_TYPE_AGREED, buffer,
                              length_bytes);
}

// Sends a buffer of `size_bytes` filled by the pattern; says what came.
std::string EchoBuffer(Member* member, std::size_t size_bytes) {
  void* const buffer = Buffer(*member, size_bytes);
  const std::string text = Pattern(size_bytes);
  std::memcpy(buffer, text.data(), size_bytes);
  member->Forget();
  const cs_error_t error = SendBuffer(*member, buffer, size_bytes);
  (void)cpg_zcb_free(member->handle, buffer);
  if (error != CS_OK) return Name(error);
  while (member->events.empty()) {
    if (member->Dispatch(CS_DISPATCH_ONE) != CS_OK) return "dispatch failed";
  }
  return member->Seen();
}

}  // namespace

SCENARIO(zcb_alloc) {
  Member member;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{1} << 20,
        std::size_t{16} << 20}) {
    void* buffer = nullptr;
    const cs_error_t error = cpg_zcb_alloc(member.handle, size, &buffer);
    Observe("of_" + Number(size), Name(error));
    if (error != CS_OK) continue;
    std::memset(buffer, 0x5a, size);
    Observe("free_of_" + Number(size),
            Name(cpg_zcb_free(member.handle, buffer)));
  }
  const auto address = reinterpret_cast<std::uintptr_t>(Buffer(member, 64));
  Observe("aligned_to_8", YesNo(address % 8 == 0));
}

SCENARIO(zcb_alloc_more_than_the_region) {
  // 300 MiB; the region of the test has 256.
  ObserveInChild("says", [] {
    Member member;
    void* buffer = nullptr;
    return Name(cpg_zcb_alloc(member.handle, std::size_t{300} << 20, &buffer));
  });
}

SCENARIO(zcb_send) {
  Member member;
  void* const buffer = Buffer(member, 64);
  std::memcpy(buffer, "text", 4);
  Observe("not_joined", Name(SendBuffer(member, buffer, 4)));
  member.Enter("zcb_send");
  member.Forget();
  Observe("joined", Name(SendBuffer(member, buffer, 4)));
  // The buffer stays the sender's: change it, send it again, free it.
  std::memcpy(buffer, "more", 4);
  Observe("again", Name(SendBuffer(member, buffer, 4)));
  Observe("part", Name(SendBuffer(member, buffer, 2)));
  Observe("empty", Name(SendBuffer(member, buffer, 0)));
  Observe("free", Name(cpg_zcb_free(member.handle, buffer)));
  member.RoundTrip();
  Observe("saw", member.Seen());
  (void)member.Leave("zcb_send");
  member.Until("[]-A:LEAVE");
  Observe("after_leave", Name(SendBuffer(member, Buffer(member, 64), 4)));
}

SCENARIO(zcb_lengths) {
  for (const std::size_t size :
       {std::size_t{65536}, std::size_t{1047552}, std::size_t{1048392},
        std::size_t{1048393}, std::size_t{1048576}, std::size_t{1048577},
        std::size_t{3} << 20}) {
    ObserveInChild("of_" + Number(size), [size] {
      Member member;
      member.Enter("zcb_lengths");
      return EchoBuffer(&member, size);
    });
  }
}

SCENARIO(zcb_other_handle) {
  Member first;
  Member second;
  first.Enter("zcb1");
  second.Enter("zcb2");
  second.Forget();
  void* const buffer = Buffer(first, 64);
  std::memcpy(buffer, "text", 4);
  Observe("send", Name(SendBuffer(second, buffer, 4)));
  second.Until("A:text");
  Observe("group", second.last_group);
  Observe("free", Name(cpg_zcb_free(second.handle, buffer)));
}

SCENARIO(zcb_buffer_outlives_the_handle) {
  ObserveInChild("contents", [] {
    void* buffer = nullptr;
    {
      Member member;
      buffer = Buffer(member, 64);
      std::memcpy(buffer, "stays", 6);
    }
    return std::string(static_cast<char*>(buffer));
  });
}

SCENARIO(zcb_free_wrong) {
  ObserveInChild("null", [] {
    Member member;
    return Name(cpg_zcb_free(member.handle, nullptr));
  });
  ObserveInChild("twice", [] {
    Member member;
    void* const buffer = Buffer(member, 64);
    (void)cpg_zcb_free(member.handle, buffer);
    return Name(cpg_zcb_free(member.handle, buffer));
  });
  ObserveInChild("not_a_buffer", [] {
    Member member;
    std::vector<char> memory(8192);
    return Name(cpg_zcb_free(member.handle, memory.data() + 4096));
  });
}

SCENARIO(zcb_bad_handle) {
  Member member;
  void* const buffer = Buffer(member, 64);
  Observe("free", Name(cpg_zcb_free(0, buffer)));
  Observe("send", Name(cpg_zcb_mcast_joined(0, CPG_TYPE_AGREED, buffer, 4)));
}

// These two can end the daemon.
SCENARIO(zcb_longer_than_buffer) {
  ObserveInChild("send", [] {
    Member member;
    member.Enter("zcb_longer");
    void* const buffer = Buffer(member, 64);
    return Name(SendBuffer(member, buffer, 900000));
  });
  ObserveInChild("others_can_go_on", [] {
    Member member;
    return YesNo(member.status == CS_OK);
  });
}

SCENARIO(zcb_any_memory) {
  ObserveInChild("send", [] {
    Member member;
    member.Enter("zcb_any");
    member.Forget();
    std::vector<char> memory(8192, 'x');
    const cs_error_t error = SendBuffer(member, memory.data() + 4096, 5);
    if (error != CS_OK) return Name(error);
    member.Until("A:xxxxx");
    return member.Seen();
  });
  ObserveInChild("others_can_go_on", [] {
    Member member;
    return YesNo(member.status == CS_OK);
  });
}

}  // namespace zcb::conformance
