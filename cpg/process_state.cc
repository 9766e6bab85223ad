#include "cpg/process_state.h"

#include <sched.h>
#include <sys/stat.h>
#include <unwind.h>

#include <algorithm>
#include <new>
#include <utility>

#include "allocator/wiped_memory.h"
#include "cpg/cs_error.h"

namespace zcb::cpg {

namespace {

// The shared library has an unwinder of its own, in a copy. When a thread is
// cancelled, or a callback throws, the program's unwinder walks through our
// frames, and the copy is asked to set registers whose sizes it learns only
// when it walks a stack itself: let it take one step now.
void PrepareUnwinder() {
  _Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; },
                    nullptr);
}

}  // namespace

constinit std::atomic<ProcessState*> ProcessState::current_{nullptr};

cs_error_t AnswerAfterDamage(cpg_handle_t handle, cs_error_t answer) {
  const auto pin = FindHandle(handle);
  return pin && pin->attachment().region().IsDamaged() ? CS_ERR_LIBRARY
                                                       : answer;
}

Result<ProcessState*> ProcessState::FindOrMake() {
  // acquire <- process.state: the state is whole
  ProcessState* seen = current_.load(std::memory_order_acquire);
  while (seen == nullptr || !seen->IsOurs()) {
    PrepareUnwinder();
    void* const memory = alloc::WipedMemory::Take(sizeof(ProcessState));
    if (memory == nullptr) return alloc::WipedMemory::WhyNot();
    auto* const fresh = new (memory) ProcessState;
    // release -> process.state: the state is whole. Success gives up `seen`,
    // the parent's, for good. Failure acquire <- process.state: another
    // thread's was first.
    if (current_.compare_exchange_strong(seen, fresh, std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
      seen = fresh;
    } else {
      fresh->~ProcessState();  // its memory is lost
    }
  }
  // relaxed: who comes at the very end may come before it or after it
  if (seen->closed_.load(std::memory_order_relaxed)) {
    return {Status::kLibrary, "the process is about to exit"};
  }
  return seen;
}

Result<std::shared_ptr<ipc::Attachment>> ProcessState::AttachDefault() {
  const auto options = ipc::IpcOptions::FromEnvironment();
  if (!options) return options.failure();
  const std::lock_guard lock(attach_mutex_);
  auto attachment = ipc::Attachment::Open(*options);
  if (!attachment) return attachment;
  if (std::ranges::find(attachments_, *attachment) != attachments_.end()) {
    return attachment;
  }
  const std::size_t index = attachments_.size();
  if (index == kMaxAttachments) {
    return {Status::kNoResources, "too many regions"};
  }
  attachments_.push_back(*attachment);
  // release -> process.attach: the attachment is whole
  reachable_[index].store(attachment->get(), std::memory_order_release);
  return attachment;
}

// True if nobody can be using memory of the region any more: the process has no
// thread left but this one (and the watcher of each region), or it has neither
// a live buffer nor a kept message. Exit handlers run while other threads run
// on, and a detach unmaps. If it may not, the kernel detaches for us at the
// very end, and the others reap us like any process that was killed.
bool ProcessState::MayDetach(ipc::Attachment* attachment) const {
  struct stat tasks{};
  // A directory's links: itself, its parent, and one per thread.
  const std::size_t most_links = 3 + attachments_.size();
  if (::stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink <= most_links) {
    return true;
  }
  const ipc::Attachment::Stats stats = attachment->ReadStats();
  return stats.allocator.live_buffers == 0 && stats.kept_messages == 0;
}

void ProcessState::Close() {
  // relaxed: see FindOrMake()
  closed_.store(true, std::memory_order_relaxed);
  handles_.ForEachHandle([this](std::uint64_t handle) {
    if (auto pin = handles_.Close(handle)) pin->BeginClose();
  });
  // Threads that waited for events are on their way out now, and need a moment.
  // One inside a callback may need for ever: then nothing is given back.
  constexpr int kMostYields = 1000;
  for (int i = 0; i < kMostYields && !handles_.Empty(); ++i) sched_yield();
  if (!handles_.Empty()) return;
  const std::lock_guard lock(attach_mutex_);
  for (std::size_t i = 0; i < attachments_.size(); ++i) {
    if (!MayDetach(attachments_[i].get())) continue;
    // relaxed: who still releases a message now is too late
    reachable_[i].store(nullptr, std::memory_order_relaxed);
    attachments_[i].reset();
  }
}

namespace {

// A destructor of the library, not of an object: it runs after every atexit()
// handler and static destructor of the program, which may still call us.
__attribute__((destructor)) void CloseAtExit() {
  if (ProcessState* state = ProcessState::Find()) state->Close();
}

}  // namespace
}  // namespace zcb::cpg
