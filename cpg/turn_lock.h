// A mutex that threads get in the order in which they came.
#ifndef ZCB_CPG_TURN_LOCK_H_
#define ZCB_CPG_TURN_LOCK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace zcb::cpg {

// A thread may take it again inside. A plain mutex is had again by whoever has
// just given it up, for as long as that one likes; here a thread that finds it
// taken draws a number, and nobody who comes later is let in before it. What is
// nobody else's costs what the mutex costs. No cancellation point.
//
// The first of those that wait does so on the mutex, the others on `served_`.
//
// word     written by          read by  edge
// drawn_   Queue               all      none: the mutex carries everything
// served_  Queue (with mutex)  all      none: likewise
class TurnLock {
 public:
  TurnLock() = default;
  TurnLock(const TurnLock&) = delete;
  TurnLock& operator=(const TurnLock&) = delete;

  // True: the thread did not have it before.
  bool Lock() {
    if (mutex_.try_lock()) [[likely]] {
      if (depth_ != 0) {
        ++depth_;
        return false;
      }
      if (!Wanted()) [[likely]] {
        depth_ = 1;
        return true;
      }
      mutex_.unlock();  // it was free between two of those that wait
    }
    Queue();
    depth_ = 1;
    return true;
  }
  // False: another thread has it.
  bool TryLock() {
    if (!mutex_.try_lock()) return false;
    ++depth_;
    return true;
  }
  void Unlock() {
    --depth_;
    mutex_.unlock();
  }

  // --- by whoever has it -----------------------------------------------------
  // How often it has it.
  std::size_t depth() const { return depth_; }
  // How many others wait. relaxed, both: they wait a little longer if they are
  // not seen yet
  std::uint32_t WaitingCount() const {
    return drawn_.load(std::memory_order_relaxed) -
           served_.load(std::memory_order_relaxed);
  }
  bool Wanted() const { return WaitingCount() != 0; }
  // Lets all in that Wanted() has seen, and is the next. Precondition: depth()
  // is 1.
  void GiveWay() {
    depth_ = 0;
    mutex_.unlock();
    Queue();
    depth_ = 1;
  }

 private:
  [[gnu::noinline, gnu::cold]] void Queue() {
    // relaxed: a number; those that were seen to wait have lower ones
    const std::uint32_t number = drawn_.fetch_add(1, std::memory_order_relaxed);
    for (;;) {
      // relaxed, both: the mutex says what the one before us did
      const std::uint32_t serving = served_.load(std::memory_order_relaxed);
      if (serving == number) break;
      served_.wait(serving, std::memory_order_relaxed);
    }
    mutex_.lock();
    served_.store(number + 1, std::memory_order_relaxed);  // as above
    served_.notify_all();
  }

  std::recursive_mutex mutex_;  // guards depth_
  std::size_t depth_ = 0;
  std::atomic<std::uint32_t> drawn_{0};
  std::atomic<std::uint32_t> served_{0};
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_TURN_LOCK_H_
