// A hash map in shared memory: this process builds it, a second one finds it
// and walks it, at another address.
//   shared_map            (starts the second process by itself)
//
// The map's links are offset pointers and its nodes lie in the region, so that
// nothing depends on where a process has the region. The root is one word of
// the region's client area: the store that publishes it is a release, the load
// that finds it an acquire, and between the two there is no lock.
//
// What is not safe: changing the map after that. Readers take no part in any
// agreement, so they would meet half-made links, and nodes that were freed and
// used anew. Publish a new map instead, and free the old one when you know, by
// a protocol of your own, that nobody walks it any more. The map is its
// builder's: when that process ends, its memory goes back to the region.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "allocator/allocator.h"
#include "allocator/offset_ptr.h"

namespace {

using zcb::alloc::Allocator;
using zcb::alloc::BufferRef;
using zcb::alloc::OffsetPtr;
using zcb::alloc::Region;

constexpr std::size_t kChains = 64;
constexpr int kWords = 1000;

struct Node {
  OffsetPtr<Node> next;
  std::uint32_t value;
  char word[20];
};
struct Map {
  OffsetPtr<Node> chains[kChains];  // zeroed memory is null
};

void Must(bool ok, const char* otherwise) {
  if (ok) return;
  std::fprintf(stderr, "shared_map: %s\n", otherwise);
  std::exit(EXIT_FAILURE);
}

// Both processes must compute the same; std::hash promises that to nobody.
std::size_t ChainOf(std::string_view word) {
  std::size_t hash = 0;
  for (const char c : word) hash = hash * 31 + static_cast<unsigned char>(c);
  return hash % kChains;
}
std::string WordOf(int number) { return "word-" + std::to_string(number); }

// The region, and the word in it that says where the map is: line + 1, or 0.
struct Attached {
  std::shared_ptr<Region> region;
  std::unique_ptr<Allocator> allocator;
  std::atomic<std::uint64_t>* root = nullptr;

  static Attached Open() {
    auto options = zcb::alloc::RegionOptions::FromEnvironment();
    Must(options.ok(), "the environment is wrong");
    options->name = "shared-map";
    options->region_bytes = 16 << 20;
    options->client_area_bytes = sizeof(std::uint64_t);
    auto region = Region::Open(*options);
    Must(region.ok(), region.reason());
    const auto at = (*region)->geometry().client_offset;
    Must((*region)->CommitMeta(at, sizeof(std::uint64_t)).ok(), "no memory");
    auto allocator = Allocator::Create(*region);
    Must(allocator.ok(), allocator.reason());
    return {*region, std::move(*allocator),
            (*region)->meta<std::atomic<std::uint64_t>>(at)};
  }
  // All payload: what an offset pointer of another process may lead into.
  std::span<const std::byte> payload() const {
    return {region->data(), region->geometry().region_bytes};
  }
};

template <typename T>
T* MakeIn(Allocator& allocator) {
  const auto ref = allocator.Alloc(sizeof(T));
  Must(ref.ok(), ref.reason());
  return new (allocator.Pointer(*ref)) T{};
}

void Build(const Attached& here) {
  Map* const map = MakeIn<Map>(*here.allocator);
  for (int i = 0; i < kWords; ++i) {
    Node* const node = MakeIn<Node>(*here.allocator);
    node->value = static_cast<std::uint32_t>(i * i);
    const std::string word = WordOf(i);
    std::memcpy(node->word, word.c_str(), word.size() + 1);
    OffsetPtr<Node>& chain = map->chains[ChainOf(word)];
    node->next = chain;  // computes the way from its own place
    chain = node;
  }
  // release -> map.publish: everything written above.
  here.root->store(here.allocator->RefOf(map)->line() + 1U,
                   std::memory_order_release);
}

// What another process wrote is looked at before it is used: the root by the
// allocator, each link against the payload's bounds.
void Walk(const Attached& here) {
  // acquire <- map.publish: the map is whole.
  const std::uint64_t root = here.root->load(std::memory_order_acquire);
  Must(root != 0, "nothing is published");
  const BufferRef ref(static_cast<std::uint32_t>(root - 1));
  const auto place = here.allocator->Locate(ref);
  Must(place && place->usable_bytes >= sizeof(Map), "the root is damaged");
  const auto* const map =
      reinterpret_cast<const Map*>(here.allocator->Pointer(ref));
  for (int i = 0; i < kWords; ++i) {
    const std::string word = WordOf(i);
    const Node* node = map->chains[ChainOf(word)].GetWithin(here.payload());
    int steps = 0;
    while (node != nullptr && word != node->word) {
      Must(++steps <= kWords, "a chain has no end");
      node = node->next.GetWithin(here.payload());
    }
    Must(node != nullptr, "a word is missing");
    Must(node->value == static_cast<std::uint32_t>(i * i), "a wrong value");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "walk") == 0) {
    // So that this process cannot have the region where the other one has it:
    // that address is taken.
    void* const theirs = reinterpret_cast<void*>(std::stoull(argv[2], nullptr));
    const void* const taken =
        ::mmap(theirs, 16 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const Attached here = Attached::Open();
    std::printf("the walker has the region at %p, the builder at %p\n",
                static_cast<void*>(here.region->data()), theirs);
    Must(taken != MAP_FAILED && here.region->data() != theirs,
         "the addresses do not differ");
    Walk(here);
    std::printf("found all %d words\n", kWords);
    return EXIT_SUCCESS;
  }
  Must(argc == 1, "wants no arguments");
  const Attached here = Attached::Open();
  Build(here);
  const std::string address =
      std::to_string(reinterpret_cast<std::uintptr_t>(here.region->data()));
  const pid_t walker = ::fork();
  if (walker == 0) {
    ::execl("/proc/self/exe", "shared_map", "walk", address.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  Must(::waitpid(walker, &status, 0) == walker && status == 0,
       "the walker failed");
  return EXIT_SUCCESS;
}
