#include "allocator/buffer_supply.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "allocator/adoption.h"
#include "allocator/extent_words.h"
#include "allocator/magazine_limits.h"
#include "allocator/reap_dead.h"

namespace zcb::alloc {
namespace {

constexpr std::uint32_t kMaxBatch = MagazineLimits::kMaxCount / 2;
// Hints looked at before a new slab is cut: what a process that never runs out
// of memory pays per refill, at most. Before giving up, all are looked at.
constexpr std::uint32_t kHintLinesPerRefill = 256;
// Other threads may take what this one found: each round in which they do, one
// of them makes progress. Rounds that adopt a unit without room come on top.
constexpr std::uint32_t kRounds = 64;
// Between buffers of one batch that follow each other. A prime: it visits all;
// and more than 2 KiB for small messages, which is as far as a processor sees a
// row.
constexpr std::uint32_t kStride = 19;
// Larger ones are no row to a processor anyway, and buffers that are given away
// one by one are better off with their words side by side.
constexpr std::uint32_t kMostStridedLines = 8;
// The scan of all words before giving up may take this share of the time.
constexpr int kWordScanShare = 10;

constexpr std::uint32_t HalfOf(std::uint32_t limit) {
  return std::max(limit / 2, 1U);
}

std::int64_t NowNs() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

}  // namespace

BufferSupply::BufferSupply(Region& region, const AllocatorOptions& options)
    : shared_(region),
      lease_(region.lease()),
      tables_(region.geometry()),
      units_(shared_, lease_, options),
      slabs_(shared_, tables_, units_),
      extents_(shared_, tables_, units_, lease_),
      touched_(shared_, lease_),
      depot_(options.SpareBytesIn(region.geometry().region_bytes)),
      caches_(
          [](void* self, ThreadCache& cache) {
            static_cast<BufferSupply*>(self)->EmptyCache(cache);
          },
          this, options.magazine_bytes) {}

bool BufferSupply::ok() const {
  return tables_.ok() && units_.ok() && slabs_.ok() && extents_.ok() &&
         touched_.ok() && depot_.ok();
}

void BufferSupply::SetHook(Hook hook, void* context) {
  hook_context_ = context;
  // release -> hook.set: its context.
  hook_.store(hook, std::memory_order_release);
}

bool BufferSupply::AskHook(bool last_resort) {
  // acquire <- hook.set: its context.
  const Hook hook = hook_.load(std::memory_order_acquire);
  if (hook != nullptr) return hook(hook_context_, last_resort);
  return last_resort && ReapDeadProcesses(shared_, lease_) != 0;
}

bool BufferSupply::MakeSlab(std::uint32_t size_class) {
  const SizeClass& cut = kSizeClasses[size_class];
  const std::optional<std::uint32_t> head = units_.TakeGranules(cut);
  if (!head) return false;
  const SlabShape slab{size_class, *head};
  if (!shared_.CommitSlab(slab)) {
    units_.GiveGranules(*head, cut.granules);
    return false;
  }
  slabs_.Create(slab);
  return true;
}

std::uint32_t BufferSupply::TakeBatch(std::uint32_t size_class,
                                      std::span<std::uint32_t> out) {
  if (units_.NoteTraffic(out.size() * kSizeClasses[size_class].bytes())) {
    Settle();
  }
  // What stays between magazines and depot touches no shared line.
  if (const auto taken = depot_.Take(size_class, out)) return taken;
  Settle();
  if (const auto taken = slabs_.Take(size_class, out, kHintLinesPerRefill)) {
    return taken;
  }
  return MakeSlab(size_class) ? slabs_.Take(size_class, out, 0) : 0;
}

Outcome BufferSupply::AddUnit(UnitTable::Want want) {
  const Result<ClaimedUnit> unit = units_.Claim(want);
  if (!unit) return unit.failure();
  // Taken twice it would be in our lists twice. Its word names us now, so that
  // nobody takes it from us, and we go on with what we have.
  if (units_.IsInUse(unit->index, tables_)) {
    units_.ledger().Give(1);
    return Failure{Status::kLibrary, "a unit in use was offered: damaged"};
  }
  if (!unit->was_abandoned) {
    units_.Insert(*unit, GranuleMap::AllFree(shared_.granules_per_unit()));
    return {};
  }
  const Result<ExtentTail> tail = AdoptUnit(shared_, slabs_, units_, *unit);
  if (!tail) {
    units_.Abandon(*unit);
    return tail.failure();
  }
  if (tail->exists()) extents_.AwaitTail(*tail);
  return {};
}

Result<std::uint32_t> BufferSupply::Obtain(std::uint32_t size_class) {
  ThreadCache* const cache = caches_.FindOrMake();
  std::array<std::uint32_t, kMaxBatch> batch;
  const std::span out(batch.data(), HalfOf(MagazineLimits::Of(
                                        size_class, caches_.magazine_bytes())));
  bool asked = false;
  bool gathered = false;
  Failure failure{Status::kNoMemory, "the region is full"};
  const std::uint32_t rounds = kRounds + shared_.unit_count();
  for (std::uint32_t round = 0; round < rounds; ++round) {
    if (cache != nullptr && !cache->OfClass(size_class).is_empty()) {
      return cache->OfClass(size_class).Pop(cache->lines);
    }
    if (const auto count = TakeBatch(size_class, out)) {
      // Neighbours do not follow each other: a processor that reads one after
      // the other fetches the next ones too, out of the hands of the one that
      // is about to write them.
      const bool strides =
          kSizeClasses[size_class].lines <= kMostStridedLines &&
          count % kStride != 0;
      const std::uint32_t step = strides ? kStride : 1;
      for (std::uint32_t i = 1, at = step; i < count; ++i, at += step) {
        Store(batch[at % count], size_class);
      }
      return batch[0];
    }
    if (!asked) {
      asked = true;
      if (AskHook(false)) continue;
      if (DissolveLarge(cache)) continue;
    }
    const Outcome added = AddUnit(UnitTable::Want::kAny);
    if (added || extents_.ReleaseRests() > 0) continue;
    failure = added.failure();
    if (gathered) break;
    gathered = true;
    // Units of the dead become Abandoned, for AddUnit to adopt; and a hint that
    // one of them did not live to set makes the words worth a look at once.
    Gather(cache, AskHook(true));
  }
  return failure;
}

Result<BufferRef> BufferSupply::ObtainExtent(ExtentSize size) {
  units_.NoteTraffic(size.granules(shared_.granules_per_unit()) *
                     kGranuleBytes);
  Settle();
  Result<BufferRef> extent = extents_.Alloc(size);
  if (extent) return extent;
  if (AskHook(false) || extents_.Collect() > 0) {
    extent = extents_.Alloc(size);
    if (extent) return extent;
  }
  GatherUnits(AskHook(true));
  extent = extents_.Alloc(size);
  if (!extent) units_.AskOthers();
  return extent;
}

void BufferSupply::Settle() {
  if (units_.HearsPressure()) {
    EmptyDepot();
    for (std::uint32_t c = 0; c < kExtentClass; ++c) slabs_.DissolveEmpty(c);
    units_.ReturnFreeUnits();
  }
  units_.Settle();
}

void BufferSupply::GatherUnits(bool scan_words) {
  for (std::uint32_t i = 0; i < shared_.unit_count(); ++i) {
    if (!AddUnit(UnitTable::Want::kAbandonedOnly)) break;
  }
  Gather(caches_.Find(), scan_words);
  units_.ReturnFreeUnits();
}

void BufferSupply::FreeExtent(std::uint32_t line) {
  extents_.Free(line);
  Settle();
}

std::uint64_t BufferSupply::Trim(std::uint64_t keep_bytes) {
  GatherUnits(false);
  return units_.idle().GiveBack(keep_bytes);
}

void BufferSupply::Store(std::uint32_t line, std::uint32_t size_class) {
  ThreadCache* const cache = caches_.FindOrMake();
  if (cache == nullptr) {
    Absorb(size_class, {&line, 1});
    return;
  }
  Magazine& magazine = cache->OfClass(size_class);
  if (magazine.is_full()) {
    // The older half: it has lain here longest.
    std::array<std::uint32_t, kMaxBatch> batch;
    const std::uint32_t count = HalfOf(magazine.limit());
    for (std::uint32_t i = 0; i < count; ++i) {
      batch[i] = magazine.Pop(cache->lines);
    }
    Absorb(size_class, {batch.data(), count});
  }
  magazine.Push(cache->lines, line);
}

void BufferSupply::Absorb(std::uint32_t size_class,
                          std::span<const std::uint32_t> lines) {
  const std::uint32_t kept = depot_.Put(size_class, lines);
  const bool is_due =
      units_.NoteTraffic(lines.size() * kSizeClasses[size_class].bytes());
  if (kept < lines.size()) slabs_.Put(size_class, lines.subspan(kept));
  if (is_due || kept < lines.size()) Settle();
}

void BufferSupply::EmptyCache(ThreadCache& cache) {
  if (shared_.region().IsDamaged()) return;
  std::array<std::uint32_t, MagazineLimits::kMaxCount> batch;
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    const std::uint32_t count = EmptyMagazine(cache, c, batch);
    if (count > 0) Absorb(c, {batch.data(), count});
  }
}

std::uint32_t BufferSupply::EmptyMagazine(ThreadCache& cache,
                                          std::uint32_t size_class,
                                          std::span<std::uint32_t> out) {
  Magazine& magazine = cache.OfClass(size_class);
  std::uint32_t count = 0;
  while (!magazine.is_empty()) out[count++] = magazine.Pop(cache.lines);
  return count;
}

void BufferSupply::EmptyDepot() {
  for (std::uint32_t c = 0; c < kExtentClass; ++c) EmptyShelf(c);
}

std::uint32_t BufferSupply::EmptyShelf(std::uint32_t size_class) {
  std::array<std::uint32_t, kMaxBatch> batch;
  std::uint32_t emptied = 0;
  // Bounded: other threads may fill it as fast as we empty it.
  while (emptied <= Depot::LimitOf(size_class)) {
    const std::uint32_t count = depot_.Take(size_class, batch);
    if (count == 0) break;
    slabs_.Put(size_class, {batch.data(), count});
    emptied += count;
  }
  return emptied;
}

// A few large buffers of every class add up to more than what is in use: they
// serve as memory of other classes before a unit is claimed.
bool BufferSupply::DissolveLarge(ThreadCache* cache) {
  std::array<std::uint32_t, MagazineLimits::kMaxCount> batch;
  std::uint32_t found = 0;
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    if (kSizeClasses[c].bytes() <= kGranuleBytes) continue;
    if (cache != nullptr) {
      const std::uint32_t count = EmptyMagazine(*cache, c, batch);
      slabs_.Put(c, {batch.data(), count});
      found += count;
    }
    found += EmptyShelf(c);
  }
  return found != 0;
}

bool BufferSupply::MayScanWords() {
  // relaxed: only spreads the scans in time
  return NowNs() >= next_word_scan_ns_.load(std::memory_order_relaxed);
}

void BufferSupply::Gather(ThreadCache* cache, bool scan_words) {
  if (cache != nullptr) EmptyCache(*cache);
  EmptyDepot();
  const bool words = scan_words || MayScanWords();
  const std::int64_t start_ns = NowNs();
  for (std::uint32_t c = 0; c < kExtentClass; ++c) slabs_.Collect(c, words);
  if (words) {
    const std::int64_t now_ns = NowNs();
    // relaxed: as in MayScanWords()
    next_word_scan_ns_.store(
        now_ns + (kWordScanShare - 1) * (now_ns - start_ns),
        std::memory_order_relaxed);
  }
  // Orphans first: the tails of some are in units that we have adopted.
  ExtentWords(shared_).FreeReturnedOrphans(lease_);
  extents_.Collect();
  for (std::uint32_t c = 0; c < kExtentClass; ++c) slabs_.DissolveEmpty(c);
}

void BufferSupply::Collect() {
  for (std::uint32_t c = 0; c < kExtentClass; ++c) slabs_.Collect(c, true);
  // Orphans first: the tails of some are in units that we have adopted.
  ExtentWords(shared_).FreeReturnedOrphans(lease_);
  extents_.Collect();
}

std::optional<BufferPlace> BufferSupply::OwnExtent(std::uint32_t line) {
  const ExtentSize size = extents_.SizeOf(line);
  if (size.units == 0) return std::nullopt;
  return PlaceOfExtent(shared_, shared_.UnitOf(BufferRef(line)), size);
}

// For memory of ours the private tables say where the word is, not the place
// that the caller has: a forged granule word must not make us take a buffer
// that is still out.
bool BufferSupply::TryBringHome(std::uint32_t line) {
  const PrivateTables::Start start = tables_.StartAt(line);
  if (!start.ok()) return false;
  const std::uint32_t size_class = start.slab.size_class;
  if (size_class == kExtentClass) {
    SharedTables::Word& word = *shared_.sparse_word(start.slab.head);
    if (!tables_.TryTake(line, size_class, word)) return false;
    extents_.Free(line);
    return true;
  }
  SharedTables::Word& word = shared_.words(start.slab)[start.index];
  if (!tables_.TryTake(line, size_class, word)) return false;
  ThreadCache* const cache = caches_.Find();
  if (cache != nullptr && !cache->OfClass(size_class).is_full()) [[likely]] {
    cache->OfClass(size_class).Push(cache->lines, line);
  } else {
    Store(line, size_class);
  }
  return true;
}

void BufferSupply::ComeBack(const BufferPlace& place) {
  if (TryBringHome(place.ref.line())) return;
  // Not ours; or another thread of ours is looking at it just now and may look
  // away again.
  // release -> hint.set: the word, which the caller turned Free before.
  place.hint->store(1, std::memory_order_release);
  if (place.is_extent) {
    ExtentWords(shared_).FreeIfOrphan(lease_, shared_.UnitOf(place.ref));
  }
}

void BufferSupply::Forsake() { caches_.Close(); }

void BufferSupply::Leave() {
  caches_.Close();
  EmptyDepot();
  for (std::uint32_t c = 0; c < kExtentClass; ++c) slabs_.DissolveEmpty(c);
  extents_.LeaveAll();
  units_.LeaveAll();
}

}  // namespace zcb::alloc
