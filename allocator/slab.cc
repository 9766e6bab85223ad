#include "allocator/slab.h"

#include <bit>

#include "allocator/buffer_word.h"
#include "allocator/granule_word.h"
#include "allocator/paranoid.h"

namespace zcb::alloc {
namespace {

// How many slabs with every buffer free a class may keep to itself. Above one
// granule's worth of slabs they are too big to be left lying about.
constexpr std::uint32_t EmptyKept(const SizeClass& cut) {
  return cut.is_run() || cut.granules >= kGranulesPerUnit / 2 ? 0 : 1;
}

constexpr std::uint32_t kHintsPerWord = 8;

// Eight hint bytes at once. An atomic load of the words around them: the bytes
// are in shared memory, where the type they were written as does not show.
std::uint64_t LoadEightHints(const SharedTables::Hint* hints) {
  using Eight [[gnu::may_alias]] = std::uint64_t;
  static_assert(sizeof(SharedTables::Hint) == 1);
  // acquire <- hint.set: the word that turned Free before the hint.
  return __atomic_load_n(reinterpret_cast<const Eight*>(hints),
                         __ATOMIC_ACQUIRE);
}

}  // namespace

SlabTable::SlabTable(const SharedTables& shared, const PrivateTables& tables,
                     UnitTable& units)
    : shared_(shared),
      tables_(tables),
      units_(units),
      memory_(kExtentClass * sizeof(ClassState) +
              shared.granule_count() * sizeof(Slab)),
      maps_memory_(shared.granule_count() * kMapWords * sizeof(std::uint64_t)),
      classes_(memory_.as<ClassState>()),
      slabs_(memory_.at<Slab>(kExtentClass * sizeof(ClassState))),
      maps_(maps_memory_.as<std::uint64_t>()) {}

void SlabTable::Insert(Head& first, std::uint32_t head, Link next,
                       Link previous, bool at_front) {
  if (!first) {
    slabs_[head].*next = head;
    slabs_[head].*previous = head;
    first.Set(head);
    return;
  }
  const std::uint32_t last = slabs_[*first].*previous;
  slabs_[head].*next = *first;
  slabs_[head].*previous = last;
  slabs_[last].*next = head;
  slabs_[*first].*previous = head;
  if (at_front) first.Set(head);
}

void SlabTable::Unlink(Head& first, std::uint32_t head, Link next,
                       Link previous) {
  const std::uint32_t after = slabs_[head].*next;
  const std::uint32_t before = slabs_[head].*previous;
  slabs_[before].*next = after;
  slabs_[after].*previous = before;
  if (!first.Is(head)) return;
  after == head ? first.Clear() : first.Set(after);
}

void SlabTable::Register(const SlabShape& slab) {
  slabs_[slab.head].free_count = 0;
  Insert(classes_[slab.size_class].first, slab.head, &Slab::next,
         &Slab::previous, false);
}

void SlabTable::PutOne(ClassState& state, const SlabShape& slab,
                       std::uint32_t index) {
  Slab& entry = slabs_[slab.head];
  ZCB_INVARIANT((map(slab.head)[index / 64] >> (index % 64) & 1) == 0);
  map(slab.head)[index / 64] |= std::uint64_t{1} << (index % 64);
  if (entry.free_count++ == 0) {
    Insert(state.first_free, slab.head, &Slab::next_free, &Slab::previous_free,
           true);
  }
  state.empty_count += entry.free_count == slab.cut().count;
}

void SlabTable::Create(const SlabShape& slab) {
  const SizeClass& cut = slab.cut();
  ClassState& state = classes_[slab.size_class];
  const std::lock_guard lock(state.mutex);
  const InvariantScope books([&] { CheckClass(state, slab.size_class); });
  Register(slab);
  SharedTables::Hint* const hints = shared_.hints(slab);
  for (std::uint32_t i = 0; i < cut.count; ++i) {
    // relaxed: hints may be wrong; unwritten pages stay unwritten
    if (hints[i].load(std::memory_order_relaxed) != 0) {
      hints[i].store(0, std::memory_order_relaxed);
    }
    // One of our threads may just be judging this line (kJudged, from before
    // the slab): then it decides, and the buffer comes home by the scans.
    BufferState away = BufferState::kAway;
    // acquire <- buffer.leave, slab.retire: as in TryTake(). relaxed on
    // failure: nothing was learnt.
    if (tables_.state(slab.first_line() + i * cut.lines)
            .compare_exchange_strong(away, BufferState::kCached,
                                     std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      PutOne(state, slab, i);
    }
  }
  for (std::uint32_t g = cut.granules; g-- > 0;) {
    const bool interior = cut.is_run() && g > 0;
    // release -> slab.create: the states above.
    tables_.code(slab.head + g)
        .store(interior ? kInteriorCode : CodeOf(slab.size_class),
               std::memory_order_release);
    // release -> granule.publish: the slab's words are backed by memory.
    shared_.granule(slab.head + g)
        .store(GranuleWord::Make(slab.size_class, g, cut.granules).raw(),
               std::memory_order_release);
  }
}

// A process that turns a word Free and then sets the hint may be anywhere in
// between. If its hint store comes before our exchange, the exchange reads it
// and the word read after it is Free; if it comes after, the hint stays.
void SlabTable::Adopt(const SlabShape& slab) {
  const SizeClass& cut = slab.cut();
  ClassState& state = classes_[slab.size_class];
  const std::lock_guard lock(state.mutex);
  const InvariantScope books([&] { CheckClass(state, slab.size_class); });
  Register(slab);
  for (std::uint32_t g = cut.granules; g-- > 0;) {
    const bool interior = cut.is_run() && g > 0;
    // release -> slab.create: the slab is registered.
    tables_.code(slab.head + g)
        .store(interior ? kInteriorCode : CodeOf(slab.size_class),
               std::memory_order_release);
    // release -> granule.publish: mends what a crash left half written.
    shared_.granule(slab.head + g)
        .store(GranuleWord::Make(slab.size_class, g, cut.granules).raw(),
               std::memory_order_release);
  }
  SharedTables::Hint* const hints = shared_.hints(slab);
  SharedTables::Word* const words = shared_.words(slab);
  for (std::uint32_t i = 0; i < cut.count; ++i) {
    // relaxed: a 1 that we do not see is not overwritten
    if (hints[i].load(std::memory_order_relaxed) != 0) {
      // acquire <- hint.set: the word that turned Free before it.
      hints[i].exchange(0, std::memory_order_acquire);
    }
    if (tables_.TryTake(slab.first_line() + i * cut.lines, slab.size_class,
                        words[i])) {
      PutOne(state, slab, i);
    }
  }
}

std::uint32_t SlabTable::TakeMapped(ClassState& state, std::uint32_t size_class,
                                    std::span<std::uint32_t> out) {
  const SizeClass& cut = kSizeClasses[size_class];
  std::uint32_t taken = 0;
  while (taken < out.size() && state.first_free) {
    const std::uint32_t head = *state.first_free;
    const SlabShape slab{size_class, head};
    Slab& entry = slabs_[head];
    state.empty_count -= entry.free_count == cut.count;
    for (std::uint32_t w = 0; w * 64 < cut.count && taken < out.size(); ++w) {
      std::uint64_t& bits = map(head)[w];
      while (bits != 0 && taken < out.size()) {
        const auto bit = static_cast<std::uint32_t>(std::countr_zero(bits));
        bits &= bits - 1;
        out[taken++] = slab.first_line() + (w * 64 + bit) * cut.lines;
        --entry.free_count;
      }
    }
    if (entry.free_count == 0) {
      Unlink(state.first_free, head, &Slab::next_free, &Slab::previous_free);
    }
  }
  return taken;
}

std::uint32_t SlabTable::ScanHints(ClassState& state, const SlabShape& slab) {
  const SizeClass& cut = slab.cut();
  SharedTables::Hint* const hints = shared_.hints(slab);
  SharedTables::Word* const words = shared_.words(slab);
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < cut.count; i += kHintsPerWord) {
    std::uint64_t eight = LoadEightHints(hints + i);
    while (eight != 0) {
      const auto byte = static_cast<std::uint32_t>(std::countr_zero(eight)) / 8;
      eight &= ~(std::uint64_t{0xff} << (byte * 8));
      const std::uint32_t index = i + byte;
      if (index >= cut.count) break;
      // relaxed: a newer hint lost here is found by the scan of the words
      hints[index].store(0, std::memory_order_relaxed);
      if (tables_.TryTake(slab.first_line() + index * cut.lines,
                          slab.size_class, words[index])) {
        PutOne(state, slab, index);
        ++found;
      }
    }
  }
  return found;
}

std::uint32_t SlabTable::ScanWords(ClassState& state, const SlabShape& slab) {
  const SizeClass& cut = slab.cut();
  SharedTables::Word* const words = shared_.words(slab);
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < cut.count; ++i) {
    const std::uint32_t line = slab.first_line() + i * cut.lines;
    // relaxed: TryTake() decides; this spares us its word
    if (tables_.state(line).load(std::memory_order_relaxed) !=
        BufferState::kAway) {
      continue;
    }
    if (tables_.TryTake(line, slab.size_class, words[i])) {
      PutOne(state, slab, i);
      ++found;
    }
  }
  return found;
}

void SlabTable::ScanFromCursor(ClassState& state, std::uint32_t size_class,
                               std::uint32_t wanted, std::uint32_t hint_lines) {
  if (!state.first) return;
  if (!state.cursor) state.cursor = state.first;
  const std::uint32_t lines_per_slab =
      (kSizeClasses[size_class].count + 63) / 64;
  const std::uint32_t start = *state.cursor;
  for (std::uint32_t found = 0, lines = 0; found < wanted && lines < hint_lines;
       lines += lines_per_slab) {
    found += ScanHints(state, {size_class, *state.cursor});
    state.cursor.Set(slabs_[*state.cursor].next);
    if (state.cursor.Is(start)) break;
  }
}

std::uint32_t SlabTable::Take(std::uint32_t size_class,
                              std::span<std::uint32_t> out,
                              std::uint32_t hint_lines) {
  ClassState& state = classes_[size_class];
  const std::lock_guard lock(state.mutex);
  const InvariantScope books([&] { CheckClass(state, size_class); });
  std::uint32_t taken = TakeMapped(state, size_class, out);
  if (taken < out.size() && hint_lines > 0) {
    ScanFromCursor(state, size_class,
                   static_cast<std::uint32_t>(out.size()) - taken, hint_lines);
    taken += TakeMapped(state, size_class, out.subspan(taken));
  }
  return taken;
}

void SlabTable::Put(std::uint32_t size_class,
                    std::span<const std::uint32_t> lines) {
  const SizeClass& cut = kSizeClasses[size_class];
  ClassState& state = classes_[size_class];
  const std::lock_guard lock(state.mutex);
  const InvariantScope books([&] { CheckClass(state, size_class); });
  for (const std::uint32_t line : lines) {
    const SlabShape slab = PrivateTables::SlabAround(line, size_class);
    PutOne(state, slab, IndexInSlab(cut, line - slab.first_line()));
    if (slabs_[slab.head].free_count == cut.count &&
        state.empty_count > EmptyKept(cut)) {
      Dissolve(state, slab);
    }
  }
}

// Codes before states: TryTake() relies on it. Nobody outside can have a claim
// to a buffer here, since each one's word is Free and each one is with us.
void SlabTable::Dissolve(ClassState& state, const SlabShape& slab) {
  const SizeClass& cut = slab.cut();
  if (state.cursor.Is(slab.head)) {
    const std::uint32_t next = slabs_[slab.head].next;
    next == slab.head ? state.cursor.Clear() : state.cursor.Set(next);
  }
  Unlink(state.first, slab.head, &Slab::next, &Slab::previous);
  Unlink(state.first_free, slab.head, &Slab::next_free, &Slab::previous_free);
  --state.empty_count;
  for (std::uint32_t w = 0; w * 64 < cut.count; ++w) map(slab.head)[w] = 0;
  for (std::uint32_t g = 0; g < cut.granules; ++g) {
    // relaxed: slab.retire below carries it
    tables_.code(slab.head + g).store(kNoCode, std::memory_order_relaxed);
    // relaxed: unit.release carries it; a late reader finds words that are Free
    shared_.granule(slab.head + g).store(0, std::memory_order_relaxed);
  }
  for (std::uint32_t i = 0; i < cut.count; ++i) {
    // release -> slab.retire: the codes are cleared.
    tables_.state(slab.first_line() + i * cut.lines)
        .store(BufferState::kAway, std::memory_order_release);
  }
  units_.GiveGranules(slab.head, cut.granules);
}

std::uint32_t SlabTable::Collect(std::uint32_t size_class, bool words) {
  ClassState& state = classes_[size_class];
  const std::lock_guard lock(state.mutex);
  const InvariantScope books([&] { CheckClass(state, size_class); });
  std::uint32_t found = 0;
  if (!state.first) return 0;
  std::uint32_t head = *state.first;
  do {
    const SlabShape slab{size_class, head};
    found += ScanHints(state, slab);
    if (words) found += ScanWords(state, slab);
    head = slabs_[head].next;
  } while (!state.first.Is(head));
  return found;
}

std::uint32_t SlabTable::DissolveEmpty(std::uint32_t size_class) {
  const SizeClass& cut = kSizeClasses[size_class];
  ClassState& state = classes_[size_class];
  const std::lock_guard lock(state.mutex);
  const InvariantScope books([&] { CheckClass(state, size_class); });
  std::uint32_t dissolved = 0;
  if (!state.first_free) return 0;
  std::uint32_t head = *state.first_free;
  while (state.empty_count > 0) {
    const std::uint32_t next = slabs_[head].next_free;
    if (slabs_[head].free_count == cut.count) {
      Dissolve(state, {size_class, head});
      ++dissolved;
    }
    head = next;
  }
  return dissolved;
}

BufferCounts SlabTable::Count(std::uint32_t size_class) {
  const SizeClass& cut = kSizeClasses[size_class];
  ClassState& state = classes_[size_class];
  const std::lock_guard lock(state.mutex);
  BufferCounts counts;
  if (!state.first) return counts;
  std::uint32_t head = *state.first;
  do {
    const SlabShape slab{size_class, head};
    for (std::uint32_t i = 0; i < cut.count; ++i) {
      // relaxed: a statistic
      switch (tables_.state(slab.first_line() + i * cut.lines)
                  .load(std::memory_order_relaxed)) {
        case BufferState::kCached:
        case BufferState::kPoisoned:
          ++counts.cached;
          break;
        case BufferState::kLive:
        case BufferState::kLeaving:
          ++counts.live;
          break;
        default:
          ++counts.away;
          break;
      }
    }
    head = slabs_[head].next;
  } while (!state.first.Is(head));
  return counts;
}

}  // namespace zcb::alloc
