#include "tests/hostile/attacker.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace zcb::hostile {

using alloc::LeaseId;

// Relaxed, as everything here: an attacker has no manners.
std::uint64_t Attacker::Load(const std::byte* at, unsigned bytes) {
  const void* const word = at;
  switch (bytes) {
    case 1:
      return __atomic_load_n(static_cast<const std::uint8_t*>(word),
                             __ATOMIC_RELAXED);
    case 4:
      return __atomic_load_n(static_cast<const std::uint32_t*>(word),
                             __ATOMIC_RELAXED);
    default:
      return __atomic_load_n(static_cast<const std::uint64_t*>(word),
                             __ATOMIC_RELAXED);
  }
}

void Attacker::Store(std::byte* at, unsigned bytes, std::uint64_t value) {
  void* const word = at;
  switch (bytes) {
    case 1:
      __atomic_store_n(static_cast<std::uint8_t*>(word),
                       static_cast<std::uint8_t>(value), __ATOMIC_RELAXED);
      return;
    case 4:
      __atomic_store_n(static_cast<std::uint32_t*>(word),
                       static_cast<std::uint32_t>(value), __ATOMIC_RELAXED);
      return;
    default:
      __atomic_store_n(static_cast<std::uint64_t*>(word), value,
                       __ATOMIC_RELAXED);
  }
}

bool Attacker::HasMap() {
  // The region may have been replaced by one of the same name.
  if (map_ != nullptr && !dice_.OneIn(32)) return map_->IsWhole();
  undo_.clear();
  remembered_ = 0;
  map_ = RegionMap::Open(stem_);
  return map_ != nullptr;
}

void Attacker::Remember(const Place& place) {
  history_[remembered_++ % kMemory] = {place.at, place.bytes,
                                       Load(place.at, place.bytes)};
}

std::uint64_t Attacker::SomeNumber() {
  switch (dice_.Below(7)) {
    case 0:
      return 0;
    case 1:
      return ~std::uint64_t{0} - dice_.Below(4);
    case 2:
      return dice_.Below(16);
    case 3:
      return std::uint64_t{1} << dice_.Below(64);
    case 4:
      return (std::uint64_t{1} << dice_.Below(64)) - 1;
    case 5:
      return dice_.Next() & 0xffff'ffff;
    default:
      return dice_.Next();
  }
}

std::uint64_t Attacker::ValueFor(const Place& place) {
  const std::uint64_t seen = Load(place.at, place.bytes);
  if (place.has_forgery && !dice_.OneIn(3)) return place.forgery;
  switch (dice_.Below(6)) {
    case 0:
      return seen ^ (std::uint64_t{1} << dice_.Below(place.bytes * 8));
    case 1:
      return seen + (dice_.OneIn(2) ? 1 : ~std::uint64_t{0});
    case 2:  // a byte of it
      return seen ^ (dice_.Next() & 0xff) << 8 * dice_.Below(place.bytes);
    case 3:  // what another word says
      if (remembered_ != 0) {
        return history_[dice_.Next() %
                        std::min<std::uint64_t>(remembered_, kMemory)]
            .value;
      }
      [[fallthrough]];
    default:
      return SomeNumber();
  }
}

void Attacker::Change(const Place& place) {
  if (place.at == nullptr) return;
  Remember(place);
  if (undo_.size() < kMemory && dice_.OneIn(2)) {
    undo_.push_back({place.at, place.bytes, Load(place.at, place.bytes)});
  }
  Store(place.at, place.bytes, ValueFor(place));
}

// What was there before: honest again, or no more.
void Attacker::Undo() {
  const std::size_t which =
      dice_.Below(static_cast<std::uint32_t>(undo_.size()));
  Store(undo_[which].at, undo_[which].bytes, undo_[which].value);
  undo_[which] = undo_.back();
  undo_.pop_back();
}

void Attacker::Hammer(const Place& place) {
  if (place.at == nullptr) return;
  Remember(place);
  const std::uint64_t before = Load(place.at, place.bytes);
  const std::uint64_t values[] = {ValueFor(place), ValueFor(place), before};
  for (int i = 0; i < 20'000; ++i) {
    Store(place.at, place.bytes, values[i % 3]);
  }
}

void Attacker::RingABell() {
  const LeaseId lease = SomeLease();
  const std::string path = stem_ + ".bell." + std::to_string(lease.slot) + "." +
                           std::to_string(lease.generation) + "." +
                           std::to_string(dice_.Below(4));
  const alloc::UniqueFd bell(
      open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!bell.is_open()) return;
  constexpr std::array<char, 4096> kBytes{};
  for (int i = 0; i < 64; ++i) {
    if (write(bell.get(), kBytes.data(), kBytes.size()) < 0) return;
  }
}

// What was seen some time ago, changed by us since or by those who work.
void Attacker::Replay() {
  if (remembered_ == 0) return;
  const Old& old =
      history_[dice_.Next() % std::min<std::uint64_t>(remembered_, kMemory)];
  Store(old.at, old.bytes, old.value);
}

bool Attacker::Attack() {
  if (!HasMap()) return false;
  // Words to replay later.
  for (int i = 0; i < 4; ++i) {
    if (const Place place = Pick(); place.at != nullptr) Remember(place);
  }
  if (!undo_.empty() && dice_.OneIn(3)) {
    Undo();
    return true;
  }
  switch (dice_.Below(16)) {
    case 0:
    case 1:
      Replay();
      return true;
    case 2: {  // two that change places
      const Place one = Pick();
      const Place other = Pick();
      if (one.at == nullptr || other.at == nullptr) return true;
      const std::uint64_t value = Load(one.at, one.bytes);
      Store(one.at, one.bytes, Load(other.at, other.bytes));
      Store(other.at, other.bytes, value);
      return true;
    }
    case 3:
      Hammer(Pick());
      return true;
    case 4:
      RingABell();
      return true;
    case 5:
      if (dice_.OneIn(4)) {
        MoveRing();
        return true;
      }
      [[fallthrough]];
    default:
      Change(Pick());
      return true;
  }
}

bool Attacker::Truncate() {
  if (!HasMap()) return false;
  const bool is_meta = dice_.OneIn(2);
  const std::uint64_t whole =
      is_meta ? map_->geometry().meta_bytes : map_->geometry().region_bytes;
  std::uint64_t length_bytes = 0;
  switch (dice_.Below(4)) {
    case 0:
      break;
    case 1:
      length_bytes = whole / 2;
      break;
    case 2:  // not at a page
      length_bytes = whole - 1 - dice_.Below(8192);
      break;
    default:
      length_bytes = dice_.Next() % whole;
  }
  const int fd = is_meta ? map_->meta_fd() : map_->data_fd();
  const bool is_cut = ftruncate(fd, static_cast<off_t>(length_bytes)) == 0;
  // As if nothing had been: zeros where bytes were.
  if (is_cut && dice_.OneIn(3)) {
    return ftruncate(fd, static_cast<off_t>(whole)) == 0;
  }
  return is_cut;
}

}  // namespace zcb::hostile
