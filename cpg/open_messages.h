// Which messages a handle has open, for threads that do not hold its lock.
//
// One place per nesting level of callbacks, and one for what was pulled. Opened
// and closed under the handle's lock; looked up by anybody, who gets a copy of
// one opening or nothing.
//
// word      written by     read by  edge it carries
// turn      Open           Find     open.begin  (fields -> even turn)
// fields    Open           Find     open.write  (odd turn -> each field)
// payload   Open, Close    Find     open.write, likewise
// next      Reserve        Find     open.grow   (chunk -> pointer)
//
// A reader that meets a field of a later opening meets its odd turn, too: open
// turns differ before and after, or the payload is another. It does not try
// again: a place that is being written is that of a message nobody has seen.
//
// What was closed meanwhile is the reader's to notice by other means (a
// buffer's own word): that an opening was whole does not say that it lasts.
#ifndef ZCB_CPG_OPEN_MESSAGES_H_
#define ZCB_CPG_OPEN_MESSAGES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "ipc/begun_message.h"

namespace zcb::cpg {

// Reserve, Open and Close: one thread at a time. Find: any number; wait-free.
// Chunks stay until the end. The first places need no chunk: one for what was
// pulled, one for a callback.
class OpenMessages {
 public:
  static constexpr std::size_t kPlacesInside = 2;
  static constexpr std::size_t kPlacesPerChunk = 8;

  OpenMessages() = default;
  OpenMessages(const OpenMessages&) = delete;
  OpenMessages& operator=(const OpenMessages&) = delete;
  // When nobody is inside.
  ~OpenMessages() {
    // relaxed, both: nobody else is here
    for (Chunk* chunk = next_.load(std::memory_order_relaxed);
         chunk != nullptr;) {
      const std::unique_ptr<Chunk> owned(chunk);
      chunk = owned->next.load(std::memory_order_relaxed);
    }
  }

  // Makes places 0 to `place`. May throw bad_alloc; nothing has changed then.
  void Reserve(std::size_t place) { (void)PlaceAt(place, true); }

  // Precondition, of both: reserved. In line, since what is pulled one by one
  // has a place that is known when this is compiled.
  [[gnu::always_inline]] void Open(std::size_t place_index,
                                   const ipc::BegunMessage& message) {
    Place& place = *PlaceAt(place_index, false);
    // relaxed, both: our own word; carried by the releases of the fields
    const std::uint64_t turn = place.turn.load(std::memory_order_relaxed) + 1;
    place.turn.store(turn, std::memory_order_relaxed);
    // release -> open.write, all of these: behind the odd turn
    place.where.store(std::uint64_t{message.buffer.line()} << 32 |
                          std::uint64_t{message.group_slot} << 16 |
                          message.entry,
                      std::memory_order_release);
    // release -> open.write: as above
    place.position.store(message.position, std::memory_order_release);
    // release -> open.write: as above
    place.length_bytes.store(message.length_bytes, std::memory_order_release);
    // release -> open.write: as above
    place.payload.store(message.payload, std::memory_order_release);
    // release -> open.begin: the fields are whole
    place.turn.store(turn + 1, std::memory_order_release);
  }

  [[gnu::always_inline]] void Close(std::size_t place_index) {
    // relaxed: nobody learns anything by it
    PlaceAt(place_index, false)
        ->payload.store(nullptr, std::memory_order_relaxed);
  }

  // The first `count` places. Not in line: whoever ends what was pulled one by
  // one pays nothing for it.
  [[gnu::noinline]] void CloseFirst(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) Close(i);
  }

  // The open message whose payload starts there, if there is one.
  std::optional<ipc::BegunMessage> Find(const void* payload) const {
    if (payload == nullptr) return std::nullopt;
    ipc::BegunMessage found;
    for (const Place& place : places_) {
      if (Read(place, payload, &found)) return found;
    }
    // acquire <- open.grow: its places are empty, or written since
    for (const Chunk* chunk = next_.load(std::memory_order_acquire);
         chunk != nullptr;
         // acquire <- open.grow: as above
         chunk = chunk->next.load(std::memory_order_acquire)) {
      for (const Place& place : chunk->places) {
        if (Read(place, payload, &found)) return found;
      }
    }
    return std::nullopt;
  }

 private:
  struct Place {
    std::atomic<const std::byte*> payload{nullptr};  // nullptr: none open
    std::atomic<std::uint64_t> turn{0};              // odd: just being written
    std::atomic<std::uint64_t> where{0};  // line:32, group:16, entry:16
    std::atomic<std::uint64_t> position{0};
    std::atomic<std::uint64_t> length_bytes{0};
  };
  struct Chunk {
    std::array<Place, kPlacesPerChunk> places;
    std::atomic<Chunk*> next{nullptr};
  };

  static bool Read(const Place& place, const void* payload,
                   ipc::BegunMessage* found) {
    // relaxed: a first look, repeated below
    if (place.payload.load(std::memory_order_relaxed) != payload) return false;
    // acquire <- open.begin: the fields of this turn, or of a later one
    const std::uint64_t turn = place.turn.load(std::memory_order_acquire);
    if (turn % 2 != 0) return false;
    // acquire <- open.write: if it is of a later turn, so is our last look
    const std::uint64_t where = place.where.load(std::memory_order_acquire);
    found->buffer = alloc::BufferRef(static_cast<std::uint32_t>(where >> 32));
    found->group_slot = static_cast<std::uint32_t>(where >> 16 & 0xffff);
    found->entry = static_cast<std::uint16_t>(where);
    // acquire <- open.write: as above
    found->position = place.position.load(std::memory_order_acquire);
    // acquire <- open.write: as above
    found->length_bytes = place.length_bytes.load(std::memory_order_acquire);
    // acquire <- open.write: as above
    found->payload = place.payload.load(std::memory_order_acquire);
    // relaxed: ordered by the acquires above
    return found->payload == payload &&
           place.turn.load(std::memory_order_relaxed) == turn;
  }

  [[gnu::always_inline]] Place* PlaceAt(std::size_t index, bool make) {
    return index < kPlacesInside ? &places_[index]
                                 : PlaceInChunk(index - kPlacesInside, make);
  }
  [[gnu::noinline, gnu::cold]] Place* PlaceInChunk(std::size_t index,
                                                   bool make) {
    for (std::atomic<Chunk*>* link = &next_;; index -= kPlacesPerChunk) {
      // relaxed: written by whoever holds the lock, like us
      Chunk* chunk = link->load(std::memory_order_relaxed);
      if (chunk == nullptr && make) {
        chunk = new Chunk;
        // release -> open.grow: the chunk is whole
        link->store(chunk, std::memory_order_release);
      }
      if (index < kPlacesPerChunk) return &chunk->places[index];
      link = &chunk->next;
    }
  }

  std::array<Place, kPlacesInside> places_;
  std::atomic<Chunk*> next_{nullptr};
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_OPEN_MESSAGES_H_
