// Keeping and letting go (ipc/keep_table.cc, ipc/reclaim.cc).
//
// models: keep.dekker keep.high word.free
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

using zcb::testing::Does;
using zcb::testing::Enough;
using zcb::testing::ExpectEachIsNeeded;
using zcb::testing::ExpectHolds;
using zcb::testing::Order;
using zcb::testing::Parts;
using zcb::testing::Rule;

constexpr auto kRelaxed = rl::mo_relaxed;
constexpr auto kAcquire = rl::mo_acquire;
constexpr auto kRelease = rl::mo_release;

enum Record { kNone = 0, kHolding = 1, kLetting = 2 };
enum Word { kSent = 0, kKept = 1, kRetained = 2, kFree = 3 };

// --- keepers and a reclaimer -------------------------------------------------

// Two members keep the message before their cursors pass it, and may let it go
// at once; then it is reclaimed. Those who were put out may come too late. Who
// holds it does not lose it; if nobody holds it, it is Free.
Parts parts;
Order raise_high(parts, "seq_cst <-> keep.high", "TakeRecord()", Does::kStore);
Order read_high(parts, "seq_cst <-> keep.high", "RecordHigh()", Does::kLoad);
Order hold(parts, "seq_cst <-> keep.dekker", "Keep(): record", Does::kStore);
Order still_sent(parts, "seq_cst <-> keep.dekker", "Keep(): word", Does::kLoad);
Order set_kept(parts, "seq_cst <-> keep.dekker", "Keep(): swap",
               Enough{kRelaxed, "the record before it is seq_cst"});
Order reclaim_look(parts, "seq_cst <-> keep.dekker", "ReclaimMessage(): word",
                   Does::kLoad, Enough{kRelaxed, "the swap decides"});
Order retain(parts, "seq_cst <-> keep.dekker", "ReclaimMessage(): swap");
Order letting(parts, "seq_cst <-> keep.dekker", "DropRecord(): letting",
              Does::kStore);
Order let_go_look(parts, "seq_cst <-> keep.dekker", "FreeIfLast(): word",
                  Does::kLoad);
Order who_holds(parts, "seq_cst <-> keep.dekker", "AnyoneHolds()", Does::kLoad);
Order let_go(parts, "seq_cst <-> keep.dekker", "FreeIfLast(): swap",
             Enough{kRelaxed, "its release: word.free"});
Order clear(parts, "release -> keep.dekker", "DropRecord(): empty",
            Enough{kRelaxed, "letting does not count as holding either"});
Rule record_first(parts, "the record is written before the word", "Keep()");
Rule letting_first(parts, "letting before who holds is looked for",
                   "DropRecord()");

struct KeepModel : rl::test_suite<KeepModel, 3> {
  rl::atomic<int> word;
  rl::atomic<int> high[2];
  rl::atomic<int> records[2];
  rl::atomic<int> cursors[2];
  bool holds[2];
  bool is_put_out[2];
  bool is_reclaimed;

  void before() {
    word($) = kSent;
    for (int i = 0; i < 2; ++i) {
      high[i]($) = 0;
      records[i]($) = kNone;
      cursors[i]($) = 0;
      holds[i] = false;
      is_put_out[i] = rl::rand(2) != 0;
    }
    is_reclaimed = false;
  }
  bool AnyoneHolds() {
    for (int i = 0; i < 2; ++i) {
      if (high[i]($).load(read_high) != 0 &&
          records[i]($).load(who_holds) == kHolding) {
        return true;
      }
    }
    return false;
  }
  void FreeIfLast() {
    int seen = word($).load(let_go_look);
    if (seen != kRetained || AnyoneHolds()) return;
    word($).compare_exchange_strong(seen, int(kFree), let_go, kRelaxed);
  }
  void Keep(int self) {
    high[self]($).store(1, raise_high);
    if (record_first) records[self]($).store(kHolding, hold);
    int seen = word($).load(still_sent);
    while (seen == kSent && !word($).compare_exchange_strong(
                                seen, int(kKept), set_kept, kRelaxed)) {
    }
    if (!record_first) records[self]($).store(kHolding, hold);
    holds[self] = seen == kSent || seen == kKept;
    cursors[self]($).store(1, kRelease);
    if (holds[self] && rl::rand(2) != 0) return;
    holds[self] = false;
    if (letting_first) records[self]($).store(kLetting, letting);
    FreeIfLast();
    records[self]($).store(kNone, clear);
  }
  void Reclaim() {
    for (int i = 0; i < 2; ++i) {
      if (!is_put_out[i] && cursors[i]($).load(kAcquire) == 0) return;
    }
    is_reclaimed = true;
    for (;;) {
      int seen = word($).load(reclaim_look);
      if (seen == kFree) return;
      if (seen == kRetained && AnyoneHolds()) return;
      const int next = seen == kKept ? kRetained : kFree;
      word($).compare_exchange_strong(seen, next, retain, kRelaxed);
    }
  }
  void thread(unsigned index) {
    if (index == 2) {
      Reclaim();
    } else {
      Keep(static_cast<int>(index));
    }
  }
  void after() {
    const int last = word($).load(kRelaxed);
    if (holds[0] || holds[1]) {
      RL_ASSERT(last != kFree);
    } else if (is_reclaimed) {
      RL_ASSERT(last == kFree);
    }
  }
};

TEST(KeepModelTest, WhoHoldsItHasItAndElseItIsFree) {
  ExpectHolds<KeepModel>();
}
TEST(KeepModelTest, KeepingNeedsEachPart) {
  ExpectEachIsNeeded<KeepModel>(parts);
}

// --- the bytes ---------------------------------------------------------------

// Who lets go last, or reaps, frees it: the other's last read was before.
Parts free_parts;
Order stop_holding(free_parts, "release -> keep.dekker", "DropRecord()");
Order see_stopped(free_parts, "acquire <- keep.dekker", "AnyoneHolds()");
Order set_free(free_parts, "release -> word.free", "FreeIfLast()");
Order take(free_parts, "acquire <- word.free", "TryTake()");

struct FreeModel : rl::test_suite<FreeModel, 3> {
  rl::atomic<int> word;
  rl::atomic<int> records[2];
  rl::var<int> bytes;

  void before() {
    word($) = kRetained;
    records[0]($) = kHolding;
    records[1]($) = kHolding;
    bytes($) = 1;
  }
  void thread(unsigned index) {
    if (index == 2) {
      if (word($).load(take) == kFree) bytes($) = 2;
      return;
    }
    RL_ASSERT(bytes($) == 1);
    records[index]($).store(kLetting, stop_holding);
    if (records[1 - index]($).load(see_stopped) == kHolding) return;
    int expected = kRetained;
    word($).compare_exchange_strong(expected, int(kFree), set_free, kRelaxed);
  }
};

TEST(KeepModelTest, AllHaveReadWhatIsFree) { ExpectHolds<FreeModel>(); }
TEST(KeepModelTest, FreeingNeedsEachPart) {
  ExpectEachIsNeeded<FreeModel>(free_parts);
}

// --- rules -------------------------------------------------------------------

// A buffer that left its ring, and up to three records that may name it.
template <typename Model>
struct LeftRing : rl::test_suite<Model, 2> {
  rl::atomic<int> word;
  rl::atomic<int> records[3];

  void Begin(int first, int second, int third) {
    word($) = kRetained;
    records[0]($) = first;
    records[1]($) = second;
    records[2]($) = third;
  }
  void FreeIfLast() {
    int seen = word($).load(rl::mo_seq_cst);
    if (seen != kRetained) return;
    for (auto& record : records) {
      if (record($).load(rl::mo_seq_cst) == kHolding) return;
    }
    word($).compare_exchange_strong(seen, int(kFree), rl::mo_seq_cst);
  }
  void LetGo(int record) {
    records[record]($).store(kLetting, rl::mo_seq_cst);
    FreeIfLast();
    records[record]($).store(kNone, kRelease);
  }
};

// One lets go; the other comes too late to keep, and finds the word not Sent.
Parts late_parts;
Rule ends_like_a_release(late_parts, "a keep that fails lets go", "Keep()");

struct LateKeepModel : LeftRing<LateKeepModel> {
  void before() { Begin(kHolding, kNone, kNone); }
  void thread(unsigned index) {
    if (index == 0) return LetGo(0);
    records[1]($).store(kHolding, rl::mo_seq_cst);
    if (word($).load(rl::mo_seq_cst) == kSent) return;
    if (ends_like_a_release) {
      LetGo(1);
    } else {
      records[1]($).store(kNone, kRelease);
    }
  }
  void after() { RL_ASSERT(word($).load(kRelaxed) == kFree); }
};

TEST(KeepModelTest, AKeepThatComesTooLateLeavesNothing) {
  ExpectHolds<LateKeepModel>();
  ExpectEachIsNeeded<LateKeepModel>(late_parts);
}

// Process A holds record 2, keeps once more, and lets the first keep go; B lets
// its own go. A's second keep must hold the buffer.
Parts again_parts;
Rule one_record(again_parts, "one record a process, however often it keeps",
                "Keep()");

struct AgainModel : LeftRing<AgainModel> {
  void before() { Begin(kNone, kHolding, kHolding); }
  void thread(unsigned index) {
    if (index == 1) {
      LetGo(1);
    } else if (!one_record) {
      records[0]($).store(kHolding, rl::mo_seq_cst);
      LetGo(2);
    }  // else: counted twice in private memory, then once
  }
  void after() { RL_ASSERT(word($).load(kRelaxed) == kRetained); }
};

TEST(KeepModelTest, OneRecordHoldsHoweverOftenItsProcessKeeps) {
  ExpectHolds<AgainModel>();
  ExpectEachIsNeeded<AgainModel>(again_parts);
}

}  // namespace
