#include "allocator/offset_ptr.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <vector>

namespace zcb::alloc {
namespace {

// One piece of memory that is mapped at two addresses, as two processes would
// have it.
class TwoViews {
 public:
  static constexpr std::size_t kBytes = 1 << 16;
  TwoViews() {
    const int fd = ::memfd_create("offset_ptr_test", MFD_CLOEXEC);
    if (fd < 0 || ::ftruncate(fd, kBytes) != 0) std::abort();
    here_ = Map(fd);
    there_ = Map(fd);
    ::close(fd);
  }
  ~TwoViews() {
    ::munmap(here_, kBytes);
    ::munmap(there_, kBytes);
  }
  TwoViews(const TwoViews&) = delete;
  TwoViews& operator=(const TwoViews&) = delete;

  std::byte* here() const { return here_; }
  std::span<const std::byte> here_bytes() const { return {here_, kBytes}; }
  std::span<const std::byte> there_bytes() const { return {there_, kBytes}; }
  // The same object, as the other one sees it.
  template <typename T>
  T* There(T* object) const {
    return reinterpret_cast<T*>(there_ +
                                (reinterpret_cast<std::byte*>(object) - here_));
  }

 private:
  static std::byte* Map(int fd) {
    void* const base =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) std::abort();
    return static_cast<std::byte*>(base);
  }
  std::byte* here_ = nullptr;
  std::byte* there_ = nullptr;
};

// Hands out bytes one behind the other; a std allocator whose pointer is ours.
class Arena {
 public:
  explicit Arena(std::byte* base) : next_(base) {}
  template <typename T>
  T* Take(std::size_t count) {
    const auto gap = reinterpret_cast<std::uintptr_t>(next_) % 64;
    std::byte* const start = next_ + (64 - gap) % 64;
    next_ = start + count * sizeof(T);
    return reinterpret_cast<T*>(start);
  }

 private:
  std::byte* next_;
};

template <typename T>
struct ArenaAllocator {
  using value_type = T;
  using pointer = OffsetPtr<T>;
  explicit ArenaAllocator(Arena* from) : arena(from) {}
  template <typename U>
  ArenaAllocator(const ArenaAllocator<U>& other)  // NOLINT
      : arena(other.arena) {}
  pointer allocate(std::size_t count) { return pointer(arena->Take<T>(count)); }
  void deallocate(const pointer&, std::size_t) {}
  friend bool operator==(const ArenaAllocator&,
                         const ArenaAllocator&) = default;
  Arena* arena;
};

TEST(OffsetPtrTest, ZeroedMemoryIsNull) {
  alignas(8) unsigned char bytes[sizeof(OffsetPtr<int>)] = {};
  const auto& pointer = *std::launder(reinterpret_cast<OffsetPtr<int>*>(bytes));
  EXPECT_EQ(pointer.get(), nullptr);
  EXPECT_FALSE(pointer);
  EXPECT_EQ(pointer, nullptr);
}

TEST(OffsetPtrTest, PointsToItselfAndToItsNeighbours) {
  struct Node {
    char before[8];
    OffsetPtr<void> pointer;
    char behind[8];
  } node{};
  node.pointer = OffsetPtr<void>(&node.pointer);
  EXPECT_EQ(node.pointer.get(), &node.pointer) << "an empty circular list";
  node.pointer = &node.before[7];
  EXPECT_EQ(node.pointer.get(), &node.before[7]);
  node.pointer = &node.behind[0];
  EXPECT_EQ(node.pointer.get(), &node.behind[0]);
  node.pointer = nullptr;
  EXPECT_EQ(node.pointer.get(), nullptr);
}

TEST(OffsetPtrTest, CopyPointsToTheSameTargetFromItsOwnPlace) {
  int target = 7;
  const OffsetPtr<int> one(&target);
  const auto two = std::make_unique<OffsetPtr<int>>(one);
  EXPECT_EQ(two->get(), &target);
  OffsetPtr<int> three;
  three = *two;
  EXPECT_EQ(three.get(), &target);
  three = OffsetPtr<int>();
  EXPECT_EQ(three.get(), nullptr);
  EXPECT_NE(std::memcmp(&one, two.get(), sizeof one), 0)
      << "the distances differ";
}

TEST(OffsetPtrTest, MeansTheSameInAnotherMapping) {
  const TwoViews views;
  struct Node {
    int value;
    OffsetPtr<Node> next;
  };
  Arena arena(views.here());
  Node* const first = new (arena.Take<Node>(1)) Node{0, nullptr};
  Node* last = first;
  for (int i = 1; i < 100; ++i) {
    last->next = new (arena.Take<Node>(1)) Node{i, nullptr};
    last = last->next.get();
  }
  int expected = 0;
  for (const Node* node = views.There(first); node != nullptr;
       node = node->next.get()) {
    ASSERT_EQ(node->value, expected++);
    ASSERT_GE(reinterpret_cast<const std::byte*>(node),
              views.there_bytes().data());
    ASSERT_LT(reinterpret_cast<const std::byte*>(node),
              views.there_bytes().data() + TwoViews::kBytes);
  }
  EXPECT_EQ(expected, 100);
}

TEST(OffsetPtrTest, AVectorOfTheStandardLibraryIsReadAtAnotherAddress) {
  const TwoViews views;
  Arena arena(views.here());
  using Vector = std::vector<int, ArenaAllocator<int>>;
  auto* const vector =
      new (arena.Take<Vector>(1)) Vector(ArenaAllocator<int>(&arena));
  for (int i = 0; i < 500; ++i) vector->push_back(i * i);
  vector->insert(vector->begin() + 10, -1);
  vector->erase(vector->begin());

  const Vector& seen = *views.There(vector);
  ASSERT_EQ(seen.size(), 500U);
  EXPECT_EQ(&seen[0], views.There(&(*vector)[0]));
  EXPECT_EQ(seen[8], 81);
  EXPECT_EQ(seen[9], -1);
  EXPECT_EQ(seen.back(), 499 * 499);
}

TEST(OffsetPtrTest, IsARandomAccessIterator) {
  static_assert(std::random_access_iterator<OffsetPtr<int>>);
  static_assert(std::random_access_iterator<OffsetPtr<const int>>);
  int numbers[] = {10, 11, 12, 13};
  OffsetPtr<int> at(numbers);
  EXPECT_EQ(*at++, 10);
  EXPECT_EQ(*++at, 12);
  EXPECT_EQ(*at--, 12);
  EXPECT_EQ(at[2], 13);
  EXPECT_EQ(*(at + 1), 12);
  EXPECT_EQ(*(1 + at), 12);
  EXPECT_EQ(at - OffsetPtr<int>(numbers), 1);
  at += 2;
  at -= 1;
  EXPECT_EQ(at.get(), numbers + 2);
  EXPECT_LT(OffsetPtr<int>(numbers), at);
  EXPECT_EQ(std::to_address(at), numbers + 2);
  EXPECT_EQ(std::pointer_traits<OffsetPtr<int>>::pointer_to(numbers[3]).get(),
            numbers + 3);
}

TEST(OffsetPtrTest, ConvertsAsPointersDo) {
  struct Base {
    int a = 1;
  };
  struct Derived : Base {
    int b = 2;
  } object;
  const OffsetPtr<Derived> derived(&object);
  const OffsetPtr<Base> base = derived;
  const OffsetPtr<const Base> constant = base;
  const OffsetPtr<const void> any = constant;
  EXPECT_EQ(any.get(), &object);
  EXPECT_EQ(OffsetPtr<const Derived>(any)->b, 2);
  EXPECT_EQ(OffsetPtr<Derived>(base)->b, 2);
  static_assert(!std::is_convertible_v<OffsetPtr<Base>, OffsetPtr<Derived>>);
  static_assert(!std::is_convertible_v<OffsetPtr<const int>, OffsetPtr<int>>);
  static_assert(!std::is_constructible_v<OffsetPtr<int>, OffsetPtr<double>>);
}

TEST(OffsetPtrTest, BoundsAreLookedAtForWhatAnotherProcessWrote) {
  const TwoViews views;
  struct alignas(8) Node {
    char bytes[24];
  };
  auto& pointer = *new (views.here()) OffsetPtr<Node>();
  const auto bounds = views.here_bytes();
  std::byte* const end = views.here() + TwoViews::kBytes;
  const auto at = [](std::byte* address) {
    return reinterpret_cast<Node*>(address);
  };
  EXPECT_EQ(pointer.GetWithin(bounds), nullptr) << "null";
  pointer = at(views.here());
  EXPECT_EQ(pointer.GetWithin(bounds), at(views.here()));
  pointer = at(end - sizeof(Node));
  EXPECT_EQ(pointer.GetWithin(bounds), at(end - sizeof(Node)));
  pointer = at(end - sizeof(Node) + 8);
  EXPECT_EQ(pointer.GetWithin(bounds), nullptr) << "reaches over the end";
  pointer = at(views.here() - 8);
  EXPECT_EQ(pointer.GetWithin(bounds), nullptr) << "before the beginning";
  pointer = at(views.here() + 68);
  EXPECT_EQ(pointer.GetWithin(bounds), nullptr) << "misaligned";
  pointer = at(views.here() + 64);
  EXPECT_EQ(pointer.GetWithin(bounds.first(64)), nullptr);
  EXPECT_EQ(pointer.GetWithin(bounds.first(8)), nullptr) << "no room for one";
  // Whatever the bytes are, the answer is null or inside.
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t bits = random() >> (random() % 64);
    std::memcpy(static_cast<void*>(&pointer), &bits, sizeof bits);
    const Node* const seen = pointer.GetWithin(bounds);
    if (seen == nullptr) continue;
    EXPECT_GE(reinterpret_cast<const std::byte*>(seen), views.here());
    EXPECT_LE(reinterpret_cast<const std::byte*>(seen + 1), end);
  }
}

}  // namespace
}  // namespace zcb::alloc
