// Threads that alloc, free, send, cancel, bring home and collect, all at once.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <random>
#include <thread>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr int kThreads = 4;
constexpr int kSteps = 30000;
constexpr std::uint32_t kUnits = 8;

class AllocatorStressTest : public testing::AllocatorTest {
 protected:
  AllocatorStressTest()
      : AllocatorTest(kUnits),
        owned_(kUnits * std::size_t{testing::kLinesPerUnit}) {}

  // Every line of a buffer has at most one holder: the thread that has it
  // live, or the message that it is.
  void Hold(BufferRef ref, std::uint64_t bytes) {
    for (const std::uint32_t line : {ref.line(), LastLine(ref, bytes)}) {
      doubles_ += owned_[line].exchange(1, std::memory_order_relaxed) != 0 &&
                  bytes > kLineBytes;
    }
  }
  void Drop(BufferRef ref, std::uint64_t bytes) {
    owned_[LastLine(ref, bytes)].store(0, std::memory_order_relaxed);
    owned_[ref.line()].store(0, std::memory_order_relaxed);
  }

  struct Message {
    BufferPlace place;
    std::uint64_t bytes;
  };
  void Post(const Message& message) {
    const std::lock_guard lock(mutex_);
    messages_.push_back(message);
  }
  bool Fetch(std::uint32_t random, Message* message) {
    const std::lock_guard lock(mutex_);
    if (messages_.empty()) return false;
    std::swap(messages_[random % messages_.size()], messages_.back());
    *message = messages_.back();
    messages_.pop_back();
    return true;
  }
  void Receive(const Message& message, std::uint32_t dice) {
    // Whatever the sender wrote is here.
    doubles_ += allocator().Pointer(message.place.ref)[0] != std::byte{0x5a};
    Drop(message.place.ref, message.bytes);
    std::uint64_t expected =
        message.place.word->load(std::memory_order_acquire);
    message.place.word->compare_exchange_strong(
        expected, BufferWord(expected).Free().raw(), std::memory_order_acq_rel,
        std::memory_order_relaxed);
    if (dice == 0) {
      message.place.hint->store(1, std::memory_order_release);
    } else if (dice != 1) {  // else: killed before the hint
      allocator().ComeBack(message.place);
    }
  }

  void Run(std::uint32_t seed);

  std::vector<std::atomic<std::uint8_t>> owned_;
  std::atomic<int> doubles_{0};
  std::mutex mutex_;
  std::vector<Message> messages_;

 private:
  static std::uint32_t LastLine(BufferRef ref, std::uint64_t bytes) {
    return ref.line() + static_cast<std::uint32_t>((bytes - 1) / kLineBytes);
  }
};

void AllocatorStressTest::Run(std::uint32_t seed) {
  testing::Random random(seed);
  std::vector<std::pair<BufferRef, std::uint64_t>> mine;
  for (int step = 0; step < kSteps; ++step) {
    const std::uint32_t dice = random.Below(100);
    if (dice < 45) {
      const std::uint64_t bytes =
          1 + random.Below(64U << (random.Below(100) == 0 ? random.Below(17)
                                                          : random.Below(10)));
      const auto ref = allocator().Alloc(bytes);
      if (!ref) continue;
      Hold(*ref, bytes);
      allocator().Pointer(*ref)[0] = std::byte{0x5a};
      mine.emplace_back(*ref, bytes);
    } else if (dice < 97) {
      Message message;
      if (dice >= 85) {
        if (Fetch(random.Below(1000), &message)) {
          Receive(message, random.Below(16));
        }
        continue;
      }
      if (mine.empty()) continue;
      std::swap(mine[random.Below(static_cast<std::uint32_t>(mine.size()))],
                mine.back());
      const auto [ref, bytes] = mine.back();
      mine.pop_back();
      if (dice < 65) {
        Drop(ref, bytes);
        doubles_ += !allocator().Free(ref).ok();
        continue;
      }
      const auto place = allocator().BeginSend(ref);
      doubles_ += !place.ok();
      place->word->store(
          BufferWord(place->word->load(std::memory_order_relaxed))
              .Send(1, static_cast<std::uint64_t>(step))
              .raw(),
          std::memory_order_release);
      allocator().CommitSend(*place);
      if (dice < 70) {
        allocator().CancelSend(*place);
        mine.emplace_back(ref, bytes);
      } else {
        Post({*place, bytes});
      }
    } else if (dice == 97) {
      allocator().Collect();
    } else if (dice == 98 && step % 16 == 0) {
      allocator().Stats();
    } else if (dice == 99 && !mine.empty()) {  // a late hint, or a forged one
      allocator()
          .Locate(mine.back().first)
          ->hint->store(1, std::memory_order_release);
    }
  }
  for (const auto& [ref, bytes] : mine) {
    Drop(ref, bytes);
    doubles_ += !allocator().Free(ref).ok();
  }
}

TEST_F(AllocatorStressTest, NoBufferIsLostOrHadTwice) {
  const auto seed = static_cast<std::uint32_t>(std::random_device{}());
  std::printf("seed %u\n", seed);
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, seed, t] { Run(seed + t); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Message& message : messages_) Receive(message, 2);
  EXPECT_EQ(doubles_, 0);
  allocator().Collect();
  const AllocatorStats stats = allocator().Stats();
  EXPECT_EQ(stats.live_buffers, 0U);
  EXPECT_EQ(stats.out_buffers, 0U);
  EXPECT_EQ(AllocAll(4096).size(), kUnits * kUnitBytes / 4096);
}

// Producers and consumers of one class: buffers travel from magazine to
// magazine through the depot.
TEST_F(AllocatorStressTest, BuffersFlowFromThreadToThread) {
  constexpr int kMessages = 100000;
  std::array<std::atomic<std::uint32_t>, 256> ring{};
  std::thread consumer([&] {
    for (int i = 0; i < kMessages; ++i) {
      auto& slot = ring[static_cast<std::size_t>(i) % ring.size()];
      std::uint32_t line = 0;
      while ((line = slot.load(std::memory_order_acquire)) == 0) {
        std::this_thread::yield();
      }
      slot.store(0, std::memory_order_release);
      doubles_ += !allocator().Free(BufferRef(line - 1)).ok();
    }
  });
  for (int i = 0; i < kMessages; ++i) {
    auto& slot = ring[static_cast<std::size_t>(i) % ring.size()];
    while (slot.load(std::memory_order_acquire) != 0) std::this_thread::yield();
    slot.store(MustAlloc(1000).line() + 1, std::memory_order_release);
  }
  consumer.join();
  EXPECT_EQ(doubles_, 0);
  EXPECT_EQ(allocator().Stats().live_buffers, 0U);
  EXPECT_LE(allocator().Stats().owned_units, 2U);
}

}  // namespace
}  // namespace zcb::alloc
