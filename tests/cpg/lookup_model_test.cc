// Models, under Relacy, of what is read without a lock and without a pin.
//
// handle.note, handle.open: a note read between two looks at the word is the
// handle's own (cpg/handle_table.h). quiet.say, quiet.move: who finds the
// place quiet finds done what he had published (cpg/quiet_place.h).
#include <gtest/gtest.h>

#include <ostream>
#include <streambuf>

// Relacy last: it makes keywords into macros.
#include <relacy/relacy.hpp>
#undef new
#undef delete

namespace {

// Swallows the history of a failure that was expected.
class NoBuffer : public std::streambuf {
  int overflow(int c) override { return c; }
};

template <typename Model>
bool Holds() {
  rl::test_params params;
  params.search_type = rl::sched_random;
  params.iteration_count = 50'000;
  NoBuffer nothing;
  std::ostream quiet(&nothing);
  params.output_stream = &quiet;
  params.progress_stream = &quiet;
  return rl::simulate<Model>(params);
}

constexpr rl::memory_order kRelaxed = rl::mo_relaxed;
constexpr rl::memory_order kAcquire = rl::mo_acquire;
constexpr rl::memory_order kRelease = rl::mo_release;

// A slot's handle is closed and the slot opened anew while somebody asks for
// the note of the first.
template <rl::memory_order kStoreNote, rl::memory_order kLoadNote,
          rl::memory_order kOpen, rl::memory_order kLook, bool kLooksTwice>
struct NoteModel
    : rl::test_suite<
          NoteModel<kStoreNote, kLoadNote, kOpen, kLook, kLooksTwice>, 2> {
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
    note($).store(number, kStoreNote);
    word($).store(opened, kOpen);
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
    if (word($).load(kLook) != kFirst) return;
    const int seen = note($).load(kLoadNote);
    if (kLooksTwice && word($).load(kRelaxed) != kFirst) return;
    RL_ASSERT(seen == 1);
    RL_ASSERT(about[seen]($) == 1);
  }
};

TEST(LookupModelTest, NoteIsTheHandlesOwn) {
  EXPECT_TRUE(
      (Holds<NoteModel<kRelease, kAcquire, kRelease, kAcquire, true>>()));
}
TEST(LookupModelTest, NoteNeedsTheSecondLook) {
  EXPECT_FALSE(
      (Holds<NoteModel<kRelease, kAcquire, kRelease, kAcquire, false>>()));
}
TEST(LookupModelTest, NoteNeedsEachOfItsOrders) {
  EXPECT_FALSE(
      (Holds<NoteModel<kRelaxed, kAcquire, kRelease, kAcquire, true>>()));
  EXPECT_FALSE(
      (Holds<NoteModel<kRelease, kRelaxed, kRelease, kAcquire, true>>()));
  EXPECT_FALSE(
      (Holds<NoteModel<kRelease, kAcquire, kRelaxed, kAcquire, true>>()));
  EXPECT_FALSE(
      (Holds<NoteModel<kRelease, kAcquire, kRelease, kRelaxed, true>>()));
}

// A ring of two slots, each with the number of times it was filled: so the
// values of different slots are often alike, which those of a real ring rarely
// are. One thread reads and says where it is quiet, two publish and ask.
enum QuietPart : unsigned {
  kAll = 0,
  kNoTakingBack = 1,  // the old place stays until the new one is there
  kNoSecondLook = 2,
  kSayRelaxed = 4,      // place_'s release
  kHearRelaxed = 8,     // its acquire, by the second look
  kMoveRelaxed = 16,    // raw_'s release
  kFollowRelaxed = 32,  // its acquire
};
template <unsigned kLess>
struct QuietModel : rl::test_suite<QuietModel<kLess>, 3> {
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
    if (!(kLess & kNoTakingBack)) place($).store(kNowhere, kRelaxed);
    raw($).store(new_raw, kLess & kMoveRelaxed ? kRelaxed : kRelease);
    place($).store(new_place, kLess & kSayRelaxed ? kRelaxed : kRelease);
  }
  bool IsQuiet() {
    const int first = place($).load(kRelaxed);
    if (first == kNowhere) return false;
    const int seen = raw($).load(kLess & kFollowRelaxed ? kRelaxed : kAcquire);
    if (!(kLess & kNoSecondLook) &&
        place($).load(kLess & kHearRelaxed ? kRelaxed : kAcquire) != first) {
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
  EXPECT_TRUE(Holds<QuietModel<kAll>>());
}
TEST(LookupModelTest, QuietNeedsTheTakingBackAndTheSecondLook) {
  EXPECT_FALSE(Holds<QuietModel<kNoTakingBack>>());
  EXPECT_FALSE(Holds<QuietModel<kNoSecondLook>>());
}
TEST(LookupModelTest, QuietNeedsEachOfItsOrders) {
  EXPECT_FALSE(Holds<QuietModel<kSayRelaxed>>());
  EXPECT_FALSE(Holds<QuietModel<kHearRelaxed>>());
  EXPECT_FALSE(Holds<QuietModel<kMoveRelaxed>>());
  EXPECT_FALSE(Holds<QuietModel<kFollowRelaxed>>());
}

}  // namespace
