// usage: client --list
//        client SCENARIO
//        client --hold GROUP ...   joins each, says "PID NODE", waits for the
//                                  end of its standard input
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

using Scenarios = std::map<std::string, void (*)()>;

Scenarios& All() {
  static Scenarios scenarios;
  return scenarios;
}

std::string running;

unsigned PatienceSeconds() {
  const char* const told = std::getenv("ZCB_CONFORMANCE_PATIENCE_S");
  return told == nullptr ? 0 : static_cast<unsigned>(std::atoi(told));
}

}  // namespace

Registration::Registration(const char* name, void (*run)()) {
  All()[name] = run;
}

void Observe(std::string_view observation, std::string_view value) {
  std::string line = running;
  line.append(".").append(observation).append(": ").append(value).append("\n");
  if (write(STDOUT_FILENO, line.data(), line.size()) !=
      static_cast<ssize_t>(line.size())) {
    std::abort();
  }
}

void ObserveInChild(std::string_view observation,
                    const std::function<std::string()>& body) {
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    alarm(PatienceSeconds());
    Observe(observation, body());
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  if (!WIFSIGNALED(status)) return;
  Observe(observation, WTERMSIG(status) == SIGALRM ? "hangs" : "crashes");
}

std::string Name(cs_error_t error) {
  static const std::map<int, const char*> kNames = {
      {CS_OK, "OK"},
      {CS_ERR_LIBRARY, "LIBRARY"},
      {CS_ERR_TRY_AGAIN, "TRY_AGAIN"},
      {CS_ERR_INVALID_PARAM, "INVALID_PARAM"},
      {CS_ERR_NO_MEMORY, "NO_MEMORY"},
      {CS_ERR_BAD_HANDLE, "BAD_HANDLE"},
      {CS_ERR_BUSY, "BUSY"},
      {CS_ERR_ACCESS, "ACCESS"},
      {CS_ERR_NOT_EXIST, "NOT_EXIST"},
      {CS_ERR_NAME_TOO_LONG, "NAME_TOO_LONG"},
      {CS_ERR_EXIST, "EXIST"},
      {CS_ERR_INTERRUPT, "INTERRUPT"},
      {CS_ERR_NO_RESOURCES, "NO_RESOURCES"},
      {CS_ERR_NOT_SUPPORTED, "NOT_SUPPORTED"},
      {CS_ERR_MESSAGE_ERROR, "MESSAGE_ERROR"},
      {CS_ERR_TOO_BIG, "TOO_BIG"},
      {CS_ERR_NO_SECTIONS, "NO_SECTIONS"},
  };
  const auto found = kNames.find(error);
  return found != kNames.end() ? found->second : std::to_string(error);
}

namespace {

int Hold(int count, char** groups) {
  for (int i = 0; i < count; ++i) {
    // Never finalized: the process's end is.
    auto* const member = new Member;
    member->Enter(groups[i]);
    unsigned node_id = 0;
    (void)cpg_local_get(member->handle, &node_id);
    if (i == 0) std::printf("%d %u\n", getpid(), node_id);
  }
  std::fflush(stdout);
  char byte = 0;
  return read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1;
}

}  // namespace
}  // namespace zcb::conformance

int main(int argc, char** argv) {
  using zcb::conformance::All;
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const auto& [name, run] : All()) std::puts(name.c_str());
    return 0;
  }
  if (argc > 2 && std::strcmp(argv[1], "--hold") == 0) {
    return zcb::conformance::Hold(argc - 2, argv + 2);
  }
  const auto scenario = argc == 2 ? All().find(argv[1]) : All().end();
  if (scenario == All().end()) {
    std::fprintf(stderr,
                 "usage: client --list | SCENARIO | --hold GROUP ...\n");
    return 2;
  }
  zcb::conformance::running = scenario->first;
  scenario->second();
  return 0;
}
