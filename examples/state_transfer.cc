// Members of a group keep one map, and joiners get it while it changes: the
// rule is in replicated_map.h, this is the program around it.
//   state_transfer GROUP [RECORDS_PER_MESSAGE]    (in several terminals)
// Lines of input: KEY NUMBER changes the key, KEY 0 removes it; ?TEXT is a
// mark, where every member prints a digest of its map; "leave"; "join". The end
// of input (Ctrl-D) leaves.
#include <corosync/cpg_zcb.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "examples/replicated_map.h"

namespace {

using example::Must;
using example::Record;
using example::ReplicatedMap;

Record RecordIn(std::string_view line) {
  Record record{};
  if (line.starts_with('?')) line.remove_prefix(1);
  const std::size_t end = std::min(line.find(' '), line.size());
  line.substr(0, end).copy(record.key.data(), record.key.size() - 1);
  std::from_chars(line.data() + std::min(end + 1, line.size()),
                  line.data() + line.size(), record.value);
  return record;
}

class Program {
 public:
  Program(cpg_handle_t handle, const char* group, std::size_t per_message)
      : handle_(handle), map_(handle, per_message) {
    group_.length = static_cast<std::uint32_t>(
        std::snprintf(group_.value, sizeof group_.value, "%s", group));
    Must(cpg_fd_get(handle_, &bell_) == CS_OK, "no descriptor");
    Join();
  }

  void Run() {
    for (;;) {
      for (int i = 0; i < 100 && TakeEvent(); ++i) continue;
      if (!is_joined_ && has_input_ended_) return;
      if (!is_leaving_ && map_.has_to_send()) {
        map_.TrySendPart();
      } else if (!is_leaving_ && input_.find('\n') != std::string::npos) {
        DoLine(input_.substr(0, input_.find('\n')));
      } else {
        Wait();
      }
    }
  }

 private:
  bool TakeEvent() {
    const bool was_in = map_.is_in();
    if (!map_.TakeEvent()) return false;
    if (was_in && !map_.is_in()) is_joined_ = is_leaving_ = false;
    return true;
  }

  void DoLine(const std::string& line) {
    if (line == "leave" && is_joined_) {
      Leave();
    } else if (line == "join" && !is_joined_) {
      Join();
    } else if (line == "leave" || line == "join" || !is_joined_) {
      std::printf("not now: %s\n", line.c_str());
    } else if (!map_.TrySend(
                   line.starts_with('?') ? example::kMark : example::kChange,
                   RecordIn(line))) {
      return;  // comes again
    }
    input_.erase(0, line.size() + 1);
  }

  void Join() {
    Must(cpg_join(handle_, &group_) == CS_OK, "cannot join");
    is_joined_ = true;
  }
  void Leave() {
    Must(cpg_leave(handle_, &group_) == CS_OK, "cannot leave");
    is_leaving_ = true;  // until our leave view; no sends meanwhile
  }

  void Wait() {
    const bool reads = !has_input_ended_ && !is_leaving_;
    pollfd entries[] = {{bell_, POLLIN, 0}, {reads ? 0 : -1, POLLIN, 0}};
    poll(entries, 2, -1);
    if (entries[1].revents == 0) return;
    char bytes[4096];
    const ssize_t got = read(0, bytes, sizeof bytes);
    if (got > 0) {
      input_.append(bytes, static_cast<std::size_t>(got));
    } else {
      has_input_ended_ = true;
      if (is_joined_) Leave();
    }
  }

  cpg_handle_t handle_;
  cpg_name group_{};
  int bell_ = -1;
  std::string input_;
  bool is_joined_ = false;
  bool is_leaving_ = false;
  bool has_input_ended_ = false;
  ReplicatedMap map_;
};

}  // namespace

int main(int argc, char** argv) {
  Must(argc == 2 || argc == 3, "want GROUP [RECORDS_PER_MESSAGE]");
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::size_t per_message =
      argc == 3 ? std::strtoul(argv[2], nullptr, 10) : 1000;
  Must(per_message > 0, "want at least one record per message");
  cpg_handle_t handle = 0;
  Must(cpg_model_initialize(&handle, CPG_MODEL_ZCB, nullptr, nullptr) == CS_OK,
       "no zcb");
  Program(handle, argv[1], per_message).Run();
  Must(cpg_finalize(handle) == CS_OK, "cannot finish");
}
