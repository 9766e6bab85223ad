// The FIFOs beside a region's files (doorbells and lives): made and opened so
// that nothing else is ever touched, whatever has been put in their place.
#ifndef ZCB_ALLOCATOR_REGION_FIFO_H_
#define ZCB_ALLOCATOR_REGION_FIFO_H_

#include "allocator/region_files.h"
#include "allocator/unique_fd.h"

namespace zcb::alloc {

// Everybody of a shared region may rename and unlink in its directory. So a
// name is looked at first, and then exactly what was looked at is opened:
// opening (and closing) a second descriptor of NAME.lock under a FIFO's name
// would cost the process its locks, and changing the mode of a name would
// change that of whatever it leads to.

// A FIFO that somebody made, with open(2)'s flags; O_NONBLOCK, O_NOFOLLOW and
// O_CLOEXEC are implied. Not open: errno says why; EINVAL: no FIFO, or one with
// a second name;
// EACCES: none that the rules trust.
UniqueFd OpenFifo(int directory_fd, const char* name, const FileRules& rules,
                  int flags);

// Makes one, with the mode and the group of the rules whatever the umask is,
// and opens it for reading and writing: that needs no peer, and raises no
// SIGPIPE. Not open: errno says why (EEXIST: the name is taken); the name may
// be there.
UniqueFd MakeFifo(int directory_fd, const char* name, const FileRules& rules);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_FIFO_H_
