// A scenario: an ordinary CPG program in one process or several, that says what
// it sees, line by line: "SCENARIO.OBSERVATION: VALUE". It judges nothing; what
// should be seen stands in expected.txt. Nothing here knows of zcb: one binary,
// compiled against Debian's header and linked to Debian's library, runs on both
// libraries.
#ifndef ZCB_TESTS_CONFORMANCE_SCENARIO_H_
#define ZCB_TESTS_CONFORMANCE_SCENARIO_H_

#include <corosync/cpg.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace zcb::conformance {

// Defines a scenario and puts it on the list of main.cc.
#define SCENARIO(name)                                        \
  static void name();                                         \
  static const Registration name##_registration(#name, name); \
  static void name()

class Registration {
 public:
  Registration(const char* name, void (*run)());
};

// One line; whole, whichever process says it.
void Observe(std::string_view observation, std::string_view value);

// Values. A cs_error_t is its name without CS_ERR_, or "OK".
std::string Name(cs_error_t error);
inline std::string YesNo(bool value) { return value ? "yes" : "no"; }
inline std::string Number(std::uint64_t value) { return std::to_string(value); }

// For what is known to end or to hang some library: runs `body` in a child that
// initializes by itself, and observes what it returns, or "crashes", or "hangs"
// if it takes longer than the environment's ZCB_CONFORMANCE_PATIENCE_S (without
// it: for ever). Call it before the scenario initializes anything.
void ObserveInChild(std::string_view observation,
                    const std::function<std::string()>& body);

}  // namespace zcb::conformance

#endif  // ZCB_TESTS_CONFORMANCE_SCENARIO_H_
