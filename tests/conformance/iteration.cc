// Walks over groups and members.
#include <algorithm>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

cs_error_t BeginOn(cpg_handle_t handle, int type, const cpg_name* group,
                   cpg_iteration_handle_t* walk) {
  return cpg_iteration_initialize(
      handle, static_cast<cpg_iteration_type_t>(type), group, walk);
}

cs_error_t Begin(const Member& member, int type, const cpg_name* group,
                 cpg_iteration_handle_t* walk) {
  return BeginOn(member.handle, type, group, walk);
}

// "group:A group:B", in no particular order.
std::string Walk(const Member& member, int type, const cpg_name* group) {
  cpg_iteration_handle_t walk = 0;
  const cs_error_t error = Begin(member, type, group, &walk);
  if (error != CS_OK) return Name(error);
  std::vector<std::string> items;
  cpg_iteration_description_t item{};
  cs_error_t last = CS_OK;
  while ((last = cpg_iteration_next(walk, &item)) == CS_OK) {
    std::string text(item.group.value, item.group.length);
    text.append(":");
    if (item.pid != 0) text.append(LabelOf(item.pid));
    text.append("@").append(std::to_string(item.nodeid));
    items.push_back(text);
  }
  std::sort(items.begin(), items.end());
  std::string all;
  for (const std::string& text : items) all.append(text).append(" ");
  (void)cpg_iteration_finalize(walk);
  return all + Name(last);
}

}  // namespace

SCENARIO(iteration_arguments) {
  Member member;
  const cpg_name name = Named("iteration");
  cpg_iteration_handle_t walk = 0;
  Observe("null_output",
          Name(Begin(member, CPG_ITERATION_ALL, nullptr, nullptr)));
  Observe("one_group_without_name",
          Name(Begin(member, CPG_ITERATION_ONE_GROUP, nullptr, &walk)));
  Observe("all_with_name",
          Name(Begin(member, CPG_ITERATION_ALL, &name, &walk)));
  Observe("name_only_with_name",
          Name(Begin(member, CPG_ITERATION_NAME_ONLY, &name, &walk)));
  Observe("type_0", Name(Begin(member, 0, nullptr, &walk)));
  Observe("type_4", Name(Begin(member, 4, nullptr, &walk)));
  Observe("bad_handle_and_bad_type", Name(BeginOn(0, 4, nullptr, &walk)));
  Observe("next_of_0", Name([] {
            cpg_iteration_description_t item{};
            return cpg_iteration_next(0, &item);
          }()));
  Observe("finalize_of_0", Name(cpg_iteration_finalize(0)));
  Observe("good", Name(Begin(member, CPG_ITERATION_ALL, nullptr, &walk)));
  Observe("walk_is_not_0", YesNo(walk != 0));
  Observe("next_into_null", Name(cpg_iteration_next(walk, nullptr)));
}

SCENARIO(iteration_types) {
  Peer peer([](Wire& wire) {
    Member first;
    Member second;
    first.Enter("group1");
    second.Enter("group2");
    wire.Ready();
    wire.Await();
  });
  peer.AwaitReady();
  Member member;
  const cpg_name first = Named("group1");
  const cpg_name unknown = Named("group3");
  // Needs no join.
  Observe("not_joined", Walk(member, CPG_ITERATION_ALL, nullptr));
  member.Enter("group1");
  Observe("all", Walk(member, CPG_ITERATION_ALL, nullptr));
  Observe("name_only", Walk(member, CPG_ITERATION_NAME_ONLY, nullptr));
  Observe("one_group", Walk(member, CPG_ITERATION_ONE_GROUP, &first));
  Observe("unknown_group", Walk(member, CPG_ITERATION_ONE_GROUP, &unknown));
}

SCENARIO(iteration_end) {
  Member member;
  member.Enter("iteration_end");
  cpg_iteration_handle_t walk = 0;
  (void)Begin(member, CPG_ITERATION_ALL, nullptr, &walk);
  cpg_iteration_description_t item{};
  Observe("first", Name(cpg_iteration_next(walk, &item)));
  Observe("end", Name(cpg_iteration_next(walk, &item)));
  Observe("after_the_end", Name(cpg_iteration_next(walk, &item)));
  Observe("finalize", Name(cpg_iteration_finalize(walk)));
  Observe("finalize_again", Name(cpg_iteration_finalize(walk)));
  Observe("next_after_finalize", Name(cpg_iteration_next(walk, &item)));
}

SCENARIO(iteration_is_a_snapshot) {
  Member member;
  Member other;
  member.Enter("snapshot1");
  cpg_iteration_handle_t walk = 0;
  (void)Begin(member, CPG_ITERATION_ALL, nullptr, &walk);
  other.Enter("snapshot2");
  cpg_iteration_description_t item{};
  int count = 0;
  while (cpg_iteration_next(walk, &item) == CS_OK) ++count;
  Observe("groups", std::to_string(count));
}

SCENARIO(iteration_after_finalize) {
  Member member;
  member.Enter("after_finalize");
  cpg_iteration_handle_t walk = 0;
  (void)Begin(member, CPG_ITERATION_ALL, nullptr, &walk);
  (void)member.Finalize();
  cpg_iteration_description_t item{};
  Observe("next", Name(cpg_iteration_next(walk, &item)));
  Observe("finalize", Name(cpg_iteration_finalize(walk)));
}

SCENARIO(iterations_at_once) {
  Member member;
  member.Enter("at_once");
  cpg_iteration_handle_t first = 0;
  cpg_iteration_handle_t second = 0;
  (void)Begin(member, CPG_ITERATION_ALL, nullptr, &first);
  (void)Begin(member, CPG_ITERATION_ALL, nullptr, &second);
  cpg_iteration_description_t item{};
  Observe("differ", YesNo(first != second));
  Observe("first", Name(cpg_iteration_next(first, &item)));
  Observe("second", Name(cpg_iteration_next(second, &item)));
  Observe("end_first", Name(cpg_iteration_finalize(first)));
  Observe("second_goes_on", Name(cpg_iteration_next(second, &item)));
}

}  // namespace zcb::conformance
