// Reports on a group and on the region.
#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {
namespace {

using RegionInfo = struct cpg_zcb_region_info;

cs_error_t Stats(cpg_handle_t handle, const cpg_name* group,
                 std::size_t size = sizeof(cpg_zcb_group_stats)) {
  cpg_zcb_group_stats stats{};
  stats.size = size;
  return cpg_zcb_group_stats_get(handle, group, &stats);
}

}  // namespace

Producers ReportErrors() {
  return {
      {"cpg_zcb_group_stats_get", CS_ERR_INVALID_PARAM, "StatsIsNull",
       [] { return cpg_zcb_group_stats_get(NewMember(), nullptr, nullptr); }},
      {"cpg_zcb_group_stats_get", CS_ERR_INVALID_PARAM, "SizeIsTooSmall",
       [] { return Stats(NewMember(), nullptr, sizeof(std::size_t)); }},
      {"cpg_zcb_group_stats_get", CS_ERR_NAME_TOO_LONG, "NameHas129Bytes",
       [] {
         cpg_name name{};
         name.length = CPG_MAX_NAME_LENGTH + 1;
         return Stats(NewMember(), &name);
       }},
      {"cpg_zcb_group_stats_get", CS_ERR_NOT_EXIST, "NoGroup",
       [] { return Stats(NewHandle(), nullptr); }},
      {"cpg_zcb_group_stats_get", CS_ERR_NO_MEMORY,
       "KernelHasNoneForTheGroupsPages",
       [] {
         const Idler other;
         const cpg_handle_t handle = NewHandle();
         RefusePagesOfTables();
         const cpg_name name = Named(kGroup);
         return Stats(handle, &name);
       }},
      {"cpg_zcb_group_stats_get", CS_ERR_LIBRARY, "DirectoryOfGroupsIsDamaged",
       [] {
         const cpg_handle_t handle = NewHandle();
         DamageDirectoryOfGroups();
         const cpg_name name = Named(kGroup);
         return Stats(handle, &name);
       }},
      {"cpg_zcb_region_info", CS_ERR_INVALID_PARAM, "InfoIsNull",
       [] { return cpg_zcb_region_info(NewHandle(), nullptr); }},
      {"cpg_zcb_region_info", CS_ERR_INVALID_PARAM, "SizeIsTooSmall",
       [] {
         RegionInfo info{};
         info.size = sizeof(std::size_t);
         return cpg_zcb_region_info(NewHandle(), &info);
       }},
      {"cpg_zcb_region_info", CS_ERR_NO_MEMORY, "NoneForTheProcess",
       [] {
         const cpg_handle_t handle = NewHandle();
         RegionInfo info{};
         info.size = sizeof(info);
         const NoMemory none;
         return cpg_zcb_region_info(handle, &info);
       }},
  };
}

}  // namespace zcb::man
