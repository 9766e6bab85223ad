#include "bench/tune/waste.h"

#include <fmt/format.h>

#include "allocator/abi.h"
#include "allocator/size_classes.h"
#include "ipc/message_header.h"
#include "ipc/message_place.h"

namespace zcb::bench::tune {
namespace {

using ipc::kHeaderBytes;

// Shorter by so much at most is an advice, and only if it saves so much.
constexpr double kLittleShorter = 0.05;
constexpr double kMuchSaved = 0.08;

std::uint64_t BufferBytesFor(std::uint64_t bytes) {
  const std::uint32_t size_class = alloc::SizeClassOf(bytes);
  if (size_class != alloc::kExtentClass) {
    return alloc::kSizeClasses[size_class].bytes();
  }
  return (bytes + alloc::kGranuleBytes - 1) / alloc::kGranuleBytes *
         alloc::kGranuleBytes;
}

// The largest buffer below the one that so many bytes take; 0: none.
std::uint64_t NextSmallerBuffer(std::uint64_t bytes) {
  const std::uint32_t size_class = alloc::SizeClassOf(bytes);
  if (size_class == alloc::kExtentClass) {
    return BufferBytesFor(bytes) - alloc::kGranuleBytes;
  }
  // Of the classes that ordinary units have.
  std::uint64_t largest = 0;
  for (std::uint32_t c = 0; c < size_class; ++c) {
    const std::uint64_t buffer = alloc::kSizeClasses[c].bytes();
    if (alloc::SizeClassOf(buffer) == c && buffer > largest) largest = buffer;
  }
  return largest;
}

}  // namespace

double Waste::Idle() const {
  return 1 - static_cast<double>(length_bytes + kHeaderBytes) /
                 static_cast<double>(buffer_bytes);
}

std::string Waste::Advice() const {
  if (fits_if_aligned) {
    return fmt::format("cpg_zcb_alloc_aligned(): {} B", length_bytes);
  }
  const auto length = static_cast<double>(length_bytes);
  const auto saved = static_cast<double>(buffer_bytes - shorter_buffer_bytes);
  if (shorter_bytes > 0 &&
      length - static_cast<double>(shorter_bytes) <= kLittleShorter * length &&
      saved >= kMuchSaved * static_cast<double>(buffer_bytes)) {
    return fmt::format("{} B shorter: {} B", length_bytes - shorter_bytes,
                       shorter_buffer_bytes);
  }
  return {};
}

Waste WasteOf(std::uint64_t length_bytes) {
  const std::uint64_t needed = length_bytes + kHeaderBytes;
  Waste waste;
  waste.length_bytes = length_bytes;
  waste.share = 1;
  waste.buffer_bytes = BufferBytesFor(needed);
  waste.shorter_buffer_bytes = NextSmallerBuffer(needed);
  if (waste.shorter_buffer_bytes > kHeaderBytes) {
    waste.shorter_bytes = waste.shorter_buffer_bytes - kHeaderBytes;
  }
  waste.fits_if_aligned = length_bytes % ipc::MessagePlace::kPageBytes == 0 &&
                          BufferBytesFor(length_bytes) == length_bytes;
  return waste;
}

std::vector<Waste> WasteOf(const std::vector<SizeShare>& sizes) {
  std::vector<Waste> all;
  for (const SizeShare& size : sizes) {
    all.push_back(WasteOf(size.length_bytes));
    all.back().share = size.share;
  }
  return all;
}

}  // namespace zcb::bench::tune
