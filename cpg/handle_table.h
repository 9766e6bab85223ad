// Handles: 64-bit numbers that stand for objects, safe against stale ones.
//
// handle = check << 32 | index. The slot's PinWord says which check is valid
// and how many threads are inside.
//
// word    written by                read by    edge it carries
// word    Open, Pin, Unpin, Close   all        handle.open   (object -> word)
//                                              handle.unpin  (last use -> word)
// note    Open, Pin::set_note       ReadNote   handle.note   (what it is about,
//                                              and the closing of the handle
//                                              that had the slot before ->
//                                              note)
// slots   Open                      all        handle.grow   (slots -> pointer)
#ifndef ZCB_CPG_HANDLE_TABLE_H_
#define ZCB_CPG_HANDLE_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>

#include "allocator/cancel_shield.h"
#include "allocator/errno_saver.h"
#include "allocator/wiped_memory.h"
#include "cpg/pin_word.h"
#include "cpg/random_check.h"

namespace zcb::cpg {

// Any thread. Lookup is lock-free and makes no system call; opening and the
// final destruction take a private mutex. Slots are never unmapped, so a stale
// handle reads a live word, whatever it is. There are addresses for all of
// them, and memory for those that were used.
//
// Beside its object a handle has a note, a word that the owner chooses and that
// ReadNote() gets without pinning: no write to a line that others use.
template <typename T>
class HandleTable {
  struct Slot;

 public:
  static constexpr std::uint32_t kMaxHandles = 32768;

  HandleTable() = default;
  HandleTable(const HandleTable&) = delete;
  HandleTable& operator=(const HandleTable&) = delete;
  // Only when nobody is inside; open objects are destroyed. The addresses are
  // not given back.
  ~HandleTable() {
    // relaxed: nobody else is here
    Slot* const slots = slots_.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < used_count_; ++i) delete slots[i].object;
  }

  // One thread's stay inside an object. Falsy: no such handle.
  class Pin {
   public:
    Pin() = default;
    Pin(Pin&& other) noexcept
        : table_(other.table_), slot_(other.slot_), kind_(other.kind_) {
      other.slot_ = nullptr;
    }
    Pin& operator=(Pin&&) = delete;
    ~Pin() { End(); }
    // Now already.
    void End() {
      if (slot_ == nullptr) return;
      table_->Unpin(slot_, kind_);
      slot_ = nullptr;
    }
    explicit operator bool() const { return slot_ != nullptr; }
    T* operator->() const { return slot_->object; }
    T& operator*() const { return *slot_->object; }
    // What is pinned, without whoever unpins it: to be handed to a function in
    // registers, where it becomes a pin of the same kind again.
    struct Loose {
      HandleTable* table;
      Slot* slot;
    };
    [[gnu::always_inline]] Loose Loosen() {
      const Loose loose{table_, slot_};
      slot_ = nullptr;
      return loose;
    }
    // Leaves the object pinned, and alone.
    void Forget() { slot_ = nullptr; }
    Pin(Loose loose, PinWord::Kind kind)
        : table_(loose.table), slot_(loose.slot), kind_(kind) {}
    void set_note(void* note) const {
      // release -> handle.note: what the note is about is whole
      slot_->note.store(note, std::memory_order_release);
    }

   private:
    friend class HandleTable;
    Pin(HandleTable* table, Slot* slot, PinWord::Kind kind)
        : table_(table), slot_(slot), kind_(kind) {}
    HandleTable* table_ = nullptr;
    Slot* slot_ = nullptr;
    PinWord::Kind kind_ = PinWord::Kind::kCall;
  };

  // A handle for the object; `prepare(object, handle)` runs before anybody can
  // look it up. 0: the table is full. May throw bad_alloc.
  template <typename Prepare>
  std::uint64_t Open(std::unique_ptr<T> object, Prepare&& prepare,
                     void* note = nullptr) {
    Slot* slot = TakeSlot();
    if (slot == nullptr) return 0;
    const std::uint32_t check = RandomCheck();
    const std::uint64_t handle = std::uint64_t{check} << 32 | IndexOf(slot);
    prepare(object.get(), handle);
    slot->object = object.release();
    // release -> handle.note: who reads this note for the slot's last handle
    // finds that one closed
    slot->note.store(note, std::memory_order_release);
    // release -> handle.open: the object is whole before it can be found
    slot->word.store(PinWord::Opened(check).raw(), std::memory_order_release);
    return handle;
  }

  Pin Find(std::uint64_t handle, PinWord::Kind kind = PinWord::Kind::kCall) {
    return Enter(handle, kind, [kind](PinWord word, std::uint32_t check) {
      return word.Pin(check, kind);
    });
  }

  // Finds and closes: no further Find() succeeds, and the object goes with the
  // last pin. Falsy: no such handle, or closed already.
  Pin Close(std::uint64_t handle) {
    return Enter(
        handle, PinWord::Kind::kCall,
        [](PinWord word, std::uint32_t check) { return word.Close(check); });
  }

  // The handle's note, in `*note`. False: no such handle, or closed. Wait-free,
  // loads alone.
  //
  // The note is this handle's and no other's: it is read between two looks at
  // the word. The first finds the handle open, so the note is its own or of a
  // later handle in the same slot; the latter was stored after our handle had
  // been closed, and then the second look finds it closed.
  bool ReadNote(std::uint64_t handle, void** note) const {
    const auto check = static_cast<std::uint32_t>(handle >> 32);
    const Slot* slot = SlotAt(static_cast<std::uint32_t>(handle));
    if (slot == nullptr) return false;
    // acquire <- handle.open: our note is there, or a later one
    if (!PinWord(slot->word.load(std::memory_order_acquire)).IsOpenAs(check)) {
      return false;
    }
    // acquire <- handle.note: what it is about; and if it is a later handle's,
    // the closing of ours
    void* const seen = slot->note.load(std::memory_order_acquire);
    // relaxed: not before the note, which was acquired
    if (!PinWord(slot->word.load(std::memory_order_relaxed)).IsOpenAs(check)) {
      return false;
    }
    *note = seen;
    return true;
  }

  // True if a sender may be inside. Call it after you have made what senders
  // look for unreachable: those that come later do not find it.
  bool AnySender(std::uint64_t handle) const {
    const Slot* slot = SlotAt(static_cast<std::uint32_t>(handle));
    // seq_cst <-> handle.pin: read after the member was exchanged, so a sender
    // not seen here sees the exchanged one
    return slot != nullptr &&
           PinWord(slot->word.load(std::memory_order_seq_cst)).senders() != 0;
  }

  // Every handle open at some moment of the call.
  template <typename Visit>
  void ForEachHandle(Visit&& visit) {
    for (std::uint32_t index = 0; index < kMaxHandles; ++index) {
      Slot* slot = SlotAt(index);
      if (slot == nullptr || !slot->was_used()) return;
      // relaxed: Find() looks again
      const PinWord word(slot->word.load(std::memory_order_relaxed));
      if (word.open()) visit(std::uint64_t{word.check()} << 32 | index);
    }
  }

  // True if no object is open or still in use.
  bool Empty() const {
    for (std::uint32_t index = 0; index < kMaxHandles; ++index) {
      const Slot* slot = SlotAt(index);
      if (slot == nullptr || !slot->was_used()) return true;
      // acquire <- handle.unpin: what the last ones inside did is done
      if (slot->word.load(std::memory_order_acquire) != 0) return false;
    }
    return true;
  }

 private:
  // Never constructed: fresh memory is a slot that was never used, which is
  // trivially what it starts with.
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> word;  // a PinWord
    T* object;                        // stays while the word is not zero
    Slot* next_free;                  // under the mutex
    std::atomic<void*> note;
    // Slots are used from the first one on. relaxed, both: who looks through
    // them need not see the one that is being opened
    std::atomic<bool> used;
    bool was_used() const { return used.load(std::memory_order_relaxed); }
  };

  Slot* SlotAt(std::uint32_t index) const {
    if (index >= kMaxHandles) [[unlikely]]
      return nullptr;
    // acquire <- handle.grow: the slots are zeroed
    Slot* const slots = slots_.load(std::memory_order_acquire);
    if (slots == nullptr) [[unlikely]]
      return nullptr;
    return slots + index;
  }
  std::uint32_t IndexOf(const Slot* slot) const {
    // relaxed: it is a slot, so they are there
    return static_cast<std::uint32_t>(slot -
                                      slots_.load(std::memory_order_relaxed));
  }

  template <typename Transition>
  Pin Enter(std::uint64_t handle, PinWord::Kind kind, Transition&& transition) {
    const auto check = static_cast<std::uint32_t>(handle >> 32);
    Slot* slot = SlotAt(static_cast<std::uint32_t>(handle));
    if (slot == nullptr) [[unlikely]]
      return Pin();
    // relaxed: the exchange below checks it
    std::uint64_t raw = slot->word.load(std::memory_order_relaxed);
    for (;;) {
      const auto next = transition(PinWord(raw), check);
      if (!next) [[unlikely]]
        return Pin();
      // seq_cst <-> handle.pin: counted before the object's member is read (see
      // AnySender()); also acquire <- handle.open: the object is whole.
      // Failure relaxed: tried again.
      if (slot->word.compare_exchange_weak(raw, next->raw(),
                                           std::memory_order_seq_cst,
                                           std::memory_order_relaxed)) {
        return Pin(this, slot, kind);
      }
    }
  }

  void Unpin(Slot* slot, PinWord::Kind kind) {
    // release -> handle.unpin: our use of the object is over.
    // acquire <- handle.unpin: so is everybody else's, if we are the last.
    const PinWord after(
        slot->word.fetch_sub(PinWord::One(kind), std::memory_order_acq_rel) -
        PinWord::One(kind));
    if (after.finished()) [[unlikely]]
      Destroy(slot);
  }

  [[gnu::noinline, gnu::cold]] void Destroy(Slot* slot) {
    // Closed and unpinned: nobody else touches the slot until it is free.
    // Functions that make no system call get here, too, and a destructor must
    // not be left by a cancellation.
    const alloc::ErrnoSaver saver;
    const alloc::CancelShield shield;
    delete slot->object;
    slot->object = nullptr;
    const std::lock_guard lock(mutex_);
    // release -> handle.unpin: the object is gone
    slot->word.store(0, std::memory_order_release);
    slot->next_free = first_free_;
    first_free_ = slot;
  }

  // A slot that nobody has; nullptr: there may be no more.
  Slot* TakeSlot() {
    const std::lock_guard lock(mutex_);
    if (Slot* const slot = first_free_; slot != nullptr) {
      first_free_ = slot->next_free;
      return slot;
    }
    if (used_count_ == kMaxHandles) return nullptr;
    // relaxed: written under the mutex
    Slot* slots = slots_.load(std::memory_order_relaxed);
    if (slots == nullptr) {
      slots = static_cast<Slot*>(
          alloc::WipedMemory::Take(kMaxHandles * sizeof(Slot)));
      if (slots == nullptr) throw std::bad_alloc();
      // release -> handle.grow: the slots are zeroed
      slots_.store(slots, std::memory_order_release);
    }
    Slot* const slot = slots + used_count_++;
    slot->used.store(true, std::memory_order_relaxed);  // see was_used()
    return slot;
  }

  std::atomic<Slot*> slots_{nullptr};
  std::mutex mutex_;  // guards the free list and its growth
  Slot* first_free_ = nullptr;
  std::uint32_t used_count_ = 0;
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_HANDLE_TABLE_H_
