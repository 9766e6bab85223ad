// A buffer of this process, found by its private tables.
#ifndef ZCB_ALLOCATOR_OWN_BUFFER_H_
#define ZCB_ALLOCATOR_OWN_BUFFER_H_

#include <atomic>
#include <cstdint>

namespace zcb::alloc {

// Nothing in it comes from shared memory or from a caller: only the allocator
// makes one, so it need not be found again when the buffer comes home. For one
// step after the other; it is not to be kept.
class OwnBuffer {
 public:
  OwnBuffer() = default;  // none
  bool ok() const { return word_ != nullptr; }
  std::uint32_t line() const { return line_; }
  std::uint32_t size_class() const { return size_class_; }
  std::atomic<std::uint64_t>& word() const { return *word_; }  // a BufferWord

 private:
  friend class Allocator;
  OwnBuffer(std::uint32_t line, std::uint32_t size_class,
            std::atomic<std::uint64_t>* word)
      : word_(word), line_(line), size_class_(size_class) {}

  std::atomic<std::uint64_t>* word_ = nullptr;
  std::uint32_t line_ = 0;
  std::uint32_t size_class_ = 0;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_OWN_BUFFER_H_
