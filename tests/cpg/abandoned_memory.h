// For tests whose forked children leave through exit(3).
#ifndef ZCB_TESTS_CPG_ABANDONED_MEMORY_H_
#define ZCB_TESTS_CPG_ABANDONED_MEMORY_H_

// What a child inherits over fork(2) (regions, tables, locks) is abandoned as
// it is, on purpose. Leak checkers, which look at exit, cannot know that.
extern "C" __attribute__((used, visibility("default"))) inline const char*
__lsan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "detect_leaks=0";
}

#endif  // ZCB_TESTS_CPG_ABANDONED_MEMORY_H_
