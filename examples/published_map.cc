// A std::unordered_map whose values live in shared memory: another process
// reads them in place, at an address of its own, and nothing is copied.
//
// Only the values are shared. The map itself (buckets, nodes, keys, and the
// pointers in its strings) is private memory of this process and means nothing
// in another one; what is published is where the bytes of each value lie, as an
// offset in the region. A value must stay as it is until its readers are done;
// and when this process dies, its values are gone.
//   published_map      (exit code 0: the reader found every value)
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "allocator/allocator.h"
#include "allocator/jemalloc_arena.h"
#include "allocator/region.h"
#include "allocator/region_options.h"

namespace {

using zcb::alloc::ArenaAllocator;
using SharedString =
    std::basic_string<char, std::char_traits<char>, ArenaAllocator<char>>;

constexpr int kValues = 1000;

// What goes through the pipe for each value, instead of the value.
struct Published {
  std::array<char, 16> key;
  std::uint64_t offset_bytes;
  std::uint64_t bytes;
};

template <typename T>
T Must(zcb::Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "published_map: %s\n", result.reason());
  std::exit(EXIT_FAILURE);
}

std::string TextFor(std::string_view key) {
  std::string text;
  while (text.size() < 30'000) text.append(key).append(" ");
  return text;
}

// The other process: it attaches to the region, and needs no arena.
int Read(int pipe, const zcb::alloc::RegionOptions& options) {
  const auto region = Must(zcb::alloc::Region::Open(options));
  const std::span data(reinterpret_cast<const char*>(region->data()),
                       region->geometry().region_bytes);
  int found = 0;
  Published value{};
  while (read(pipe, &value, sizeof value) == sizeof value) {
    // Numbers from another process: check them before they become an address.
    if (value.offset_bytes > data.size() ||
        value.bytes > data.size() - value.offset_bytes) {
      return EXIT_FAILURE;
    }
    const auto text = data.subspan(value.offset_bytes, value.bytes);
    found +=
        std::string_view(text.data(), text.size()) == TextFor(value.key.data());
  }
  std::printf("read %d of %d values in place, from the region at %p\n", found,
              kValues, static_cast<const void*>(data.data()));
  return found == kValues ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() {
  const auto options = Must(zcb::alloc::RegionOptions::FromEnvironment());
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return EXIT_FAILURE;
  const pid_t reader = fork();  // before there is a region to inherit
  if (reader == 0) {
    close(ends[1]);
    return Read(ends[0], options);
  }

  const auto region = Must(zcb::alloc::Region::Open(options));
  const auto allocator = Must(zcb::alloc::Allocator::Create(region));
  const auto arena = Must(zcb::alloc::JemallocArena::Create(*allocator));
  std::unordered_map<std::string, SharedString> map;
  try {
    for (int i = 0; i < kValues; ++i) {
      const std::string key = "key-" + std::to_string(i);
      map.emplace(key,
                  SharedString(TextFor(key), ArenaAllocator<char>(*arena)));
    }
  } catch (const std::bad_alloc&) {  // as containers say it
    std::fprintf(stderr, "published_map: the region is full\n");
    return EXIT_FAILURE;
  }
  std::printf("wrote %zu values into the region at %p\n", map.size(),
              static_cast<const void*>(region->data()));
  std::fflush(stdout);
  for (const auto& [key, text] : map) {
    // (Short strings lie in the string object itself: they have no offset.)
    Published value{{}, arena->OffsetOf(text.data()).value(), text.size()};
    key.copy(value.key.data(), value.key.size() - 1);
    if (write(ends[1], &value, sizeof value) != sizeof value) break;
  }
  close(ends[1]);

  int status = EXIT_FAILURE;  // until the reader is done, the values stay
  return waitpid(reader, &status, 0) == reader && status == 0 ? EXIT_SUCCESS
                                                              : EXIT_FAILURE;
}
