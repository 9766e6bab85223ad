// The allocator alone, by its C interface.
#include "tests/process/allocator_scene.h"
#include "tests/process/operation.h"

namespace zcb::steps {
namespace {

constexpr std::size_t kSizes[] = {4000, 30'000, 400'000};

std::unique_ptr<Scene> Allocators() {
  return std::make_unique<AllocatorScene>();
}

void OpenAllocator(Child& child) { child.allocator = AllocatorScene::Open(); }

Operation OfAllocator(const char* name) {
  Operation operation;
  operation.name = name;
  operation.make_scene = &Allocators;
  operation.prepare = &OpenAllocator;
  return operation;
}

void AllocAll(Child& child) {
  for (std::size_t i = 0; i < std::size(kSizes); ++i) {
    Must(zcb_alloc(child.allocator, kSizes[i], &child.many[i]) == ZCB_OK,
         "no memory");
  }
}

bool GiveAll(Child& child) {
  for (std::size_t i = 0; i < std::size(kSizes); ++i) {
    zcb_ticket ticket = 0;
    if (zcb_give(child.allocator, child.many[i], &ticket) != ZCB_OK) {
      return false;
    }
    child.board->tickets[i].store(ticket);
  }
  return true;
}

bool TakeGiven(Child& child) {
  for (std::size_t i = 0; i < std::size(kSizes); ++i) {
    if (zcb_take(child.allocator, child.board->tickets[i].load(),
                 &child.many[i]) != ZCB_OK) {
      return false;
    }
  }
  return true;
}

bool FreeAll(Child& child) {
  for (std::size_t i = 0; i < std::size(kSizes); ++i) {
    if (zcb_free(child.allocator, child.many[i]) != ZCB_OK) return false;
  }
  return true;
}

}  // namespace

void AddAllocatorOperations(std::vector<Operation>* all) {
  Operation open = OfAllocator("zcb-open");
  open.prepare = nullptr;
  open.run = [](Child& child) {
    OpenAllocator(child);
    return true;
  };
  all->push_back(open);

  Operation give = OfAllocator("give");
  give.prepare = [](Child& child) {
    OpenAllocator(child);
    AllocAll(child);
  };
  give.run = &GiveAll;
  all->push_back(give);

  Operation take = OfAllocator("take");
  take.before =
      On<AllocatorScene>([](AllocatorScene& scene) { scene.GiveSome(); });
  take.run = &TakeGiven;
  all->push_back(take);

  Operation free_taken = take;
  free_taken.name = "free-taken";
  free_taken.prepare = [](Child& child) {
    OpenAllocator(child);
    Must(TakeGiven(child), "cannot take");
  };
  free_taken.run = &FreeAll;
  all->push_back(free_taken);

  Operation give_on = free_taken;
  give_on.name = "give-taken";
  give_on.run = &GiveAll;
  all->push_back(give_on);

  // A third one died with what it was given, and what it gave.
  Operation reap = OfAllocator("zcb-reap");
  reap.before = On<AllocatorScene>([](AllocatorScene& scene) {
    scene.GiveSome();
    scene.StartThird([](Child& child) {
      OpenAllocator(child);
      Must(TakeGiven(child), "cannot take");
      for (auto& ticket : child.board->tickets) ticket.store(0);
      AllocAll(child);
      Must(GiveAll(child), "cannot give");
      AllocAll(child);
    });
  });
  reap.arrange =
      On<AllocatorScene>([](AllocatorScene& scene) { scene.KillThird(); });
  reap.run = [](Child& child) {
    std::uint32_t count = 0;
    return zcb_reap_dead(child.allocator, &count) == ZCB_OK && count == 1;
  };
  all->push_back(reap);

  // Free memory goes back to the system.
  Operation trim = OfAllocator("trim");
  trim.prepare = [](Child& child) {
    OpenAllocator(child);
    AllocAll(child);
    Must(FreeAll(child), "cannot free");
  };
  trim.run = [](Child& child) {
    return zcb_trim(child.allocator, 0, nullptr) == ZCB_OK;
  };
  all->push_back(trim);

  // The same by freeing, where nothing is to be kept.
  Operation idle = OfAllocator("free-idle");
  idle.prepare = [](Child& child) {
    child.allocator = AllocatorScene::Open(true);
    AllocAll(child);
  };
  idle.run = &FreeAll;
  all->push_back(idle);

  Operation prefault = OfAllocator("prefault");
  prefault.run = [](Child& child) {
    return zcb_prefault(child.allocator, 3 << 20, nullptr) == ZCB_OK;
  };
  all->push_back(prefault);

  // With something taken, given and in use. Little: the end looks at each line
  // of each granule of others in which something was taken.
  Operation close = OfAllocator("zcb-close");
  close.before = On<AllocatorScene>(
      [](AllocatorScene& scene) { scene.GiveOne(kSizes[1]); });
  close.prepare = [](Child& child) {
    constexpr std::size_t kOne = 1;
    OpenAllocator(child);
    Must(zcb_take(child.allocator, child.board->tickets[kOne].exchange(0),
                  &child.many[kOne]) == ZCB_OK,
         "cannot take");
    AllocAll(child);
    zcb_ticket ticket = 0;
    Must(zcb_give(child.allocator, child.many[0], &ticket) == ZCB_OK, "give");
    child.board->tickets[0].store(ticket);
  };
  close.run = [](Child& child) {
    return zcb_allocator_close(child.allocator) == ZCB_OK;
  };
  all->push_back(close);
}

}  // namespace zcb::steps
