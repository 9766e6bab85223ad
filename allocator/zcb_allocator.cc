#include "allocator/zcb_allocator.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "allocator/allocator.h"
#include "allocator/errno_saver.h"
#include "allocator/lease_word.h"
#include "allocator/open_allocators.h"
#include "allocator/region.h"
#include "allocator/zcb_options.h"

namespace zcb::alloc {
namespace {

[[gnu::tls_model(
    "initial-exec")]] constinit thread_local const char* last_reason = "";

[[gnu::cold]] zcb_status Fail(const Failure& failure) {
  last_reason = failure.reason;
  return static_cast<zcb_status>(failure.status);
}
[[gnu::cold]] zcb_status Fail(Status status, const char* reason) {
  return Fail({status, reason});
}
[[gnu::cold]] zcb_status FailNull() {
  return Fail(Status::kInvalidParam, "a NULL argument");
}
[[gnu::cold]] zcb_status FailInherited() {
  return Fail(Status::kBadHandle, "inherited over fork: open it anew");
}
zcb_status Answer(const Outcome& outcome) {
  return outcome.ok() ? ZCB_OK : Fail(outcome.failure());
}

// The C handle is the object itself: nothing to look up.
Allocator* Unwrap(zcb_allocator* allocator) {
  return reinterpret_cast<Allocator*>(allocator);
}
zcb_allocator* Wrap(Allocator* allocator) {
  return reinterpret_cast<zcb_allocator*>(allocator);
}

// Which region a reference is for, and a line counted from 1, so that none is
// 0: | identity, low half:32 | line + 1:32 |
zcb_ref RefFrom(const Allocator& allocator, BufferRef ref) {
  return allocator.region().identity() << 32 | (ref.line() + 1U);
}
Result<BufferRef> LineOf(const Allocator& allocator, zcb_ref ref) {
  const auto line_from_1 = static_cast<std::uint32_t>(ref);
  if (line_from_1 == 0 || line_from_1 > BufferRef::kMax + 1U) {
    return {Status::kInvalidParam, "not a reference"};
  }
  if (ref >> 32 != (allocator.region().identity() & 0xffff'ffff)) {
    return {Status::kInvalidParam, "a reference into another region"};
  }
  return BufferRef(line_from_1 - 1);
}

Result<BufferPlace> PlaceOf(const Allocator& allocator,
                            const Result<BufferRef>& ref) {
  if (!ref) return ref.failure();
  const std::optional<BufferPlace> place = allocator.Locate(*ref);
  if (!place) return {Status::kInvalidParam, "no buffer starts there"};
  return *place;
}

std::uint64_t CountProcesses(const Region& region) {
  std::uint64_t count = 0;
  const std::uint16_t high = region.LeaseHighWater();
  for (std::uint16_t slot = 0; slot < high; ++slot) {
    // relaxed: a figure for people
    const LeaseWord word(
        region.lease_word(slot).load(std::memory_order_relaxed));
    if (word.phase() == LeaseWord::Phase::kAlive) ++count;
  }
  return count;
}

Result<Allocator*> Open(const struct zcb_options* options) {
  const Result<OpenOptions> read = ReadOpenOptions(options);
  if (!read) return read.failure();
  Result<std::shared_ptr<Region>> region = Region::Open(read->region);
  if (!region) return region.failure();
  if ((*region)->geometry().client_area_bytes != 0) {
    return {Status::kExist,
            "the region of another layer, such as the process groups"};
  }
  OpenAllocators* const open = OpenAllocators::ForThisProcess();
  if (open == nullptr) return {Status::kNoMemory, "no private memory"};
  return open->Open(std::move(*region), read->allocator);
}

}  // namespace
}  // namespace zcb::alloc

using zcb::Failure;
using zcb::Outcome;
using zcb::Result;
using zcb::Status;
using zcb::alloc::Allocator;
using zcb::alloc::AllocatorStats;
using zcb::alloc::Answer;
using zcb::alloc::BufferPlace;
using zcb::alloc::BufferRef;
using zcb::alloc::CountProcesses;
using zcb::alloc::ErrnoSaver;
using zcb::alloc::Fail;
using zcb::alloc::FailInherited;
using zcb::alloc::FailNull;
using zcb::alloc::last_reason;
using zcb::alloc::LineOf;
using zcb::alloc::OpenAllocators;
using zcb::alloc::PlaceOf;
using zcb::alloc::RefFrom;
using zcb::alloc::Unwrap;
using zcb::alloc::Wrap;

using Stats = struct zcb_allocator_stats;

extern "C" {

// --- opening ---------------------------------------------------------------

zcb_status zcb_allocator_open(const struct zcb_options* options,
                              zcb_allocator** allocator) {
  const ErrnoSaver errno_saver;
  if (allocator == nullptr) return FailNull();
  try {
    const Result<Allocator*> opened = zcb::alloc::Open(options);
    if (!opened) return Fail(opened.failure());
    *allocator = Wrap(*opened);
    return ZCB_OK;
  } catch (const std::bad_alloc&) {
    return Fail(Status::kNoMemory, "no private memory");
  }
}

zcb_status zcb_allocator_close(zcb_allocator* allocator) {
  const ErrnoSaver errno_saver;
  if (allocator == nullptr) return FailNull();
  OpenAllocators* const open = OpenAllocators::ForThisProcess();
  if (open == nullptr || !open->Close(Unwrap(allocator))) {
    return Fail(Status::kBadHandle, "not open in this process");
  }
  return ZCB_OK;
}

// --- buffers ---------------------------------------------------------------

// A forked child needs no test on these two: the tables it inherits read as
// zeros, which leads to the slow path, which refuses.

zcb_status zcb_alloc(zcb_allocator* allocator, size_t bytes, void** buffer) {
  if (allocator == nullptr || buffer == nullptr) [[unlikely]] {
    return FailNull();
  }
  const Result<BufferRef> ref = Unwrap(allocator)->Alloc(bytes);
  if (!ref) [[unlikely]]
    return Fail(ref.failure());
  *buffer = Unwrap(allocator)->Pointer(*ref);
  return ZCB_OK;
}

zcb_status zcb_free(zcb_allocator* allocator, void* buffer) {
  if (allocator == nullptr) [[unlikely]]
    return FailNull();
  const Result<BufferRef> ref = Unwrap(allocator)->CheckPointer(buffer);
  if (!ref) [[unlikely]]
    return Fail(ref.failure());
  return Answer(Unwrap(allocator)->Free(*ref));
}

size_t zcb_usable_size(zcb_allocator* allocator, const void* buffer) {
  if (allocator == nullptr || !Unwrap(allocator)->region().IsOurs()) return 0;
  const Result<BufferPlace> place =
      PlaceOf(*Unwrap(allocator), Unwrap(allocator)->CheckPointer(buffer));
  return place ? place->usable_bytes : 0;
}

// --- passing on ------------------------------------------------------------

zcb_status zcb_ref_of(zcb_allocator* allocator, const void* buffer,
                      zcb_ref* ref) {
  if (allocator == nullptr || ref == nullptr) return FailNull();
  if (!Unwrap(allocator)->region().IsOurs()) return FailInherited();
  const Result<BufferPlace> place =
      PlaceOf(*Unwrap(allocator), Unwrap(allocator)->CheckPointer(buffer));
  if (!place) return Fail(place.failure());
  *ref = RefFrom(*Unwrap(allocator), place->ref);
  return ZCB_OK;
}

zcb_status zcb_ptr_of(zcb_allocator* allocator, zcb_ref ref, void** buffer) {
  if (allocator == nullptr || buffer == nullptr) return FailNull();
  if (!Unwrap(allocator)->region().IsOurs()) return FailInherited();
  const Result<BufferPlace> place =
      PlaceOf(*Unwrap(allocator), LineOf(*Unwrap(allocator), ref));
  if (!place) return Fail(place.failure());
  *buffer = Unwrap(allocator)->Pointer(place->ref);
  return ZCB_OK;
}

// --- care ------------------------------------------------------------------

zcb_status zcb_collect(zcb_allocator* allocator) {
  const ErrnoSaver errno_saver;
  if (allocator == nullptr) return FailNull();
  if (!Unwrap(allocator)->region().IsOurs()) return FailInherited();
  Unwrap(allocator)->Collect();
  return ZCB_OK;
}

zcb_status zcb_stats(zcb_allocator* allocator, Stats* stats) {
  const ErrnoSaver errno_saver;
  if (allocator == nullptr || stats == nullptr) return FailNull();
  if (!Unwrap(allocator)->region().IsOurs()) return FailInherited();
  if (stats->size < offsetof(Stats, cached_buffers)) {
    return Fail(Status::kInvalidParam, "stats->size is not set");
  }
  const auto& region = Unwrap(allocator)->region();
  const auto pages = region.ReportPages();
  const AllocatorStats own = Unwrap(allocator)->Stats();
  const std::uint64_t unit_bytes = region.geometry().unit_bytes;
  const Stats filled{
      .size = std::min(stats->size, sizeof(Stats)),
      .live_buffers = own.live_buffers,
      .cached_buffers = own.cached_buffers,
      .out_buffers = own.out_buffers,
      .owned_bytes = own.owned_units * unit_bytes,
      .extent_bytes = own.owned_extent_units * unit_bytes,
      .region_bytes = region.geometry().region_bytes,
      .committed_bytes = pages.committed_bytes,
      .huge_bytes = pages.huge_bytes,
      .page_bytes = pages.page_bytes,
      .page_kind = pages.how,
      .unit_bytes = unit_bytes,
      .processes = CountProcesses(region),
  };
  std::memcpy(stats, &filled, filled.size);
  return ZCB_OK;
}

// --- words -----------------------------------------------------------------

const char* zcb_status_text(zcb_status status) {
  switch (status) {
    case ZCB_OK:
      return "all is well";
    case ZCB_LIBRARY:
      return "the region is damaged, or the kernel refused";
    case ZCB_VERSION:
      return "a region of another layout version";
    case ZCB_TRY_AGAIN:
      return "not now: try again";
    case ZCB_INVALID_PARAM:
      return "the caller's mistake";
    case ZCB_NO_MEMORY:
      return "no memory: free something";
    case ZCB_BAD_HANDLE:
      return "inherited over fork, or not open";
    case ZCB_ACCESS:
      return "a foreign owner, or no permission";
    case ZCB_NOT_EXIST:
      return "there is none";
    case ZCB_NAME_TOO_LONG:
      return "a name too long";
    case ZCB_EXIST:
      return "it belongs to something else";
    case ZCB_NO_RESOURCES:
      return "a table of fixed size is full";
    case ZCB_NOT_SUPPORTED:
      return "not to be had on this system";
    case ZCB_TOO_BIG:
      return "more than the region could ever hold";
  }
  return "not a status";
}

const char* zcb_last_reason(void) { return last_reason; }

const char* zcb_version(void) { return "0.1.0"; }

}  // extern "C"
