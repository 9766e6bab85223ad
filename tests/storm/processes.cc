#include "tests/storm/processes.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace zcb::storm {
namespace {

std::string LineOf(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string OutputOf(const std::string& command) {
  std::FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  std::string output;
  char part[4096];
  while (const std::size_t got = std::fread(part, 1, sizeof(part), pipe)) {
    output.append(part, got);
  }
  (void)pclose(pipe);
  return output;
}

}  // namespace

std::string DescribeProcess(pid_t pid, bool stacks) {
  const std::filesystem::path process = "/proc/" + std::to_string(pid);
  std::string text;
  std::error_code gone;
  for (const auto& thread :
       std::filesystem::directory_iterator(process / "task", gone)) {
    text += "    thread " + thread.path().filename().string() + ": stat " +
            LineOf(thread.path() / "stat") + "; wchan " +
            LineOf(thread.path() / "wchan") + "; syscall " +
            LineOf(thread.path() / "syscall") + "\n";
  }
  if (stacks) {
    text += OutputOf("gdb -p " + std::to_string(pid) +
                     " -batch -ex 'thread apply all bt' 2>&1 </dev/null");
  }
  return text;
}

std::vector<pid_t> Children() {
  const std::string self = std::to_string(getpid());
  std::ifstream file("/proc/self/task/" + self + "/children");
  std::vector<pid_t> children;
  for (pid_t pid = 0; file >> pid;) children.push_back(pid);
  return children;
}

}  // namespace zcb::storm
