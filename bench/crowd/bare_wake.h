// The least that it takes to wake another process: the floors beside zcb's own
// ways, in the same rounds.
#ifndef ZCB_BENCH_CROWD_BARE_WAKE_H_
#define ZCB_BENCH_CROWD_BARE_WAKE_H_

#include <atomic>
#include <cstdint>

namespace zcb::bench {

// A word that the receiver sleeps on until it changes.
class BareFutex {
 public:
  void Wake();
  // Until the word is no longer `seen`.
  void Await(std::uint32_t seen) const;

 private:
  std::atomic<std::uint32_t> word_{0};
};

// An eventfd, awaited in poll(2). Made before the receiver is forked.
class BareEvent {
 public:
  BareEvent();
  ~BareEvent();
  BareEvent(const BareEvent&) = delete;
  BareEvent& operator=(const BareEvent&) = delete;
  void Wake() const;
  void Await() const;

 private:
  int fd_ = -1;
};

// A FIFO of its own without a name, awaited in poll(2): what a descriptor that
// is shared by name costs at least.
class BarePipe {
 public:
  BarePipe();
  ~BarePipe();
  BarePipe(const BarePipe&) = delete;
  BarePipe& operator=(const BarePipe&) = delete;
  void Wake() const;
  void Await() const;

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_CROWD_BARE_WAKE_H_
