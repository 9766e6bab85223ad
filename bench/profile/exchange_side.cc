// One of two processes that exchange messages, to be run under a tool that
// counts: exchange_side ROLE API MESSAGES BYTES DIRECTORY
//
//   ROLE       sender or receiver; the other one is started the same way
//   API        native (ipc::Member) or cpg (the C functions)
//   DIRECTORY  for the region, and for the files `gate` (how far the two have
//              come) and `places.ROLE` (which memory is what: places.h)
//
// In turns of 64 messages, so that the receiver never finds the ring empty, and
// the sender, which reads its own messages one by one, finds the turn before
// read when it reclaims: the same accesses in every run.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "allocator/abi.h"
#include "bench/profile/exchange_paths.h"
#include "bench/profile/places.h"
#include "ipc/group_name.h"

namespace zcb::bench {
namespace {

constexpr std::uint64_t kTurn = 64;
constexpr std::string_view kGroup = "profile";

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "exchange_side: %s\n", what);
  std::exit(1);
}

// While there is nothing to do but wait: each look would be traced.
void Rest() { usleep(1000); }

// How many messages are sent, and read, so far.
class Gate {
 public:
  explicit Gate(const std::string& directory) {
    const int file =
        open((directory + "/gate").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof(Words)) != 0) Fail("no gate");
    void* memory = mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE,
                        MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) Fail("no gate");
    close(file);
    words_ = static_cast<Words*>(memory);
  }
  void SetSent(std::uint64_t count) { Set(words_->sent, count); }
  void SetRead(std::uint64_t count) { Set(words_->read, count); }
  void AwaitSent(std::uint64_t count) const { Await(words_->sent, count); }
  void AwaitRead(std::uint64_t count) const { Await(words_->read, count); }

 private:
  struct Words {
    std::atomic<std::uint64_t> sent, read;
  };
  static void Set(std::atomic<std::uint64_t>& word, std::uint64_t count) {
    word.store(count, std::memory_order_release);
  }
  static void Await(const std::atomic<std::uint64_t>& word,
                    std::uint64_t count) {
    while (word.load(std::memory_order_acquire) < count) Rest();
  }
  Words* words_;
};

class Native {
 public:
  void Join() {
    const auto options = ipc::IpcOptions::FromEnvironment();
    if (!options) Fail(options.reason());
    Retry([&] { return ipc::Attachment::Open(*options); }, &attachment_);
    auto bell = attachment_->MakeDoorbell();
    if (!bell) Fail(bell.reason());
    bell_ = std::move(*bell);
    Retry(
        [&] { return attachment_->Join(ipc::GroupName(kGroup), bell_.get()); },
        &member_);
    while (member_->view().items().size() < 2) {
      const auto event = member_->Next();
      if (!event) Fail(event.reason());
      if (event->kind != ipc::Event::Kind::kNothing) {
        member_->Done();
      } else {
        Rest();
      }
    }
  }
  bool Send(std::size_t length_bytes) {
    return counted_native_send(attachment_.get(), member_.get(), length_bytes);
  }
  bool Receive() { return counted_native_receive(member_.get()); }
  bool ReceiveOwn() { return counted_native_receive_own(member_.get()); }
  void Describe(Places* places) const {
    places->AddRegion(*attachment_, kGroup, member_->address());
    places->Add("member", member_.get(), sizeof(*member_));
    places->Add("attachment", attachment_.get(), sizeof(*attachment_));
  }

 private:
  template <typename Make, typename T>
  static void Retry(Make&& make, T* made) {
    for (;;) {
      auto result = make();
      if (result) {
        *made = std::move(*result);
        return;
      }
      if (result.status() != Status::kTryAgain) Fail(result.reason());
    }
  }
  std::shared_ptr<ipc::Attachment> attachment_;
  std::unique_ptr<ipc::Doorbell> bell_;
  std::unique_ptr<ipc::Member> member_;
};

class Cpg {
 public:
  void Join() {
    cpg_model_zcb_data_t model{};
    Retry([&] {
      return cpg_model_initialize(&handle_, CPG_MODEL_ZCB,
                                  reinterpret_cast<cpg_model_data_t*>(&model),
                                  nullptr);
    });
    cpg_name group{};
    group.length = kGroup.size();
    std::memcpy(group.value, kGroup.data(), kGroup.size());
    Retry([&] { return cpg_join(handle_, &group); });
    for (std::size_t members = 0; members < 2;) {
      cpg_zcb_message message;
      if (cpg_zcb_next(handle_, &message) != CS_OK) {
        Rest();
      } else if (message.kind == CPG_ZCB_VIEW) {
        members = message.length / sizeof(cpg_address);
      }
    }
  }
  bool Send(std::size_t length_bytes) {
    return counted_cpg_send(handle_, length_bytes);
  }
  bool Receive() { return counted_cpg_receive(handle_); }
  bool ReceiveOwn() { return counted_cpg_receive_own(handle_); }
  // The attachment that the handle shares with whoever opens it anew.
  void Describe(Places* places) const {
    const auto options = ipc::IpcOptions::FromEnvironment();
    const auto attachment = ipc::Attachment::Open(*options);
    if (!attachment) Fail(attachment.reason());
    unsigned node_id = 0;
    if (cpg_local_get(handle_, &node_id) != CS_OK) Fail("no node");
    places->AddRegion(**attachment, kGroup,
                      {node_id, static_cast<std::uint32_t>(getpid())});
    places->Add("attachment", attachment->get(), sizeof(**attachment));
  }

 private:
  template <typename Call>
  static void Retry(Call&& call) {
    cs_error_t error = CS_ERR_TRY_AGAIN;
    while (error == CS_ERR_TRY_AGAIN) error = call();
    if (error != CS_OK) Fail("a call of the C API failed");
  }
  cpg_handle_t handle_ = 0;
};

struct Exchange {
  bool is_sender;
  std::uint64_t messages;
  std::size_t length_bytes;
  std::string directory;
};

template <typename Api>
void SendAll(const Exchange& exchange, Gate& gate, Api& api) {
  for (std::uint64_t sent = 0; sent < exchange.messages;) {
    Mark(Phase::kSend);
    const bool was_sent = api.Send(exchange.length_bytes);
    Mark(Phase::kReceiveOwn);
    const bool is_back = was_sent && api.ReceiveOwn();
    Mark(Phase::kOther);
    if (!is_back) Fail("a send failed");
    if (++sent % kTurn == 0) {
      gate.SetSent(sent);
      gate.AwaitRead(sent);
    }
  }
}

template <typename Api>
void ReceiveAll(const Exchange& exchange, Gate& gate, Api& api) {
  for (std::uint64_t read = 0; read < exchange.messages;) {
    if (read % kTurn == 0) gate.AwaitSent(read + kTurn);
    Mark(Phase::kReceive);
    const bool was_read = api.Receive();
    Mark(Phase::kOther);
    if (!was_read) Fail("a message is missing");
    if (++read % kTurn == 0) gate.SetRead(read);
  }
}

template <typename Api>
int Run(const Exchange& exchange) {
  Api api;
  api.Join();
  Gate gate(exchange.directory);
  Places places;
  // Under valgrind the maps do not name it.
  constexpr std::size_t kStackBytes = 1 << 18;
  places.Add(
      "stack",
      static_cast<const std::byte*>(__builtin_frame_address(0)) - kStackBytes,
      kStackBytes + alloc::kMetaPageBytes);
  api.Describe(&places);
  const char* const role = exchange.is_sender ? "sender" : "receiver";
  if (!places.Write(exchange.directory + "/places." + role)) Fail("no places");
  if (exchange.is_sender) {
    SendAll(exchange, gate, api);
  } else {
    ReceiveAll(exchange, gate, api);
  }
  return 0;
}

std::uint64_t ParseNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    Fail("not a number");
  }
  return number;
}

int Main(int argc, char** argv) {
  if (argc != 6) Fail("ROLE API MESSAGES BYTES DIRECTORY");
  const std::string_view api = argv[2];
  const Exchange exchange{std::string_view(argv[1]) == "sender",
                          ParseNumber(argv[3]), ParseNumber(argv[4]), argv[5]};
  if (exchange.messages % kTurn != 0) Fail("MESSAGES is no multiple of 64");
  if (exchange.length_bytes < sizeof(std::uint64_t)) Fail("BYTES is below 8");
  if (setenv("ZCB_DIR", argv[5], 1) != 0) Fail("no environment");
  return api == "native" ? Run<Native>(exchange) : Run<Cpg>(exchange);
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) { return zcb::bench::Main(argc, argv); }
