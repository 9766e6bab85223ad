// Floor: "write here, read there". The sender writes into one of a few
// rotating buffers and says so in one cache line; the receiver reads it there
// and says that it has in another. No allocator, no checks, no membership:
// what the memory of the machine takes for a payload, and its kernel for
// waking somebody up.
#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string_view>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kLineBytes = 64;
// A few MiB rotate: cheaper than the same buffer over and over, whose lines lie
// in the reader's cache, and than more than the caches hold.
constexpr std::size_t kRotationBytes = 4 << 20;
constexpr std::size_t kMostBuffers = 1024;
constexpr std::size_t kLeastBuffers = 4;

// What the receiver does while there is nothing.
enum class Rest : std::uint8_t { kSpin, kFutex, kEventfd, kPoll };

Rest RestOf(std::string_view variant) {
  if (variant == "floor_futex") return Rest::kFutex;
  if (variant == "floor_poll") return Rest::kPoll;
  return variant == "floor_eventfd" ? Rest::kEventfd : Rest::kSpin;
}

class HandOverFloor {
 public:
  static constexpr std::array kVariants = {
      Variant{"floor_hand_over", Wait::kBusy,
              "write here, read there, by one cache line"},
      Variant{"floor_futex", Wait::kSleep,
              "the same; the reader sleeps on a futex"},
      Variant{"floor_eventfd", Wait::kSleep,
              "the same; the reader sleeps in read(2) of an eventfd"},
      Variant{"floor_poll", Wait::kSleep,
              "the same; the reader sleeps in poll(2), then reads the eventfd"},
  };

  explicit HandOverFloor(const PeerSetup& setup)
      : rest_(RestOf(setup.variant.name)),
        buffer_bytes_(setup.largest_bytes),
        buffer_count_(std::clamp(kRotationBytes / buffer_bytes_, kLeastBuffers,
                                 kMostBuffers)) {
    mapped_bytes_ = sizeof(Shared) + 2 * buffer_count_ * buffer_bytes_;
    void* memory = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) Fail("mmap: {}", std::strerror(errno));
    shared_ = new (memory) Shared{};
    buffers_ = static_cast<std::byte*>(memory) + sizeof(Shared);
    for (int& bell : bells_) {
      bell = ::eventfd(0, EFD_CLOEXEC);
      if (bell < 0) Fail("eventfd: {}", std::strerror(errno));
    }
  }
  ~HandOverFloor() {
    ::munmap(shared_, mapped_bytes_);
    for (const int bell : bells_) ::close(bell);
  }
  HandOverFloor(const HandOverFloor&) = delete;
  HandOverFloor& operator=(const HandOverFloor&) = delete;

  void Connect(Side side) {
    const std::size_t index = side == Side::kFirst ? 0 : 1;
    out_ = &shared_->lanes[index];
    in_ = &shared_->lanes[1 - index];
    out_buffers_ = buffers_ + index * buffer_count_ * buffer_bytes_;
    in_buffers_ = buffers_ + (1 - index) * buffer_count_ * buffer_bytes_;
    out_bell_ = bells_[index];
    in_bell_ = bells_[1 - index];
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    if (sent_ - read_by_other_ == buffer_count_) {
      // acquire: its reads are over
      read_by_other_ = out_->read.load(std::memory_order_acquire);
      if (sent_ - read_by_other_ == buffer_count_) return {};
    }
    return {out_buffers_ + sent_ % buffer_count_ * buffer_bytes_, length_bytes};
  }

  bool Send() {
    // release: what was written is there. 32 bits, since a futex has those.
    out_->written.store(static_cast<std::uint32_t>(++sent_),
                        std::memory_order_release);
    if (rest_ == Rest::kFutex) {
      ::syscall(SYS_futex, &out_->written, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    } else if (HasBell()) {
      const std::uint64_t one = 1;
      if (::write(out_bell_, &one, sizeof(one)) < 0) Fail("eventfd: write");
    }
    return true;
  }

  bool Receive(const auto& reader) {
    if (HasBell() && seen_ == received_) {
      pollfd bell{in_bell_, POLLIN, 0};
      if (rest_ == Rest::kPoll && ::poll(&bell, 1, -1) < 0) Fail("poll");
      std::uint64_t rings = 0;
      if (::read(in_bell_, &rings, sizeof(rings)) < 0) Fail("eventfd: read");
    }
    const auto received = static_cast<std::uint32_t>(received_);
    std::uint32_t written = Written();
    while (written == received) {
      if (rest_ != Rest::kFutex) return false;
      ::syscall(SYS_futex, &in_->written, FUTEX_WAIT, written, nullptr, nullptr,
                0);
      written = Written();
    }
    seen_ = received_ + (written - received);
    for (; received_ != seen_; ++received_) {
      reader(std::span(in_buffers_ + received_ % buffer_count_ * buffer_bytes_,
                       buffer_bytes_));
      if (received_ % kReadsBetweenWord == 0) SayRead(received_ + 1);
    }
    SayRead(received_);
    return true;
  }

  void Service() {}

 private:
  // One direction.
  struct Lane {
    alignas(kLineBytes) std::atomic<std::uint32_t> written;
    alignas(kLineBytes) std::atomic<std::uint64_t> read;
  };
  struct Shared {
    std::array<Lane, 2> lanes;
  };
  static constexpr std::uint64_t kReadsBetweenWord = 4;

  bool HasBell() const {
    return rest_ == Rest::kEventfd || rest_ == Rest::kPoll;
  }
  std::uint32_t Written() const {
    // acquire: the payload behind it
    return in_->written.load(std::memory_order_acquire);
  }
  void SayRead(std::uint64_t count) {
    // release: our reads are over
    in_->read.store(count, std::memory_order_release);
  }

  Rest rest_;
  std::size_t mapped_bytes_ = 0;
  Shared* shared_ = nullptr;
  std::byte* buffers_ = nullptr;
  std::size_t buffer_bytes_;
  std::size_t buffer_count_;  // of each side
  std::array<int, 2> bells_{-1, -1};

  Lane* out_ = nullptr;
  Lane* in_ = nullptr;
  std::byte* out_buffers_ = nullptr;
  const std::byte* in_buffers_ = nullptr;
  int out_bell_ = -1;
  int in_bell_ = -1;
  std::uint64_t sent_ = 0;
  std::uint64_t read_by_other_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t seen_ = 0;  // received, or known to be there
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::HandOverFloor>(
      argc, argv, "floor_hand_over");
}
