// Fetches memory before it is needed.
#ifndef ZCB_ALLOCATOR_PREFETCH_H_
#define ZCB_ALLOCATOR_PREFETCH_H_

namespace zcb::alloc {

// Hints, of one line each; any address will do. Always inline, and so must be
// what only calls them: g++ takes a function that does nothing but prefetch for
// one without effect, and leaves its calls out.

[[gnu::always_inline]] inline void PrefetchToRead(const void* line) {
  __builtin_prefetch(line, 0, 3);
}

// Takes the line away from other processors now. Without it a store does, and
// the next locked operation waits until it has.
[[gnu::always_inline]] inline void PrefetchToWrite(const void* line) {
#if defined(__x86_64__)
  // Unless told that the processor has this instruction, compilers emit a
  // prefetch to read. A processor that has it not does nothing.
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line, 1, 3);
#endif
}

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_PREFETCH_H_
