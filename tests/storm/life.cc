#include "tests/storm/life.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/storm/extras.h"

namespace zcb::storm {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;  // the board's notes
constexpr const char* kLive = "--live";

int UsePool(Board* board, order::Journal* journal, std::uint32_t index) {
  Life& life = board->life(index);
  order::Dice dice(life.orders.worker.seed, index);
  PoolUser pool(board, journal, index);
  life.threads[0].doing.store(Doing::kPool, kRelaxed);
  for (std::uint32_t i = 0; i < life.orders.worker.steps_per_thread &&
                            !board->finishing().load(kRelaxed);
       ++i) {
    pool.Step(&dice);
    life.threads[0].steps.fetch_add(1, kRelaxed);
  }
  life.threads[0].doing.store(Doing::kEnding, kRelaxed);
  pool.Close(dice.OneIn(2));
  life.threads[0].doing.store(Doing::kEnded, kRelaxed);
  return 0;
}

}  // namespace

int RunLife(Board* board, order::Journal* journal, std::uint32_t index) {
  Life& life = board->life(index);
  life.pid.store(getpid(), kRelaxed);
  // Nobody else in this round has that address, whatever numbers processes get.
  setenv("ZCB_NODEID", std::to_string(index).c_str(), 1);
  switch (life.orders.kind) {
    case LifeKind::kIdler:
      // With all that it inherited, until the driver kills it, or has gone.
      while (kill(board->driver(), 0) == 0) sleep(1);
      _exit(0);
    case LifeKind::kPoolUser:
      return UsePool(board, journal, index);
    case LifeKind::kWorker:
      break;
  }
  Extras extras(board, journal, index);
  const int code = RunWorker(journal, life.orders.worker, &extras);
  extras.Close();
  if (!life.orders.exits_cleanly) _exit(code);
  return code;
}

void ExecuteLife(Board* board, order::Journal* journal, std::uint32_t life) {
  for (const int descriptor : {board->descriptor(), journal->descriptor()}) {
    if (fcntl(descriptor, F_SETFD, 0) != 0) std::abort();
  }
  const std::string board_text = std::to_string(board->descriptor());
  const std::string journal_text = std::to_string(journal->descriptor());
  const std::string life_text = std::to_string(life);
  execl(board->program(), board->program(), kLive, board_text.c_str(),
        journal_text.c_str(), life_text.c_str(), nullptr);
  journal->Complain(std::string("cannot execute ") + board->program());
  _exit(5);
}

void RunLifeIfAsked(int count, char** words) {
  if (count != 5 || std::string_view(words[1]) != kLive) return;
  Board board(std::atoi(words[2]));
  order::Journal journal(kMostMemberships, kLogBytes, std::atoi(words[3]));
  for (const int descriptor : {board.descriptor(), journal.descriptor()}) {
    if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) std::abort();
  }
  std::exit(RunLife(&board, &journal,
                    static_cast<std::uint32_t>(std::atoi(words[4]))));
}

}  // namespace zcb::storm
