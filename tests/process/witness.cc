#include "tests/process/witness.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstdlib>

#include "tests/process/child.h"

namespace zcb::steps {
namespace {

Seen SeenOf(const cpg_zcb_message& message) {
  Seen seen;
  seen.sequence = message.sequence;
  seen.pid = message.pid;
  if (message.kind == CPG_ZCB_MESSAGE) {
    seen.length_bytes = message.length;
    seen.hash =
        DigestOf({static_cast<const std::byte*>(message.data), message.length});
    return seen;
  }
  seen.kind = message.reason == CPG_REASON_JOIN    ? Seen::Kind::kJoin
              : message.reason == CPG_REASON_LEAVE ? Seen::Kind::kLeave
                                                   : Seen::Kind::kDown;
  const auto* members = static_cast<const cpg_address*>(message.data);
  for (std::size_t i = 0; i < message.length / sizeof(cpg_address); ++i) {
    seen.hash = seen.hash * 31 + members[i].pid;
  }
  return seen;
}

class Server {
 public:
  explicit Server(EventLog* logs) : logs_(logs) {
    for (Child& member : members_) Attach(member);
    JoinGroup(members_[0].handle, kGroup);
    JoinGroup(members_[1].handle, kPairGroup);
    JoinGroup(members_[2].handle, kOtherGroup);
    JoinGroup(members_[3].handle, kSlowGroup);
    // Sleeps at once when it waits.
    (void)cpg_zcb_option_set(members_[0].handle, CPG_ZCB_OPTION_WAIT,
                             CPG_ZCB_WAIT_PARK);
  }

  int Do(Witness::Task task) {
    switch (task) {
      case Witness::Task::kDispatch:
        TakeAll(members_[2].handle);
        return Take(0) | Take(1) << 8;
      case Witness::Task::kRound:
        if (SendBytes(members_[0].handle, 24) != CS_OK) return 1;
        TakeAll(members_[3].handle);
        return Do(Witness::Task::kDispatch);
      case Witness::Task::kWait: {
        cpg_zcb_message message{};
        const cs_error_t error =
            cpg_zcb_next_timed(members_[0].handle, &message, -1);
        if (error == CS_OK) logs_[0].Add(SeenOf(message));
        return error == CS_OK ? 0 : 1;
      }
      case Witness::Task::kWork:
        return Work();
      case Witness::Task::kReadSlow:
        TakeAll(members_[3].handle);
        return 0;
      case Witness::Task::kRejoinSlow:
        if (cpg_finalize(members_[3].handle) != CS_OK) return 1;
        Attach(members_[3]);
        JoinGroup(members_[3].handle, kSlowGroup);
        return 0;
    }
    return 99;
  }

 private:
  int Take(std::size_t member) {
    cpg_zcb_message message{};
    cs_error_t error = CS_OK;
    while ((error = cpg_zcb_next(members_[member].handle, &message)) == CS_OK) {
      logs_[member].Add(SeenOf(message));
    }
    return error == CS_ERR_TRY_AGAIN ? 0 : 1;
  }

  int Work() {
    Child& other = members_[2];
    for (const std::size_t bytes : {std::size_t{100}, std::size_t{400'000}}) {
      void* buffer = nullptr;
      if (cpg_zcb_alloc(other.handle, bytes, &buffer) != CS_OK) return 2;
      if (cpg_zcb_free(other.handle, buffer) != CS_OK) return 3;
    }
    for (int i = 0; i < 3; ++i) {
      if (SendBytes(other.handle, 100) != CS_OK) return 4;
    }
    if (TakeAll(other.handle) < 3) return 5;
    const cpg_name name = Named(kOtherGroup);
    if (cpg_leave(other.handle, &name) != CS_OK) return 6;
    cpg_zcb_message message{};
    cs_error_t error = CS_OK;
    while ((error = cpg_zcb_next(other.handle, &message)) == CS_OK) {
    }
    if (error != CS_ERR_NOT_EXIST && error != CS_ERR_TRY_AGAIN) return 7;
    if (cpg_join(other.handle, &name) != CS_OK) return 8;
    TakeAll(other.handle);
    return 0;
  }

  EventLog* const logs_;
  Child members_[4];
};

}  // namespace

Witness::Witness() {
  void* memory = mmap(nullptr, 2 * sizeof(EventLog), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  logs_ = static_cast<EventLog*>(memory);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    std::abort();
  }
  pid_ = fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // it may sleep
    close(ends[0]);
    socket_ = ends[1];
    Serve();
  }
  close(ends[1]);
  socket_ = ends[0];
  Must(Finish() == 0, "the witness does not start");
}

Witness::~Witness() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(socket_);
  munmap(logs_, 2 * sizeof(EventLog));
}

void Witness::Serve() {
  Server server(logs_);
  int answer = 0;
  for (;;) {
    if (write(socket_, &answer, sizeof(answer)) != sizeof(answer)) break;
    char task = 0;
    if (read(socket_, &task, 1) != 1) break;
    answer = server.Do(static_cast<Task>(task));
  }
  _exit(0);
}

void Witness::Start(Task task) {
  const char word = static_cast<char>(task);
  if (write(socket_, &word, 1) != 1) std::abort();
}

int Witness::Finish() {
  int answer = -1;
  if (read(socket_, &answer, sizeof(answer)) != sizeof(answer)) {
    int status = 0;
    waitpid(pid_, &status, WNOHANG);
    std::fprintf(stderr, "steps: the witness is gone, status %#x\n", status);
    return -1;
  }
  return answer;
}

void Witness::Stop() {
  kill(pid_, SIGSTOP);
  int status = 0;
  waitpid(pid_, &status, WUNTRACED);
}

void Witness::Continue() { kill(pid_, SIGCONT); }

}  // namespace zcb::steps
