// What a process makes once, or adds to, and its other threads find:
// registries, tables that grow, maps of bits, a hook (each edge's files:
// tools/edges --list).
//
// models: process.state process.attach registry.make registry.install
// models: open_allocators.make handle.grow open.grow commit_map.add hook.set
// models: idle.look cache.orphan mark.arm sigbus.add sigbus.remove wiped.range
// models: wiped.free
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

using zcb::testing::Enough;
using zcb::testing::ExpectEachIsNeeded;
using zcb::testing::ExpectHolds;
using zcb::testing::Order;
using zcb::testing::Parts;

constexpr auto kRelaxed = rl::mo_relaxed;

// --- made by whoever comes first ---------------------------------------------

// Two threads may make it; all use the one that won.
struct Making {
  Making(const char* swap_tag, const char* load_tag, const char* where)
      : swap(parts, swap_tag, where,
             Enough{rl::mo_release, "who loses looks once more"}),
        load(parts, load_tag, where),
        lose(parts, load_tag, "the loser's look") {}
  Parts parts;
  Order swap;
  Order load;
  Order lose;
};
Making state("acq_rel -> process.state", "acquire <- process.state",
             "FindOrMake()");
Making ipc_registry("acq_rel -> registry.make", "acquire <- registry.make",
                    "ProcessRegistry(), ThreadCacheRegistry::Get()");
Making region_registry("acq_rel -> registry.install",
                       "acquire <- registry.install", "ForThisProcess()");
Making allocators("acq_rel -> open_allocators.make",
                  "acquire <- open_allocators.make", "ForThisProcess()");
Making wiped_range("acq_rel -> wiped.range", "acquire <- wiped.range",
                   "Take()");
Making* making = nullptr;

struct MakeModel : rl::test_suite<MakeModel, 3> {
  rl::atomic<int> made;
  rl::var<int> objects[3];  // by maker

  void before() {
    made($) = 0;
    for (auto& object : objects) object($) = 0;
  }
  void thread(unsigned index) {
    int seen = made($).load(making->load);
    if (seen == 0 && index != 0) {
      objects[index]($) = 42;
      if (made($).compare_exchange_strong(seen, static_cast<int>(index),
                                          making->swap, kRelaxed)) {
        return;
      }
      seen = made($).load(making->lose);  // the swap's failure, in the code
    }
    if (seen != 0) RL_ASSERT(objects[seen]($) == 42);
  }
};

TEST(ProcessModelTest, WhatIsMadeOnceIsWhole) {
  for (Making* one :
       {&state, &ipc_registry, &region_registry, &allocators, &wiped_range}) {
    making = one;
    ExpectHolds<MakeModel>();
    ExpectEachIsNeeded<MakeModel>(one->parts);
  }
}

// --- published by one --------------------------------------------------------

struct Adding {
  Adding(const char* store_tag, const char* load_tag, const char* where)
      : store(parts, store_tag, where), load(parts, load_tag, where) {}
  Parts parts;
  Order store;
  Order load;
};
Adding attachments("release -> process.attach", "acquire <- process.attach",
                   "AttachDefault(), AttachmentAt()");
Adding slots("release -> handle.grow", "acquire <- handle.grow",
             "TakeSlot(), SlotAt()");
Adding places("release -> open.grow", "acquire <- open.grow",
              "Reserve(), Find()");
Adding pages("release -> commit_map.add", "acquire <- commit_map.add",
             "Add(), Has()");
Adding hook("release -> hook.set", "acquire <- hook.set",
            "SetHook(), AskHook()");
Adding tripwires("release -> mark.arm", "acquire <- mark.arm", "Arm(), Set()");
Adding ranges("release -> sigbus.add", "acquire <- sigbus.add",
              "SigbusGuard::Add(), the handler");
Adding* adding = nullptr;

struct AddModel : rl::test_suite<AddModel, 2> {
  rl::atomic<int> published;
  rl::var<int> object;

  void before() {
    published($) = 0;
    object($) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      object($) = 42;
      published($).fetch_or(1, adding->store);
    } else if (published($).load(adding->load) != 0) {
      RL_ASSERT(object($) == 42);
    }
  }
};

TEST(ProcessModelTest, WhatIsPublishedIsWhole) {
  for (Adding* one :
       {&attachments, &slots, &places, &pages, &hook, &tripwires, &ranges}) {
    adding = one;
    ExpectHolds<AddModel>();
    ExpectEachIsNeeded<AddModel>(one->parts);
  }
}

// --- used again
// ---------------------------------------------------------------

// Two threads delete a piece each, a third one takes what there is, all of it
// at once, and gives back what it has no use for.
Parts free_parts;
Order take_free(free_parts, "acquire <- wiped.free", "Take()");
Order give_free(free_parts, "release -> wiped.free", "GiveList()");

struct FreeListModel : rl::test_suite<FreeListModel, 3> {
  rl::atomic<int> head;  // a piece, 1 or 2
  rl::var<int> next[3];
  rl::var<int> bytes[3];

  void before() {
    head($) = 0;
    for (int piece = 0; piece < 3; ++piece) {
      next[piece]($) = 0;
      bytes[piece]($) = 0;
    }
  }
  void GiveList(int list) {
    int seen = 0;
    int last = 0;
    while (!head($).compare_exchange_weak(seen, list, give_free, kRelaxed)) {
      if (last == 0) {
        for (last = list; next[last]($) != 0;) last = next[last]($);
      }
      next[last]($) = seen;
    }
  }
  void thread(unsigned index) {
    if (index < 2) {
      const int piece = static_cast<int>(index) + 1;
      bytes[piece]($) = piece;
      next[piece]($) = 0;
      GiveList(piece);
      return;
    }
    for (int times = 0; times < 2; ++times) {
      const int first = head($).exchange(0, take_free);
      if (first == 0) continue;
      const int rest = next[first]($);
      if (rest != 0) GiveList(rest);
      RL_ASSERT(bytes[first]($) == first);  // once, and not while it is written
      bytes[first]($) = 0;
    }
  }
};

TEST(ProcessModelTest, WhatIsDeletedIsUsedAgainByOne) {
  ExpectHolds<FreeListModel>();
  ExpectEachIsNeeded<FreeListModel>(free_parts);
}

// --- one at a time -----------------------------------------------------------

// Whoever looks for idle memory finds the notes of the last one who did.
Parts idle_parts;
Order begin_look(idle_parts, "acquire <- idle.look", "GiveBackOld()");
Order end_look(idle_parts, "release -> idle.look", "GiveBackOld()");

struct IdleModel : rl::test_suite<IdleModel, 2> {
  rl::atomic<int> is_busy;
  rl::var<int> notes;

  void before() {
    is_busy($) = 0;
    notes($) = 0;
  }
  void thread(unsigned) {
    if (is_busy($).exchange(1, begin_look) != 0) return;
    notes($) = notes($) + 1;
    is_busy($).store(0, end_look);
  }
};

TEST(ProcessModelTest, NotesAreOnesAfterTheOther) {
  ExpectHolds<IdleModel>();
  ExpectEachIsNeeded<IdleModel>(idle_parts);
}

// The same with an entry of the SIGBUS guard.
Parts entry_parts;
Order take_entry(entry_parts, "acquire <- sigbus.remove", "Add()");
Order free_entry(entry_parts, "release -> sigbus.remove", "Remove()");

struct EntryModel : rl::test_suite<EntryModel, 2> {
  rl::atomic<int> is_taken;
  rl::var<int> range;

  void before() {
    is_taken($) = 0;
    range($) = 0;
  }
  void thread(unsigned index) {
    if (is_taken($).exchange(1, take_entry) != 0) return;
    range($) = static_cast<int>(index);
    is_taken($).store(0, free_entry);
  }
};

TEST(ProcessModelTest, AnEntryIsOnesAfterTheOther) {
  ExpectHolds<EntryModel>();
  ExpectEachIsNeeded<EntryModel>(entry_parts);
}

// A thread unmaps the cache of an allocator that is gone: that one's destructor
// has finished with it.
Parts orphan_parts;
Order let_go(orphan_parts, "release -> cache.orphan", "Close()");
Order is_orphan(orphan_parts, "acquire <- cache.orphan", "Leave(), FindSlow()");

struct CacheModel : rl::test_suite<CacheModel, 2> {
  rl::atomic<int> set;
  rl::var<int> cache;

  void before() {
    set($) = 1;
    cache($) = 42;
  }
  void thread(unsigned index) {
    if (index == 0) {
      RL_ASSERT(cache($) == 42);
      cache($) = 0;  // flushed
      set($).store(0, let_go);
    } else if (set($).load(is_orphan) == 0) {
      cache($) = 1;  // unmapped
    }
  }
};

TEST(ProcessModelTest, AnOrphanedCacheIsItsThreads) {
  ExpectHolds<CacheModel>();
  ExpectEachIsNeeded<CacheModel>(orphan_parts);
}

}  // namespace
