#include "tests/order/event_words.h"

namespace zcb::order {
namespace {

using Words = std::vector<std::uint32_t>;

void Put(const Address& address, Words* words) {
  words->insert(words->end(), {address.node, address.pid});
}

void Put(const MessageId& id, Words* words) {
  words->insert(words->end(), {id.membership, id.lane, id.number});
}

void Put(const std::vector<Change>& changes, Words* words) {
  words->push_back(static_cast<std::uint32_t>(changes.size()));
  for (const Change& change : changes) {
    Put(change.who, words);
    words->push_back(change.reason);
  }
}

class Reader {
 public:
  explicit Reader(std::span<const std::uint32_t>* words) : words_(words) {}
  std::uint32_t Word() {
    const std::uint32_t word = words_->front();
    *words_ = words_->subspan(1);
    return word;
  }
  Address TakeAddress() {
    const std::uint32_t node = Word();
    return {node, Word()};
  }
  MessageId TakeId() {
    const std::uint32_t membership = Word();
    const std::uint32_t lane = Word();
    return {membership, lane, Word()};
  }
  std::vector<Change> TakeChanges() {
    std::vector<Change> changes(Word());
    for (Change& change : changes) {
      change.who = TakeAddress();
      change.reason = Word();
    }
    return changes;
  }

 private:
  std::span<const std::uint32_t>* words_;
};

}  // namespace

void PutEvent(const Event& event, Words* words) {
  words->push_back(static_cast<std::uint32_t>(event.kind));
  switch (event.kind) {
    case Event::Kind::kMessage:
      Put(event.id, words);
      Put(event.sender, words);
      words->push_back(event.intact ? 1 : 0);
      words->push_back(static_cast<std::uint32_t>(event.sequence >> 32));
      words->push_back(static_cast<std::uint32_t>(event.sequence));
      words->push_back(event.mention ? 1 : 0);
      if (event.mention) Put(*event.mention, words);
      return;
    case Event::Kind::kView:
      words->push_back(static_cast<std::uint32_t>(event.members.size()));
      for (const Address& member : event.members) Put(member, words);
      Put(event.joined, words);
      Put(event.left, words);
      return;
    case Event::Kind::kDrained:
      words->insert(words->end(), {event.other, event.length});
      return;
  }
}

Event TakeEvent(std::span<const std::uint32_t>* words) {
  Reader reader(words);
  Event event;
  event.kind = Event::Kind(reader.Word());
  switch (event.kind) {
    case Event::Kind::kMessage:
      event.id = reader.TakeId();
      event.sender = reader.TakeAddress();
      event.intact = reader.Word() != 0;
      event.sequence = std::uint64_t{reader.Word()} << 32;
      event.sequence |= reader.Word();
      if (reader.Word() != 0) event.mention = reader.TakeId();
      break;
    case Event::Kind::kView:
      event.members.resize(reader.Word());
      for (Address& member : event.members) member = reader.TakeAddress();
      event.joined = reader.TakeChanges();
      event.left = reader.TakeChanges();
      break;
    case Event::Kind::kDrained:
      event.other = reader.Word();
      event.length = reader.Word();
      break;
  }
  return event;
}

}  // namespace zcb::order
