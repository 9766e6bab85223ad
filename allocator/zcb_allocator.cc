// The C interface: opening, buffers, and passing them on.
#include "allocator/zcb_allocator.h"

#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "allocator/allocator.h"
#include "allocator/buffer_place.h"
#include "allocator/buffer_ticket.h"
#include "allocator/errno_saver.h"
#include "allocator/open_allocators.h"
#include "allocator/region.h"
#include "allocator/zcb_call.h"
#include "allocator/zcb_options.h"

namespace zcb::alloc {

constinit thread_local const char* zcb_reason = "";

namespace {

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

using zcb::Result;
using zcb::Status;
using zcb::alloc::Allocator;
using zcb::alloc::Answer;
using zcb::alloc::BufferPlace;
using zcb::alloc::BufferRef;
using zcb::alloc::BufferTicket;
using zcb::alloc::Call;
using zcb::alloc::ErrnoSaver;
using zcb::alloc::Fail;
using zcb::alloc::FailNull;
using zcb::alloc::LineOf;
using zcb::alloc::OpenAllocators;
using zcb::alloc::PlaceOf;
using zcb::alloc::RefFrom;
using zcb::alloc::Unwrap;
using zcb::alloc::Wrap;

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
    return Fail({Status::kNoMemory, "no private memory"});
  }
}

zcb_status zcb_allocator_close(zcb_allocator* allocator) {
  const ErrnoSaver errno_saver;
  if (allocator == nullptr) return FailNull();
  // Looked up and never followed: it may be gone, or a forked parent's.
  OpenAllocators* const open = OpenAllocators::ForThisProcess();
  if (open == nullptr || !open->Close(&Unwrap(allocator))) {
    return Fail({Status::kBadHandle, "not open in this process"});
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
  const Result<BufferRef> ref = Unwrap(allocator).Alloc(bytes);
  if (!ref) [[unlikely]] {
    return Fail(ref.failure());
  }
  *buffer = Unwrap(allocator).Pointer(*ref);
  return ZCB_OK;
}

zcb_status zcb_free(zcb_allocator* allocator, void* buffer) {
  if (allocator == nullptr) [[unlikely]] {
    return FailNull();
  }
  return Answer(Unwrap(allocator).FreePointer(buffer));
}

zcb_status zcb_alloc_aligned(zcb_allocator* allocator, size_t bytes,
                             size_t alignment_bytes, void** buffer) {
  return Call(allocator, [&](Allocator& own) {
    if (buffer == nullptr) return FailNull();
    const Result<BufferRef> ref = own.AllocAligned(bytes, alignment_bytes);
    if (!ref) return Fail(ref.failure());
    *buffer = own.Pointer(*ref);
    return ZCB_OK;
  });
}

size_t zcb_usable_size(zcb_allocator* allocator, const void* buffer) {
  if (allocator == nullptr || !Unwrap(allocator).region().IsOurs()) return 0;
  const Result<BufferPlace> place =
      PlaceOf(Unwrap(allocator), Unwrap(allocator).CheckPointer(buffer));
  return place ? place->usable_bytes : 0;
}

// --- passing on ------------------------------------------------------------

zcb_status zcb_ref_of(zcb_allocator* allocator, const void* buffer,
                      zcb_ref* ref) {
  return Call(allocator, [&](Allocator& own) {
    if (ref == nullptr) return FailNull();
    const Result<BufferPlace> place = PlaceOf(own, own.CheckPointer(buffer));
    if (!place) return Fail(place.failure());
    *ref = RefFrom(own, place->ref);
    return ZCB_OK;
  });
}

zcb_status zcb_ptr_of(zcb_allocator* allocator, zcb_ref ref, void** buffer) {
  return Call(allocator, [&](Allocator& own) {
    if (buffer == nullptr) return FailNull();
    const Result<BufferPlace> place = PlaceOf(own, LineOf(own, ref));
    if (!place) return Fail(place.failure());
    *buffer = own.Pointer(place->ref);
    return ZCB_OK;
  });
}

zcb_status zcb_give(zcb_allocator* allocator, void* buffer,
                    zcb_ticket* ticket) {
  return Call(allocator, [&](Allocator& own) {
    if (ticket == nullptr) return FailNull();
    const Result<BufferRef> ref = own.CheckPointer(buffer);
    if (!ref) return Fail(ref.failure());
    const Result<BufferTicket> given = own.Give(*ref);
    if (!given) return Fail(given.failure());
    *ticket = given->raw();
    return ZCB_OK;
  });
}

zcb_status zcb_take(zcb_allocator* allocator, zcb_ticket ticket,
                    void** buffer) {
  return Call(allocator, [&](Allocator& own) {
    if (buffer == nullptr) return FailNull();
    const Result<BufferRef> ref = own.Take(BufferTicket(ticket));
    if (!ref) return Fail(ref.failure());
    *buffer = own.Pointer(*ref);
    return ZCB_OK;
  });
}

}  // extern "C"
