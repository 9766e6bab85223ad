#include "allocator/process_watcher.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "allocator/errno_saver.h"
#include "allocator/lease.h"
#include "allocator/unique_fd.h"

namespace zcb::alloc {
namespace {

constexpr int kFirstPauseMs = 1;
constexpr int kMaxPauseMs = 256;
// How long somebody else is left to put right what a dead process left: not
// all alike, so that they do not all come at once if he is slow.
constexpr int kPatienceMs = 4;
constexpr int kPatienceStepMs = 2;
constexpr int kPatienceSteps = 16;
constexpr std::uint64_t kWakeTag = 0;  // no lease has generation 0

// Names a lease in an epoll event, so that a late one cannot be taken for
// news of the slot's next owner.
std::uint64_t TagOf(LeaseId lease) {
  return (std::uint64_t{lease.generation} << 32) | lease.slot;
}

int OpenPidfd(std::int32_t pid) {
  constexpr long kSysPidfdOpen = 434;  // the same on every architecture
  return pid <= 0 ? -1 : static_cast<int>(::syscall(kSysPidfdOpen, pid, 0));
}

// Not by the C++ library: when that is a shared one whose own calls are bound
// lazily, binding this one takes 3 KiB of the watcher's stack.
std::int64_t NowMs() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

struct ProcessWatcher::State {
  enum class Stage : std::uint8_t {
    kIdle,
    kFresh,      // to be checked once: it may have died before the watch
    kQuiet,      // the kernel will tell
    kSuspected,  // told, or mute: to be checked until it is decided
    kLeft,       // dead, and left to whoever said so, for a while
  };
  // Of a slot, or of the end of a list.
  using Index = std::uint16_t;
  static constexpr Index kNobody = 0xffff;
  struct Slot {
    LeaseId lease;
    std::int64_t due_ms = 0;  // kLeft: until when
    UniqueFd pidfd;
    UniqueFd life;
    Stage stage = Stage::kIdle;
    bool is_listed = false;
    Index next_listed = kNobody;
    Index next_due = kNobody;
  };
  static_assert(sizeof(Slot) == 32);

  State(std::shared_ptr<Region> its_region, Slot* all_slots)
      : region(std::move(its_region)), slots(all_slots) {}
  ~State() { std::destroy_n(slots, slot_count); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  static std::size_t SizeFor(const Region& for_region) {
    return sizeof(State) + for_region.geometry().lease_count * sizeof(Slot);
  }

  const std::shared_ptr<Region> region;
  OnGone on_gone = nullptr;
  void* context = nullptr;
  std::uint64_t own_namespace = 0;
  UniqueFd epoll;
  UniqueFd wake;
  std::mutex mutex;  // guards what follows, and the thread's start
  // By lease slot. There is room for all, behind us; made are those up to the
  // highest one that was ever watched.
  Slot* const slots;
  std::uint32_t slot_count = 0;
  bool must_stop = false;
  // Slots that are Fresh, Suspected or Left, and perhaps others.
  Index first_listed = kNobody;
  Index first_due = kNobody;  // of these, what the thread is going to judge

  bool Add(const UniqueFd& fd, std::uint64_t tag) const {
    if (!fd.is_open()) return false;
    epoll_event event = {};
    // Hang-ups are always reported.
    event.events = EPOLLIN | (tag == kWakeTag ? 0U : EPOLLONESHOT);
    event.data.u64 = tag;
    return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0;
  }
  void Mute(const UniqueFd& fd) const {
    if (!fd.is_open()) return;
    ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  }
  // Closing alone would not do: a forked child may have the descriptor too.
  void Drop(UniqueFd* fd) const {
    Mute(*fd);
    fd->Close();
  }
  void Forget(Slot* slot, Stage next) {
    Drop(&slot->pidfd);
    Drop(&slot->life);
    Enter(slot, next);
  }
  void Enter(Slot* slot, Stage next) {
    slot->stage = next;
    if (!NeedsALook(next) || slot->is_listed) return;
    slot->is_listed = true;
    slot->next_listed = first_listed;
    first_listed = static_cast<Index>(slot - slots);
  }
  static bool NeedsALook(Stage stage) {
    return stage == Stage::kFresh || stage == Stage::kSuspected ||
           stage == Stage::kLeft;
  }
  void WakeThread() const {
    const std::uint64_t one = 1;
    while (::write(wake.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
  }
  LeaseWord Word(LeaseId lease) const {
    // acquire <- lease.attach: the record belongs to the Alive word.
    return LeaseWord(
        region->lease_word(lease.slot).load(std::memory_order_acquire));
  }

  bool StartThread(SmallThread* thread);
  void Arm(Slot* slot) const;
  void Run();
  void Note(const epoll_event& event);
  void ListWhatIsDue();
  bool TakeDue(LeaseId* lease);
  void Judge(LeaseId lease);
  int PauseMs(bool has_news, int last_ms) const;
  std::int64_t PatienceMs() const;
};

namespace {

// Two entries of C linkage type: what pthread_create wants.
template <typename State>
void* RunState(void* state) {
  // By the thread itself: another one would write to /proc, and what the kernel
  // remembers of that makes each process's end dearer for whoever waits for it.
  ::prctl(PR_SET_NAME, "zcb-watcher");
  static_cast<State*>(state)->Run();
  return nullptr;
}

}  // namespace

bool ProcessWatcher::State::StartThread(SmallThread* thread) {
  if (thread->runs()) return true;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // A fault whose signal is blocked kills, handler or not.
  if (region->options().handle_sigbus) sigdelset(&all, SIGBUS);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const bool runs = thread->Start(RunState<State>, this);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return runs;
}

// Descriptors first, the check of the lock afterwards (by the thread): who
// holds his lock then is the process that the descriptors are about.
void ProcessWatcher::State::Arm(Slot* slot) const {
  const LeaseWord word = Word(slot->lease);
  if (!word.IsAlive(slot->lease.generation)) return;
  const LeaseRecord& record = region->lease_record(slot->lease.slot);
  // relaxed: ordered by the word read before.
  const std::uint64_t its_namespace =
      record.pid_namespace.load(std::memory_order_relaxed);
  const std::uint64_t tag = TagOf(slot->lease);
  if (own_namespace != 0 && its_namespace == own_namespace) {
    slot->pidfd = UniqueFd(OpenPidfd(word.pid()));
    if (!Add(slot->pidfd, tag)) slot->pidfd.Close();
  }
  if (Result<UniqueFd> life = region->OpenLifeOf(slot->lease.slot)) {
    slot->life = std::move(*life);
    if (!Add(slot->life, tag)) slot->life.Close();
  }
}

void ProcessWatcher::State::Run() {
  region->RaiseLife();
  int pause_ms = -1;
  for (;;) {
    std::array<epoll_event, 16> events;  // little stack
    const int count = ::epoll_wait(epoll.get(), events.data(),
                                   static_cast<int>(events.size()), pause_ms);
    bool has_news = false;
    {
      const std::lock_guard<std::mutex> held(mutex);
      if (must_stop) return;
      for (int i = 0; i < count; ++i) {
        Note(events[static_cast<std::size_t>(i)]);
        has_news = true;
      }
      ListWhatIsDue();
    }
    for (LeaseId lease; TakeDue(&lease);) Judge(lease);

    const std::lock_guard<std::mutex> held(mutex);
    if (must_stop) return;
    pause_ms = PauseMs(has_news, pause_ms);
  }
}

// With the mutex held. Not through all slots: a crowd of watchers is woken for
// one death, and there are many slots.
void ProcessWatcher::State::ListWhatIsDue() {
  const std::int64_t now_ms = NowMs();
  for (Index* link = &first_listed; *link != kNobody;) {
    Slot& slot = slots[*link];
    slot.is_listed = NeedsALook(slot.stage);
    if (!slot.is_listed) {
      *link = slot.next_listed;
      continue;
    }
    if (slot.stage != Stage::kLeft || slot.due_ms <= now_ms) {
      slot.next_due = first_due;
      first_due = *link;
    }
    link = &slot.next_listed;
  }
}

// Without the mutex. False: there is none left.
bool ProcessWatcher::State::TakeDue(LeaseId* lease) {
  const std::lock_guard<std::mutex> held(mutex);
  if (first_due == kNobody) return false;
  const Slot& slot = slots[first_due];
  first_due = slot.next_due;
  *lease = slot.lease;
  return true;
}

// With the mutex held. Until the next look that nobody will tell us to make;
// -1: there is none.
int ProcessWatcher::State::PauseMs(bool has_news, int last_ms) const {
  int pause_ms = -1;
  for (Index index = first_listed; index != kNobody;) {
    const Slot& slot = slots[index];
    index = slot.next_listed;
    int slot_ms = 0;
    if (slot.stage == Stage::kSuspected) {
      slot_ms = has_news || last_ms < 0 ? kFirstPauseMs
                                        : std::min(last_ms * 2, kMaxPauseMs);
    } else if (slot.stage == Stage::kLeft) {
      slot_ms =
          static_cast<int>(std::max<std::int64_t>(slot.due_ms - NowMs(), 0));
    } else {
      continue;
    }
    pause_ms = pause_ms < 0 ? slot_ms : std::min(pause_ms, slot_ms);
  }
  return pause_ms;
}

std::int64_t ProcessWatcher::State::PatienceMs() const {
  return kPatienceMs +
         kPatienceStepMs * (region->lease().slot % kPatienceSteps);
}

// With the mutex held.
void ProcessWatcher::State::Note(const epoll_event& event) {
  if (event.data.u64 == kWakeTag) {
    std::uint64_t drained = 0;
    while (::read(wake.get(), &drained, sizeof drained) < 0 && errno == EINTR) {
    }
    return;
  }
  Slot& slot = slots[event.data.u64 & 0xffff];
  if (TagOf(slot.lease) != event.data.u64 || slot.stage == Stage::kIdle ||
      slot.stage == Stage::kLeft) {
    return;
  }
  // One of the two has told, and tells no more; nor shall the other. That is
  // all for now: closing a FIFO without a writer wakes all who poll it, and
  // there is somebody to be told.
  if (slot.stage != Stage::kSuspected) Mute(slot.pidfd);
  Enter(&slot, Stage::kSuspected);
}

// Of a crowd of watchers that the kernel wakes for one death, one puts things
// right, at once, and tells the members; the others are in its way until that
// is done. They see to it afterwards, in case it was killed or stopped.
void ProcessWatcher::State::Judge(LeaseId lease) {
  const Verdict verdict = region->Judge(lease);
  const bool is_alive =
      verdict == Verdict::kNotDead && Word(lease).IsAlive(lease.generation);
  {
    const std::lock_guard<std::mutex> held(mutex);
    Slot& slot = slots[lease.slot];
    if (!(slot.lease == lease)) return;  // the slot's next owner is watched
    if (is_alive) {
      if (slot.stage == Stage::kSuspected) Forget(&slot, Stage::kSuspected);
      const bool is_mute = !slot.pidfd.is_open() && !slot.life.is_open();
      Enter(&slot, is_mute ? Stage::kSuspected : Stage::kQuiet);
      return;
    }
    if (verdict == Verdict::kWasDead && slot.stage != Stage::kLeft) {
      slot.due_ms = NowMs() + PatienceMs();
      Enter(&slot, Stage::kLeft);
      return;
    }
    if (verdict == Verdict::kNotDead) Forget(&slot, Stage::kIdle);
  }
  if (verdict == Verdict::kNotDead) return;
  on_gone(context, lease);
  const std::lock_guard<std::mutex> held(mutex);
  Slot& slot = slots[lease.slot];
  if (slot.lease == lease) Forget(&slot, Stage::kIdle);
}

ProcessWatcher::ProcessWatcher(SmallThread thread, State* state)
    : thread_(std::move(thread)), state_(state) {}

Result<std::unique_ptr<ProcessWatcher>> ProcessWatcher::Start(
    std::shared_ptr<Region> region, OnGone on_gone, void* context) {
  const ErrnoSaver errno_saver;
  constexpr Failure kNoPrivateMemory{Status::kNoMemory, "no private memory"};
  SmallThread thread(State::SizeFor(*region));
  if (!thread.ok()) return kNoPrivateMemory;
  auto* const slots = reinterpret_cast<State::Slot*>(
      static_cast<std::byte*>(thread.state()) + sizeof(State));
  auto* const state = new (thread.state()) State(std::move(region), slots);
  std::unique_ptr<ProcessWatcher> watcher(
      new (std::nothrow) ProcessWatcher(std::move(thread), state));
  if (watcher == nullptr) {
    std::destroy_at(state);
    return kNoPrivateMemory;
  }
  state->on_gone = on_gone;
  state->context = context;
  state->own_namespace = OwnPidNamespace();
  state->epoll = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  state->wake = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->epoll.is_open() || !state->Add(state->wake, kWakeTag)) {
    return {Status::kNoResources, "no descriptor for a watcher"};
  }
  return watcher;
}

ProcessWatcher::~ProcessWatcher() {
  const ErrnoSaver errno_saver;
  if (!state_->region->IsOurs()) {
    thread_.Abandon();  // it is the parent's
    return;
  }
  bool runs = false;
  {
    const std::lock_guard<std::mutex> held(state_->mutex);
    state_->must_stop = true;
    runs = thread_.runs();
  }
  if (runs) {
    state_->WakeThread();
    thread_.Join();
  }
  std::destroy_at(state_);
}

void ProcessWatcher::Watch(LeaseId lease) {
  const ErrnoSaver errno_saver;
  State& state = *state_;
  if (!state.region->IsOurs()) return;
  if (lease.slot >= state.region->geometry().lease_count ||
      lease.generation == 0) {
    return;
  }
  {
    const std::lock_guard<std::mutex> held(state.mutex);
    for (; state.slot_count <= lease.slot; ++state.slot_count) {
      new (&state.slots[state.slot_count]) State::Slot;
    }
    State::Slot& slot = state.slots[lease.slot];
    if (slot.lease == lease && slot.stage != State::Stage::kIdle) return;
    if (!state.StartThread(&thread_)) return;
    state.Forget(&slot, State::Stage::kFresh);
    slot.lease = lease;
    state.Arm(&slot);
  }
  state.WakeThread();
}

Outcome ProcessWatcher::StartThread() {
  const ErrnoSaver errno_saver;
  const std::lock_guard<std::mutex> held(state_->mutex);
  if (state_->StartThread(&thread_)) return {};
  return {Status::kNoResources, "no thread for a watcher"};
}

Outcome ProcessWatcher::PublishLife() { return state_->region->PublishLife(); }
void ProcessWatcher::WithdrawLife() { state_->region->WithdrawLife(); }

}  // namespace zcb::alloc
