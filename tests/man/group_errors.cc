// Joining, leaving, and asking who is there.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {
namespace {

cpg_name TooLong() {
  cpg_name name{};
  name.length = CPG_MAX_NAME_LENGTH + 1;
  return name;
}

cs_error_t Members(cpg_handle_t handle, cpg_name name) {
  cpg_address members[CPG_MEMBERS_MAX];
  int count = 0;
  return cpg_membership_get(handle, &name, members, &count);
}

cs_error_t Walk(cpg_handle_t handle, cpg_iteration_type_t type,
                const cpg_name* group) {
  cpg_iteration_handle_t walk = 0;
  return cpg_iteration_initialize(handle, type, group, &walk);
}

void AddJoin(Producers* all) {
  const auto add = [all](cs_error_t error, const char* cause,
                         std::function<cs_error_t()> produce) {
    all->push_back({"cpg_join", error, cause, std::move(produce)});
  };
  add(CS_ERR_INVALID_PARAM, "GroupIsNull",
      [] { return cpg_join(NewHandle(), nullptr); });
  add(CS_ERR_NAME_TOO_LONG, "NameHas129Bytes", [] {
    const cpg_name name = TooLong();
    return cpg_join(NewHandle(), &name);
  });
  add(CS_ERR_EXIST, "HandleIsInAGroup",
      [] { return Join(NewMember(), "another"); });
  add(CS_ERR_EXIST, "AnotherHandleIsInThatGroup", [] {
    (void)NewMember();
    return Join(NewHandle());
  });
  add(CS_ERR_TRY_AGAIN, "AnotherHandleIsFinalizedButItsCallbackRuns", [] {
    cs_error_t said = CS_OK;
    Deliver(CPG_MODEL_V1, [&](cpg_handle_t handle, const void*) {
      MustBeOk(cpg_finalize(handle));
      said = Join(NewHandle());
    });
    return said;
  });
  add(CS_ERR_TRY_AGAIN, "OwnLeaveIsNotDispatched", [] {
    const cpg_handle_t member = NewMember();
    MustBeOk(Leave(member));
    return Join(member);
  });
  add(CS_ERR_NO_RESOURCES, "NoDescriptorAtTheFirstJoin", [] {
    const cpg_handle_t handle = NewHandle();
    UseUpDescriptors();
    return Join(handle);
  });
  add(CS_ERR_NO_RESOURCES, "GroupHas256MembersThatSomebodyKnowsOf", [] {
    const Idler idler;  // it has not read that the others have gone
    for (int i = 1; i < 256; ++i) {
      const cpg_handle_t guest = NewHandle();
      MustBeOk(Join(guest));
      MustBeOk(cpg_finalize(guest));
    }
    return Join(NewHandle());
  });
  add(CS_ERR_NO_RESOURCES, "RegionHas1024GroupNames", [] {
    const cpg_handle_t handle = NewHandle();
    for (int i = 0; i < 1024; ++i) {
      const std::string group = std::to_string(i);
      const cs_error_t error = Join(handle, group);
      if (error == CS_ERR_NO_MEMORY) NotHere("a small /dev/shm");
      MustBeOk(error);
      MustBeOk(Leave(handle, group));
      MustBeOk(DispatchAll(handle));
    }
    return Join(handle, "one more");
  });
  add(CS_ERR_NO_MEMORY, "NoneForTheProcess", [] {
    const cpg_handle_t handle = NewHandle();
    const NoMemory none;
    return Join(handle);
  });
  add(CS_ERR_NO_MEMORY, "FileSystemIsFull", [] {
    UseSmallFileSystem("8m");
    const cpg_handle_t handle = NewHandle();
    FillFileSystem();
    return Join(handle);
  });
  add(CS_ERR_ACCESS, "ProcessHasAnotherUserNow", [] {
    const cpg_handle_t handle = NewHandle();
    Must(chmod(RegionDirectory().c_str(), 0500) == 0);
    if (geteuid() == 0) {
      Must(setresgid(65534, 65534, 65534) == 0);
      Must(setresuid(65534, 65534, 65534) == 0);
    }
    return Join(handle);
  });
  add(CS_ERR_ACCESS, "DirectoryWasChanged", [] {
    Must(chmod(std::getenv("ZCB_DIR"), 0777) == 0);
    if (geteuid() == 0) {
      Must(setresgid(65534, 65534, 65534) == 0);
      Must(setresuid(65534, 65534, 65534) == 0);
    }
    const cpg_handle_t handle = NewHandle();
    Must(chmod(RegionDirectory().c_str(), 0500) == 0);
    return Join(handle);
  });
  add(CS_ERR_LIBRARY, "DirectoryOfGroupsIsDamaged", [] {
    const cpg_handle_t handle = NewHandle();
    DamageDirectoryOfGroups();
    return Join(handle);
  });
  add(CS_ERR_LIBRARY, "RingIsDamaged", [] {
    MustBeOk(cpg_finalize(NewMember()));
    DamageRing();
    return Join(NewHandle());
  });
  add(CS_ERR_LIBRARY, "Evicted", [] {
    const cpg_handle_t member = NewMember();
    Evict();
    return Join(member, "another");
  });
  add(CS_ERR_LIBRARY, "RegionsDirectoryIsGone", [] {
    const cpg_handle_t handle = NewHandle();
    std::filesystem::remove_all(RegionDirectory());
    return Join(handle);
  });
}

void AddLeave(Producers* all) {
  const auto add = [all](cs_error_t error, const char* cause,
                         std::function<cs_error_t()> produce) {
    all->push_back({"cpg_leave", error, cause, std::move(produce)});
  };
  add(CS_ERR_INVALID_PARAM, "GroupIsNull",
      [] { return cpg_leave(NewMember(), nullptr); });
  add(CS_ERR_NAME_TOO_LONG, "NameHas129Bytes", [] {
    const cpg_name name = TooLong();
    return cpg_leave(NewMember(), &name);
  });
  add(CS_ERR_NOT_EXIST, "NotJoined", [] { return Leave(NewHandle()); });
  add(CS_ERR_NOT_EXIST, "LeavingAlready", [] {
    const cpg_handle_t member = NewMember();
    MustBeOk(Leave(member));
    return Leave(member);
  });
  add(CS_ERR_NOT_EXIST, "InAnotherGroup",
      [] { return Leave(NewMember(), "another"); });
  add(CS_ERR_LIBRARY, "RingIsDamaged", [] {
    const cpg_handle_t member = NewMember();
    DamageRing();
    return Leave(member);
  });
  add(CS_ERR_LIBRARY, "Evicted", [] {
    const cpg_handle_t member = NewMember();
    Evict();
    return Leave(member);
  });
}

void AddMembership(Producers* all) {
  const auto add = [all](cs_error_t error, const char* cause,
                         std::function<cs_error_t()> produce) {
    all->push_back({"cpg_membership_get", error, cause, std::move(produce)});
  };
  add(CS_ERR_INVALID_PARAM, "NameIsNull", [] {
    cpg_address member{};
    int count = 0;
    return cpg_membership_get(NewHandle(), nullptr, &member, &count);
  });
  add(CS_ERR_INVALID_PARAM, "ListIsNull", [] {
    cpg_name name = Named(kGroup);
    int count = 0;
    return cpg_membership_get(NewHandle(), &name, nullptr, &count);
  });
  add(CS_ERR_INVALID_PARAM, "CountIsNull", [] {
    cpg_name name = Named(kGroup);
    cpg_address member{};
    return cpg_membership_get(NewHandle(), &name, &member, nullptr);
  });
  add(CS_ERR_NO_MEMORY, "KernelHasNoneForTheGroupsPages", [] {
    const Idler other;
    const cpg_handle_t handle = NewHandle();
    RefusePagesOfTables();
    return Members(handle, Named(kGroup));
  });
  add(CS_ERR_NAME_TOO_LONG, "NameHas129Bytes",
      [] { return Members(NewHandle(), TooLong()); });
  add(CS_ERR_LIBRARY, "DirectoryOfGroupsIsDamaged", [] {
    const cpg_handle_t handle = NewHandle();
    DamageDirectoryOfGroups();
    return Members(handle, Named(kGroup));
  });
}

void AddIteration(Producers* all) {
  const auto add = [all](cs_error_t error, const char* cause,
                         std::function<cs_error_t()> produce) {
    all->push_back(
        {"cpg_iteration_initialize", error, cause, std::move(produce)});
  };
  add(CS_ERR_NAME_TOO_LONG, "NameHas129Bytes", [] {
    const cpg_name name = TooLong();
    return Walk(NewHandle(), CPG_ITERATION_ONE_GROUP, &name);
  });
  add(CS_ERR_INVALID_PARAM, "WalkIsNull", [] {
    return cpg_iteration_initialize(NewHandle(), CPG_ITERATION_ALL, nullptr,
                                    nullptr);
  });
  add(CS_ERR_INVALID_PARAM, "UnknownType", [] {
    return Walk(NewHandle(), static_cast<cpg_iteration_type_t>(0), nullptr);
  });
  add(CS_ERR_INVALID_PARAM, "OneGroupWithoutAName",
      [] { return Walk(NewHandle(), CPG_ITERATION_ONE_GROUP, nullptr); });
  add(CS_ERR_INVALID_PARAM, "AllGroupsWithAName", [] {
    const cpg_name name = Named(kGroup);
    return Walk(NewHandle(), CPG_ITERATION_ALL, &name);
  });
  add(CS_ERR_NO_MEMORY, "NoneForTheProcess", [] {
    const cpg_handle_t member = NewMember();
    const NoMemory none;
    return Walk(member, CPG_ITERATION_ALL, nullptr);
  });
  for (const cpg_iteration_type_t type :
       {CPG_ITERATION_NAME_ONLY, CPG_ITERATION_ONE_GROUP, CPG_ITERATION_ALL}) {
    const std::string cause =
        "KernelHasNoneForTheGroupsPages_" + std::to_string(type);
    add(CS_ERR_NO_MEMORY, cause.c_str(), [type] {
      const Idler other;
      const cpg_handle_t handle = NewHandle();
      RefusePagesOfTables();
      const cpg_name name = Named(kGroup);
      return Walk(handle, type,
                  type == CPG_ITERATION_ONE_GROUP ? &name : nullptr);
    });
  }
  add(CS_ERR_NO_RESOURCES, "ProcessHas32768Walks", [] {
    const cpg_handle_t handle = NewHandle();
    for (int i = 0; i < 32768; ++i) {
      MustBeOk(Walk(handle, CPG_ITERATION_ALL, nullptr));
    }
    return Walk(handle, CPG_ITERATION_ALL, nullptr);
  });
  add(CS_ERR_LIBRARY, "DirectoryOfGroupsIsDamaged", [] {
    const cpg_handle_t handle = NewHandle();
    DamageDirectoryOfGroups();
    const cpg_name name = Named(kGroup);
    return Walk(handle, CPG_ITERATION_ONE_GROUP, &name);
  });
  const auto begin = [] {
    cpg_iteration_handle_t walk = 0;
    MustBeOk(cpg_iteration_initialize(NewMember(), CPG_ITERATION_ALL, nullptr,
                                      &walk));
    return walk;
  };
  all->push_back({"cpg_iteration_next", CS_ERR_INVALID_PARAM,
                  "DescriptionIsNull",
                  [begin] { return cpg_iteration_next(begin(), nullptr); }});
  all->push_back(
      {"cpg_iteration_next", CS_ERR_NO_SECTIONS, "AtTheEndAndAfter", [begin] {
         const cpg_iteration_handle_t walk = begin();
         cpg_iteration_description_t item{};
         MustBeOk(cpg_iteration_next(walk, &item));
         const cs_error_t first = cpg_iteration_next(walk, &item);
         Must(first == cpg_iteration_next(walk, &item));
         return first;
       }});
}

}  // namespace

Producers GroupErrors() {
  Producers all;
  AddJoin(&all);
  AddLeave(&all);
  AddMembership(&all);
  AddIteration(&all);
  return all;
}

}  // namespace zcb::man
