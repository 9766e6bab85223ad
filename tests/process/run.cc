#include "tests/process/run.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <new>
#include <random>
#include <thread>

#include "tests/process/allocator_scene.h"

namespace zcb::steps {
namespace {

// Each time the region is in a somewhat other state; every so often in a fresh
// one, as it was when the trace was recorded.
constexpr int kMostTries = 12;
constexpr int kTriesInAScene = 4;
// Nothing here waits for a dead or stopped process; if it does, say where.
constexpr unsigned kHangSeconds = 300;

char hang_text[200];

void SayThatItHangs(int) {
  (void)!write(STDERR_FILENO, hang_text, std::strlen(hang_text));
  _exit(3);
}

// Driver and child take turns: on one processor that is twice as fast. Another
// one each time, of those that the program was given.
void StayOnOneProcessor() {
  static const std::vector<std::size_t> allowed = [] {
    std::vector<std::size_t> numbers;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) return numbers;
    for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) numbers.push_back(i);
    }
    return numbers;
  }();
  static std::minstd_rand random(std::random_device{}());
  if (allowed.empty()) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(allowed[random() % allowed.size()], &one);
  sched_setaffinity(0, sizeof(one), &one);
}

}  // namespace

OperationRun::OperationRun(const Operation& operation, Mode mode)
    : operation_(operation), mode_(mode) {
  void* memory = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  board_ = new (memory) Board;
  StayOnOneProcessor();
  signal(SIGALRM, &SayThatItHangs);
}

OperationRun::~OperationRun() {
  scene_.reset();
  munmap(board_, sizeof(Board));
  alarm(0);
}

void OperationRun::NeedScene() {
  if (scene_ != nullptr &&
      positions_in_scene_++ < operation_.positions_per_scene) {
    return;
  }
  scene_.reset();
  StayOnOneProcessor();
  scene_ = operation_.make_scene();
  if (auto* const allocators = dynamic_cast<AllocatorScene*>(scene_.get())) {
    allocators->Use(board_);
  }
  scene_->SetPunching(operation_.punches);
  positions_in_scene_ = 1;
  // Once without looking: the first time is not like the others.
  const auto tracee = StartChild();
  if (tracee == nullptr) return;
  const pid_t pid = tracee->pid();
  tracee->Stop();
  tracee->Continue();
  if (operation_.hook) operation_.hook(*scene_);
  (void)tracee->Join();
  if (operation_.after) operation_.after(*scene_);
  (void)scene_->Mend({.pid = pid, .sends = operation_.sends});
}

int OperationRun::BeTheChild(Child* child) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto live = [&] {
    if (operation_.prepare) operation_.prepare(*child);
    Tracee::Begin(board_);
    const bool good = operation_.run(*child);
    board_->returned.store(good ? 1 : 0);
    board_->has_returned.store(true);
  };
  if (operation_.in_thread) {
    std::thread(live).join();
  } else {
    live();
    Tracee::End();
  }
  if (operation_.finish) operation_.finish(*child);
  // A clean end, with all that a process does then.
  exit(0);
}

std::unique_ptr<Tracee> OperationRun::StartChild() {
  scene_->Begin();
  board_->returned.store(0);
  if (operation_.before) operation_.before(*scene_);
  Meeting meeting;
  Child child;
  child.board = board_;
  child.meeting = &meeting;
  child.fresh_name = "fresh-" + std::to_string(fresh_names_++);
  std::fflush(nullptr);
  auto tracee =
      std::make_unique<Tracee>(board_, [&] { return BeTheChild(&child); });
  if (operation_.meet) {
    meeting.child_came.Wait();
    operation_.meet(*scene_);
    meeting.driver_came.Signal();
  }
  if (!tracee->WaitForBegin()) return nullptr;
  if (operation_.arrange) operation_.arrange(*scene_);
  return tracee;
}

void OperationRun::Note(std::size_t position, const std::string& text) {
  findings_.push_back(
      {position,
       trace_.Describe(position, CodeMap::OfThisProgram()) + ": " + text});
  // What is damaged stays damaged.
  scene_.reset();
}

void OperationRun::Mend(pid_t pid, std::size_t position) {
  if (operation_.after) operation_.after(*scene_);
  const ChildFacts facts{
      pid, operation_.is_member, operation_.leaves,
      board_->has_returned.load() && board_->returned.load() == 1,
      operation_.sends};
  const std::string finding = scene_->Mend(facts);
  if (!finding.empty()) Note(position, finding);
}

bool OperationRun::Record() {
  NeedScene();
  alarm(kHangSeconds);
  std::snprintf(hang_text, sizeof(hang_text), "steps: %s: hangs, recording\n",
                operation_.name.c_str());
  const auto tracee = StartChild();
  if (tracee == nullptr) {
    Note(0, "the child did not come to its marker");
    return false;
  }
  const pid_t pid = tracee->pid();
  const auto hook = [this] {
    if (operation_.hook) operation_.hook(*scene_);
  };
  const bool good =
      trace_.Record(tracee.get(), CodeMap::OfThisProgram(),
                    operation_.hook ? std::function<void()>(hook) : nullptr);
  if (!good) {
    Note(0, trace_.problem());
    return false;
  }
  if (!operation_.exits) {
    tracee->Stop();
    tracee->Continue();
  }
  const int code = tracee->Join();
  if (code != 0 || (!operation_.exits && board_->returned.load() != 1)) {
    Note(0, "the operation itself failed, exit code " + std::to_string(code));
    return false;
  }
  Mend(pid, trace_.size() - 1);
  trace_.Plan();
  return findings_.empty();
}

void OperationRun::At(std::size_t position) {
  for (int tries = 0; tries < kMostTries; ++tries) {
    if (tries != 0 && tries % kTriesInAScene == 0) scene_.reset();
    if (TryAt(position)) {
      ++reached_;
      return;
    }
  }
  ++missed_;
}

bool OperationRun::TryAt(std::size_t position) {
  NeedScene();
  alarm(kHangSeconds);
  std::snprintf(hang_text, sizeof(hang_text),
                "steps: %s: hangs at position %zu\n", operation_.name.c_str(),
                position);
  const auto tracee = StartChild();
  if (tracee == nullptr) {
    Note(position, "the child did not come to its marker");
    return true;
  }
  const pid_t pid = tracee->pid();
  const bool is_last = position + 1 == trace_.size();
  const Tracee::Event event =
      trace_.Lead(tracee.get(), position, [this] { operation_.hook(*scene_); });
  if (event == Tracee::Event::kDied) {
    Note(position, "it died of signal " + std::to_string(tracee->signal()));
    return true;
  }
  const bool is_over = event != Tracee::Event::kThere;
  const bool is_there = is_last == is_over;
  if (is_there && mode_ == Mode::kStop) {
    StandStill(tracee.get(), position, event == Tracee::Event::kExited);
  }
  if (scene_ == nullptr) return true;  // a finding
  tracee->Kill();
  Mend(pid, position);
  return is_there;
}

void OperationRun::StandStill(Tracee* tracee, std::size_t position,
                              bool is_over) {
  const bool thorough = position % operation_.thorough_every == 0;
  const ChildFacts facts{tracee->pid(), operation_.is_member, operation_.leaves,
                         false, operation_.sends};
  if (!is_over || operation_.in_thread) tracee->Stop();
  const std::string finding = scene_->WorkBesides(facts, thorough);
  if (!finding.empty()) {
    Note(position, "stopped: " + finding);
    return;
  }
  // Where the ring is full it might not get done what it wants to do.
  if (thorough || position % 2 != 0) return;
  tracee->Continue();
  if (operation_.hook && !trace_.IsAfterHook(position)) {
    operation_.hook(*scene_);
  }
  const int code = tracee->Join();
  if (code != 0 || (!operation_.exits && !board_->has_returned.load())) {
    Note(position, "went on, and ended with " + std::to_string(code));
  }
}

}  // namespace zcb::steps
