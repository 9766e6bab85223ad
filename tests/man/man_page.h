// A manual page as data: whom it is about, and which errors it lists.
#ifndef ZCB_TESTS_MAN_MAN_PAGE_H_
#define ZCB_TESTS_MAN_MAN_PAGE_H_

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace zcb::man {

struct ManPage {
  std::string file;
  std::vector<std::string> names;  // .Nm of NAME, the first is the file's
  // .Fo to .Fc of SYNOPSIS, as one line of C each: "type name(a, b)".
  std::map<std::string, std::string> prototypes;
  // ERRORS: "function CS_ERR_X". A list belongs to the functions that lines of
  // .Fn name since the list before it; to all of the page if there are none.
  std::set<std::string> errors;
  // Each error's causes by name, "function CS_ERR_X Cause": words of a comment
  // below its .It, which go with its text ("or", semicolons) in their order.
  // "function:Cause" is one of that function alone.
  std::set<std::string> causes;
  // Errors whose text has more alternatives than names, as in errors.
  std::set<std::string> unnamed;
  std::set<std::string> references;  // .Xr NAME SECTION: "NAME SECTION"

  static ManPage Parse(const std::string& path);
};

// The pages, found where Bazel puts them.
std::vector<ManPage> AllPages();

// C text with every run of white space a single blank, and none where C needs
// none.
std::string Normalized(std::string_view text);

}  // namespace zcb::man

#endif  // ZCB_TESTS_MAN_MAN_PAGE_H_
