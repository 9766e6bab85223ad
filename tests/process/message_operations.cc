// Messages: sending, receiving, keeping, waiting.
#include <sys/uio.h>

#include <cstring>

#include "tests/process/group_scene.h"
#include "tests/process/operation.h"

namespace zcb::steps {
namespace {

constexpr std::size_t kSmall = 2000;
constexpr std::size_t kLarge = 300'000;  // an extent

std::unique_ptr<Scene> Groups() { return std::make_unique<GroupScene>(); }

void AttachAndJoin(Child& child) {
  Attach(child);
  JoinGroup(child.handle, kGroup);
}

// What comes before a send that does not refill its magazine.
void Warm(Child& child) {
  void* buffer = nullptr;
  Must(cpg_zcb_alloc(child.handle, kSmall, &buffer) == CS_OK &&
           cpg_zcb_free(child.handle, buffer) == CS_OK,
       "no memory");
}

Operation OfMember(const char* name) {
  Operation operation;
  operation.name = name;
  operation.make_scene = &Groups;
  operation.prepare = &AttachAndJoin;
  operation.is_member = true;
  return operation;
}

Operation Sending(const char* name, std::uint32_t sends = 1) {
  Operation operation = OfMember(name);
  operation.sends = sends;
  return operation;
}

void DriverSends(GroupScene& scene) {
  for (int i = 0; i < 2; ++i) Must(scene.Send(kSmall), "cannot send");
}

bool SendBuffer(Child& child, std::size_t bytes) {
  return cpg_zcb_mcast_joined(child.handle, CPG_TYPE_AGREED, child.buffer,
                              bytes) == CS_OK;
}

// A message of the driver's, kept, and everything else read.
void KeepOne(Child& child) {
  AttachAndJoin(child);
  child.Meet();
  child.kept = TakeMessage(child.handle).data;
  Must(cpg_zcb_retain(child.handle, child.kept) == CS_OK, "no retain");
  TakeAll(child.handle);
}

Operation Keeping(const char* name) {
  Operation operation = OfMember(name);
  operation.prepare = &KeepOne;
  operation.meet = On<GroupScene>(&DriverSends);
  return operation;
}

void AddSending(std::vector<Operation>* all) {
  Operation small = Sending("send-small");
  small.prepare = [](Child& child) {
    AttachAndJoin(child);
    Warm(child);
  };
  small.run = [](Child& child) {
    return SendBytes(child.handle, kSmall) == CS_OK;
  };
  all->push_back(small);

  Operation large = Sending("send-large");
  large.run = [](Child& child) {
    return SendBytes(child.handle, kLarge) == CS_OK;
  };
  all->push_back(large);

  Operation in_place = Sending("send-zcb");
  in_place.prepare = [](Child& child) {
    AttachAndJoin(child);
    Must(cpg_zcb_alloc(child.handle, kSmall, &child.buffer) == CS_OK, "alloc");
    std::memset(child.buffer, 'c', kSmall);
  };
  in_place.run = [](Child& child) { return SendBuffer(child, kSmall); };
  all->push_back(in_place);

  Operation aligned = Sending("send-aligned");
  aligned.prepare = [](Child& child) {
    AttachAndJoin(child);
    Must(
        cpg_zcb_alloc_aligned(child.handle, 4096, 4096, &child.buffer) == CS_OK,
        "alloc");
    std::memset(child.buffer, 'c', 4096);
  };
  aligned.run = [](Child& child) { return SendBuffer(child, 4096); };
  all->push_back(aligned);

  constexpr unsigned int kBatch = 3;
  Operation batch = Sending("send-batch", kBatch);
  batch.prepare = [](Child& child) {
    AttachAndJoin(child);
    for (unsigned int i = 0; i < kBatch; ++i) {
      Must(
          cpg_zcb_alloc(child.handle, kBatchBytes + i, &child.many[i]) == CS_OK,
          "alloc");
      std::memset(child.many[i], 'c', kBatchBytes + i);
    }
  };
  batch.run = [](Child& child) {
    iovec messages[kBatch];
    for (unsigned int i = 0; i < kBatch; ++i) {
      messages[i] = {child.many[i], kBatchBytes + i};
    }
    unsigned int sent = 0;
    return cpg_zcb_mcast_batch(child.handle, CPG_TYPE_AGREED, messages, kBatch,
                               &sent) == CS_OK &&
           sent == kBatch;
  };
  all->push_back(batch);

  // The witness sleeps: whatever the child leaves undone, it wakes.
  Operation wake = Sending("wake");
  wake.prepare = small.prepare;
  wake.arrange = On<GroupScene>([](GroupScene& scene) {
    scene.ReadAll();
    scene.SendWitnessToSleep();
  });
  wake.run = small.run;
  all->push_back(wake);

  Operation forward = Keeping("forward");
  forward.sends = 1;
  forward.prepare = [](Child& child) {
    KeepOne(child);
    Warm(child);
  };
  forward.run = [](Child& child) {
    return cpg_zcb_forward(child.handle, CPG_TYPE_AGREED, child.kept, kSmall) ==
           CS_OK;
  };
  all->push_back(forward);

  // A sender sleeps until the witness makes room.
  Operation room = OfMember("wait-room");
  room.is_member = false;
  room.prepare = [](Child& child) {
    Attach(child);
    JoinGroup(child.handle, kSlowGroup);
    (void)cpg_zcb_option_set(child.handle, CPG_ZCB_OPTION_WAIT,
                             CPG_ZCB_WAIT_PARK);
    FillRing(child.handle);
    TakeAll(child.handle);
    Must(cpg_zcb_alloc(child.handle, kSmall, &child.buffer) == CS_OK, "alloc");
  };
  room.run = [](Child& child) {
    return cpg_zcb_mcast_timed(child.handle, CPG_TYPE_AGREED, child.buffer,
                               kSmall, -1) == CS_OK;
  };
  room.hook = On<GroupScene>([](GroupScene& scene) {
    Must(scene.witness().Do(Witness::Task::kReadSlow) == 0, "witness");
  });
  all->push_back(room);
}

void AddReceiving(std::vector<Operation>* all) {
  Operation dispatch = OfMember("dispatch");
  dispatch.arrange = On<GroupScene>(&DriverSends);
  dispatch.run = [](Child& child) {
    return cpg_dispatch(child.handle, CS_DISPATCH_ALL) == CS_OK;
  };
  all->push_back(dispatch);

  Operation next = OfMember("next");
  next.arrange = On<GroupScene>(&DriverSends);
  next.run = [](Child& child) {
    cpg_zcb_message message{};
    int events = 0;
    while (cpg_zcb_next(child.handle, &message) == CS_OK) ++events;
    return events == 2;
  };
  all->push_back(next);

  Operation batch = OfMember("receive-batch");
  batch.arrange = On<GroupScene>(&DriverSends);
  batch.run = [](Child& child) {
    cpg_zcb_message messages[4]{};
    unsigned int count = 0;
    return cpg_zcb_next_batch(child.handle, messages, 4, &count) == CS_OK &&
           count == 2 &&
           cpg_zcb_next_batch(child.handle, messages, 4, &count) ==
               CS_ERR_TRY_AGAIN;
  };
  all->push_back(batch);

  Operation retain = OfMember("retain");
  retain.arrange = On<GroupScene>(&DriverSends);
  retain.run = [](Child& child) {
    cpg_zcb_message message{};
    return cpg_zcb_next(child.handle, &message) == CS_OK &&
           (child.kept = message.data) != nullptr &&
           cpg_zcb_retain(child.handle, message.data) == CS_OK &&
           cpg_zcb_retain(child.handle, message.data) == CS_OK &&
           cpg_zcb_next(child.handle, &message) == CS_OK;
  };
  retain.finish = [](Child& child) {
    // Whatever the others have done meanwhile.
    Must(DigestOf({static_cast<const std::byte*>(child.kept), kSmall}) == 'd',
         "what was kept has changed");
  };
  all->push_back(retain);

  // Still in the ring when it is let go; and reclaimed before.
  Operation early = Keeping("release-early");
  early.run = [](Child& child) { return cpg_zcb_release(child.kept) == CS_OK; };
  all->push_back(early);

  Operation release = Keeping("release");
  release.arrange = On<GroupScene>([](GroupScene& scene) {
    scene.ReadAll();
    scene.Reclaim();
  });
  release.run = early.run;
  all->push_back(release);

  // Everything in the ring is read by all; one message is kept.
  Operation reclaim = Keeping("reclaim");
  reclaim.arrange = On<GroupScene>([](GroupScene& scene) { scene.ReadAll(); });
  reclaim.run = [](Child& child) {
    return cpg_zcb_collect(child.handle) == CS_OK;
  };
  all->push_back(reclaim);

  Operation sleep = OfMember("sleep");
  sleep.prepare = [](Child& child) {
    AttachAndJoin(child);
    (void)cpg_zcb_option_set(child.handle, CPG_ZCB_OPTION_WAIT,
                             CPG_ZCB_WAIT_PARK);
  };
  sleep.run = [](Child& child) {
    cpg_zcb_message message{};
    return cpg_zcb_next_timed(child.handle, &message, -1) == CS_OK;
  };
  sleep.hook = On<GroupScene>(&DriverSends);
  all->push_back(sleep);

  // The same on a descriptor.
  Operation bell = sleep;
  bell.name = "sleep-descriptor";
  bell.prepare = [](Child& child) {
    AttachAndJoin(child);
    int descriptor = -1;
    Must(cpg_fd_get(child.handle, &descriptor) == CS_OK, "no descriptor");
    (void)cpg_zcb_option_set(child.handle, CPG_ZCB_OPTION_WAIT,
                             CPG_ZCB_WAIT_PARK);
  };
  bell.run = [](Child& child) {
    return cpg_dispatch(child.handle, CS_DISPATCH_ONE) == CS_OK;
  };
  all->push_back(bell);
}

}  // namespace

void AddMessageOperations(std::vector<Operation>* all) {
  AddSending(all);
  AddReceiving(all);
}

}  // namespace zcb::steps
