// How victims call: each call is watched, counted, and its answer looked at.
#ifndef ZCB_TESTS_HOSTILE_CALLER_H_
#define ZCB_TESTS_HOSTILE_CALLER_H_

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "tests/hostile/stage.h"
#include "tests/hostile/step_budget.h"
#include "tests/hostile/victim.h"

namespace zcb::hostile {

class Caller {
 public:
  explicit Caller(Stage* stage) : stage_(stage) {}

  // Runs `call`, which answers a cs_error_t or a zcb_status: both have 1 for
  // success, and end below 100.
  template <typename Call>
  bool Do(const char* name, Call&& call) {
    BeginCall(name);
    const int answer = static_cast<int>(call());
    BeginCall("between calls");
    stage_->calls.fetch_add(1, std::memory_order_relaxed);
    if (answer < 1 || answer > 100) {
      std::fprintf(stderr, "%s answers %d\n", name, answer);
      _exit(kStrangeAnswer);
    }
    if (answer != 1) stage_->errors.fetch_add(1, std::memory_order_relaxed);
    return answer == 1;
  }
  // Reads some of the bytes that the library says are there.
  void Read(const void* bytes, std::size_t length_bytes) {
    const auto* const at = static_cast<const volatile unsigned char*>(bytes);
    if (length_bytes == 0) return;
    for (std::size_t i = 0; i < 32; ++i)
      sum_ += at[(length_bytes - 1) * i / 31];
  }
  // Writes some of them, the first and the last among them.
  static void Write(void* bytes, std::size_t length_bytes) {
    auto* const at = static_cast<volatile unsigned char*>(bytes);
    if (length_bytes == 0) return;
    for (std::size_t i = 0; i < 32; ++i) {
      at[(length_bytes - 1) * i / 31] = static_cast<unsigned char>(i);
    }
  }
  Stage& stage() const { return *stage_; }

 private:
  Stage* stage_;
  unsigned sum_ = 0;
};

}  // namespace zcb::hostile

#endif  // ZCB_TESTS_HOSTILE_CALLER_H_
