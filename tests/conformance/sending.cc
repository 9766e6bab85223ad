// cpg_mcast_joined: lengths, pieces, order, and who may send.
#include <algorithm>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

constexpr std::size_t kLargestAtomic = 1047552;

cs_error_t SendPieces(const Member& member, std::vector<iovec> pieces) {
  cs_error_t error = CS_OK;
  do {
    error = cpg_mcast_joined(member.handle, CPG_TYPE_AGREED, pieces.data(),
                             static_cast<unsigned>(pieces.size()));
  } while (error == CS_ERR_TRY_AGAIN);
  return error;
}

std::vector<iovec> Split(std::string* text, std::size_t pieces) {
  std::vector<iovec> split;
  const std::size_t each = text->size() / pieces;
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::size_t begin = i * each;
    const std::size_t end = i + 1 == pieces ? text->size() : begin + each;
    split.push_back({text->data() + begin, end - begin});
  }
  return split;
}

// Sends, and says what came.
std::string Echo(Member* member, std::vector<iovec> pieces) {
  member->Forget();
  const cs_error_t error = SendPieces(*member, std::move(pieces));
  if (error != CS_OK) return Name(error);
  while (member->events.empty()) {
    if (member->Dispatch(CS_DISPATCH_ONE) != CS_OK) return "dispatch failed";
  }
  return member->Seen();
}

}  // namespace

SCENARIO(send_not_joined) {
  Member member;
  Observe("atomic", Name(member.Send("nobody hears")));
  std::string text = Pattern(kLargestAtomic + 1);
  Observe("large", Name(SendPieces(member, Split(&text, 1))));
  member.Enter("send_not_joined");
  member.RoundTrip();
  Observe("saw", member.Seen());
}

SCENARIO(send_before_the_join_came) {
  Member member;
  (void)member.Join("send_before");
  Observe("send", Name(member.Send("early")));
  member.Until("A:early");
  Observe("saw", member.Seen());
}

SCENARIO(send_guarantees) {
  Member member;
  member.Enter("send_guarantees");
  member.Forget();
  std::string text = "x";
  iovec piece{text.data(), 1};
  for (const int guarantee : {0, 1, 2, 3, 77}) {
    Observe("guarantee_" + std::to_string(guarantee),
            Name(cpg_mcast_joined(member.handle,
                                  static_cast<cpg_guarantee_t>(guarantee),
                                  &piece, 1)));
  }
  member.RoundTrip();
  Observe("saw", member.Seen());
}

SCENARIO(send_lengths) {
  Member member;
  member.Enter("send_lengths");
  Observe("no_pieces", Echo(&member, {}));
  Observe("empty_piece", Echo(&member, {{nullptr, 0}}));
  std::string text = "abc";
  Observe("empty_pieces_between", Echo(&member, {{nullptr, 0},
                                                 {text.data(), 1},
                                                 {nullptr, 0},
                                                 {text.data() + 1, 2}}));
  for (const std::size_t length :
       {std::size_t{100}, std::size_t{65536}, kLargestAtomic,
        kLargestAtomic + 1, std::size_t{1} << 20, (std::size_t{1} << 20) + 1,
        std::size_t{3} << 20, std::size_t{20} << 20}) {
    std::string pattern = Pattern(length);
    Observe("of_" + Number(length), Echo(&member, Split(&pattern, 1)));
  }
}

SCENARIO(send_more_than_the_region) {
  // 300 MiB; the region of the test has 256.
  ObserveInChild("says", [] {
    Member member;
    member.Enter("send_300_mib");
    std::string text = Pattern(std::size_t{1} << 20);
    return Name(SendPieces(
        member, std::vector<iovec>(300, iovec{text.data(), text.size()})));
  });
}

SCENARIO(send_null_pieces) {
  ObserveInChild("null_iovec", [] {
    Member member;
    member.Enter("send_null_pieces");
    return Name(cpg_mcast_joined(member.handle, CPG_TYPE_AGREED, nullptr, 1));
  });
}

SCENARIO(send_pieces) {
  {
    Member member;
    member.Enter("send_pieces");
    std::string text = Pattern(6300);
    Observe("2", Echo(&member, Split(&text, 2)));
    Observe("63", Echo(&member, Split(&text, 63)));
    std::string large = Pattern(5000000);
    Observe("100_of_50000", Echo(&member, Split(&large, 100)));
  }
}

SCENARIO(send_many_pieces) {
  for (const std::size_t count : {std::size_t{64}, std::size_t{65},
                                  std::size_t{1000}, std::size_t{5000}}) {
    ObserveInChild(Number(count), [count] {
      Member member;
      member.Enter("send_many_pieces");
      std::string text = Pattern(10000);
      return Echo(&member, Split(&text, count));
    });
  }
}

SCENARIO(send_copies) {
  // The sender's memory is its own again when the call returns.
  Member member;
  member.Enter("send_copies");
  member.Forget();
  std::string text = "first";
  (void)SendPieces(member, Split(&text, 1));
  text = "again";
  (void)SendPieces(member, Split(&text, 1));
  text = "xxxxx";
  member.Until("A:again");
  Observe("saw", member.Seen());
  Observe("message_aligned_to_8", YesNo(member.last_address % 8 == 0));
}

SCENARIO(send_is_delivered_by_dispatch_only) {
  Member member;
  member.Enter("by_dispatch");
  member.Forget();
  (void)member.Send("later");
  Observe("after_send", member.Seen());
  member.Until("A:later");
  Observe("after_dispatch", member.Seen());
}

SCENARIO(send_to_own_group_only) {
  Member first;
  Member second;
  first.Enter("own1");
  second.Enter("own2");
  first.Forget();
  second.Forget();
  first.RoundTrip();
  second.Settle();
  Observe("other_group_saw", second.Seen());
  Observe("group", first.last_group);
}

SCENARIO(flow_control) {
  Member member;
  cpg_flow_control_state_t state = CPG_FLOW_CONTROL_ENABLED;
  Observe("before_join",
          Name(cpg_flow_control_state_get(member.handle, &state)));
  Observe("state_before_join", Number(state));
  member.Enter("flow_control");
  (void)cpg_flow_control_state_get(member.handle, &state);
  Observe("state_joined", Number(state));
  // Nobody dispatches. An error that a synchronous call does not cure is one
  // that stays.
  constexpr int kMessages = 50000;
  constexpr int kPatience = 2000;
  std::string text(100, 'x');
  iovec piece{text.data(), text.size()};
  int sent = 0;
  int refused = 0;
  cs_error_t error = CS_OK;
  while (sent < kMessages && refused < kPatience) {
    error = cpg_mcast_joined(member.handle, CPG_TYPE_AGREED, &piece, 1);
    if (error == CS_OK) {
      ++sent;
      refused = 0;
    } else {
      unsigned node_id = 0;
      (void)cpg_local_get(member.handle, &node_id);
      ++refused;
    }
  }
  Observe("receiver_that_does_not_read",
          error == CS_OK ? "sends go on" : Name(error));
  (void)cpg_flow_control_state_get(member.handle, &state);
  Observe("state_then", Number(state));
  int received = 0;
  member.on_event = [&](const std::string&) { ++received; };
  while (received < sent) (void)member.Dispatch(CS_DISPATCH_ONE);
  Observe("all_came", YesNo(received == sent));
  (void)cpg_flow_control_state_get(member.handle, &state);
  Observe("state_in_the_end", Number(state));
  Observe("send_in_the_end", Name(member.Send("x")));
  (void)cpg_flow_control_state_get(member.handle, &state);
  Observe("state_after_that_send", Number(state));
}

}  // namespace zcb::conformance
