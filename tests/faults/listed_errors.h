// What the manual says that a function may answer.
#ifndef ZCB_TESTS_FAULTS_LISTED_ERRORS_H_
#define ZCB_TESTS_FAULTS_LISTED_ERRORS_H_

#include <corosync/cpg.h>

#include <map>
#include <set>
#include <string>

#include "tests/man/man_page.h"

namespace zcb::faults {

// Whether the page of a function lists the error. The first call reads the
// pages.
inline bool IsListed(const std::string& function, int code) {
  static const std::set<std::string> listed = [] {
    std::set<std::string> all;
    for (const man::ManPage& page : man::AllPages()) {
      all.insert(page.errors.begin(), page.errors.end());
    }
    return all;
  }();
  static const std::map<int, std::string> names = {
      {CS_ERR_LIBRARY, "LIBRARY"},
      {CS_ERR_TIMEOUT, "TIMEOUT"},
      {CS_ERR_TRY_AGAIN, "TRY_AGAIN"},
      {CS_ERR_INVALID_PARAM, "INVALID_PARAM"},
      {CS_ERR_NO_MEMORY, "NO_MEMORY"},
      {CS_ERR_BUSY, "BUSY"},
      {CS_ERR_ACCESS, "ACCESS"},
      {CS_ERR_NO_RESOURCES, "NO_RESOURCES"},
      {CS_ERR_NOT_SUPPORTED, "NOT_SUPPORTED"},
  };
  const auto name = names.find(code);
  return name != names.end() &&
         listed.contains(function + " CS_ERR_" + name->second);
}

}  // namespace zcb::faults

#endif  // ZCB_TESTS_FAULTS_LISTED_ERRORS_H_
