// cpg_initialize and cpg_model_initialize: arguments and the environment.
#include <sys/resource.h>

#include <cstdlib>

#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {

void AddToInitialize(Producers* all, cs_error_t error, const std::string& cause,
                     const std::function<void()>& prepare) {
  all->push_back({"cpg_initialize", error, cause, [prepare] {
                    prepare();
                    cpg_handle_t handle = 1;
                    const cs_error_t said = cpg_initialize(&handle, nullptr);
                    Must(handle == 0);
                    return said;
                  }});
  all->push_back({"cpg_model_initialize", error, cause, [prepare] {
                    prepare();
                    cpg_handle_t handle = 1;
                    const cs_error_t said = cpg_model_initialize(
                        &handle, CPG_MODEL_ZCB, nullptr, nullptr);
                    Must(handle == 0);
                    return said;
                  }});
}

namespace {

void AddNonsense(Producers* all) {
  struct Row {
    const char* variable;
    const char* value;
    const char* cause = "VariableMakesNoSense";
  };
  for (const Row& row : {
           Row{"ZCB_DIR", "relative"},
           Row{"ZCB_DIR", "/no/such/directory", "NoSuchBaseDirectory"},
           Row{"ZCB_DIR", "/dev/null", "NoSuchBaseDirectory"},
           Row{"ZCB_DIR", "/proc", "NoSuchBaseDirectory"},
           Row{"ZCB_REGION", ""},
           Row{"ZCB_REGION", "a/b"},
           Row{"ZCB_REGION", ".hidden"},
           Row{"ZCB_REGION", "x@no-such-group", "GroupDoesNotExist"},
           Row{"ZCB_REGION_BYTES", "1t"},
           Row{"ZCB_REGION_BYTES", "4095k"},
           Row{"ZCB_REGION_BYTES", "129g"},
           Row{"ZCB_PREFAULT_BYTES", "8M"},
           Row{"ZCB_PAGES", "large"},
           Row{"ZCB_KEEP", "yes"},
           Row{"ZCB_SIGBUS", "2"},
           Row{"ZCB_QUOTA_BYTES", "-1"},
           Row{"ZCB_SPARE_BYTES", "all"},
           Row{"ZCB_MAGAZINE_BYTES", "63k"},
           Row{"ZCB_MAGAZINE_BYTES", "17m"},
           Row{"ZCB_RING_SLOTS", "512"},
           Row{"ZCB_RING_SLOTS", "5000"},
           Row{"ZCB_RING_SLOTS", "65536"},
           Row{"ZCB_GROUP_MEMBERS", "0"},
           Row{"ZCB_GROUP_MEMBERS", "1025"},  // for 4096 slots
           Row{"ZCB_RECLAIM_MESSAGES", "0"},
           Row{"ZCB_RECLAIM_MESSAGES", "32769"},
           Row{"ZCB_RECLAIM_BYTES", "4095"},
           Row{"ZCB_PREFETCH", "65"},
           Row{"ZCB_BURST_PAUSE_NS", "1000001"},
           Row{"ZCB_IDLE_BYTES", "some"},
           Row{"ZCB_NUMA", "-1"},
           Row{"ZCB_POISON", "2"},
           Row{"ZCB_NODEID", "0"},
           Row{"ZCB_NODEID", "4294967296"},
           Row{"ZCB_WAIT", "never"},
           Row{"ZCB_SPIN_NS", "1000000001"},
           Row{"ZCB_PARK", "bench"},
           Row{"ZCB_EVICT_MS", "4294967296"},
           Row{"ZCB_SEND_TIME", "2"},
           Row{"ZCB_RETAIN_BYTES", "-1"},
       }) {
    std::string which = std::string(row.variable) + "Is_" + row.value;
    for (char& c : which) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    }
    AddToInitialize(all, CS_ERR_INVALID_PARAM,
                    std::string(row.cause) + "_" + which,
                    [row] { Must(setenv(row.variable, row.value, 1) == 0); });
  }
}

cs_error_t InitializeAgain() {
  cpg_handle_t handle = 0;
  return cpg_initialize(&handle, nullptr);
}
cs_error_t InitializeModelAgain() {
  cpg_handle_t handle = 0;
  return cpg_model_initialize(&handle, CPG_MODEL_ZCB, nullptr, nullptr);
}

}  // namespace

Producers InitializeErrors() {
  Producers all;
  AddNonsense(&all);
  all.push_back({"cpg_initialize", CS_ERR_INVALID_PARAM, "HandleIsNull",
                 [] { return cpg_initialize(nullptr, nullptr); }});
  all.push_back(
      {"cpg_model_initialize", CS_ERR_INVALID_PARAM, "HandleIsNull", [] {
         return cpg_model_initialize(nullptr, CPG_MODEL_V1, nullptr, nullptr);
       }});
  all.push_back(
      {"cpg_model_initialize", CS_ERR_INVALID_PARAM, "UnknownModel", [] {
         cpg_handle_t handle = 0;
         return cpg_model_initialize(&handle, static_cast<cpg_model_t>(2),
                                     nullptr, nullptr);
       }});
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    all.push_back({"cpg_model_initialize", CS_ERR_INVALID_PARAM,
                   model == CPG_MODEL_V1 ? "UnknownFlag" : "UnknownFlag_OfZcb",
                   [model] {
                     cpg_model_v1_data_t v1{};
                     cpg_model_zcb_data_t zcb{};
                     v1.flags = 0x02;  // the other model's
                     zcb.flags = 0x04;
                     cpg_handle_t handle = 0;
                     return cpg_model_initialize(
                         &handle, model,
                         model == CPG_MODEL_V1
                             ? reinterpret_cast<cpg_model_data_t*>(&v1)
                             : reinterpret_cast<cpg_model_data_t*>(&zcb),
                         nullptr);
                   }});
  }
  AddToInitialize(&all, CS_ERR_NAME_TOO_LONG, "RegionsNameHas65Bytes", [] {
    setenv("ZCB_REGION", std::string(65, 'x').c_str(), 1);
  });
  AddToInitialize(&all, CS_ERR_NAME_TOO_LONG, "GroupsNameHas65Bytes", [] {
    setenv("ZCB_REGION", ("x@" + std::string(65, 'x')).c_str(), 1);
  });
  AddToInitialize(&all, CS_ERR_NAME_TOO_LONG, "DirectorysPathHas3073Bytes", [] {
    setenv("ZCB_DIR", ("/" + std::string(3072, 'x')).c_str(), 1);
  });
  AddToInitialize(&all, CS_ERR_NAME_TOO_LONG, "MountsPathHas256Bytes", [] {
    setenv("ZCB_PAGES", ("auto:/" + std::string(255, 'x')).c_str(), 1);
  });
  AddToInitialize(&all, CS_ERR_NO_RESOURCES, "NoDescriptor", &UseUpDescriptors);
  AddToInitialize(&all, CS_ERR_NO_RESOURCES, "FilesMayNotBeThatLarge", [] {
    const rlimit megabyte{1 << 20, 1 << 20};
    Must(setrlimit(RLIMIT_FSIZE, &megabyte) == 0);
  });
  AddToInitialize(&all, CS_ERR_NO_MEMORY, "NoneForTheProcess",
                  [] { new NoMemory; });  // and it stays so
  all.push_back({"cpg_initialize", CS_ERR_LIBRARY, "ProcessIsPastItsHandlers",
                 []() -> cs_error_t {
                   (void)NewHandle();
                   CallAtExit(&InitializeAgain);
                 }});
  all.push_back({"cpg_model_initialize", CS_ERR_LIBRARY,
                 "ProcessIsPastItsHandlers", []() -> cs_error_t {
                   (void)NewHandle();
                   CallAtExit(&InitializeModelAgain);
                 }});
  return all;
}

}  // namespace zcb::man
