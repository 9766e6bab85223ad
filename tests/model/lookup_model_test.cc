// Models, under Relacy, of what is read without a lock and without a pin.
//
// handle.note, handle.open: a note read between two looks at the word is the
// handle's own (cpg/handle_table.h). quiet.say, quiet.move: who finds the
// place quiet finds done what he had published (cpg/quiet_place.h).
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

// What the model that runs leaves out: bits of its enum. (Not a parameter of
// the model, since each instance of it takes long to compile.)
unsigned less = 0;

template <typename Model>
bool HoldsWithout(unsigned left_out) {
  less = left_out;
  return zcb::testing::ModelHolds<Model>(50'000);
}

constexpr rl::memory_order kRelaxed = rl::mo_relaxed;
constexpr rl::memory_order kAcquire = rl::mo_acquire;
constexpr rl::memory_order kRelease = rl::mo_release;

// A slot's handle is closed and the slot opened anew while somebody asks for
// the note of the first.
enum NotePart : unsigned {
  kNoteRelease = 1,
  kNoteAcquire = 2,
  kOpenRelease = 4,
  kFirstLookAcquire = 8,
  kSecondLook = 16,
};
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
    note($).store(number, less & kNoteRelease ? kRelaxed : kRelease);
    word($).store(opened, less & kOpenRelease ? kRelaxed : kRelease);
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
    if (word($).load(less & kFirstLookAcquire ? kRelaxed : kAcquire) != kFirst)
      return;
    const int seen = note($).load(less & kNoteAcquire ? kRelaxed : kAcquire);
    if (!(less & kSecondLook) && word($).load(kRelaxed) != kFirst) return;
    RL_ASSERT(seen == 1);
    RL_ASSERT(about[seen]($) == 1);
  }
};

TEST(LookupModelTest, NoteIsTheHandlesOwn) {
  EXPECT_TRUE(HoldsWithout<NoteModel>(0));
}
TEST(LookupModelTest, NoteNeedsEachPart) {
  for (const unsigned part : {kNoteRelease, kNoteAcquire, kOpenRelease,
                              kFirstLookAcquire, kSecondLook}) {
    EXPECT_FALSE(HoldsWithout<NoteModel>(part)) << part;
  }
}

// A ring of two slots, each with the number of times it was filled: so the
// values of different slots are often alike, which those of a real ring rarely
// are. One thread reads and says where it is quiet, two publish and ask.
enum QuietPart : unsigned {
  kTakingBack = 1,   // the old place goes before the new value comes
  kMoveRelease = 2,  // raw_'s
  kMoveAcquire = 4,
  kSayRelease = 8,  // place_'s
  kSayAcquire = 16,
  kPlaceLook = 32,  // the second one
};
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
    if (!(less & kTakingBack)) place($).store(kNowhere, kRelaxed);
    raw($).store(new_raw, less & kMoveRelease ? kRelaxed : kRelease);
    place($).store(new_place, less & kSayRelease ? kRelaxed : kRelease);
  }
  bool IsQuiet() {
    const int first = place($).load(kRelaxed);
    if (first == kNowhere) return false;
    const int seen = raw($).load(less & kMoveAcquire ? kRelaxed : kAcquire);
    if (!(less & kPlaceLook) &&
        place($).load(less & kSayAcquire ? kRelaxed : kAcquire) != first) {
      return false;
    }
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
  EXPECT_TRUE(HoldsWithout<QuietModel>(0));
}
TEST(LookupModelTest, QuietNeedsEachPart) {
  for (const unsigned part : {kTakingBack, kMoveRelease, kMoveAcquire,
                              kSayRelease, kSayAcquire, kPlaceLook}) {
    EXPECT_FALSE(HoldsWithout<QuietModel>(part)) << part;
  }
}

}  // namespace
