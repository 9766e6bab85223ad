// Notices that a callback is left by longjmp(3), which runs no destructors.
#ifndef ZCB_CPG_JUMP_GUARD_H_
#define ZCB_CPG_JUMP_GUARD_H_

#include <pthread.h>

// In every libc.so.6, and declared by no header of it: the thread's list of
// cleanup routines from before the one that pthread.h offers today. longjmp(3)
// and siglongjmp(3) call those of the frames that they pass, innermost first,
// before they jump; so does the unwinding of a thread that ends.
extern "C" {
void _pthread_cleanup_push(struct _pthread_cleanup_buffer* buffer,
                           void (*routine)(void*), void* argument);
void _pthread_cleanup_pop(struct _pthread_cleanup_buffer* buffer, int execute);
}

namespace zcb::cpg {

// A frame that something calls back from. Lies on the stack, in the frame of a
// function that is not inlined: where it lies tells longjmp(3) whether it is
// passed. One thread.
class JumpGuard {
 public:
  JumpGuard() = default;
  ~JumpGuard() { Disarm(); }
  JumpGuard(const JumpGuard&) = delete;
  JumpGuard& operator=(const JumpGuard&) = delete;

  bool armed() const { return armed_; }
  // From now on a jump past this frame calls `on_jump(argument)` first, on the
  // jumping thread, while all frames still stand.
  void Arm(void (*on_jump)(void*), void* argument) {
    on_jump_ = on_jump;
    argument_ = argument;
    _pthread_cleanup_push(&entry_, &Passed, this);
    armed_ = true;
  }
  void Disarm() {
    if (!armed_) return;
    armed_ = false;
    // As a rule it is the last one. Coroutines of one thread that take turns
    // inside callbacks end theirs in any order: take out this one.
    _pthread_cleanup_buffer head;
    _pthread_cleanup_push(&head, &Passed, nullptr);
    for (_pthread_cleanup_buffer** link = &head.__prev; *link != nullptr;
         link = &(*link)->__prev) {
      if (*link != &entry_) continue;
      *link = entry_.__prev;
      break;
    }
    _pthread_cleanup_pop(&head, 0);
  }

 private:
  static void Passed(void* guard) {
    auto* const self = static_cast<JumpGuard*>(guard);
    self->armed_ = false;  // whoever calls us drops the entry
    self->on_jump_(self->argument_);
  }

  bool armed_ = false;
  void (*on_jump_)(void*) = nullptr;
  void* argument_ = nullptr;
  _pthread_cleanup_buffer entry_;
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_JUMP_GUARD_H_
