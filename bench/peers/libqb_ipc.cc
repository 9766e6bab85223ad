// Peer: libqb's ipc, a client that sends requests and a server that answers,
// over shared memory.
#include <fmt/format.h>
#include <poll.h>
#include <qb/qbipcc.h>
#include <qb/qbipcs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "bench/peers/private_buffer.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kLeastBufferBytes = 1 << 20;

// What libqb wants of a main loop, in its least form: poll(2), and a list of
// jobs. (Its own qb_loop does the same, and timers, and signals.)
class PollLoop {
 public:
  static PollLoop& Get() {
    static PollLoop loop;
    return loop;
  }
  static qb_ipcs_poll_handlers Handlers() {
    return {.job_add = [](qb_loop_priority, void* data,
                          qb_loop_job_dispatch_fn function) -> std::int32_t {
              Get().jobs_.emplace_back(function, data);
              return 0;
            },
            .dispatch_add = Watch,
            .dispatch_mod = Watch,
            .dispatch_del = Forget};
  }
  // One turn; `timeout_ms` as poll(2)'s.
  void Turn(int timeout_ms) {
    for (const auto& [function, data] : std::exchange(jobs_, {})) {
      function(data);
    }
    if (::poll(polled_.data(), polled_.size(), timeout_ms) <= 0) return;
    for (std::size_t i = 0; i < polled_.size(); ++i) {
      const pollfd ready = polled_[i];
      if (ready.revents == 0) continue;
      const Watched watched = watched_[i];
      const std::int32_t answer =
          watched.function(ready.fd, ready.revents, watched.data);
      if (answer < 0) Forget(ready.fd);
    }
  }

 private:
  struct Watched {
    void* data;
    qb_ipcs_dispatch_fn_t function;
  };
  static std::int32_t Watch(qb_loop_priority, std::int32_t fd,
                            std::int32_t events, void* data,
                            qb_ipcs_dispatch_fn_t function) {
    Forget(fd);
    Get().polled_.push_back({fd, static_cast<short>(events), 0});
    Get().watched_.push_back({data, function});
    return 0;
  }
  static std::int32_t Forget(std::int32_t fd) {
    PollLoop& loop = Get();
    for (std::size_t i = 0; i < loop.polled_.size(); ++i) {
      if (loop.polled_[i].fd != fd) continue;
      const auto at = static_cast<std::ptrdiff_t>(i);
      loop.polled_.erase(loop.polled_.begin() + at);
      loop.watched_.erase(loop.watched_.begin() + at);
      break;
    }
    return 0;
  }
  std::vector<pollfd> polled_;
  std::vector<Watched> watched_;
  std::vector<std::pair<qb_loop_job_dispatch_fn, void*>> jobs_;
};

// The first side is the client.
class LibqbIpcPeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"libqb_ipc", Wait::kBusy, "qb_ipcc, qb_ipcs: no waiting"},
      Variant{"libqb_ipc", Wait::kSleep, "qb_ipcc, qb_ipcs: poll(2)"},
  };

  explicit LibqbIpcPeer(const PeerSetup& setup)
      : timeout_ms_(setup.variant.wait == Wait::kBusy ? 0 : -1),
        buffer_bytes_(setup.largest_bytes + kLineBytes),
        name_(fmt::format("zcb-bench-{}", ::getpid())) {}

  void Connect(Side side) {
    side_ = side;
    out_ = PrivateBuffer(buffer_bytes_);
    if (side == Side::kFirst) {
      ConnectToServer();
    } else {
      Serve();
    }
  }

  // A header in the line before the payload, as libqb wants it.
  std::span<std::byte> Prepare(std::size_t length_bytes) {
    prepared_bytes_ = sizeof(Header) + length_bytes;
    Header header{};
    header.id = QB_IPC_MSG_USER_START;
    header.size = static_cast<std::int32_t>(prepared_bytes_);
    std::memcpy(out_.data() + kLineBytes - sizeof(header), &header,
                sizeof(header));
    return {out_.data() + kLineBytes, length_bytes};
  }

  bool Send() {
    const std::byte* begin = out_.data() + kLineBytes - sizeof(Header);
    const ssize_t sent =
        side_ == Side::kFirst
            ? qb_ipcc_send(client_, begin, prepared_bytes_)
            : qb_ipcs_response_send(server_client_, begin, prepared_bytes_);
    if (sent == -EAGAIN || sent == -ENOBUFS) return false;
    if (sent < 0)
      Fail("libqb send: {}", std::strerror(static_cast<int>(-sent)));
    return true;
  }

  template <typename R>
  bool Receive(const R& reader) {
    if (side_ == Side::kFirst) return ReceiveAnswer(reader);
    reader_ = &reader;
    read_ = [](const void* reads, std::span<const std::byte> message) {
      (*static_cast<const R*>(reads))(message);
    };
    was_message_ = false;
    PollLoop::Get().Turn(timeout_ms_);
    return was_message_;
  }

  void Service() {}

  // Its files in /dev/shm.
  void Disconnect() {
    if (side_ == Side::kFirst) {
      qb_ipcc_disconnect(client_);
    } else {
      qb_ipcs_destroy(service_);
    }
  }

 private:
  // Begins as a request's does.
  using Header = qb_ipc_response_header;
  static_assert(sizeof(Header) <= kLineBytes);

  void ConnectToServer() {
    while (client_ == nullptr) {  // the server is not there yet
      client_ = qb_ipcc_connect(name_.c_str(), MessageBytes());
    }
    in_ = PrivateBuffer(MessageBytes());
  }
  std::size_t MessageBytes() const {
    return std::max(kLeastBufferBytes, buffer_bytes_ + kLineBytes);
  }

  void Serve() {
    self_ = this;
    static qb_ipcs_service_handlers handlers = {
        .connection_accept = [](qb_ipcs_connection_t*, uid_t,
                                gid_t) -> std::int32_t { return 0; },
        .connection_created =
            [](qb_ipcs_connection_t* client) {
              self_->server_client_ = client;
            },
        .msg_process = [](qb_ipcs_connection_t*, void* data,
                          std::size_t size) -> std::int32_t {
          self_->was_message_ = true;
          self_->read_(self_->reader_,
                       std::span(static_cast<const std::byte*>(data), size)
                           .subspan(sizeof(Header)));
          return 0;
        },
        .connection_closed = [](qb_ipcs_connection_t*) -> std::int32_t {
          return 0;
        },
        .connection_destroyed = nullptr};
    static qb_ipcs_poll_handlers loop = PollLoop::Handlers();
    service_ = qb_ipcs_create(name_.c_str(), 0, QB_IPC_SHM, &handlers);
    if (service_ == nullptr) Fail("qb_ipcs_create");
    qb_ipcs_poll_handlers_set(service_, &loop);
    qb_ipcs_enforce_buffer_size(service_,
                                static_cast<std::uint32_t>(MessageBytes()));
    qb_ipcs_request_rate_limit(service_, QB_IPCS_RATE_FAST);
    const std::int32_t error = qb_ipcs_run(service_);
    if (error < 0) Fail("qb_ipcs_run: {}", std::strerror(-error));
    while (server_client_ == nullptr) PollLoop::Get().Turn(-1);
  }

  bool ReceiveAnswer(const auto& reader) {
    const ssize_t got =
        qb_ipcc_recv(client_, in_.data(), MessageBytes(), timeout_ms_);
    if (got == -EAGAIN || got == -ETIMEDOUT) return false;
    if (got < 0)
      Fail("qb_ipcc_recv: {}", std::strerror(static_cast<int>(-got)));
    reader(std::span<const std::byte>(in_.data(), static_cast<std::size_t>(got))
               .subspan(sizeof(Header)));
    return true;
  }

  static inline LibqbIpcPeer* self_ =
      nullptr;  // libqb's callbacks have no data

  int timeout_ms_;
  std::size_t buffer_bytes_;
  std::string name_;
  Side side_ = Side::kFirst;
  qb_ipcc_connection_t* client_ = nullptr;
  qb_ipcs_service_t* service_ = nullptr;
  qb_ipcs_connection_t* server_client_ = nullptr;
  PrivateBuffer out_;
  PrivateBuffer in_;
  std::size_t prepared_bytes_ = 0;
  // During a turn of the server's loop.
  const void* reader_ = nullptr;
  void (*read_)(const void*, std::span<const std::byte>) = nullptr;
  bool was_message_ = false;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::LibqbIpcPeer>(argc, argv,
                                                              "libqb_ipc");
}
