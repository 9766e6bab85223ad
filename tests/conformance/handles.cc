// Handles: initialize, finalize, handle numbers, and what is asked of a handle
// without a group.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

constexpr cpg_handle_t kUntouched = 77;

cs_error_t Initialize(cpg_handle_t* handle, unsigned model,
                      cpg_model_v1_data_t* data, void* context = nullptr) {
  return cpg_model_initialize(handle, static_cast<cpg_model_t>(model),
                              reinterpret_cast<cpg_model_data_t*>(data),
                              context);
}

cpg_handle_t Initialized() {
  cpg_handle_t handle = 0;
  if (cpg_initialize(&handle, nullptr) != CS_OK) std::abort();
  return handle;
}

// What every function says to a handle that is none.
void ObserveEveryFunction(const std::string& which, cpg_handle_t handle) {
  const cpg_name group = Named("g");
  cpg_name changeable = group;
  int fd = -1;
  void* pointer = nullptr;
  unsigned number = 0;
  std::uint32_t size = 0;
  int count = 0;
  cpg_flow_control_state_t flow{};
  std::vector<cpg_address> list(384);
  iovec piece{};
  cpg_iteration_handle_t walk = 0;
  const auto says = [&](const char* function, cs_error_t error) {
    Observe(which + "." + function, Name(error));
  };
  says("fd_get", cpg_fd_get(handle, &fd));
  says("context_get", cpg_context_get(handle, &pointer));
  says("context_set", cpg_context_set(handle, nullptr));
  says("local_get", cpg_local_get(handle, &number));
  says("max_atomic_msgsize_get", cpg_max_atomic_msgsize_get(handle, &size));
  says("flow_control_state_get", cpg_flow_control_state_get(handle, &flow));
  says("dispatch", cpg_dispatch(handle, CS_DISPATCH_ALL));
  says("join", cpg_join(handle, &group));
  says("leave", cpg_leave(handle, &group));
  says("mcast_joined", cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1));
  says("membership_get",
       cpg_membership_get(handle, &changeable, list.data(), &count));
  says("iteration_initialize",
       cpg_iteration_initialize(handle, CPG_ITERATION_ALL, nullptr, &walk));
  says("zcb_alloc", cpg_zcb_alloc(handle, 64, &pointer));
  says("finalize", cpg_finalize(handle));
}

}  // namespace

SCENARIO(initialize) {
  ObserveInChild("null_handle",
                 [] { return Name(cpg_initialize(nullptr, nullptr)); });
  cpg_handle_t handle = 0;
  Observe("null_callbacks", Name(cpg_initialize(&handle, nullptr)));
  Observe("handle_is_not_0", YesNo(handle != 0));
  Observe("finalize", Name(cpg_finalize(handle)));

  Observe("null_model_data", Name(Initialize(&handle, CPG_MODEL_V1, nullptr)));
  cpg_handle_t other = 0;
  Observe("second", Name(cpg_initialize(&other, nullptr)));
  Observe("second_handle_differs", YesNo(handle != other));

  cpg_model_v1_data_t data{};
  const unsigned no_model = 42;
  std::memcpy(&data.model, &no_model, sizeof(no_model));
  Observe("model_in_data_is_ignored",
          Name(Initialize(&handle, CPG_MODEL_V1, &data)));
  for (const unsigned model : {0U, 2U, 42U}) {
    handle = kUntouched;
    Observe("model_" + Number(model), Name(Initialize(&handle, model, &data)));
  }
  Observe("handle_after_wrong_model",
          handle == kUntouched ? "untouched" : Number(handle));
  data.model = CPG_MODEL_V1;
  data.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;
  Observe("flag_initial_totem", Name(Initialize(&handle, CPG_MODEL_V1, &data)));
  data.flags = 2;
  Observe("flag_unknown", Name(Initialize(&handle, CPG_MODEL_V1, &data)));
  Observe("handle_after_unknown_flag_works",
          YesNo(cpg_context_set(handle, nullptr) == CS_OK));
}

SCENARIO(initialize_many) {
  std::vector<cpg_handle_t> handles(50);
  bool all = true;
  for (cpg_handle_t& handle : handles) {
    all = cpg_initialize(&handle, nullptr) == CS_OK && handle != 0 && all;
  }
  Observe("fifty_in_one_process", YesNo(all));
  std::sort(handles.begin(), handles.end());
  Observe("all_differ",
          YesNo(std::unique(handles.begin(), handles.end()) == handles.end()));
  for (const cpg_handle_t handle : handles) {
    all = cpg_finalize(handle) == CS_OK && all;
  }
  Observe("all_finalized", YesNo(all));
}

SCENARIO(finalized_handle) {
  const cpg_handle_t handle = Initialized();
  Observe("first", Name(cpg_finalize(handle)));
  ObserveEveryFunction("after", handle);
  const cpg_handle_t reused = Initialized();
  Observe("number_is_not_used_again", YesNo(reused != handle));
}

SCENARIO(zero_handle) { ObserveEveryFunction("says", 0); }

SCENARIO(garbage_handle) { ObserveEveryFunction("says", 0x1234567800000000); }

SCENARIO(unchecked_handle) {
  // Corosync's table takes this check for "do not check".
  const cpg_handle_t handle = Initialized();
  unsigned node_id = 0;
  Observe("index_0_without_check",
          Name(cpg_local_get(0xffffffff00000000 | (handle & 0xffffffff),
                             &node_id)));
}

SCENARIO(context) {
  cpg_handle_t handle = 0;
  int first = 0;
  int second = 0;
  void* found = &second;
  (void)cpg_initialize(&handle, nullptr);
  Observe("without", Name(cpg_context_get(handle, &found)));
  Observe("without_is_null", YesNo(found == nullptr));
  cpg_handle_t other = 0;
  (void)Initialize(&other, CPG_MODEL_V1, nullptr, &first);
  (void)cpg_context_get(other, &found);
  Observe("given_at_initialize", YesNo(found == &first));
  Observe("set", Name(cpg_context_set(other, &second)));
  (void)cpg_context_get(other, &found);
  Observe("is_what_was_set", YesNo(found == &second));
  (void)cpg_context_set(other, nullptr);
  (void)cpg_context_get(other, &found);
  Observe("set_to_null", YesNo(found == nullptr));
  (void)cpg_context_get(handle, &found);
  Observe("other_handles_stay", YesNo(found == nullptr));
}

SCENARIO(local_get) {
  const cpg_handle_t handle = Initialized();
  unsigned node_id = 0;
  Observe("before_join", Name(cpg_local_get(handle, &node_id)));
  Observe("node_id", Number(node_id));
}

SCENARIO(largest_message) {
  const cpg_handle_t handle = Initialized();
  std::uint32_t size_bytes = 0;
  Observe("get", Name(cpg_max_atomic_msgsize_get(handle, &size_bytes)));
  Observe("at_least_1047552", YesNo(size_bytes >= 1047552));
  Observe("is_1047552", YesNo(size_bytes == 1047552));
}

SCENARIO(descriptor) {
  Member member;
  int fd = -1;
  int again = -2;
  Observe("get", Name(cpg_fd_get(member.handle, &fd)));
  (void)cpg_fd_get(member.handle, &again);
  Observe("stays_the_same", YesNo(fd == again && fd >= 0));
  Observe("close_on_exec", YesNo((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0));
  Observe("nonblocking", YesNo((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0));
  ucred peer{};
  socklen_t length = sizeof(peer);
  Observe("is_a_socket_of_root",
          YesNo(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
                peer.uid == 0));

  Observe("readable_before_join", YesNo(Readable(fd)));
  (void)member.Join("descriptor");
  AwaitReadable(fd);
  Observe("readable_with_an_event", "yes");
  Observe("dispatch_one", Name(member.Dispatch(CS_DISPATCH_ONE)));
  Observe("saw", member.Seen());
  Observe("readable_after_it", YesNo(Readable(fd)));
  (void)member.Dispatch();
  for (const char* text : {"1", "2", "3"}) (void)member.Send(text);
  AwaitReadable(fd);
  member.Forget();
  member.Until("A:3");
  Observe("readable_after_the_last_of_three", YesNo(Readable(fd)));
  member.Forget();
  (void)member.Send("4");
  AwaitReadable(fd);
  Observe("stays_readable_until_dispatched",
          YesNo(Readable(fd) && Readable(fd)));
  (void)member.Dispatch(CS_DISPATCH_ONE);
  Observe("one_readiness_one_event", member.Seen());
  (void)member.Dispatch();
  Observe("readable_in_the_end", YesNo(Readable(fd)));
}

SCENARIO(descriptor_edge_triggered) {
  // Told once per change; dispatching all makes ready for the next.
  Member member;
  int fd = -1;
  (void)cpg_fd_get(member.handle, &fd);
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  epoll_event wish{};
  wish.events = EPOLLIN | EPOLLET;
  Observe("add", YesNo(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wish) == 0));
  epoll_event found{};
  (void)member.Join("edge");
  for (const char* text : {"1", "2"}) {
    while (epoll_wait(poller, &found, 1, -1) != 1) {
    }
    (void)member.Dispatch();
    (void)member.Send(text);
  }
  while (!member.Saw("A:2")) {
    while (epoll_wait(poller, &found, 1, -1) != 1) {
    }
    (void)member.Dispatch();
  }
  Observe("saw", member.Seen());
}

SCENARIO(descriptor_in_select) {
  Member member;
  int fd = -1;
  (void)cpg_fd_get(member.handle, &fd);
  (void)member.Join("select");
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  Observe("readable",
          YesNo(select(fd + 1, &set, nullptr, nullptr, nullptr) == 1));
  (void)member.Dispatch(CS_DISPATCH_ONE);
  Observe("saw", member.Seen());
}

SCENARIO(finalize_spares_other_handles) {
  Member other;
  other.Enter("spared");
  {
    Member member;
    member.Enter("finalized");
  }
  other.Forget();
  other.RoundTrip();
  Observe("other_saw", other.Seen());
}

SCENARIO(null_outputs) {
  ObserveInChild("fd_get",
                 [] { return Name(cpg_fd_get(Initialized(), nullptr)); });
  ObserveInChild("context_get",
                 [] { return Name(cpg_context_get(Initialized(), nullptr)); });
  ObserveInChild("local_get",
                 [] { return Name(cpg_local_get(Initialized(), nullptr)); });
  ObserveInChild("max_atomic_msgsize_get", [] {
    return Name(cpg_max_atomic_msgsize_get(Initialized(), nullptr));
  });
  ObserveInChild("flow_control_state_get", [] {
    return Name(cpg_flow_control_state_get(Initialized(), nullptr));
  });
  ObserveInChild("zcb_alloc", [] {
    return Name(cpg_zcb_alloc(Initialized(), 64, nullptr));
  });
}

SCENARIO(forked_child) {
  // The child is made after initialize: it inherits the handle.
  Member member;
  member.Enter("forked_child");
  member.Forget();
  zcb::testing::ChildProcess child([&] {
    iovec piece{const_cast<char*>("from the child"), 14};
    Observe("send",
            Name(cpg_mcast_joined(member.handle, CPG_TYPE_AGREED, &piece, 1)));
    Observe("finalize", Name(cpg_finalize(member.handle)));
    return 0;
  });
  (void)child.Join();
  unsigned node_id = 0;
  Observe("parent_afterwards", Name(cpg_local_get(member.handle, &node_id)));
  Observe("parent_sends", Name(member.Send("from the parent")));
  const cs_error_t error = member.Dispatch(CS_DISPATCH_ONE);
  Observe("parent_dispatch", Name(error));
  (void)member.Dispatch();
  Observe("parent_saw", member.Seen());
}

}  // namespace zcb::conformance
