// Who may take a buffer that has come back.
#include "allocator/private_tables.h"

#include <gtest/gtest.h>

#include <thread>

#include "allocator/buffer_word.h"

namespace zcb::alloc {
namespace {

constexpr std::uint32_t kClass = 4;  // 320 bytes: 5 lines
constexpr std::uint32_t kLine = 2 * kLinesPerGranule + 15;

class PrivateTablesTest : public ::testing::Test {
 protected:
  PrivateTablesTest()
      : tables_(Geometry::Make(4 * kUnitBytes, kUnitBytes, 64, 0, {})) {
    tables_.code(2).store(CodeOf(kClass));
  }
  void SetState(BufferState state) { tables_.state(kLine).store(state); }
  BufferState state() const { return tables_.state(kLine).load(); }
  bool TryTake() { return tables_.TryTake(kLine, kClass, word_); }

  PrivateTables tables_;
  SharedTables::Word word_{0};
};

TEST_F(PrivateTablesTest, FreshTablesSayThatNothingIsOurs) {
  EXPECT_FALSE(tables_.StartAt(0).ok());
  EXPECT_EQ(tables_.state(0).load(), BufferState::kAway);
}

TEST_F(PrivateTablesTest, KnowsStartsFromInsides) {
  for (std::uint32_t line = 0; line < kLinesPerGranule; ++line) {
    EXPECT_EQ(tables_.StartAt(2 * kLinesPerGranule + line).ok(),
              line % 5 == 0 && line / 5 < kSizeClasses[kClass].count);
  }
  tables_.code(7).store(CodeOf(50));
  tables_.code(8).store(kInteriorCode);
  EXPECT_EQ(tables_.StartAt(7 * kLinesPerGranule).slab.size_class, 50U);
  EXPECT_FALSE(tables_.StartAt(7 * kLinesPerGranule + 1).ok());
  EXPECT_FALSE(tables_.StartAt(8 * kLinesPerGranule).ok());
}

TEST_F(PrivateTablesTest, ABufferIsTakenOnceWhenItsWordIsFree) {
  word_.store(BufferWord().Send(1, 1).Free().raw());
  EXPECT_TRUE(TryTake());
  EXPECT_EQ(state(), BufferState::kCached);
  EXPECT_FALSE(TryTake());
}

TEST_F(PrivateTablesTest, ABufferThatIsOutIsNotTaken) {
  word_.store(BufferWord().Send(1, 1).raw());
  EXPECT_FALSE(TryTake());
  EXPECT_EQ(state(), BufferState::kAway);
}

// A hint may be late or forged: the word is Free also while we use the buffer.
TEST_F(PrivateTablesTest, ABufferThatIsHereIsNotTakenWhateverItsWordSays) {
  for (const BufferState here : {BufferState::kCached, BufferState::kLive,
                                 BufferState::kLeaving, BufferState::kJudged}) {
    SetState(here);
    EXPECT_FALSE(TryTake());
    EXPECT_EQ(state(), here);
  }
}

TEST_F(PrivateTablesTest, ABufferWhoseSlabWasCutAnewIsNotTaken) {
  tables_.code(2).store(kNoCode);
  EXPECT_FALSE(TryTake());
  tables_.code(2).store(CodeOf(kClass + 1));
  EXPECT_FALSE(TryTake());
  EXPECT_EQ(state(), BufferState::kAway);
}

TEST_F(PrivateTablesTest, RecallWaitsForAThreadThatIsJustJudging) {
  SetState(BufferState::kJudged);
  std::thread judge([&] { SetState(BufferState::kAway); });
  tables_.Recall(kLine);
  judge.join();
  EXPECT_EQ(state(), BufferState::kLive);
}

TEST_F(PrivateTablesTest, RecallWaitsForAThreadThatIsJustGivingItAway) {
  SetState(BufferState::kLeaving);
  std::thread giver([&] { SetState(BufferState::kAway); });
  EXPECT_TRUE(tables_.Recall(kLine, BufferState::kTaken));
  giver.join();
  EXPECT_EQ(state(), BufferState::kTaken);
}

TEST_F(PrivateTablesTest, WhatIsHereIsNotRecalled) {
  for (const BufferState here : {BufferState::kCached, BufferState::kLive,
                                 BufferState::kTaken, BufferState::kPoisoned}) {
    SetState(here);
    EXPECT_FALSE(tables_.Recall(kLine));
    EXPECT_EQ(state(), here);
  }
}

// One thread sends a buffer and cancels or lets it come home, again and again;
// others try to take it whenever its word is Free. Nobody may ever have it
// twice.
TEST_F(PrivateTablesTest, ThreadsThatRaceForABufferNeverBothHaveIt) {
  constexpr int kRounds = 200000;
  std::atomic<int> owners{0};
  std::atomic<bool> stop{false};
  std::atomic<int> doubles{0};
  SetState(BufferState::kLive);
  owners = 1;
  const auto OwnerGives = [&] { doubles += owners.fetch_sub(1) != 1; };
  const auto OwnerGets = [&] { doubles += owners.fetch_add(1) != 0; };
  // As a collector does: what it takes is live again at once.
  std::thread collector([&] {
    while (!stop) {
      if (!TryTake()) continue;
      OwnerGets();
      SetState(BufferState::kLive);
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    BufferState live = BufferState::kLive;
    if (!tables_.state(kLine).compare_exchange_strong(live,
                                                      BufferState::kLeaving)) {
      if (TryTake()) {
        OwnerGets();
        SetState(BufferState::kLive);
      }
      continue;
    }
    const BufferWord out = BufferWord(word_.load()).Send(1, 1);
    word_.store(out.raw());
    if (i % 3 == 0) {  // cancelled
      tables_.state(kLine).store(BufferState::kAway, std::memory_order_release);
      tables_.Recall(kLine);
      word_.store(out.Free().raw());
    } else {  // published, and read at once
      OwnerGives();
      tables_.state(kLine).store(BufferState::kAway, std::memory_order_release);
      word_.store(out.Free().raw());
    }
  }
  stop = true;
  collector.join();
  EXPECT_EQ(doubles, 0);
}

}  // namespace
}  // namespace zcb::alloc
