// Memory, in a region with groups: what cpg_zcb_alloc() and its kin do.
#include "tests/process/group_scene.h"
#include "tests/process/operation.h"

namespace zcb::steps {
namespace {

// Sizes of which few fit into a granule, so that loops over buffers are short:
// each instruction of them counts at each turn.
constexpr std::size_t kSmall = 4000;
constexpr std::size_t kHalfGranule = 30'000;
constexpr std::size_t kExtent = 700'000;  // two units and a tail
constexpr int kHinted = 8;

std::unique_ptr<Scene> Groups() { return std::make_unique<GroupScene>(); }

Operation InGroups(const char* name) {
  Operation operation;
  operation.name = name;
  operation.make_scene = &Groups;
  operation.prepare = [](Child& child) { Attach(child); };
  return operation;
}

bool Alloc(Child& child, std::size_t bytes) {
  return cpg_zcb_alloc(child.handle, bytes, &child.buffer) == CS_OK;
}

void AttachAndAlloc(Child& child, std::size_t bytes) {
  Attach(child);
  Must(Alloc(child, bytes), "no memory");
}

bool Free(Child& child) {
  return cpg_zcb_free(child.handle, child.buffer) == CS_OK;
}

}  // namespace

void AddMemoryOperations(std::vector<Operation>* all) {
  Operation alloc = InGroups("alloc");
  alloc.prepare = [](Child& child) {
    AttachAndAlloc(child, kSmall);
    Must(Free(child), "cannot free");
  };
  alloc.run = [](Child& child) { return Alloc(child, kSmall); };
  all->push_back(alloc);

  Operation free = InGroups("free");
  free.prepare = [](Child& child) { AttachAndAlloc(child, kSmall); };
  free.run = &Free;
  all->push_back(free);

  // The first one: a free unit is claimed and cut.
  Operation refill = InGroups("refill");
  refill.run = [](Child& child) { return Alloc(child, kSmall); };
  all->push_back(refill);

  // The same where no unit is backed by memory.
  Operation holes = refill;
  holes.name = "refill-holes";
  holes.punches = true;
  all->push_back(holes);

  // What others have given back is found by its hints.
  Operation hints = InGroups("refill-hints");
  hints.prepare = [](Child& child) {
    Attach(child);
    JoinGroup(child.handle, kOtherGroup);
    // All buffers of the class's unit, and half of them away.
    for (std::size_t i = 0; i < kHinted; ++i) {
      Must(Alloc(child, kHalfGranule), "no memory");
      child.many[i] = child.buffer;
    }
    for (std::size_t i = 0; i < kHinted; i += 2) {
      Must(cpg_zcb_mcast_joined(child.handle, CPG_TYPE_AGREED, child.many[i],
                                kHalfGranule) == CS_OK,
           "cannot send");
    }
    TakeAll(child.handle);
  };
  hints.arrange = On<GroupScene>([](GroupScene& scene) {
    Must(scene.witness().Do(Witness::Task::kWork) == 0, "witness");
    scene.ReadAll();
    scene.Reclaim();
  });
  hints.run = [](Child& child) {
    for (int i = 0; i < kHinted / 2; ++i) {
      if (!Alloc(child, kHalfGranule)) return false;
    }
    return true;
  };
  all->push_back(hints);

  // A dead one's unit, with buffers in it that are still out.
  Operation adopt = InGroups("adopt");
  adopt.before = On<GroupScene>([](GroupScene& scene) {
    scene.LeaveUnitBehind();
    scene.KeepAbandoned();
  });
  adopt.run = [](Child& child) { return Alloc(child, kSmall); };
  all->push_back(adopt);

  Operation extent = InGroups("extent-alloc");
  extent.run = [](Child& child) { return Alloc(child, kExtent); };
  all->push_back(extent);

  Operation extent_holes = extent;
  extent_holes.name = "extent-holes";
  extent_holes.punches = true;
  all->push_back(extent_holes);

  Operation extent_free = InGroups("extent-free");
  extent_free.prepare = [](Child& child) { AttachAndAlloc(child, kExtent); };
  extent_free.run = &Free;
  all->push_back(extent_free);

  Operation aligned = InGroups("alloc-aligned");
  aligned.run = [](Child& child) {
    return cpg_zcb_alloc_aligned(child.handle, 8192, 4096, &child.buffer) ==
           CS_OK;
  };
  all->push_back(aligned);

  // The end of a thread gives back what it had at hand.
  Operation thread = InGroups("thread-exit");
  thread.in_thread = true;
  thread.prepare = [](Child& child) {
    Attach(child);
    for (const std::size_t bytes : {kSmall, std::size_t{8000}, kHalfGranule}) {
      for (std::size_t i = 0; i < 4; ++i) {
        Must(Alloc(child, bytes), "no memory");
        child.many[i] = child.buffer;
      }
      for (std::size_t i = 0; i < 3; ++i) {
        Must(cpg_zcb_free(child.handle, child.many[i]) == CS_OK, "free");
      }
    }
  };
  thread.run = [](Child&) { return true; };
  all->push_back(thread);
}

}  // namespace zcb::steps
