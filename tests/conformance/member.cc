#include "tests/conformance/member.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace zcb::conformance {
namespace {

constexpr std::size_t kMaxProcesses = 512;
constexpr std::size_t kLongestShown = 40;

// The processes of the scenario, in all of them.
struct Cast {
  std::uint32_t pids[kMaxProcesses];
  std::size_t count;
};

Cast* SharedCast() {
  static Cast* const cast = [] {
    Cast* const made = Shared<Cast>();
    made->pids[made->count++] = static_cast<std::uint32_t>(getpid());
    return made;
  }();
  return cast;
}

const char* ReasonName(std::uint32_t reason) {
  switch (reason) {
    case CPG_REASON_UNDEFINED:
      return "UNDEFINED";
    case CPG_REASON_JOIN:
      return "JOIN";
    case CPG_REASON_LEAVE:
      return "LEAVE";
    case CPG_REASON_NODEDOWN:
      return "NODEDOWN";
    case CPG_REASON_NODEUP:
      return "NODEUP";
    case CPG_REASON_PROCDOWN:
      return "PROCDOWN";
    default:
      return "?";
  }
}

char PatternByte(std::size_t index) {
  return static_cast<char>((index * 131 + (index >> 12)) & 0xff);
}

Member* Of(cpg_handle_t handle) {
  void* context = nullptr;
  if (cpg_context_get(handle, &context) != CS_OK) std::abort();
  return static_cast<Member*>(context);
}

void Record(Member* self, const std::string& event) {
  self->events.push_back(event);
  if (self->on_event) self->on_event(event);
}

void OnDeliver(cpg_handle_t handle, const cpg_name* group, std::uint32_t,
               std::uint32_t pid, void* msg, std::size_t length_bytes) {
  Member* const self = Of(handle);
  self->last_group.assign(group->value, group->length);
  self->last_address = reinterpret_cast<std::uintptr_t>(msg);
  const std::string shown = Shown(msg, length_bytes);
  // A message is the receiver's own copy.
  std::memset(msg, 0xee, length_bytes);
  Record(self, LabelOf(pid) + ":" + shown);
}

bool IsSorted(const cpg_address* list, std::size_t count) {
  return std::is_sorted(
      list, list + count, [](const cpg_address& a, const cpg_address& b) {
        return a.nodeid != b.nodeid ? a.nodeid < b.nodeid : a.pid < b.pid;
      });
}

void OnChange(cpg_handle_t handle, const cpg_name* group,
              const cpg_address* members, std::size_t member_count,
              const cpg_address* left, std::size_t left_count,
              const cpg_address* joined, std::size_t joined_count) {
  Member* const self = Of(handle);
  self->last_group.assign(group->value, group->length);
  self->lists_null = self->lists_null || members == nullptr ||
                     left == nullptr || joined == nullptr;
  self->members.assign(members, members + member_count);
  self->sorted = self->sorted && IsSorted(members, member_count);
  // Process ids wrap around, so the order of labels need not be theirs.
  std::vector<std::string> labels;
  for (const cpg_address& member : self->members) {
    std::string label = LabelOf(member.pid);
    if (member.reason != CPG_REASON_UNDEFINED) {
      label.append(":").append(ReasonName(member.reason));
    }
    labels.push_back(label);
  }
  std::sort(labels.begin(), labels.end());
  std::string event = "[";
  for (const std::string& label : labels) {
    if (event.size() > 1) event.append(",");
    event.append(label);
  }
  event.append("]");
  for (std::size_t i = 0; i < left_count; ++i) {
    event.append("-").append(LabelOf(left[i].pid)).append(":");
    event.append(ReasonName(left[i].reason));
  }
  for (std::size_t i = 0; i < joined_count; ++i) {
    event.append("+").append(LabelOf(joined[i].pid)).append(":");
    event.append(ReasonName(joined[i].reason));
  }
  Record(self, event);
}

void OnTotem(cpg_handle_t handle, cpg_ring_id ring_id, std::uint32_t count,
             const std::uint32_t* nodes) {
  std::string event = "totem[";
  for (std::uint32_t i = 0; i < count; ++i) {
    event.append(i > 0 ? "," : "").append(std::to_string(nodes[i]));
  }
  event.append("]@").append(std::to_string(ring_id.nodeid));
  Record(Of(handle), event);
}

template <typename Call>
cs_error_t Persistently(Call call) {
  for (;;) {
    const cs_error_t error = call();
    if (error != CS_ERR_TRY_AGAIN) return error;
  }
}

}  // namespace

// --- processes ---------------------------------------------------------------

Peer::Peer(const std::function<void(Wire&)>& body) {
  Cast* const cast = SharedCast();
  pid_ = fork();
  if (pid_ < 0 || cast->count == kMaxProcesses) std::abort();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    wire_.Await();  // until the parent has written down who we are
    body(wire_);
    _exit(0);
  }
  cast->pids[cast->count++] = static_cast<std::uint32_t>(pid_);
  Go();
}

Peer::~Peer() {
  Kill();
  (void)Join();
}

void Peer::Kill() {
  if (pid_ > 0) kill(pid_, SIGKILL);
}

bool Peer::Join() {
  if (pid_ <= 0) return false;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0) {
  }
  pid_ = -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string LabelOf(std::uint32_t pid) {
  const Cast* const cast = SharedCast();
  for (std::size_t i = 0; i < cast->count; ++i) {
    if (cast->pids[i] != pid) continue;
    if (i < 26) return std::string(1, static_cast<char>('A' + i));
    return "#" + std::to_string(i);
  }
  return "?";
}

void AwaitSleep(pid_t process, pid_t thread) {
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", process, thread);
  for (;;) {
    std::FILE* const file = std::fopen(path, "r");
    if (file == nullptr) return;
    char state = 0;
    const int found = std::fscanf(file, "%*d %*s %c", &state);
    std::fclose(file);
    if (found != 1 || state == 'S') return;
  }
}

std::size_t EntriesIn(const char* directory) {
  DIR* const stream = opendir(directory);
  if (stream == nullptr) std::abort();
  std::size_t count = 0;
  while (const dirent* const entry = readdir(stream)) {
    count += entry->d_name[0] != '.' ? 1 : 0;
  }
  closedir(stream);
  return count;
}

// --- group names, messages ---------------------------------------------------

cpg_name Named(std::string_view text) {
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(text.size());
  text.copy(name.value, sizeof(name.value));
  return name;
}

std::string Pattern(std::size_t length_bytes) {
  std::string text(length_bytes, '\0');
  for (std::size_t i = 0; i < length_bytes; ++i) text[i] = PatternByte(i);
  return text;
}

std::string Shown(const void* data, std::size_t length_bytes) {
  const char* const bytes = static_cast<const char*>(data);
  if (length_bytes <= kLongestShown) return {bytes, length_bytes};
  std::string shown = std::to_string(length_bytes);
  for (std::size_t i = 0; i < length_bytes; ++i) {
    if (bytes[i] != PatternByte(i)) return shown + "(wrong)";
  }
  return shown + "(whole)";
}

// --- a handle ----------------------------------------------------------------

Member::Member(unsigned flags) {
  cpg_model_v1_data_t data{};
  data.model = CPG_MODEL_V1;
  data.cpg_deliver_fn = &OnDeliver;
  data.cpg_confchg_fn = &OnChange;
  data.cpg_totem_confchg_fn = &OnTotem;
  data.flags = flags;
  status = cpg_model_initialize(
      &handle, CPG_MODEL_V1, reinterpret_cast<cpg_model_data_t*>(&data), this);
  (void)SharedCast();
}

Member::~Member() { (void)cpg_finalize(handle); }

cs_error_t Member::Join(std::string_view group) {
  const cpg_name name = Named(group);
  return Persistently([&] { return cpg_join(handle, &name); });
}

cs_error_t Member::Leave(std::string_view group) {
  const cpg_name name = Named(group);
  return Persistently([&] { return cpg_leave(handle, &name); });
}

cs_error_t Member::Send(std::string_view text) {
  iovec piece{const_cast<char*>(text.data()), text.size()};
  return Persistently(
      [&] { return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1); });
}

cs_error_t Member::Finalize() { return cpg_finalize(handle); }

void Member::Until(std::string_view event) {
  while (!Saw(event)) {
    if (Dispatch(CS_DISPATCH_ONE) != CS_OK) std::abort();
  }
}

void Member::Enter(std::string_view group) {
  if (Join(group) != CS_OK) std::abort();
  const std::string own =
      "+" + LabelOf(static_cast<std::uint32_t>(getpid())) + ":JOIN";
  const auto joined = [&] {
    return std::any_of(events.begin(), events.end(), [&](const auto& event) {
      return event.size() > own.size() &&
             event.compare(event.size() - own.size(), own.size(), own) == 0;
    });
  };
  while (!joined()) {
    if (Dispatch(CS_DISPATCH_ONE) != CS_OK) std::abort();
  }
}

void Member::Settle() {
  unsigned node_id = 0;
  (void)cpg_local_get(handle, &node_id);
  (void)Dispatch(CS_DISPATCH_ALL);
}

void Member::RoundTrip() {
  const std::string text = "trip" + std::to_string(++round_trips_);
  if (Send(text) != CS_OK) std::abort();
  Until(LabelOf(static_cast<std::uint32_t>(getpid())) + ":" + text);
}

std::string Member::Seen() const {
  std::string seen;
  for (const std::string& event : events) {
    if (!seen.empty()) seen.append(" ");
    seen.append(event);
  }
  return seen.empty() ? "nothing" : seen;
}

bool Member::Saw(std::string_view event) const {
  return std::find(events.begin(), events.end(), event) != events.end();
}

bool Readable(int descriptor) {
  pollfd entry{descriptor, POLLIN, 0};
  return poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN) != 0;
}

void AwaitReadable(int descriptor) {
  pollfd entry{descriptor, POLLIN, 0};
  while (poll(&entry, 1, -1) != 1) {
  }
}

}  // namespace zcb::conformance
