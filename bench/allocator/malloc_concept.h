// What an allocator has to look like to be measured: the one interface between
// the workloads and the peers.
#ifndef ZCB_BENCH_ALLOCATOR_MALLOC_CONCEPT_H_
#define ZCB_BENCH_ALLOCATOR_MALLOC_CONCEPT_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace zcb::bench {

// Home     what lies outside any one process (a segment, a name); made before
//          the processes that use it, gone after them. Empty for a malloc.
// M(home)  an attachment of this process; its threads share it.
// Buffer   the allocator's own handle of a buffer, as small as it likes.
// Alloc()  never fails here (the sizes are small against the memory); throws
//          Failed if it does.
// Pointer  where the buffer lies, as every user must know.
template <typename M>
concept Malloc =
    std::is_trivially_copyable_v<typename M::Buffer> &&
    std::default_initializable<typename M::Buffer> &&
    std::default_initializable<typename M::Home> &&
    std::constructible_from<M, typename M::Home&> &&
    requires(M malloc, std::size_t bytes, typename M::Buffer buffer) {
      { malloc.Alloc(bytes) } -> std::same_as<typename M::Buffer>;
      malloc.Free(buffer);
      { malloc.Pointer(buffer) } -> std::convertible_to<void*>;
    };

// One whose buffers can be freed by another process. Whatever the allocator
// demands of a hand-over is inside Give() and Take(). Settle() is called by the
// giver when everything has been freed; throws Failed if it knows better.
template <typename M>
concept SharedMalloc =
    Malloc<M> && std::is_trivially_copyable_v<typename M::Ticket> &&
    requires(M malloc, typename M::Buffer buffer, typename M::Ticket ticket) {
      { malloc.Give(buffer) } -> std::same_as<typename M::Ticket>;
      { malloc.Take(ticket) } -> std::same_as<typename M::Buffer>;
      malloc.Settle();
    };

// Says itself how much memory lies behind its shared files, whoever mapped it.
template <typename M>
concept HasFiles = requires(const M malloc) {
  { malloc.FileBytes() } -> std::same_as<std::uint64_t>;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_MALLOC_CONCEPT_H_
