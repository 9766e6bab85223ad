// Processes and groups: attach, join, leave, reap, put out, end.
#include <stdlib.h>
#include <unistd.h>

#include "tests/process/group_scene.h"
#include "tests/process/operation.h"

namespace zcb::steps {
namespace {

std::unique_ptr<Scene> Groups() { return std::make_unique<GroupScene>(); }

void AttachAndJoin(Child& child) {
  Attach(child);
  JoinGroup(child.handle, kGroup);
}

Operation OfMember(const char* name) {
  Operation operation;
  operation.name = name;
  operation.make_scene = &Groups;
  operation.prepare = &AttachAndJoin;
  operation.is_member = true;
  return operation;
}

Operation OfStranger(const char* name) {
  Operation operation = OfMember(name);
  operation.prepare = [](Child& child) { Attach(child); };
  operation.is_member = false;
  return operation;
}

bool LeaveGroup(Child& child) {
  const cpg_name name = Named(kGroup);
  if (cpg_leave(child.handle, &name) != CS_OK) return false;
  cpg_zcb_message message{};
  while (cpg_zcb_next(child.handle, &message) == CS_OK) {
  }
  return true;
}

// A process that has something of everything.
void LiveRichly(Child& child) {
  Attach(child);
  JoinGroup(child.handle, kPairGroup);
  for (int i = 0; i < 3; ++i) {
    Must(SendBytes(child.handle, 4000) == CS_OK, "cannot send");
  }
  Must(SendBytes(child.handle, 300'000) == CS_OK, "cannot send an extent");
  for (int i = 0; i < 2; ++i) {
    const cpg_zcb_message message = TakeMessage(child.handle);
    Must(cpg_zcb_retain(child.handle, message.data) == CS_OK, "no retain");
  }
  for (const std::size_t bytes : {std::size_t{4000}, std::size_t{400'000}}) {
    Must(cpg_zcb_alloc(child.handle, bytes, &child.buffer) == CS_OK, "alloc");
  }
}

}  // namespace

void AddMemberOperations(std::vector<Operation>* all) {
  Operation attach = OfStranger("attach");
  attach.prepare = nullptr;
  attach.run = [](Child& child) {
    Attach(child);
    return true;
  };
  all->push_back(attach);

  Operation join = OfStranger("join");
  join.run = [](Child& child) {
    const cpg_name name = Named(kGroup);
    return cpg_join(child.handle, &name) == CS_OK;
  };
  all->push_back(join);

  // A group that nobody has named before; names stay, so a region has few.
  Operation create = OfStranger("create-group");
  create.positions_per_scene = 16;
  create.run = [](Child& child) {
    const cpg_name name = Named(child.fresh_name);
    return cpg_join(child.handle, &name) == CS_OK;
  };
  all->push_back(create);

  Operation leave = OfMember("leave");
  leave.run = &LeaveGroup;
  leave.leaves = true;
  all->push_back(leave);

  // A third process has died; the child buries it. Those who would notice
  // before stand still.
  Operation reap = OfStranger("reap");
  reap.before =
      On<GroupScene>([](GroupScene& scene) { scene.StartThird(&LiveRichly); });
  reap.arrange = On<GroupScene>([](GroupScene& scene) { scene.KillThird(); });
  reap.run = [](Child& child) {
    return cpg_zcb_collect(child.handle) == CS_OK;
  };
  all->push_back(reap);

  // The same by who joins the group of the dead one.
  Operation join_reap = OfStranger("join-reap");
  join_reap.before = reap.before;
  join_reap.arrange = reap.arrange;
  join_reap.run = [](Child& child) {
    const cpg_name name = Named(kPairGroup);
    return cpg_join(child.handle, &name) == CS_OK;
  };
  all->push_back(join_reap);

  // The witness has not read kSlowGroup, and its time is over. The driver has
  // read a little more, and has time left; so what is reclaimed is little.
  Operation evict = OfStranger("evict");
  evict.prepare = [](Child& child) {
    constexpr std::uint64_t kLimitMs = 1;
    Attach(child);
    JoinGroup(child.handle, kSlowGroup);
    Must(cpg_zcb_option_set(child.handle, CPG_ZCB_OPTION_EVICT_MS, kLimitMs) ==
             CS_OK,
         "no eviction");
    for (int i = 0; i < 4; ++i) {
      Must(SendBytes(child.handle, 8) == CS_OK, "cannot send");
    }
    child.Meet();
    FillRing(child.handle);
    TakeAll(child.handle);
    usleep(2 * kLimitMs * 1000);  // passing time is what it is about
  };
  evict.before = On<GroupScene>([](GroupScene& scene) {
    scene.ExpectEviction();
    scene.DriverJoins(kSlowGroup);
  });
  evict.meet = On<GroupScene>([](GroupScene& scene) { scene.DriverReads(); });
  evict.run = [](Child& child) { return SendBytes(child.handle, 8) == CS_OK; };
  all->push_back(evict);

  // The child itself was put out, finds out and lets go.
  Operation evicted = OfStranger("evicted");
  evicted.prepare = [](Child& child) {
    Attach(child);
    JoinGroup(child.handle, kSlowGroup);
    child.Meet();
  };
  evicted.meet = On<GroupScene>([](GroupScene& scene) {
    scene.DriverJoins(kSlowGroup);
    scene.FillAndEvict();
  });
  evicted.run = [](Child& child) {
    cpg_zcb_message message{};
    const cs_error_t error = cpg_zcb_next(child.handle, &message);
    return error == CS_ERR_LIBRARY && cpg_finalize(child.handle) == CS_OK;
  };
  all->push_back(evicted);

  Operation finalize = OfMember("finalize");
  finalize.leaves = true;
  finalize.run = [](Child& child) {
    return cpg_finalize(child.handle) == CS_OK;
  };
  all->push_back(finalize);

  // The end of a process that has something left, and detaches.
  Operation detach = OfMember("detach");
  detach.exits = true;
  detach.leaves = true;
  detach.prepare = [](Child& child) {
    AttachAndJoin(child);
    Must(SendBytes(child.handle, 4000) == CS_OK, "cannot send");
    const cpg_zcb_message message = TakeMessage(child.handle);
    Must(cpg_zcb_retain(child.handle, message.data) == CS_OK, "no retain");
    Must(cpg_zcb_alloc(child.handle, 400'000, &child.buffer) == CS_OK, "alloc");
  };
  detach.sends = 1;
  detach.run = [](Child&) -> bool { exit(0); };
  all->push_back(detach);
}

}  // namespace zcb::steps
