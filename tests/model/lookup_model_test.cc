// What is read without a lock and without a pin: a handle's note
// (cpg/handle_table.h), the quiet place (cpg/quiet_place.h), open messages
// (cpg/open_messages.h).
//
// models: handle.note handle.open quiet.say quiet.move open.begin open.write
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

using zcb::testing::ExpectEachIsNeeded;
using zcb::testing::ExpectHolds;
using zcb::testing::Order;
using zcb::testing::Parts;
using zcb::testing::Rule;

constexpr auto kRelaxed = rl::mo_relaxed;
constexpr auto kAcquire = rl::mo_acquire;
constexpr auto kRelease = rl::mo_release;

// --- notes -------------------------------------------------------------------

// A slot's handle is closed and the slot opened anew while somebody asks for
// the note of the first.
Parts note_parts;
Order set_note(note_parts, "release -> handle.note", "Open(), set_note()");
Order read_note(note_parts, "acquire <- handle.note", "ReadNote()");
Order open_slot(note_parts, "release -> handle.open", "Open()");
Order first_look(note_parts, "acquire <- handle.open", "ReadNote()");
Rule second_note_look(note_parts, "the word is read again", "ReadNote()");

struct NoteModel : rl::test_suite<NoteModel, 2> {
  enum Word { kFree, kFirst, kClosed, kSecond };
  rl::atomic<int> word;
  rl::atomic<int> note;
  rl::var<int> about[3];  // what the notes are about; plain

  void before() {
    word($) = kFree;
    note($) = 0;
  }
  void Open(int number, Word opened) {
    about[number]($) = number;
    note($).store(number, set_note);
    word($).store(opened, open_slot);
  }
  void thread(unsigned index) {
    if (index == 0) {
      Open(1, kFirst);
      // By an exchange in the original, which goes on the open's release.
      int expected = kFirst;
      word($).compare_exchange_strong(expected, int(kClosed), rl::mo_seq_cst);
      word($).store(kFree, kRelease);
      Open(2, kSecond);
      return;
    }
    if (word($).load(first_look) != kFirst) return;
    const int seen = note($).load(read_note);
    if (second_note_look && word($).load(kRelaxed) != kFirst) return;
    RL_ASSERT(seen == 1);
    RL_ASSERT(about[seen]($) == 1);
  }
};

TEST(LookupModelTest, NoteIsTheHandlesOwn) { ExpectHolds<NoteModel>(); }
TEST(LookupModelTest, NoteNeedsEachPart) {
  ExpectEachIsNeeded<NoteModel>(note_parts);
}

// --- quiet places ------------------------------------------------------------

// A ring of two slots, each with the number of times it was filled: so the
// values of different slots are often alike, which those of a real ring rarely
// are. One thread reads and says where it is quiet, two publish and ask.
Parts quiet_parts;
Order set_raw(quiet_parts, "release -> quiet.move", "Say()");
Order read_raw(quiet_parts, "acquire <- quiet.move", "Holds()");
Order set_place(quiet_parts, "release -> quiet.say", "Say()");
Order read_place(quiet_parts, "acquire <- quiet.say", "Holds()");
Rule taking_back(quiet_parts, "the old place goes before the new value comes",
                 "Say()");
Rule second_place_look(quiet_parts, "the place is read again", "Holds()");

struct QuietModel : rl::test_suite<QuietModel, 3> {
  static constexpr int kSlots = 2;
  static constexpr int kPositions = 6;
  static constexpr int kNowhere = -1;
  rl::atomic<int> slots[kSlots];
  rl::atomic<int> place;  // a slot's number
  rl::atomic<int> raw;
  rl::atomic<int> read_below;
  rl::var<int> done[kPositions];  // by the reader, as a callback does

  void before() {
    // Position 0 is filled and read, position 1 is quiet.
    slots[0]($) = 1;
    slots[1]($) = 0;
    place($) = 1;
    raw($) = 0;
    read_below($) = 1;
    for (auto& one : done) one($) = 0;
  }
  void Say(int new_place, int new_raw) {
    if (place($).load(kRelaxed) == new_place &&
        raw($).load(kRelaxed) == new_raw) {
      return;
    }
    if (taking_back) place($).store(kNowhere, kRelaxed);
    raw($).store(new_raw, set_raw);
    place($).store(new_place, set_place);
  }
  bool IsQuiet() {
    const int first = place($).load(kRelaxed);
    if (first == kNowhere) return false;
    const int seen = raw($).load(read_raw);
    if (second_place_look && place($).load(read_place) != first) return false;
    return slots[first]($).load(kRelaxed) == seen;
  }
  void Read() {
    int position = 1;
    for (int step = 0; step < 6 && position < kPositions; ++step) {
      const int value = slots[position % kSlots]($).load(rl::mo_seq_cst);
      if (value == position / kSlots + 1) {
        done[position]($) = 1;
        ++position;
        read_below($).store(position, kRelease);
      } else {
        Say(position % kSlots, value);
      }
    }
  }
  // The position; kNowhere if there was no room just now.
  int Publish() {
    for (int position = 1; position < kPositions; ++position) {
      if (position >= read_below($).load(kAcquire) + kSlots) return kNowhere;
      int expected = position / kSlots;
      if (slots[position % kSlots]($).compare_exchange_strong(
              expected, position / kSlots + 1, rl::mo_seq_cst)) {
        return position;
      }
    }
    return kNowhere;
  }
  void thread(unsigned index) {
    if (index == 0) {
      Read();
      return;
    }
    for (int round = 0; round < 2; ++round) {
      const int position = Publish();
      const bool is_quiet = IsQuiet();
      if (position != kNowhere && is_quiet) RL_ASSERT(done[position]($) == 1);
    }
  }
};

TEST(LookupModelTest, QuietMeansThatWhatWasPublishedIsDone) {
  ExpectHolds<QuietModel>();
}
TEST(LookupModelTest, QuietNeedsEachPart) {
  ExpectEachIsNeeded<QuietModel>(quiet_parts);
}

// --- open messages -----------------------------------------------------------

// One writer opens, closes and opens the same place at the same address again;
// a reader finds one opening whole, or nothing.
Parts place_parts;
Order write_field(place_parts, "release -> open.write", "Open()");
Order read_field(place_parts, "acquire <- open.write", "Read()");
Order end_turn(place_parts, "release -> open.begin", "Open()");
Order read_turn(place_parts, "acquire <- open.begin", "Read()");
Rule odd_turn(place_parts, "the turn is odd while fields are written",
              "Open()");
Rule second_turn_look(place_parts, "the turn is read again", "Read()");

struct PlaceModel : rl::test_suite<PlaceModel, 2> {
  rl::atomic<int> turn;
  rl::atomic<int> payload;
  rl::atomic<int> position;
  rl::atomic<int> length;

  void before() {
    turn($) = 0;
    payload($) = 0;
    position($) = 0;
    length($) = 0;
  }
  void Open(int number) {
    const int before = turn($).load(kRelaxed);
    if (odd_turn) turn($).store(before + 1, kRelaxed);
    position($).store(number, write_field);
    length($).store(number, write_field);
    payload($).store(1, write_field);
    turn($).store(before + 2, end_turn);
  }
  void thread(unsigned index) {
    if (index == 0) {
      for (int number = 1; number <= 3; ++number) {
        Open(number);
        payload($).store(0, kRelaxed);  // Close
      }
      Open(4);
      return;
    }
    for (int tries = 0; tries < 3; ++tries) {
      if (payload($).load(kRelaxed) != 1) continue;
      const int seen = turn($).load(read_turn);
      if (seen % 2 != 0) continue;
      const int read_position = position($).load(read_field);
      const int read_length = length($).load(read_field);
      if (payload($).load(read_field) != 1) continue;
      if (second_turn_look && turn($).load(kRelaxed) != seen) continue;
      RL_ASSERT(read_position == read_length);
      RL_ASSERT(read_position * 2 == seen);
    }
  }
};

TEST(LookupModelTest, AReaderFindsOneOpeningWholeOrNothing) {
  ExpectHolds<PlaceModel>();
}
TEST(LookupModelTest, PlaceNeedsEachPart) {
  ExpectEachIsNeeded<PlaceModel>(place_parts);
}

}  // namespace
