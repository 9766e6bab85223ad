#include "tests/order/journal.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tests/order/event_words.h"

namespace zcb::order {
namespace {

// For values that one process writes and another reads after it waited for its
// end, which orders everything.
constexpr auto kRelaxed = std::memory_order_relaxed;

constexpr std::size_t kComplaints = 16;
constexpr std::size_t kComplaintBytes = 256;

}  // namespace

struct Journal::Header {
  std::atomic<std::uint32_t> memberships;
  std::atomic<std::uint32_t> chunks;  // handed out; number 0 is never
  std::atomic<std::uint32_t> complaints;
  char complaint[kComplaints][kComplaintBytes];
};

struct Journal::Chunk {
  static constexpr std::size_t kWords = 1022;
  std::atomic<std::uint32_t> next;
  std::atomic<std::uint32_t> used_words;
  std::uint32_t words[kWords];
};

Journal::Journal(std::size_t memberships, std::size_t log_bytes)
    : Journal(memberships, log_bytes, memfd_create("journal", MFD_CLOEXEC)) {
  if (ftruncate(descriptor_, static_cast<off_t>(bytes_)) != 0) std::abort();
}

Journal::Journal(std::size_t memberships, std::size_t log_bytes, int descriptor)
    : membership_count_(memberships),
      chunk_count_(log_bytes / sizeof(Chunk)),
      bytes_(sizeof(Header) + memberships * sizeof(SharedMembership) +
             chunk_count_ * sizeof(Chunk)),
      descriptor_(descriptor) {
  Map();
}

void Journal::Map() {
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE, descriptor_, 0);
  if (memory == MAP_FAILED) std::abort();
  auto* at = static_cast<std::byte*>(memory);
  // All-zero is the beginning of each of them.
  header_ = reinterpret_cast<Header*>(at);
  at += sizeof(Header);
  memberships_ = reinterpret_cast<SharedMembership*>(at);
  at += membership_count_ * sizeof(SharedMembership);
  chunks_ = reinterpret_cast<Chunk*>(at);
}

Journal::~Journal() {
  munmap(header_, bytes_);
  close(descriptor_);
}

Entry Journal::Begin(std::uint32_t group, Address who) {
  const std::uint32_t number = header_->memberships.fetch_add(1, kRelaxed);
  if (number >= membership_count_) std::abort();
  SharedMembership& shared = memberships_[number];
  shared.group.store(group, kRelaxed);
  shared.node.store(who.node, kRelaxed);
  shared.pid.store(who.pid, kRelaxed);
  shared.join.store(static_cast<std::uint32_t>(Membership::Join::kUnknown),
                    kRelaxed);
  shared.end.store(static_cast<std::uint32_t>(Membership::End::kGone),
                   kRelaxed);
  return {this, &shared, number, group};
}

std::uint32_t Journal::GroupOf(std::uint32_t membership) const {
  // relaxed: written before the message that told us of it was sent
  return memberships_[membership].group.load(kRelaxed);
}

void Journal::Complain(std::string_view what) {
  const std::uint32_t place = header_->complaints.fetch_add(1, kRelaxed);
  if (place >= kComplaints) return;
  what = what.substr(0, kComplaintBytes - 1);
  std::memcpy(header_->complaint[place], what.data(), what.size());
}

std::vector<std::string> Journal::Complaints() const {
  const std::uint32_t count = header_->complaints.load(kRelaxed);
  std::vector<std::string> all;
  for (std::uint32_t i = 0; i < std::min<std::size_t>(count, kComplaints);
       ++i) {
    all.emplace_back(header_->complaint[i]);
  }
  if (count > kComplaints) {
    all.push_back("and " + std::to_string(count - kComplaints) + " more");
  }
  return all;
}

std::uint32_t Journal::NewChunk() {
  const std::uint32_t index = header_->chunks.fetch_add(1, kRelaxed) + 1;
  if (index >= chunk_count_) std::abort();
  return index;
}

Journal::Chunk& Journal::ChunkAt(std::uint32_t index) const {
  return chunks_[index];
}

History Journal::Read() const {
  History history;
  const std::uint32_t count = header_->memberships.load(kRelaxed);
  for (std::uint32_t i = 0; i < count; ++i) {
    const SharedMembership& shared = memberships_[i];
    Membership& membership = history.memberships.emplace_back();
    membership.group = shared.group.load(kRelaxed);
    membership.who = {shared.node.load(kRelaxed), shared.pid.load(kRelaxed)};
    membership.join = Membership::Join(shared.join.load(kRelaxed));
    membership.end = Membership::End(shared.end.load(kRelaxed));
    membership.read_to_its_leave = shared.read_to_its_leave.load(kRelaxed) != 0;
    membership.read_until_alone = shared.read_until_alone.load(kRelaxed) != 0;
    membership.may_be_evicted = shared.may_be_evicted.load(kRelaxed) != 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      membership.lanes[lane] = {shared.lanes[lane].begun.load(kRelaxed),
                                shared.lanes[lane].sent.load(kRelaxed),
                                shared.lanes[lane].before_leave.load(kRelaxed)};
    }
    ReadLog(shared, &membership.log);
  }
  return history;
}

void Journal::ReadLog(const SharedMembership& shared,
                      std::vector<Event>* log) const {
  std::uint32_t index = shared.first_chunk.load(kRelaxed);
  while (index != 0) {
    const Chunk& chunk = ChunkAt(index);
    // acquire <- journal.append: the words are whole
    std::span<const std::uint32_t> words(
        chunk.words, chunk.used_words.load(std::memory_order_acquire));
    while (!words.empty()) log->push_back(TakeEvent(&words));
    index = chunk.next.load(kRelaxed);
  }
}

// --- one membership ----------------------------------------------------------

void Entry::JoinReturned(bool joined) {
  shared_->join.store(
      static_cast<std::uint32_t>(joined ? Membership::Join::kJoined
                                        : Membership::Join::kRefused),
      kRelaxed);
}

void Entry::LeaveCalled() {
  for (SharedMembership::SharedLane& lane : shared_->lanes) {
    // acquire <- journal.sent: its cpg_mcast_joined is over
    lane.before_leave.store(lane.sent.load(std::memory_order_acquire),
                            kRelaxed);
  }
  shared_->end.store(static_cast<std::uint32_t>(Membership::End::kLeaveUnknown),
                     kRelaxed);
}

void Entry::LeaveReturned(bool left) {
  shared_->end.store(static_cast<std::uint32_t>(left ? Membership::End::kLeft
                                                     : Membership::End::kGone),
                     kRelaxed);
}

void Entry::ReadToItsLeave() { shared_->read_to_its_leave.store(1, kRelaxed); }

void Entry::ReadUntilAlone() { shared_->read_until_alone.store(1, kRelaxed); }

void Entry::MayBeEvicted() { shared_->may_be_evicted.store(1, kRelaxed); }

std::uint32_t Entry::SendCalled(std::uint32_t lane, std::uint32_t count) {
  const std::uint32_t number = shared_->lanes[lane].sent.load(kRelaxed);
  shared_->lanes[lane].begun.store(number + count, kRelaxed);
  return number;
}

void Entry::SendReturned(std::uint32_t lane, std::uint32_t sent) {
  SharedMembership::SharedLane& words = shared_->lanes[lane];
  const std::uint32_t now = words.sent.load(kRelaxed) + sent;
  // release -> journal.sent: they returned CS_OK
  words.sent.store(now, std::memory_order_release);
  words.begun.store(now, kRelaxed);
}

std::uint32_t Entry::SentOn(std::uint32_t lane) const {
  // acquire <- journal.sent: their cpg_mcast_joined are over
  return shared_->lanes[lane].sent.load(std::memory_order_acquire);
}

void Entry::Append(const Event& event) {
  if (event.kind != Event::Kind::kDrained) ++length_;
  std::vector<std::uint32_t> words;
  PutEvent(event, &words);
  if (words.size() > Journal::Chunk::kWords) std::abort();
  const auto used = [&] {
    return journal_->ChunkAt(chunk_).used_words.load(kRelaxed);
  };
  if (chunk_ == 0 || used() + words.size() > Journal::Chunk::kWords) {
    const std::uint32_t fresh = journal_->NewChunk();
    (chunk_ == 0 ? shared_->first_chunk : journal_->ChunkAt(chunk_).next)
        .store(fresh, kRelaxed);
    chunk_ = fresh;
  }
  Journal::Chunk& chunk = journal_->ChunkAt(chunk_);
  const std::uint32_t at = used();
  std::ranges::copy(words, chunk.words + at);
  // release -> journal.append: the words first, their number second, also for
  // one who is killed in between
  chunk.used_words.store(at + static_cast<std::uint32_t>(words.size()),
                         std::memory_order_release);
}

}  // namespace zcb::order
