// Handles as numbers: stale ones fail, and the last one out destroys.
#include "cpg/handle_table.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "cpg/pin_word.h"

namespace zcb::cpg {
namespace {

using Kind = PinWord::Kind;

struct Probe {
  explicit Probe(int* destroyed_count) : destroyed(destroyed_count) {}
  ~Probe() { ++*destroyed; }
  int* destroyed;
  std::uint64_t handle = 0;
};

std::uint64_t OpenProbe(HandleTable<Probe>* table, int* destroyed) {
  return table->Open(
      std::make_unique<Probe>(destroyed),
      [](Probe* probe, std::uint64_t handle) { probe->handle = handle; });
}

TEST(PinWordTest, AllZeroIsNoHandle) {
  const PinWord word;
  EXPECT_FALSE(word.open());
  EXPECT_FALSE(word.Pin(0, Kind::kCall).has_value());
  EXPECT_FALSE(word.Close(0).has_value());
}

TEST(PinWordTest, PinsOfBothKindsAreCountedApart) {
  const PinWord opened = PinWord::Opened(PinWord::kMaxCheck);
  EXPECT_EQ(opened.raw() >> 63, 0U);
  const PinWord call = opened.Pin(PinWord::kMaxCheck, Kind::kCall).value();
  const PinWord both = call.Pin(PinWord::kMaxCheck, Kind::kSender).value();
  EXPECT_EQ(both.calls(), 1U);
  EXPECT_EQ(both.senders(), 1U);
  EXPECT_EQ(PinWord(both.raw() - PinWord::One(Kind::kCall) -
                    PinWord::One(Kind::kSender)),
            opened);
}

TEST(PinWordTest, FullCounterRefusesAndDoesNotOverflow) {
  PinWord word = PinWord::Opened(5);
  for (int i = 0; i < 0xffff; ++i) word = word.Pin(5, Kind::kCall).value();
  EXPECT_FALSE(word.Pin(5, Kind::kCall).has_value());
  for (int i = 0; i < 0x7fff; ++i) word = word.Pin(5, Kind::kSender).value();
  EXPECT_FALSE(word.Pin(5, Kind::kSender).has_value());
  EXPECT_TRUE(word.open());
  EXPECT_EQ(word.check(), 5U);
}

TEST(PinWordTest, ClosedWordTakesNoPinAndIsFinishedWithTheLast) {
  const PinWord closed = PinWord::Opened(9).Close(9).value();
  EXPECT_FALSE(closed.Pin(9, Kind::kCall).has_value());
  EXPECT_FALSE(closed.Close(9).has_value());
  EXPECT_FALSE(closed.finished());
  EXPECT_TRUE(PinWord(closed.raw() - PinWord::One(Kind::kCall)).finished());
}

TEST(HandleTableTest, FindsWhatWasOpenedAndNothingElse) {
  int destroyed = 0;
  HandleTable<Probe> table;
  const std::uint64_t handle = OpenProbe(&table, &destroyed);
  ASSERT_NE(handle, 0U);
  {
    const auto pin = table.Find(handle);
    ASSERT_TRUE(pin);
    EXPECT_EQ(pin->handle, handle);
  }
  EXPECT_FALSE(table.Find(0));
  EXPECT_FALSE(table.Find(handle + 1));
  EXPECT_FALSE(table.Find(handle ^ (std::uint64_t{1} << 40)));
  EXPECT_FALSE(table.Find(handle | 0xffffffff00000000U));
  EXPECT_FALSE(table.Find(handle | 0xffffffffU));
  EXPECT_EQ(destroyed, 0);
}

TEST(HandleTableTest, LastOneInsideDestroys) {
  int destroyed = 0;
  HandleTable<Probe> table;
  const std::uint64_t handle = OpenProbe(&table, &destroyed);
  {
    const auto inside = table.Find(handle);
    {
      const auto closing = table.Close(handle);
      ASSERT_TRUE(closing);
      EXPECT_FALSE(table.Close(handle));
      EXPECT_FALSE(table.Find(handle));
    }
    EXPECT_EQ(destroyed, 0);
    EXPECT_FALSE(table.Empty());
  }
  EXPECT_EQ(destroyed, 1);
  EXPECT_TRUE(table.Empty());
}

TEST(HandleTableTest, ErrnoStaysWhenTheLastPinDestroys) {
  struct MakesSystemCalls {
    ~MakesSystemCalls() { errno = EBADF; }
  };
  HandleTable<MakesSystemCalls> table;
  const std::uint64_t handle =
      table.Open(std::make_unique<MakesSystemCalls>(),
                 [](MakesSystemCalls*, std::uint64_t) {});
  errno = EDOM;
  EXPECT_TRUE(table.Close(handle));
  EXPECT_EQ(errno, EDOM);
  EXPECT_TRUE(table.Empty());
}

TEST(HandleTableTest, StaleHandleOfAReusedSlotIsNotFound) {
  int destroyed = 0;
  HandleTable<Probe> table;
  std::uint64_t stale = OpenProbe(&table, &destroyed);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(table.Close(stale));
    const std::uint64_t fresh = OpenProbe(&table, &destroyed);
    EXPECT_EQ(fresh & 0xffffffffU, stale & 0xffffffffU) << "the slot is reused";
    EXPECT_FALSE(table.Find(stale));
    EXPECT_TRUE(table.Find(fresh));
    stale = fresh;
  }
  EXPECT_EQ(destroyed, 100);
}

TEST(HandleTableTest, NoteIsFoundWhileTheHandleIsOpenAndNoLonger) {
  int destroyed = 0;
  int first = 0;
  int second = 0;
  HandleTable<Probe> table;
  const std::uint64_t handle = table.Open(
      std::make_unique<Probe>(&destroyed), [](Probe*, std::uint64_t) {},
      &first);
  void* note = nullptr;
  EXPECT_TRUE(table.ReadNote(handle, &note));
  EXPECT_EQ(note, &first);
  {
    const auto pin = table.Find(handle);
    ASSERT_TRUE(pin);
    pin.set_note(&second);
  }
  EXPECT_TRUE(table.ReadNote(handle, &note));
  EXPECT_EQ(note, &second);
  const auto inside = table.Close(handle);
  note = &first;
  EXPECT_FALSE(table.ReadNote(handle, &note)) << "closed, if still in use";
  EXPECT_EQ(note, &first) << "not written to";
}

TEST(HandleTableTest, NoteIsOfThatHandleOnly) {
  int destroyed = 0;
  int notes[2] = {};
  HandleTable<Probe> table;
  void* note = nullptr;
  EXPECT_FALSE(table.ReadNote(0, &note)) << "no slot yet";
  const auto open = [&](int* its_note) {
    return table.Open(
        std::make_unique<Probe>(&destroyed), [](Probe*, std::uint64_t) {},
        its_note);
  };
  const std::uint64_t stale = open(&notes[0]);
  EXPECT_TRUE(table.Close(stale));
  const std::uint64_t fresh = open(&notes[1]);
  ASSERT_EQ(fresh & 0xffffffffU, stale & 0xffffffffU) << "the slot is reused";
  EXPECT_FALSE(table.ReadNote(stale, &note));
  EXPECT_FALSE(table.ReadNote(fresh ^ (std::uint64_t{1} << 40), &note));
  EXPECT_FALSE(table.ReadNote(fresh | 0xffffffff00000000U, &note));
  EXPECT_FALSE(table.ReadNote(fresh | 0xffffffffU, &note));
  EXPECT_EQ(note, nullptr);
  EXPECT_TRUE(table.ReadNote(fresh, &note));
  EXPECT_EQ(note, &notes[1]);
}

TEST(HandleTableTest, SendersAreSeenCallsAreNot) {
  int destroyed = 0;
  HandleTable<Probe> table;
  const std::uint64_t handle = OpenProbe(&table, &destroyed);
  const auto call = table.Find(handle);
  EXPECT_FALSE(table.AnySender(handle));
  {
    const auto sender = table.Find(handle, Kind::kSender);
    EXPECT_TRUE(table.AnySender(handle));
  }
  EXPECT_FALSE(table.AnySender(handle));
}

TEST(HandleTableTest, FullTableSaysSoAndTakesMoreAfterAClose) {
  int destroyed = 0;
  HandleTable<Probe> table;
  std::vector<std::uint64_t> handles;
  while (const std::uint64_t handle = OpenProbe(&table, &destroyed)) {
    handles.push_back(handle);
  }
  EXPECT_EQ(handles.size(), HandleTable<Probe>::kMaxHandles);
  EXPECT_EQ(destroyed, 1);  // the one that found no place
  std::size_t seen = 0;
  table.ForEachHandle([&](std::uint64_t) { ++seen; });
  EXPECT_EQ(seen, handles.size());
  EXPECT_TRUE(table.Close(handles[1000]));
  EXPECT_NE(OpenProbe(&table, &destroyed), 0U);
}

}  // namespace
}  // namespace zcb::cpg
