#include "allocator/allocator.h"

#include <new>
#include <utility>

#include "allocator/buffer_supply.h"
#include "allocator/unit_reaper.h"

namespace zcb::alloc {
namespace {

constexpr Failure kInherited{Status::kBadHandle,
                             "inherited over fork: attach anew"};

}  // namespace

Allocator::Allocator(std::shared_ptr<Region> region,
                     const AllocatorOptions& options)
    : region_(std::move(region)),
      supply_(new(std::nothrow) BufferSupply(*region_, options)) {
  if (supply_ == nullptr) return;
  cache_id_ = supply_->caches().id();
  states_ = supply_->tables().states();
  codes_ = supply_->tables().codes();
  line_count_ = supply_->tables().line_count();
  data_ = region_->data();
}

Result<std::unique_ptr<Allocator>> Allocator::Create(
    std::shared_ptr<Region> region, const AllocatorOptions& options) {
  if (!region->IsOurs()) return kInherited;
  std::unique_ptr<Allocator> allocator(
      new (std::nothrow) Allocator(std::move(region), options));
  if (allocator == nullptr || allocator->supply_ == nullptr ||
      !allocator->supply_->ok()) {
    return Failure{Status::kNoMemory, "no private memory for the tables"};
  }
  return allocator;
}

Allocator::~Allocator() {
  if (supply_ == nullptr || !supply_->ok() || !region_->IsOurs()) return;
  supply_->Leave();
}

Result<BufferRef> Allocator::AllocSlow(std::uint32_t size_class,
                                       std::uint64_t bytes) {
  if (!region_->IsOurs()) return kInherited;
  const Geometry& geometry = region_->geometry();
  if (geometry.unit_bytes == kSmallUnitBytes) {
    size_class = SmallUnitClassOf(bytes);
  }
  if (size_class == kExtentClass) {
    const std::uint64_t units = ExtentUnits(bytes, geometry.unit_bytes);
    if (units > geometry.unit_count) {
      return Failure{Status::kTooBig, "more than the whole region"};
    }
    return supply_->ObtainExtent(
        ExtentSize::Of(bytes, geometry.granules_per_unit()));
  }
  const Result<std::uint32_t> line = supply_->Obtain(size_class);
  if (!line) return line.failure();
  // relaxed: the buffer is this thread's alone
  states_[*line].store(BufferState::kLive, std::memory_order_relaxed);
  return BufferRef(*line);
}

Outcome Allocator::FreeSlow(BufferRef ref) {
  if (!IsLive(ref)) return WhyNotLive(ref);
  const std::uint32_t line = ref.line();
  // relaxed: does not change while a buffer is live
  const std::uint32_t size_class =
      ClassOf(codes_[line / kLinesPerGranule].load(std::memory_order_relaxed));
  // relaxed: the buffer is this thread's alone
  states_[line].store(BufferState::kCached, std::memory_order_relaxed);
  if (size_class == kExtentClass) {
    supply_->extents().Free(line);
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
  // relaxed: for the text only
  if (codes_[line / kLinesPerGranule].load(std::memory_order_relaxed) ==
      kNoCode) {
    return wrong("not memory of this process, or freed long ago");
  }
  if (!supply_->tables().StartAt(line).ok()) {
    return wrong("inside a buffer, not at its start");
  }
  switch (states_[line].load(std::memory_order_relaxed)) {
    case BufferState::kCached:
      return wrong("already free");
    case BufferState::kLeaving:
      return wrong("being sent by another thread");
    default:
      return wrong("already sent: no longer this process's");
  }
}

std::uint64_t Allocator::UsableBytes(BufferRef ref) const {
  if (!IsLive(ref)) return 0;
  const std::uint32_t size_class = ClassOf(
      // relaxed: does not change while a buffer is live
      codes_[ref.granule()].load(std::memory_order_relaxed));
  if (size_class != kExtentClass) return kSizeClasses[size_class].bytes();
  const ExtentSize size = supply_->extents().SizeOf(ref.line());
  return size.granules(supply_->shared().granules_per_unit()) * kGranuleBytes;
}

std::optional<BufferPlace> Allocator::Locate(BufferRef ref) const {
  if (ref.line() >= line_count_) return std::nullopt;
  // relaxed: one of our own, or OwnPlace() says no and so does the region
  if (codes_[ref.granule()].load(std::memory_order_relaxed) != kNoCode) {
    return supply_->OwnPlace(ref.line());
  }
  return LocateBuffer(supply_->shared(), ref);
}

Result<BufferPlace> Allocator::BeginSend(BufferRef ref) {
  if (ref.line() >= line_count_) return WhyNotLive(ref);
  BufferState live = BufferState::kLive;
  // relaxed: decides between threads of ours, hands nothing on
  if (!states_[ref.line()].compare_exchange_strong(live, BufferState::kLeaving,
                                                   std::memory_order_relaxed,
                                                   std::memory_order_relaxed)) {
    return WhyNotLive(ref);
  }
  return *supply_->OwnPlace(ref.line());
}

void Allocator::CommitSend(const BufferPlace& place) {
  std::atomic<BufferState>& state = states_[place.ref.line()];
  // Once per send: from then on a collecting thread may be looking at it.
  // relaxed: this thread wrote it
  if (state.load(std::memory_order_relaxed) != BufferState::kLeaving) return;
  // release -> buffer.leave: the word, which says that the buffer is out.
  state.store(BufferState::kAway, std::memory_order_release);
}

void Allocator::CancelSend(const BufferPlace& place) {
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

void Allocator::ReapUnits(LeaseId dead, SentJudge sent_is_published,
                          void* context) {
  if (!region_->IsOurs() || dead.slot >= region_->geometry().lease_count) {
    return;
  }
  UnitReaper(supply_->shared(), region_->lease(), dead, sent_is_published,
             context)
      .Run();
}

void Allocator::SetPressureHook(PressureHook hook, void* context) {
  supply_->SetHook(hook, context);
}

void Allocator::Collect() {
  if (region_->IsOurs()) supply_->Collect();
}

AllocatorStats Allocator::Stats() {
  AllocatorStats stats;
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
  stats.owned_units = supply_->units().owned_count();
  return stats;
}

}  // namespace zcb::alloc
