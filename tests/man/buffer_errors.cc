// Buffers and kept messages.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {
namespace {

using Alloc = cs_error_t (*)(cpg_handle_t, std::size_t, void**);

cs_error_t AllocPageAligned(cpg_handle_t handle, std::size_t size,
                            void** buffer) {
  return cpg_zcb_alloc_aligned(handle, size, 4096, buffer);
}

// All that both functions say.
void AddAlloc(Producers* all, const std::string& function, Alloc alloc) {
  const auto add = [&](cs_error_t error, const char* cause,
                       std::function<cs_error_t()> produce) {
    all->push_back({function, error, cause, std::move(produce)});
  };
  add(CS_ERR_INVALID_PARAM, "BufferIsNull",
      [alloc] { return alloc(NewHandle(), 1, nullptr); });
  add(CS_ERR_NO_MEMORY, "RegionIsFull", [alloc] {
    const cpg_handle_t handle = NewHandle();
    FillRegion(handle);
    void* buffer = nullptr;
    return alloc(handle, 1, &buffer);
  });
  add(CS_ERR_TOO_BIG, "MoreThanTheQuota", [alloc] {
    Must(setenv("ZCB_QUOTA_BYTES", "4m", 1) == 0);
    void* buffer = nullptr;
    return alloc(NewHandle(), (4U << 20) + 1, &buffer);
  });
  add(CS_ERR_NO_MEMORY, "QuotaIsUsedUp", [alloc] {
    Must(setenv("ZCB_QUOTA_BYTES", "4m", 1) == 0);
    const cpg_handle_t handle = NewHandle();
    void* buffer = nullptr;
    MustBeOk(alloc(handle, 3U << 20, &buffer));
    return alloc(handle, 3U << 20, &buffer);
  });
  add(CS_ERR_NO_MEMORY, "FileSystemIsFull", [alloc] {
    UseSmallFileSystem("8m");
    const cpg_handle_t handle = NewHandle();
    FillFileSystem();
    void* buffer = nullptr;
    cs_error_t error = CS_OK;
    while (error == CS_OK) error = alloc(handle, 1U << 20, &buffer);
    return error;
  });
  add(CS_ERR_NO_MEMORY, "NotInOnePiece", [alloc] {
    const cpg_handle_t handle = NewHandle();
    CutRegionToPieces(handle);
    void* buffer = nullptr;
    return alloc(handle, kMoreThanAPiece, &buffer);
  });
  add(CS_ERR_LIBRARY, "TablesAreDamaged", [alloc] {
    const cpg_handle_t handle = NewHandle();
    DamageTables(handle);
    void* buffer = nullptr;
    return alloc(handle, 1U << 20, &buffer);
  });
  add(CS_ERR_LIBRARY, "FileIsTruncated_JustNow", [alloc] {
    const cpg_handle_t handle = NewHandle();
    Must(truncate(RegionFile("data").c_str(), 2L << 20) == 0);
    void* buffer = nullptr;
    cs_error_t error = CS_OK;
    while (error == CS_OK) error = alloc(handle, 1U << 20, &buffer);
    return error;
  });
}

void AddFree(Producers* all) {
  const auto add = [all](const char* cause,
                         std::function<cs_error_t()> produce) {
    all->push_back(
        {"cpg_zcb_free", CS_ERR_INVALID_PARAM, cause, std::move(produce)});
  };
  add("Null", [] { return cpg_zcb_free(NewHandle(), nullptr); });
  add("ForeignMemory", [] {
    int here = 0;
    return cpg_zcb_free(NewHandle(), &here);
  });
  add("InsideABuffer", [] {
    const cpg_handle_t handle = NewHandle();
    return cpg_zcb_free(handle, static_cast<char*>(NewBuffer(handle)) + 64);
  });
  add("FreedAlready", [] {
    const cpg_handle_t handle = NewHandle();
    void* const buffer = NewBuffer(handle);
    MustBeOk(cpg_zcb_free(handle, buffer));
    return cpg_zcb_free(handle, buffer);
  });
  add("MovedToAGroup", [] {
    const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
    void* const buffer = NewBuffer(member);
    MustBeOk(cpg_zcb_mcast_joined(member, CPG_TYPE_AGREED, buffer, 1));
    return cpg_zcb_free(member, buffer);
  });
  add("ReceivedMessage", [] {
    const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
    return cpg_zcb_free(member, const_cast<void*>(TakenMessage(member)));
  });
}

void AddRetain(Producers* all) {
  const auto add = [all](cs_error_t error, const char* cause,
                         std::function<cs_error_t()> produce) {
    all->push_back({"cpg_zcb_retain", error, cause, std::move(produce)});
  };
  add(CS_ERR_INVALID_PARAM, "NeitherOpenNorKept_Null",
      [] { return cpg_zcb_retain(NewMember(CPG_MODEL_ZCB), nullptr); });
  add(CS_ERR_INVALID_PARAM, "NeitherOpenNorKept_Ended", [] {
    const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
    const void* const message = TakenMessage(member);
    cpg_zcb_message next{};
    Must(cpg_zcb_next(member, &next) == CS_ERR_TRY_AGAIN);
    return cpg_zcb_retain(member, message);
  });
  add(CS_ERR_NOT_SUPPORTED, "MessageIsACopy", [] {
    cs_error_t said = CS_OK;
    Deliver(CPG_MODEL_V1, [&](cpg_handle_t handle, const void* msg) {
      said = cpg_zcb_retain(handle, msg);
    });
    return said;
  });
  add(CS_ERR_NO_RESOURCES, "ProcessKeeps1024Messages", [] {
    const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
    for (int i = 0; i < 1024; ++i) {
      MustBeOk(cpg_zcb_retain(member, TakenMessage(member)));
    }
    return cpg_zcb_retain(member, TakenMessage(member));
  });
  add(CS_ERR_NO_RESOURCES, "MoreBytesThanTheLimit", [] {
    const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
    MustBeOk(cpg_zcb_option_set(member, CPG_ZCB_OPTION_RETAIN_BYTES, 1));
    MustBeOk(cpg_zcb_retain(member, TakenMessage(member)));
    return cpg_zcb_retain(member, TakenMessage(member));
  });
  add(CS_ERR_NO_MEMORY, "FileSystemIsFull", [] {
    UseSmallFileSystem("8m");
    const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
    const void* const message = TakenMessage(member);
    FillFileSystem();
    return cpg_zcb_retain(member, message);
  });
  add(CS_ERR_LIBRARY, "Evicted", [] {
    const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
    const void* const message = TakenMessage(member);
    Evict();
    return cpg_zcb_retain(member, message);
  });
}

}  // namespace

Producers BufferErrors() {
  Producers all;
  AddAlloc(&all, "cpg_zcb_alloc", &cpg_zcb_alloc);
  AddAlloc(&all, "cpg_zcb_alloc_aligned", &AllocPageAligned);
  const auto aligned = [](std::size_t alignment, std::size_t size = 1) {
    void* buffer = nullptr;
    return cpg_zcb_alloc_aligned(NewHandle(), size, alignment, &buffer);
  };
  all.push_back({"cpg_zcb_alloc", CS_ERR_TOO_BIG, "MoreThanTheRegion", [] {
                   void* buffer = nullptr;
                   return cpg_zcb_alloc(NewHandle(), kRegionBytes - 63,
                                        &buffer);
                 }});
  all.push_back({"cpg_zcb_alloc_aligned", CS_ERR_TOO_BIG, "MoreThanTheRegion",
                 [aligned] { return aligned(64, kRegionBytes - 63); }});
  all.push_back({"cpg_zcb_alloc_aligned", CS_ERR_TOO_BIG,
                 "MorePagesThanTheRegion",
                 [aligned] { return aligned(128, kRegionBytes + 1); }});
  all.push_back({"cpg_zcb_alloc_aligned", CS_ERR_INVALID_PARAM, "NoPowerOfTwo",
                 [aligned] { return aligned(96); }});
  all.push_back({"cpg_zcb_alloc_aligned", CS_ERR_INVALID_PARAM, "MoreThan2MiB",
                 [aligned] { return aligned(4U << 20); }});
  all.push_back({"cpg_zcb_alloc_aligned", CS_ERR_NOT_SUPPORTED,
                 "MoreThan256KiBInASmallRegion",
                 [aligned] { return aligned(512U << 10); }});
  AddFree(&all);
  AddRetain(&all);
  all.push_back({"cpg_zcb_release", CS_ERR_INVALID_PARAM, "NotKept", [] {
                   const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
                   return cpg_zcb_release(TakenMessage(member));
                 }});
  all.push_back(
      {"cpg_zcb_release", CS_ERR_INVALID_PARAM, "NotKept_ReleasedAlready", [] {
         const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
         const void* const message = TakenMessage(member);
         MustBeOk(cpg_zcb_retain(member, message));
         MustBeOk(cpg_zcb_release(message));
         return cpg_zcb_release(message);
       }});
  return all;
}

}  // namespace zcb::man
