// Objects that a process has one or a few of, in memory that a child finds
// zeroed.
#ifndef ZCB_ALLOCATOR_WIPED_OBJECT_H_
#define ZCB_ALLOCATOR_WIPED_OBJECT_H_

#include <atomic>
#include <cstddef>
#include <new>

#include "allocator/wiped_memory.h"

namespace zcb::alloc {

// The base of a class T whose objects nobody may touch in a forked child, but
// for destroying them, which finds all members zero there. They lie together,
// in the page that every process has anyway (wiped_memory.h), and not one by
// one where malloc has some room. What was deleted is used again, for the same
// class; its memory never goes elsewhere.
//
// With AddressSanitizer they lie on the heap, where it sees who comes too late.
//
// word   written by        read by  edge
// free   Take, Give (CAS)  Take     wiped.free (deleted -> used again)
template <typename T>
class WipedObject {
 public:
  static void* operator new(std::size_t bytes) {
    void* const piece = Take(bytes);
    if (piece == nullptr) throw std::bad_alloc();
    return piece;
  }
  static void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return Take(bytes);
  }
  static void operator delete(void* piece) noexcept { Give(piece); }
  static void operator delete(void* piece, const std::nothrow_t&) noexcept {
    Give(piece);
  }

 private:
  friend T;
  WipedObject() = default;
  ~WipedObject() = default;

  struct Piece {
    Piece* next;
  };

#ifdef ZCB_WITH_ADDRESS_SANITIZER
  static void* Take(std::size_t bytes) noexcept {
    return ::operator new(bytes, std::nothrow);
  }
  static void Give(void* piece) noexcept { ::operator delete(piece); }
#else
  static void* Take(std::size_t bytes) noexcept {
    static_assert(alignof(T) <= WipedMemory::kAlignment);
    // All of the list at once, so nobody else's next piece is ours: who comes
    // meanwhile takes a new one. In a child the first piece is zeroed, and the
    // rest is not used again.
    // acquire <- wiped.free: whoever deleted it has finished with it
    Piece* const first = free_.exchange(nullptr, std::memory_order_acquire);
    if (first == nullptr) return WipedMemory::Take(bytes);
    if (first->next != nullptr) GiveList(first->next);
    return first;
  }
  static void Give(void* piece) noexcept {
    if (piece == nullptr) return;
    GiveList(new (piece) Piece{nullptr});
  }
  static void GiveList(Piece* list) noexcept {
    Piece* seen = nullptr;  // which is what our last one's next says
    Piece* last = nullptr;
    // release -> wiped.free: we have finished with it. Whoever acquires this
    // acquires what goes behind it, too, since it is a read-modify-write.
    // Failure relaxed: only pointed to.
    while (!free_.compare_exchange_weak(seen, list, std::memory_order_release,
                                        std::memory_order_relaxed)) {
      if (last == nullptr) {
        for (last = list; last->next != nullptr;) last = last->next;
      }
      last->next = seen;
    }
  }

  static inline constinit std::atomic<Piece*> free_{nullptr};
#endif
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_WIPED_OBJECT_H_
