// Threads that look up, use and close the same handles at once.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "cpg/handle_table.h"

namespace zcb::cpg {
namespace {

constexpr std::uint64_t kAlive = 0x600dcafe;

struct Probe {
  ~Probe() { value = 0; }
  std::uint64_t value = kAlive;
  std::uint64_t handle = 0;
};

TEST(HandleTableStressTest, NobodySeesAnObjectThatIsGone) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 20000;
  constexpr std::size_t kHandles = 4;
  HandleTable<Probe> table;
  std::atomic<std::uint64_t> handles[kHandles] = {};
  std::atomic<int> at_the_gate{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ++at_the_gate;
      while (at_the_gate != kThreads) std::this_thread::yield();
      for (int i = 0; i < kRounds; ++i) {
        auto& place = handles[static_cast<std::size_t>(i + t) % kHandles];
        // relaxed, here and below: what orders the rest is the table
        const std::uint64_t handle = place.load(std::memory_order_relaxed);
        switch ((i * 7 + t) % 4) {
          case 0: {
            const auto closing = table.Close(handle);
            if (closing) {
              EXPECT_EQ(closing->value, kAlive);
            }
            break;
          }
          case 1: {
            const std::uint64_t fresh = table.Open(
                std::make_unique<Probe>(),
                [](Probe* probe, std::uint64_t id) { probe->handle = id; });
            ASSERT_NE(fresh, 0U);
            (void)table.Close(place.exchange(fresh, std::memory_order_relaxed));
            break;
          }
          default: {
            const auto pin =
                table.Find(handle, i % 2 == 0 ? PinWord::Kind::kCall
                                              : PinWord::Kind::kSender);
            if (pin) {
              EXPECT_EQ(pin->value, kAlive);
              EXPECT_EQ(pin->handle, handle);
            }
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& handle : handles) (void)table.Close(handle);
  EXPECT_TRUE(table.Empty());
}

// One slot, opened and closed over and over: whoever reads a note gets the one
// that belongs to the handle he asked for, whole, or none.
TEST(HandleTableStressTest, NobodyReadsTheNoteOfAnotherHandle) {
  constexpr int kReaders = 2;
  constexpr int kRounds = 30000;
  // What a note is about: written before the handle is opened, without an
  // atomic, and never freed meanwhile.
  struct About {
    std::uint64_t check = 0;  // of its handle
    About* self = nullptr;
  };
  HandleTable<Probe> table;
  std::vector<About> abouts(2 * kRounds);
  std::atomic<std::uint64_t> current{0};
  std::atomic<int> at_the_gate{0};
  std::atomic<bool> stop{false};
  std::atomic<int> found{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < kReaders; ++t) {
    readers.emplace_back([&] {
      ++at_the_gate;
      // relaxed, here and below: what orders the rest is the table
      while (!stop.load(std::memory_order_relaxed)) {
        const std::uint64_t handle = current.load(std::memory_order_relaxed);
        void* note = nullptr;
        if (!table.ReadNote(handle, &note)) continue;
        const About* about = static_cast<About*>(note);
        ASSERT_EQ(about->self, about);
        ASSERT_EQ(about->check, handle >> 32);
        found.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  while (at_the_gate != kReaders) std::this_thread::yield();
  std::uint64_t previous = 0;
  for (int i = 0; i < kRounds; ++i) {
    About* about = &abouts[static_cast<std::size_t>(2 * i)];
    const std::uint64_t handle = table.Open(
        std::make_unique<Probe>(),
        [about](Probe*, std::uint64_t id) { *about = {id >> 32, about}; },
        about);
    ASSERT_NE(handle, 0U);
    current.store(handle, std::memory_order_relaxed);
    if (i == 0) {
      while (found.load(std::memory_order_relaxed) == 0) {
        std::this_thread::yield();
      }
    }
    // Another note, while it is read; written under the pin, so that only the
    // note itself can carry it.
    {
      const auto pin = table.Find(handle);
      ASSERT_TRUE(pin);
      About* other = about + 1;
      *other = {handle >> 32, other};
      pin.set_note(other);
      const int before = found.load(std::memory_order_relaxed);
      for (int turns = 0; turns < 100; ++turns) {
        if (found.load(std::memory_order_relaxed) != before) break;
      }
    }
    ASSERT_NE(handle, previous);
    previous = handle;
    ASSERT_TRUE(table.Close(handle));
  }
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace zcb::cpg
