#include "tests/man/scene.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

namespace zcb::man {

void Must(bool is_true, std::source_location where) {
  if (is_true) return;
  std::fprintf(stderr, "%s:%u: the scene cannot be set\n", where.file_name(),
               static_cast<unsigned>(where.line()));
  _exit(kSceneFailed);
}

void MustBeOk(cs_error_t error, std::source_location where) {
  if (error != CS_OK) std::fprintf(stderr, "error %d\n", error);
  Must(error == CS_OK, where);
}

void NotHere(const char* why) {
  std::fprintf(stderr, "not here: %s\n", why);
  _exit(kNotHere);
}

namespace {

pid_t g_scene = 0;  // the process that a scene runs in

}  // namespace

void BeginScene() { g_scene = getpid(); }

void EndWithScene() {
  Must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  Must(getppid() == g_scene);
}

// --- the plain things ------------------------------------------------------

cpg_name Named(std::string_view text) {
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(text.size());
  text.copy(name.value, sizeof(name.value));
  return name;
}

cpg_handle_t NewHandle(cpg_model_t model) {
  cpg_handle_t handle = 0;
  MustBeOk(cpg_model_initialize(&handle, model, nullptr, nullptr));
  return handle;
}

cs_error_t Join(cpg_handle_t handle, std::string_view group) {
  const cpg_name name = Named(group);
  return cpg_join(handle, &name);
}

cs_error_t Leave(cpg_handle_t handle, std::string_view group) {
  const cpg_name name = Named(group);
  return cpg_leave(handle, &name);
}

cs_error_t Send(cpg_handle_t handle, std::string_view text) {
  const iovec piece{const_cast<char*>(text.data()), text.size()};
  return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1);
}

cs_error_t DispatchAll(cpg_handle_t handle) {
  return cpg_dispatch(handle, CS_DISPATCH_ALL);
}

cpg_handle_t NewMember(cpg_model_t model) {
  const cpg_handle_t handle = NewHandle(model);
  MustBeOk(Join(handle));
  MustBeOk(DispatchAll(handle));
  return handle;
}

void* NewBuffer(cpg_handle_t handle, std::size_t size) {
  void* buffer = nullptr;
  MustBeOk(cpg_zcb_alloc(handle, size, &buffer));
  return buffer;
}

const void* TakenMessage(cpg_handle_t member, std::size_t length) {
  MustBeOk(Send(member, std::string(length, 'x')));
  cpg_zcb_message message{};
  MustBeOk(cpg_zcb_next(member, &message));
  Must(message.kind == CPG_ZCB_MESSAGE);
  return message.data;
}

namespace {

const InCallback* g_in_callback = nullptr;

void OnMessage(cpg_handle_t handle, const cpg_name*, std::uint32_t,
               std::uint32_t, void* msg, std::size_t) {
  (*g_in_callback)(handle, msg);
}
void OnMessageInPlace(cpg_handle_t handle, const cpg_name*, std::uint32_t,
                      std::uint32_t, const void* msg, std::size_t) {
  (*g_in_callback)(handle, msg);
}

}  // namespace

void Deliver(cpg_model_t model, const InCallback& what) {
  g_in_callback = &what;
  cpg_model_v1_data_t v1{};
  v1.cpg_deliver_fn = &OnMessage;
  cpg_model_zcb_data_t zcb{};
  zcb.cpg_deliver_fn = &OnMessageInPlace;
  auto* data = model == CPG_MODEL_V1
                   ? reinterpret_cast<cpg_model_data_t*>(&v1)
                   : reinterpret_cast<cpg_model_data_t*>(&zcb);
  cpg_handle_t handle = 0;
  MustBeOk(cpg_model_initialize(&handle, model, data, nullptr));
  MustBeOk(Join(handle));
  MustBeOk(Send(handle));
  (void)DispatchAll(handle);
}

// --- full ------------------------------------------------------------------

void FillRing(cpg_handle_t member) {
  cs_error_t error = CS_OK;
  while (error == CS_OK) error = Send(member);
  Must(error == CS_ERR_TRY_AGAIN);
}

void FillRegion(cpg_handle_t handle) {
  for (const std::size_t size : {1U << 20, 1U << 16, 1U << 12, 256U, 1U}) {
    void* buffer = nullptr;
    cs_error_t error = CS_OK;
    while (error == CS_OK) error = cpg_zcb_alloc(handle, size, &buffer);
    Must(error == CS_ERR_NO_MEMORY);
  }
}

void UseUpDescriptors() {
  const int lowest_free = dup(2);
  Must(lowest_free >= 0);
  close(lowest_free);
  const auto limit = static_cast<rlim_t>(lowest_free);
  const rlimit none{limit, limit};
  Must(setrlimit(RLIMIT_NOFILE, &none) == 0);
}

void UseSmallFileSystem(const std::string& size) {
  if (unshare(CLONE_NEWNS) != 0 ||
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", std::getenv("ZCB_DIR"), "tmpfs", 0,
            ("size=" + size).c_str()) != 0) {
    NotHere("may not mount");
  }
}

void FillFileSystem() {
  const std::string path = std::string(std::getenv("ZCB_DIR")) + "/filler";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  Must(fd >= 0);
  const std::string page(4096, 'x');
  while (write(fd, page.data(), page.size()) > 0) {
  }
  Must(errno == ENOSPC);
}

Idler::Idler()
    : child_([this] {
        EndWithScene();
        (void)NewMember();
        joined_.Signal();
        never_.Wait();
        return 0;
      }) {
  joined_.Wait();
}

void FillRingBehind(const Idler&, cpg_handle_t member) {
  cs_error_t error = CS_OK;
  while (error == CS_OK) {
    MustBeOk(DispatchAll(member));
    error = Send(member);
  }
  Must(error == CS_ERR_TRY_AGAIN);
}

// --- files and words -------------------------------------------------------

std::string RegionDirectory() {
  return std::string(std::getenv("ZCB_DIR")) + "/zcb-" +
         std::to_string(geteuid());
}

std::string RegionFile(const std::string& kind) {
  return RegionDirectory() + "/default." + kind;
}

ipc::Attachment& SharedAttachment() {
  static const std::shared_ptr<ipc::Attachment> attachment = [] {
    const auto options = ipc::IpcOptions::FromEnvironment();
    Must(options.ok());
    auto opened = ipc::Attachment::Open(*options);
    Must(opened.ok());
    return *opened;
  }();
  return *attachment;
}

ipc::GroupView GroupOf(std::string_view name) {
  const auto view = SharedAttachment().directory().Find(ipc::GroupName(name));
  Must(view.ok() && view->has_value());
  return **view;
}

void MakeRegion(const std::function<void(ipc::IpcOptions*)>& change) {
  auto options = ipc::IpcOptions::FromEnvironment();
  Must(options.ok());
  options->region.keep = true;
  change(&*options);
  Must(ipc::Attachment::Open(*options).ok());
}

void DamageRing(std::string_view group) {
  const ipc::GroupView view = GroupOf(group);
  constexpr std::uint64_t kLapOfNoTurn = std::uint64_t{0x7777} << 32;
  for (std::uint64_t slot = 0; slot < view.slot_count(); ++slot) {
    // relaxed: one thread
    view.slot(slot).store(kLapOfNoTurn, std::memory_order_relaxed);
  }
}

void DamageDirectoryOfGroups() {
  ipc::Attachment& attachment = SharedAttachment();
  auto* const words = attachment.region().meta<std::atomic<std::uint64_t>>(
      attachment.geometry().directory_offset);
  for (std::uint32_t i = 0; i < attachment.geometry().group_count; ++i) {
    // relaxed: one thread
    words[i].store(~std::uint64_t{0}, std::memory_order_relaxed);
  }
}

void Evict() {
  zcb::testing::ChildProcess evictor([] {
    EndWithScene();
    const cpg_handle_t member = NewMember();
    MustBeOk(cpg_zcb_option_set(member, CPG_ZCB_OPTION_EVICT_MS, 1));
    // Refused while the scene's process holds the ring back, and no more.
    bool was_full = false;
    for (;;) {
      const cs_error_t sent = Send(member);
      if (sent == CS_OK && was_full) return 0;
      was_full = was_full || sent == CS_ERR_TRY_AGAIN;
      MustBeOk(DispatchAll(member));
    }
  });
  Must(evictor.Join() == 0);
}

namespace {

cs_error_t (*g_at_exit)() = nullptr;

// After the destructors of libraries, which have the default priority.
__attribute__((destructor(101))) void RunAtExit() {
  if (g_at_exit != nullptr) _exit(g_at_exit());
}

// Not thread-local: what a scene forbids it forbids all its threads.
std::atomic<bool> g_no_memory{false};

}  // namespace

void CallAtExit(cs_error_t (*call)()) {
  g_at_exit = call;
  std::exit(kSceneFailed);
}

NoMemory::NoMemory() { g_no_memory.store(true, std::memory_order_relaxed); }
NoMemory::~NoMemory() { g_no_memory.store(false, std::memory_order_relaxed); }

}  // namespace zcb::man

// The allocator of this program, but for what is aligned beyond 16 bytes. All
// forms, since a sanitizer's would not call each other.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  // relaxed: a switch of the scene's own thread, as a rule
  if (zcb::man::g_no_memory.load(std::memory_order_relaxed)) return nullptr;
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size) {
  void* const memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
