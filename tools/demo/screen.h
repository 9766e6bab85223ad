// The demo's output: aligned, in colour only on a terminal.
#ifndef ZCB_TOOLS_DEMO_SCREEN_H_
#define ZCB_TOOLS_DEMO_SCREEN_H_

#include <string>
#include <string_view>

#include "tools/demo/checks.h"
#include "tools/demo/pass.h"

namespace zcb::demo {

class Screen {
 public:
  Screen();
  void Title(std::string_view text) const;
  void Fact(std::string_view name, std::string_view value) const;
  // Something is going on; replaced by what is printed next, on a terminal.
  void Working(std::string_view what) const;
  void PassHead() const;
  void Pass(std::string_view name, const PassResult& pass) const;
  void Note(std::string_view text) const;
  void Views(const PassResult& pass) const;
  void Result(const Check& check) const;
  void Verdict(bool all_hold) const;

 private:
  std::string Bold(std::string_view text) const;
  std::string Mark(bool good, std::string_view text) const;
  void ClearLine() const;

  bool is_terminal_;
  bool has_colour_;
};

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_SCREEN_H_
