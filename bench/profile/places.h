// Names for the memory that a process uses, so that a trace of addresses can be
// read: a file of lines "start size name", then /proc/self/maps.
#ifndef ZCB_BENCH_PROFILE_PLACES_H_
#define ZCB_BENCH_PROFILE_PLACES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/attachment.h"
#include "ipc/member_address.h"

namespace zcb::bench {

// What the process is about; a store into a word of its own says so in a trace.
enum class Phase : std::uint8_t { kOther, kSend, kReceiveOwn, kReceive };
void Mark(Phase phase);

class Places {
 public:
  // With the words that Mark() stores into, "mark 0" and so on.
  Places();
  void Add(std::string_view name, const void* start, std::size_t size_bytes);
  // Names that begin with "shared": a region's words, and what a group of that
  // name has, as the member with that address sees it.
  void AddRegion(ipc::Attachment& attachment, std::string_view group,
                 ipc::MemberAddress self);
  // False: the file could not be written.
  bool Write(const std::string& path) const;

 private:
  struct Place {
    std::string name;
    std::uintptr_t start;
    std::size_t size_bytes;
  };
  std::vector<Place> places_;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PROFILE_PLACES_H_
