// Models of keeping and letting go (ipc/keep_table.h, keep.dekker) under
// Relacy: why a keep that fails ends like a release, and why a process that
// keeps a message again does not make a second record.
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

enum Record { kNone = 0, kHolding = 1, kLetting = 2 };
enum Word { kFree = 0, kSent = 1, kRetained = 2 };

template <typename Model>
bool Holds() {
  return zcb::testing::ModelHolds<Model>(50'000);
}

// A buffer that left its ring, and up to three records that may name it.
template <typename Model, unsigned kThreads>
struct KeepModel : rl::test_suite<Model, kThreads> {
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
    word($).compare_exchange_strong(seen, kFree, rl::mo_seq_cst);
  }
  void LetGo(int record) {
    records[record]($).store(kLetting, rl::mo_seq_cst);
    FreeIfLast();
    records[record]($).store(kNone, rl::mo_release);
  }
};

// One lets go; the other comes too late to keep, and finds the word not Sent.
template <bool kEndsLikeARelease>
struct LateKeepModel : KeepModel<LateKeepModel<kEndsLikeARelease>, 2> {
  void before() { this->Begin(kHolding, kNone, kNone); }
  void thread(unsigned index) {
    if (index == 0) {
      this->LetGo(0);
      return;
    }
    this->records[1]($).store(kHolding, rl::mo_seq_cst);
    if (this->word($).load(rl::mo_seq_cst) == kSent) return;
    if (kEndsLikeARelease) {
      this->LetGo(1);
    } else {
      this->records[1]($).store(kNone, rl::mo_release);
    }
  }
  void after() { RL_ASSERT(this->word($).load(rl::mo_relaxed) == kFree); }
};

// Process A holds record 2, keeps once more, and lets the first keep go; B lets
// its own go. A's second keep must hold the buffer.
template <bool kMakesASecondRecord>
struct AgainModel : KeepModel<AgainModel<kMakesASecondRecord>, 2> {
  void before() { this->Begin(kNone, kHolding, kHolding); }
  void thread(unsigned index) {
    if (index == 1) {
      this->LetGo(1);
    } else if (kMakesASecondRecord) {
      this->records[0]($).store(kHolding, rl::mo_seq_cst);
      this->LetGo(2);
    }  // else: counted twice in private memory, then once
  }
  void after() { RL_ASSERT(this->word($).load(rl::mo_relaxed) == kRetained); }
};

TEST(KeepModelTest, AKeepThatComesTooLateEndsLikeARelease) {
  EXPECT_TRUE(Holds<LateKeepModel<true>>());
}
TEST(KeepModelTest, OtherwiseTheBufferMayStayWithNobody) {
  EXPECT_FALSE(Holds<LateKeepModel<false>>());
}
TEST(KeepModelTest, OneRecordHoldsHoweverOftenItsProcessKeeps) {
  EXPECT_TRUE(Holds<AgainModel<false>>());
}
TEST(KeepModelTest, WithASecondRecordALookMayMissBoth) {
  EXPECT_FALSE(Holds<AgainModel<true>>());
}

}  // namespace
