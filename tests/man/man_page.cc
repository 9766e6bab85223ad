#include "tests/man/man_page.h"

#include <cctype>
#include <filesystem>
#include <fstream>

namespace zcb::man {
namespace {

// The words of a macro line; what is in double quotes is one word.
std::vector<std::string> WordsOf(std::string_view line) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (at < line.size()) {
    if (line[at] == ' ') {
      ++at;
      continue;
    }
    const bool is_quoted = line[at] == '"';
    if (is_quoted) ++at;
    const std::size_t end = line.find(is_quoted ? '"' : ' ', at);
    words.emplace_back(line.substr(at, end - at));
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return words;
}

bool IsWordCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

class Parser {
 public:
  explicit Parser(ManPage* page) : page_(page) {}

  void Read(std::string_view line) {
    const std::vector<std::string> words = WordsOf(line);
    if (words.empty()) return;
    const std::string& macro = words[0];
    if (macro == ".Sh") {
      section_ = words.at(1);
      subjects_.clear();
    } else if (macro == ".Xr") {
      page_->references.insert(words.at(1) + " " + words.at(2));
    } else if (section_ == "NAME" && macro == ".Nm") {
      page_->names.push_back(words.at(1));
    } else if (section_ == "SYNOPSIS") {
      ReadSynopsis(words);
    } else if (section_ == "ERRORS") {
      ReadErrors(words);
    }
  }

 private:
  void ReadSynopsis(const std::vector<std::string>& words) {
    const std::string& macro = words[0];
    if (macro == ".Ft") {
      type_ = words.at(1);
      for (std::size_t i = 2; i < words.size(); ++i) type_ += " " + words[i];
    } else if (macro == ".Fo") {
      function_ = words.at(1);
      arguments_.clear();
    } else if (macro == ".Fa") {
      arguments_ += (arguments_.empty() ? "" : ", ") + words.at(1);
    } else if (macro == ".Fc") {
      page_->prototypes[function_] =
          Normalized(type_ + " " + function_ + "(" + arguments_ + ")");
    }
  }

  void ReadErrors(const std::vector<std::string>& words) {
    const std::string& macro = words[0];
    if (macro == ".Bl") {
      in_list_ = true;
      if (subjects_.empty()) subjects_ = page_->names;
    } else if (macro == ".El") {
      EndError();
      in_list_ = false;
      subjects_.clear();
    } else if (macro == ".Fn" && !in_list_) {
      subjects_.push_back(words.at(1));
    } else if (macro == ".It" && words.at(1) == "Dv") {
      EndError();
      error_ = words.at(2);
      for (const std::string& subject : subjects_) {
        page_->errors.insert(subject + " " + error_);
      }
    } else if (macro == ".\\\"") {
      for (std::size_t i = 1; i < words.size(); ++i) ReadCause(words[i]);
    } else if (in_list_) {
      CountAlternatives(words);
    }
  }

  void ReadCause(const std::string& word) {
    const std::size_t colon = word.find(':');
    const std::string cause = word.substr(colon + 1);  // npos + 1: all of it
    ++names_;
    for (const std::string& subject : subjects_) {
      if (colon != std::string::npos && word.substr(0, colon) != subject) {
        continue;
      }
      page_->causes.insert(subject + " " + error_ + " " + cause);
    }
  }

  // What a semicolon parts, or an "Or" that begins a sentence.
  void CountAlternatives(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
      if (word.ends_with(';')) ++alternatives_;
    }
    if (words[0] == "Or" || words[0] == "Or,") ++alternatives_;
  }

  void EndError() {
    if (!error_.empty() && names_ < alternatives_) {
      for (const std::string& subject : subjects_) {
        page_->unnamed.insert(subject + " " + error_);
      }
    }
    error_.clear();
    names_ = 0;
    alternatives_ = 1;
  }

  ManPage* page_;
  std::string section_;
  std::string type_, function_, arguments_;
  std::vector<std::string> subjects_;
  bool in_list_ = false;
  std::string error_;
  int names_ = 0;
  int alternatives_ = 1;
};

}  // namespace

ManPage ManPage::Parse(const std::string& path) {
  ManPage page;
  page.file = std::filesystem::path(path).filename();
  Parser parser(&page);
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) parser.Read(line);
  return page;
}

std::vector<ManPage> AllPages() {
  std::vector<ManPage> pages;
  for (const auto& entry : std::filesystem::directory_iterator("docs/man")) {
    const std::string extension = entry.path().extension();
    if (extension != ".3" && extension != ".7") continue;
    pages.push_back(ManPage::Parse(entry.path()));
  }
  return pages;
}

std::string Normalized(std::string_view text) {
  std::string result;
  bool space = false;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      space = true;
      continue;
    }
    if (space && !result.empty() && IsWordCharacter(result.back()) &&
        IsWordCharacter(c)) {
      result += ' ';
    }
    space = false;
    result += c;
  }
  return result;
}

}  // namespace zcb::man
