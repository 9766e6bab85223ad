#include "tests/order/history.h"

namespace zcb::order {
namespace {

std::string ToText(const Address& address) {
  return std::to_string(address.node) + "/" + std::to_string(address.pid);
}

std::string ToText(const MessageId& id) {
  return std::to_string(id.membership) + "." + std::to_string(id.lane) + "." +
         std::to_string(id.number);
}

std::string ToText(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes) {
    text +=
        " " + ToText(change.who) + " reason " + std::to_string(change.reason);
  }
  return text;
}

}  // namespace

std::string ToText(const Event& event) {
  std::string text;
  switch (event.kind) {
    case Event::Kind::kMessage:
      text = "message " + ToText(event.id) + " from " + ToText(event.sender);
      if (!event.intact) text += ", damaged";
      if (event.mention) text += ", after " + ToText(*event.mention);
      return text;
    case Event::Kind::kDrained:
      return "drained membership " + std::to_string(event.other) + " up to " +
             std::to_string(event.length);
    case Event::Kind::kView:
      break;
  }
  text = "view {";
  for (const Address& member : event.members) text += " " + ToText(member);
  text += " }";
  if (!event.joined.empty()) text += " joined" + ToText(event.joined);
  if (!event.left.empty()) text += " left" + ToText(event.left);
  return text;
}

}  // namespace zcb::order
