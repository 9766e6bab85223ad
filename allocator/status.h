// The one error type of the library: a Status, and a Result that holds either
// a value or a Status with a sentence that says why.
//
// The numbers are those of cs_error_t (corosync/corotypes.h), so that the C
// API passes them on unchanged; tests/cpg pins the two to each other.
#ifndef ZCB_ALLOCATOR_STATUS_H_
#define ZCB_ALLOCATOR_STATUS_H_

#include <optional>
#include <utility>

namespace zcb {

enum class Status : int {
  kOk = 1,
  // A damaged region, or a kernel call that failed for no better-named reason:
  // give up on this handle.
  kLibrary = 2,
  // A region of another layout version: use the same release everywhere.
  kVersion = 3,
  // Nothing came, and no room either, in the time that the caller gave.
  kTimeout = 5,
  // Nothing is wrong, there is only no room yet (or nothing to receive yet):
  // try again.
  kTryAgain = 6,
  // The caller's mistake; the call had no effect.
  kInvalidParam = 7,
  // The region (or the file system under it) is full: free something.
  kNoMemory = 8,
  // No such handle, or a handle inherited over fork(2).
  kBadHandle = 9,
  // What is waited for cannot come before the caller does something himself.
  kBusy = 10,
  // A file with foreign owner, wrong mode, or no permission.
  kAccess = 11,
  kNotExist = 12,
  kNameTooLong = 13,
  kExist = 14,
  // A table with a fixed size (leases, groups, members, retain records,
  // descriptors, threads) is full.
  kNoResources = 18,
  kNotSupported = 19,
  kTooBig = 26,
};

// What went wrong, and why. `reason` is a string literal: never freed, never
// built at run time, safe to hand across threads.
struct Failure {
  Status status;
  const char* reason;
};

// A value, or the reason why there is none. Not for the hot path of a send or
// an alloc when T is large; T is moved in and out.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}   // NOLINT
  Result(Failure failure) : failure_(failure) {}  // NOLINT
  Result(Status status, const char* reason) : failure_{status, reason} {}

  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  Status status() const { return failure_.status; }
  const char* reason() const { return failure_.reason; }
  Failure failure() const { return failure_; }

  // Only when ok().
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T& operator*() & { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  const T& operator*() const& { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Failure failure_{Status::kOk, ""};
};

// Success, or a Failure: what a call without a value returns.
class [[nodiscard]] Outcome {
 public:
  Outcome() = default;
  Outcome(Failure failure) : failure_(failure) {}  // NOLINT
  Outcome(Status status, const char* reason) : failure_{status, reason} {}
  bool ok() const { return failure_.status == Status::kOk; }
  explicit operator bool() const { return ok(); }
  Status status() const { return failure_.status; }
  const char* reason() const { return failure_.reason; }
  Failure failure() const { return failure_; }

 private:
  Failure failure_{Status::kOk, ""};
};

}  // namespace zcb

#endif  // ZCB_ALLOCATOR_STATUS_H_
