// What happens to a handle while a call is inside.
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <csignal>

#include <vector>

#include "allocator/wiped_memory.h"
#include "ipc/entry_word.h"
#include "tests/cpg/watched_thread.h"
#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {
namespace {

using zcb::cpg::testing::WatchedThread;

// What a call says that sleeps, in a thread of its own, when its handle ends.
cs_error_t FinalizedInside(cpg_handle_t handle, CallOfAHandle call) {
  cs_error_t said = CS_OK;
  WatchedThread thread([&] { said = call(handle); });
  thread.WaitUntilAsleep();
  MustBeOk(cpg_finalize(handle));
  thread.Join();
  return said;
}

void AddThatWaitForEvents(Producers* all) {
  struct Row {
    const char* function;
    const char* cause;
    CallOfAHandle call;
  };
  for (const Row& row :
       {Row{"cpg_dispatch", "FinalizedByAnotherThread",
            [](cpg_handle_t h) {
              return cpg_dispatch(h, CS_DISPATCH_BLOCKING);
            }},
        Row{"cpg_zcb_dispatch_timed", "FinalizedByAnotherThread",
            [](cpg_handle_t h) {
              return cpg_zcb_dispatch_timed(h, CS_DISPATCH_BLOCKING, -1);
            }},
        Row{"cpg_zcb_next_timed", "FinalizedDuringTheCall", [](cpg_handle_t h) {
              cpg_zcb_message message{};
              return cpg_zcb_next_timed(h, &message, -1);
            }}}) {
    const CallOfAHandle call = row.call;
    all->push_back({row.function, CS_ERR_BAD_HANDLE, row.cause, [call] {
                      return FinalizedInside(NewMember(CPG_MODEL_ZCB), call);
                    }});
  }
}

// Those that do not wait for events wait while a callback runs.
void AddThatWaitForACallback(Producers* all) {
  struct Row {
    const char* function;
    CallOfAHandle call;
  };
  for (const Row& row : {Row{"cpg_zcb_next",
                             [](cpg_handle_t h) {
                               cpg_zcb_message message{};
                               return cpg_zcb_next(h, &message);
                             }},
                         Row{"cpg_zcb_next_batch", [](cpg_handle_t h) {
                               cpg_zcb_message message{};
                               unsigned int count = 0;
                               return cpg_zcb_next_batch(h, &message, 1,
                                                         &count);
                             }}}) {
    const CallOfAHandle call = row.call;
    all->push_back(
        {row.function, CS_ERR_BAD_HANDLE, "FinalizedDuringTheCall", [call] {
           cs_error_t said = CS_OK;
           // Its end is for after the callback.
           WatchedThread* thread = nullptr;
           Deliver(CPG_MODEL_ZCB, [&](cpg_handle_t handle, const void*) {
             thread = new WatchedThread(
                 [&said, call, handle] { said = call(handle); });
             thread->WaitUntilAsleep();
             MustBeOk(cpg_finalize(handle));
           });
           thread->Join();
           return said;
         }});
  }
}

void AddThatWaitForRoom(Producers* all) {
  static void* buffer = nullptr;
  struct Row {
    const char* function;
    CallOfAHandle call;
  };
  for (const Row& row :
       {Row{"cpg_zcb_wait",
            [](cpg_handle_t h) { return cpg_zcb_wait(h, 0, -1); }},
        Row{"cpg_zcb_mcast_timed",
            [](cpg_handle_t h) {
              return cpg_zcb_mcast_timed(h, CPG_TYPE_AGREED, buffer, 1, -1);
            }},
        Row{"cpg_zcb_mcastv_timed", [](cpg_handle_t h) {
              return cpg_zcb_mcastv_timed(h, CPG_TYPE_AGREED, nullptr, 0, -1);
            }}}) {
    const CallOfAHandle call = row.call;
    all->push_back(
        {row.function, CS_ERR_BAD_HANDLE, "FinalizedDuringTheCall", [call] {
           const Idler idler;
           const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
           buffer = NewBuffer(member);
           FillRingBehind(idler, member);
           return FinalizedInside(member, call);
         }});
  }
}

// --- a joiner that is put out ------------------------------------------------

const ipc::GroupView* g_group = nullptr;
void* g_page = nullptr;  // of slots, and the next one is in it
std::size_t g_page_bytes = 0;

// Runs where the joiner writes its record into the ring: it has its entry, and
// is not in the order yet.
void PutOutWhoJoins(int) {
  Must(mprotect(g_page, g_page_bytes, PROT_READ | PROT_WRITE) == 0);
  int put_out = 0;
  for (std::uint32_t i = 0; i < g_group->EntryHigh(); ++i) {
    auto& word = g_group->entry(i).word;
    // relaxed, both: one thread
    const ipc::EntryWord joiner(word.load(std::memory_order_relaxed));
    if (joiner.phase() != ipc::EntryWord::Phase::kJoining) continue;
    word.store(joiner.Become(ipc::EntryWord::Phase::kEvicted).raw(),
               std::memory_order_relaxed);
    ++put_out;
  }
  Must(put_out == 1);
}

cs_error_t JoinAndBePutOut() {
  const cpg_handle_t other = NewMember();
  // So far into the ring that its page has nothing but slots.
  g_page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  for (std::size_t i = 0; i < 2 * g_page_bytes / sizeof(std::uint64_t); ++i) {
    MustBeOk(Send(other));
    MustBeOk(DispatchAll(other));
  }
  MustBeOk(cpg_finalize(other));
  const ipc::GroupView group = GroupOf(kGroup);
  g_group = &group;
  // relaxed: one thread
  const auto next = reinterpret_cast<std::uintptr_t>(
      &group.slot(group.header().tail.load(std::memory_order_relaxed)));
  g_page = reinterpret_cast<void*>(next / g_page_bytes * g_page_bytes);
  const cpg_handle_t handle = NewHandle();
  struct sigaction action = {};
  action.sa_handler = &PutOutWhoJoins;
  Must(sigaction(SIGSEGV, &action, nullptr) == 0);
  Must(mprotect(g_page, g_page_bytes, PROT_READ) == 0);
  return Join(handle);
}

// --- a coroutine that comes back ---------------------------------------------

// In static memory: jumps keep no promise about locals.
jmp_buf g_main_place;
ucontext_t g_main, g_coroutine, g_callback;
volatile bool g_has_jumped = false;
cpg_handle_t g_handle = 0;
cs_error_t (*g_dispatch)(cpg_handle_t) = nullptr;
cs_error_t g_said = CS_OK;

void JumpOutOnce(cpg_handle_t, const cpg_name*, std::uint32_t, std::uint32_t,
                 void*, std::size_t) {
  getcontext(&g_callback);
  if (g_has_jumped) return;
  g_has_jumped = true;
  longjmp(g_main_place, 1);
}

cs_error_t SayOfACoroutine(cs_error_t (*dispatch)(cpg_handle_t)) {
#ifdef ZCB_WITH_ADDRESS_SANITIZER
  NotHere("the sanitizer knows no stack of a coroutine");
#endif
  g_dispatch = dispatch;
  cpg_callbacks_t callbacks{&JumpOutOnce, nullptr};
  MustBeOk(cpg_initialize(&g_handle, &callbacks));
  MustBeOk(Join(g_handle));
  MustBeOk(Send(g_handle));
  static std::vector<char> stack(std::size_t{256} << 10);
  getcontext(&g_coroutine);
  g_coroutine.uc_stack.ss_sp = stack.data();
  g_coroutine.uc_stack.ss_size = stack.size();
  g_coroutine.uc_link = &g_main;
  makecontext(&g_coroutine, [] { g_said = g_dispatch(g_handle); }, 0);
  if (setjmp(g_main_place) == 0) swapcontext(&g_main, &g_coroutine);
  Must(g_has_jumped);
  swapcontext(&g_main, &g_callback);
  return g_said;
}

}  // namespace

Producers MeanwhileErrors() {
  Producers all;
  AddThatWaitForEvents(&all);
  AddThatWaitForACallback(&all);
  AddThatWaitForRoom(&all);
  all.push_back(
      {"cpg_join", CS_ERR_LIBRARY, "EvictedWhileJoining", &JoinAndBePutOut});
  all.push_back({"cpg_dispatch", CS_ERR_LIBRARY, "CoroutineCameBack",
                 [] { return SayOfACoroutine(&DispatchAll); }});
  all.push_back(
      {"cpg_zcb_dispatch_timed", CS_ERR_LIBRARY, "CoroutineCameBack", [] {
         return SayOfACoroutine([](cpg_handle_t h) {
           return cpg_zcb_dispatch_timed(h, CS_DISPATCH_ALL, 0);
         });
       }});
  return all;
}

}  // namespace zcb::man
