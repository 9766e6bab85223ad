// Checks of this library's own books, in builds that ask for them.
#ifndef ZCB_ALLOCATOR_PARANOID_H_
#define ZCB_ALLOCATOR_PARANOID_H_

#ifndef ZCB_PARANOID
#define ZCB_PARANOID 0
#endif

namespace zcb::alloc {

inline constexpr bool kIsParanoid = ZCB_PARANOID != 0;
// How many slabs of a class a check looks at, so that it stays affordable.
inline constexpr unsigned kParanoidSlabs = 64;

// Prints the sentence and the place, and ends the process.
[[noreturn]] void InvariantBroken(const char* condition, const char* file,
                                  int line);

// Checks when it is made and when it goes: for functions with several ends.
// Made while the lock that guards the books is held, after it.
template <typename Check>
class [[nodiscard]] InvariantScope {
 public:
  explicit InvariantScope(Check check) : check_(check) {
    if constexpr (kIsParanoid) check_();
  }
  ~InvariantScope() {
    if constexpr (kIsParanoid) check_();
  }
  InvariantScope(const InvariantScope&) = delete;
  InvariantScope& operator=(const InvariantScope&) = delete;

 private:
  Check check_;
};

}  // namespace zcb::alloc

// What must be true of private memory whatever other processes do. Compiled
// but not evaluated unless the build defines ZCB_PARANOID=1; never about shared
// words, which anybody may damage: these are for audits (audit.h). No shared
// structure depends on the macro, so both builds may meet in one region.
#define ZCB_INVARIANT(condition)                                       \
  do {                                                                 \
    if constexpr (::zcb::alloc::kIsParanoid) {                         \
      if (!(condition)) {                                              \
        ::zcb::alloc::InvariantBroken(#condition, __FILE__, __LINE__); \
      }                                                                \
    }                                                                  \
  } while (false)

#endif  // ZCB_ALLOCATOR_PARANOID_H_
