#include "allocator/allocator.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include "allocator/aligned_classes.h"
#include "allocator/audit_private.h"
#include "allocator/buffer_supply.h"
#include "allocator/handover.h"
#include "allocator/poison.h"
#include "allocator/reap_dead.h"
#include "allocator/unit_reaper.h"

namespace zcb::alloc {
namespace {

constexpr Failure kInherited{Status::kBadHandle,
                             "inherited over fork: attach anew"};
constexpr Failure kNoPlace{Status::kLibrary,
                           "a live buffer without a slab: damaged"};

}  // namespace

Allocator::Allocator(std::shared_ptr<Region> region,
                     const AllocatorOptions& options)
    : region_(std::move(region)),
      supply_(new(std::nothrow) BufferSupply(*region_, options)) {
  if (supply_ == nullptr) return;
  handover_.reset(new (std::nothrow) Handover(*supply_));
  poisons_ = options.poison;
  // relaxed: nobody else has the object yet
  if (!poisons_ && region_->damage().Arm(&cache_id_)) {
    cache_id_.store(supply_->caches().id(), std::memory_order_relaxed);
    // Set before it was armed, or over the tripped value just now.
    if (region_->IsDamaged()) region_->damage().Trip(&cache_id_);
  }
  states_ = supply_->tables().states();
  codes_ = supply_->tables().codes();
  line_count_ = supply_->tables().line_count();
  shared_ = &supply_->shared();
  tables_ = &supply_->tables();
  data_ = region_->data();
}

Result<std::unique_ptr<Allocator>> Allocator::Create(
    std::shared_ptr<Region> region, const AllocatorOptions& options) {
  if (!region->IsOurs()) return kInherited;
  if (const Outcome sane = options.Check(); !sane) return sane.failure();
  std::unique_ptr<Allocator> allocator(
      new (std::nothrow) Allocator(std::move(region), options));
  if (allocator == nullptr || allocator->supply_ == nullptr ||
      !allocator->supply_->ok() || allocator->handover_ == nullptr) {
    return Failure{Status::kNoMemory, "no private memory for the tables"};
  }
  allocator->ReapDead();
  return allocator;
}

template <typename Answer>
Answer Allocator::Checked(Answer answer) const {
  if (!region_->IsDamaged()) [[likely]] {
    return answer;
  }
  return Region::kTruncated;
}

Allocator::~Allocator() {
  region_->damage().Disarm(&cache_id_);
  if (supply_ == nullptr || !supply_->ok() || handover_ == nullptr ||
      !region_->IsOurs()) {
    return;
  }
  // What is out could not be seen: our reaper gives it all back.
  if (region_->IsDamaged()) {
    supply_->Forsake();
    return;
  }
  handover_->LetAllGo();
  supply_->Leave();
}

Result<BufferRef> Allocator::AllocSlow(std::uint32_t size_class,
                                       std::uint64_t bytes) {
  if (!region_->IsOurs()) return kInherited;
  const Geometry& geometry = region_->geometry();
  if (geometry.unit_bytes == kSmallUnitBytes) {
    size_class = SmallUnitClassOf(bytes);
  }
  if (size_class == kExtentClass) return Checked(AllocExtent(bytes));
  return Checked(AllocOfClass(size_class));
}

Result<BufferRef> Allocator::AllocExtent(std::uint64_t bytes) {
  const Geometry& geometry = region_->geometry();
  const std::uint64_t units = ExtentUnits(bytes, geometry.unit_bytes);
  if (units > geometry.unit_count) {
    return Failure{Status::kTooBig, "more than the whole region"};
  }
  return supply_->ObtainExtent(
      ExtentSize::Of(bytes, geometry.granules_per_unit()));
}

Result<BufferRef> Allocator::AllocOfClass(std::uint32_t size_class) {
  const Result<std::uint32_t> line = supply_->Obtain(size_class);
  if (!line) return line.failure();
  const BufferRef ref(*line);
  // relaxed: the buffer is this thread's alone
  if (states_[*line].load(std::memory_order_relaxed) ==
          BufferState::kPoisoned &&
      !IsPoisonIntact(Pointer(ref))) {
    // relaxed: a statistic
    poison_damage_.fetch_add(1, std::memory_order_relaxed);
  }
  // relaxed: the buffer is this thread's alone
  states_[*line].store(BufferState::kLive, std::memory_order_relaxed);
  return ref;
}

Result<BufferRef> Allocator::AllocAligned(std::uint64_t bytes,
                                          std::uint64_t alignment_bytes) {
  if (!std::has_single_bit(alignment_bytes) ||
      alignment_bytes > kMaxAlignmentBytes) {
    return Failure{Status::kInvalidParam,
                   "the alignment is no power of two up to 2 MiB"};
  }
  if (alignment_bytes <= kLineBytes) return Alloc(bytes);
  const std::uint64_t unit_bytes = region_->geometry().unit_bytes;
  if (alignment_bytes > unit_bytes) {
    return Failure{Status::kNotSupported,
                   "the alignment is larger than a unit of this region"};
  }
  if (!region_->IsOurs()) return kInherited;
  const std::uint32_t size_class =
      AlignedClassOf(bytes, alignment_bytes, unit_bytes == kSmallUnitBytes);
  return Checked(size_class == kExtentClass
                     ? AllocExtent(std::max(bytes, unit_bytes))
                     : AllocOfClass(size_class));
}

Outcome Allocator::FreeSlow(BufferRef ref) {
  return Checked(FreeAfterChecks(ref));
}

Outcome Allocator::FreeAfterChecks(BufferRef ref) {
  if (!IsLive(ref)) return WhyNotLive(ref);
  const std::uint32_t line = ref.line();
  // relaxed: the buffer is this thread's alone
  if (states_[line].load(std::memory_order_relaxed) == BufferState::kTaken) {
    return handover_->FreeTaken(ref, poisons_);
  }
  // relaxed: does not change while a buffer is live
  const std::uint32_t size_class =
      ClassOf(codes_[line / kLinesPerGranule].load(std::memory_order_relaxed));
  if (poisons_) Poison(Pointer(ref), UsableBytes(ref));
  // relaxed: the buffer is this thread's alone
  states_[line].store(poisons_ ? BufferState::kPoisoned : BufferState::kCached,
                      std::memory_order_relaxed);
  if (size_class == kExtentClass) {
    supply_->FreeExtent(line);
  } else {
    supply_->Store(line, size_class);
  }
  return {};
}

// Guesses kindly: nothing depends on it but the text.
Failure Allocator::WhyNotLive(BufferRef ref) const {
  const auto wrong = [](const char* reason) {
    return Failure{Status::kInvalidParam, reason};
  };
  if (!region_->IsOurs()) return kInherited;
  const std::uint32_t line = ref.line();
  if (line >= line_count_) return wrong("outside the region");
  // relaxed, all: for the text only
  const BufferState state = states_[line].load(std::memory_order_relaxed);
  if (state == BufferState::kTaken) {
    return wrong("taken from another process: send a copy of it");
  }
  const bool is_ours =
      codes_[ref.granule()].load(std::memory_order_relaxed) != kNoCode;
  const std::optional<BufferPlace> place = supply_->Locate(ref);
  if (!place) {
    return wrong(is_ours ? "inside a buffer, not at its start"
                         : "not memory of this process, or freed long ago");
  }
  if (state == BufferState::kCached || state == BufferState::kPoisoned) {
    return wrong("already free");
  }
  if (state == BufferState::kLeaving) {
    return wrong("being sent by another thread");
  }
  const BufferWord word(place->word->load(std::memory_order_relaxed));
  if (word.IsHeldBy(region_->lease())) {
    return wrong("given away: no longer this process's");
  }
  if (!is_ours) return wrong("another process's buffer");
  switch (word.state()) {
    case BufferWord::State::kFree:
      return wrong("already free");
    case BufferWord::State::kHeld:
      return wrong("given away, and taken by another process");
    default:
      return wrong("already sent: no longer this process's");
  }
}

std::uint64_t Allocator::UsableBytes(BufferRef ref) const {
  if (!IsLive(ref)) return 0;
  // relaxed: does not change while a buffer is live
  const GranuleCode code =
      codes_[ref.granule()].load(std::memory_order_relaxed);
  if (code == kNoCode) {  // taken: by the shared words; 0 if they are damaged
    const std::optional<BufferPlace> place = supply_->Locate(ref);
    return place ? place->usable_bytes : 0;
  }
  const std::uint32_t size_class = ClassOf(code);
  if (size_class != kExtentClass) return kSizeClasses[size_class].bytes();
  const ExtentSize size = supply_->extents().SizeOf(ref.line());
  return size.granules(supply_->shared().granules_per_unit()) * kGranuleBytes;
}

std::optional<BufferPlace> Allocator::Locate(BufferRef ref) const {
  if (ref.line() >= line_count_) return std::nullopt;
  return supply_->Locate(ref);
}

std::uint64_t Allocator::LocateLargeBytes(BufferRef ref) const {
  const auto place = supply_->OwnPlace(ref.line());
  return place ? place->usable_bytes : 0;
}

Result<BufferTicket> Allocator::Give(BufferRef ref) {
  // What nobody else can see is not given.
  if (region_->IsDamaged()) return Checked(WhyNotLive(ref));
  if (ref.line() >= line_count_) return WhyNotLive(ref);
  // relaxed: handed to this thread with the buffer, or wrong
  const BufferState state = states_[ref.line()].load(std::memory_order_relaxed);
  if (state == BufferState::kTaken) return handover_->GiveOn(ref);
  if (state != BufferState::kLive) return WhyNotLive(ref);
  // As in Free(), no read-modify-write: it would wait until the stores of the
  // last hand-over have reached lines that the taker holds.
  // relaxed: does not change while a buffer is live
  const GranuleCode code =
      codes_[ref.granule()].load(std::memory_order_relaxed);
  const std::optional<BufferPlace> place = supply_->OwnPlace(ref.line());
  if (!place) return kNoPlace;  // as in BeginSend()
  return handover_->Give(*place, ClassOf(code));
}

Result<BufferRef> Allocator::Take(BufferTicket ticket) {
  const Result<BufferRef> taken = handover_->Take(ticket);
  if (!taken && !region_->IsOurs()) return kInherited;
  return Checked(taken);
}

Result<BufferPlace> Allocator::BeginSendSlow(BufferRef ref) {
  const std::optional<BufferPlace> found = supply_->OwnPlace(ref.line());
  // Forged words have had us take the same memory twice, and dissolve it once.
  if (!found) {
    // relaxed: kLeaving is this thread's own mark
    states_[ref.line()].store(BufferState::kLive, std::memory_order_relaxed);
    return kNoPlace;
  }
  return *found;
}

Result<BufferPlace> Allocator::BeginSend(BufferRef ref) {
  BufferPlace place;
  const Outcome begun = BeginSend(ref, &place);
  if (!begun) return begun.failure();
  return place;
}

void Allocator::CancelSend(BufferPlace place) {
  // The state first: were the word Free while the state is kAway, a thread of
  // ours that collects would take the buffer.
  std::atomic<BufferState>& state = states_[place.ref.line()];
  // relaxed: kLeaving is this thread's own mark
  if (state.load(std::memory_order_relaxed) == BufferState::kLeaving) {
    // relaxed: the buffer is this thread's alone
    state.store(BufferState::kLive, std::memory_order_relaxed);
  } else {
    supply_->tables().Recall(place.ref.line());
  }
  // relaxed: only this thread has written it since BeginSend()
  const BufferWord word(place.word->load(std::memory_order_relaxed));
  // release -> word.free: the state above.
  place.word->store(word.Free().raw(), std::memory_order_release);
}

void Allocator::ComeBack(const BufferPlace& place) { supply_->ComeBack(place); }

void Allocator::ComeBackSlow(BufferRef ref) {
  if (const auto place = supply_->Locate(ref)) supply_->ComeBack(*place);
}

void Allocator::StoreSlow(const OwnBuffer& own) {
  supply_->Store(own.line(), own.size_class());
}

bool Allocator::ReapUnits(LeaseId dead, SentJudge sent_is_published,
                          void* context) {
  if (!region_->IsOurs() || dead.slot >= region_->geometry().lease_count) {
    return true;
  }
  return UnitReaper(supply_->shared(), region_->lease(), dead,
                    sent_is_published, context)
      .Run();
}

std::uint32_t Allocator::ReapDead() {
  if (!region_->IsOurs()) return 0;
  return ReapDeadProcesses(supply_->shared(), region_->lease());
}

void Allocator::SetPressureHook(PressureHook hook, void* context) {
  supply_->SetHook(hook, context);
}

void Allocator::Collect() {
  if (region_->IsOurs()) supply_->Collect();
}

Result<std::uint64_t> Allocator::Trim(std::uint64_t keep_bytes) {
  if (!region_->IsOurs()) return kInherited;
  return supply_->Trim(keep_bytes);
}

Result<std::uint64_t> Allocator::Prefault(std::uint64_t bytes) {
  if (!region_->IsOurs()) return kInherited;
  return supply_->units().idle().Prefault(bytes);
}

Result<OwnAuditReport> Allocator::AuditOwn() {
  if (!region_->IsOurs()) return kInherited;
  return AuditPrivate(*supply_, region_->lease());
}

AllocatorStats Allocator::Stats() {
  AllocatorStats stats;
  if (!region_->IsOurs()) return stats;
  BufferCounts sum = supply_->extents().Count(&stats.owned_extent_units);
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    const BufferCounts counts = supply_->slabs().Count(c);
    sum.live += counts.live;
    sum.cached += counts.cached;
    sum.away += counts.away;
  }
  stats.live_buffers = sum.live;
  stats.cached_buffers = sum.cached;
  stats.out_buffers = sum.away;
  stats.taken_buffers = handover_->CountTaken();
  // relaxed: a statistic
  stats.poison_damage = poison_damage_.load(std::memory_order_relaxed);
  stats.owned_units = supply_->units().owned_count();
  return stats;
}

}  // namespace zcb::alloc
