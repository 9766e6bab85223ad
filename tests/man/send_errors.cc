// Everything that sends.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {
namespace {

// A function that sends g_length bytes through a handle of the given model.
struct Way {
  const char* function;
  const char* name;  // tells ways of one function apart
  cpg_model_t model;
  cs_error_t (*send)(cpg_handle_t);
  bool waits;   // CS_ERR_TIMEOUT and CS_ERR_BUSY for CS_ERR_TRY_AGAIN
  bool copies;  // needs room in the region
};

constexpr int kTimeoutMs = 10;
// What every way sends. What a member sends in the zero-copy model must be
// there before the ring or the region is full.
std::size_t g_length = 1;
void* g_buffer = nullptr;
const void* g_kept = nullptr;

const iovec* OnePiece() {
  static iovec piece{};
  piece = {g_buffer, g_length};
  return &piece;
}

void Prepare(cpg_handle_t handle) {
  g_buffer = NewBuffer(handle, std::max<std::size_t>(g_length, 100));
}
// A message that this process keeps, from another group.
void PrepareKept() {
  const cpg_handle_t source = NewHandle(CPG_MODEL_ZCB);
  MustBeOk(Join(source, "source"));
  cpg_zcb_message view{};
  MustBeOk(cpg_zcb_next(source, &view));
  g_kept = TakenMessage(source, g_length);
  MustBeOk(cpg_zcb_retain(source, g_kept));
}

cs_error_t SendBatchOfOne(cpg_handle_t handle, void* msg, std::size_t length) {
  const iovec message{msg, length};
  unsigned int sent = 0;
  return cpg_zcb_mcast_batch(handle, CPG_TYPE_AGREED, &message, 1, &sent);
}

const std::vector<Way>& Ways() {
  static const std::vector<Way> ways = {
      {"cpg_mcast_joined", "", CPG_MODEL_V1,
       [](cpg_handle_t h) {
         return cpg_mcast_joined(h, CPG_TYPE_AGREED, OnePiece(), 1);
       },
       false, true},
      {"cpg_zcb_mcast_joined", "OfACopy", CPG_MODEL_V1,
       [](cpg_handle_t h) {
         return cpg_zcb_mcast_joined(h, CPG_TYPE_AGREED, g_buffer, g_length);
       },
       false, true},
      {"cpg_zcb_mcast_joined", "InPlace", CPG_MODEL_ZCB,
       [](cpg_handle_t h) {
         return cpg_zcb_mcast_joined(h, CPG_TYPE_AGREED, g_buffer, g_length);
       },
       false, false},
      {"cpg_zcb_mcast_batch", "OfACopy", CPG_MODEL_V1,
       [](cpg_handle_t h) { return SendBatchOfOne(h, g_buffer, g_length); },
       false, true},
      {"cpg_zcb_mcast_batch", "InPlace", CPG_MODEL_ZCB,
       [](cpg_handle_t h) { return SendBatchOfOne(h, g_buffer, g_length); },
       false, false},
      {"cpg_zcb_forward", "", CPG_MODEL_V1,
       [](cpg_handle_t h) {
         return cpg_zcb_forward(h, CPG_TYPE_AGREED, g_kept, g_length);
       },
       false, true},
      {"cpg_zcb_mcast_timed", "OfACopy", CPG_MODEL_V1,
       [](cpg_handle_t h) {
         return cpg_zcb_mcast_timed(h, CPG_TYPE_AGREED, g_buffer, g_length,
                                    kTimeoutMs);
       },
       true, true},
      {"cpg_zcb_mcast_timed", "InPlace", CPG_MODEL_ZCB,
       [](cpg_handle_t h) {
         return cpg_zcb_mcast_timed(h, CPG_TYPE_AGREED, g_buffer, g_length,
                                    kTimeoutMs);
       },
       true, false},
      {"cpg_zcb_mcastv_timed", "", CPG_MODEL_V1,
       [](cpg_handle_t h) {
         return cpg_zcb_mcastv_timed(h, CPG_TYPE_AGREED, OnePiece(), 1,
                                     kTimeoutMs);
       },
       true, true},
  };
  return ways;
}

// What those say that take memory of the region.
template <typename Add>
void AddCopies(const Add& add, const Way& way) {
  const cs_error_t no_room = way.waits ? CS_ERR_TIMEOUT : CS_ERR_TRY_AGAIN;
  // What a member that has read all sends, once something is in its way.
  const auto send_after = [way](void (*spoil)(cpg_handle_t)) {
    return [way, spoil](cpg_handle_t handle) {
      MustBeOk(Join(handle));
      MustBeOk(DispatchAll(handle));
      spoil(handle);
      return way.send(handle);
    };
  };
  add(no_room, "RegionIsFull", send_after(FillRegion));
  if (way.waits) {
    add(CS_ERR_BUSY, "SenderHasNotReadWhatFillsTheRegion",
        send_after([](cpg_handle_t handle) {
          MustBeOk(Send(handle));
          FillRegion(handle);
        }));
  }
  add(no_room, "QuotaIsUsedUp", send_after(FillRegion),
      [] { Must(setenv("ZCB_QUOTA_BYTES", "2m", 1) == 0); });
  add(no_room, "FileSystemIsFull", send_after([](cpg_handle_t handle) {
        FillFileSystem();
        FillRegion(handle);  // with what it had already
      }),
      [] { UseSmallFileSystem("8m"); });
  add(no_room, "NotInOnePiece", send_after(CutRegionToPieces),
      [] { g_length = kMoreThanAPiece; });
  add(CS_ERR_LIBRARY, "TablesAreDamaged", send_after(DamageTables),
      [] { g_length = std::size_t{1} << 20; });
}

// What every way of sending says.
void AddWay(Producers* all, const Way& way) {
  const auto add = [&](
                       cs_error_t error, const std::string& cause,
                       std::function<cs_error_t(cpg_handle_t)> produce,
                       void (*before)() = [] {}) {
    const std::string name = *way.name == 0 ? "" : std::string("_") + way.name;
    all->push_back({way.function, error, cause + name,
                    [way, before, produce = std::move(produce)] {
                      before();
                      PrepareKept();
                      const cpg_handle_t handle = NewHandle(way.model);
                      Prepare(handle);
                      return produce(handle);
                    }});
  };
  add(CS_ERR_NOT_EXIST, "NotJoined",
      [way](cpg_handle_t handle) { return way.send(handle); });
  add(CS_ERR_NOT_EXIST, "Leaving", [way](cpg_handle_t handle) {
    MustBeOk(Join(handle));
    MustBeOk(Leave(handle));
    return way.send(handle);
  });
  add(CS_ERR_LIBRARY, "Evicted", [way](cpg_handle_t handle) {
    MustBeOk(Join(handle));
    MustBeOk(DispatchAll(handle));
    Evict();
    return way.send(handle);
  });
  add(CS_ERR_LIBRARY, "RingIsDamaged", [way](cpg_handle_t handle) {
    MustBeOk(Join(handle));
    MustBeOk(DispatchAll(handle));
    DamageRing();
    return way.send(handle);
  });
  add(way.waits ? CS_ERR_TIMEOUT : CS_ERR_TRY_AGAIN, "AnotherHasNotRead",
      [way](cpg_handle_t handle) {
        const Idler idler;
        MustBeOk(Join(handle));
        FillRingBehind(idler, handle);
        return way.send(handle);
      });
  add(way.waits ? CS_ERR_BUSY : CS_ERR_TRY_AGAIN, "SenderHasNotRead",
      [way](cpg_handle_t handle) {
        MustBeOk(Join(handle));
        FillRing(handle);
        return way.send(handle);
      });
  if (way.copies) AddCopies(add, way);
}

// Of the two that take pieces.
void AddPieces(Producers* all) {
  using Send = cs_error_t (*)(cpg_handle_t, const iovec*, unsigned);
  struct Row {
    const char* function;
    Send send;
  };
  for (const Row& row :
       {Row{"cpg_mcast_joined",
            [](cpg_handle_t h, const iovec* pieces, unsigned count) {
              return cpg_mcast_joined(h, CPG_TYPE_AGREED, pieces, count);
            }},
        Row{"cpg_zcb_mcastv_timed",
            [](cpg_handle_t h, const iovec* pieces, unsigned count) {
              return cpg_zcb_mcastv_timed(h, CPG_TYPE_AGREED, pieces, count,
                                          kTimeoutMs);
            }}}) {
    const Send send = row.send;
    all->push_back({row.function, CS_ERR_INVALID_PARAM, "PiecesAreNull",
                    [send] { return send(NewMember(), nullptr, 1); }});
    all->push_back({row.function, CS_ERR_INVALID_PARAM, "PieceIsNull", [send] {
                      const iovec piece{nullptr, 1};
                      return send(NewMember(), &piece, 1);
                    }});
    all->push_back({row.function, CS_ERR_TOO_BIG, "MoreThanTheQuota", [send] {
                      Must(setenv("ZCB_QUOTA_BYTES", "4m", 1) == 0);
                      static char bytes[4 << 20];
                      const iovec piece{bytes, sizeof(bytes)};
                      return send(NewMember(), &piece, 1);
                    }});
    all->push_back({row.function, CS_ERR_INVALID_PARAM, "SumOverflows", [send] {
                      char byte = 0;
                      const iovec pieces[] = {
                          {&byte, std::numeric_limits<std::size_t>::max()},
                          {&byte, 1}};
                      return send(NewMember(), pieces, 2);
                    }});
    all->push_back({row.function, CS_ERR_TOO_BIG, "MoreThanTheRegion", [send] {
                      char byte = 0;
                      const iovec piece{&byte, std::size_t{1} << 40};
                      return send(NewMember(), &piece, 1);
                    }});
  }
}

// Of those that take a buffer.
void AddBuffers(Producers* all) {
  using Send = cs_error_t (*)(cpg_handle_t, void*, std::size_t);
  struct Row {
    const char* function;
    Send send;
  };
  for (const Row& row : {Row{"cpg_zcb_mcast_joined",
                             [](cpg_handle_t h, void* msg, std::size_t length) {
                               return cpg_zcb_mcast_joined(h, CPG_TYPE_AGREED,
                                                           msg, length);
                             }},
                         Row{"cpg_zcb_mcast_timed",
                             [](cpg_handle_t h, void* msg, std::size_t length) {
                               return cpg_zcb_mcast_timed(
                                   h, CPG_TYPE_AGREED, msg, length, kTimeoutMs);
                             }},
                         Row{"cpg_zcb_mcast_batch", &SendBatchOfOne}}) {
    const Send send = row.send;
    all->push_back({row.function, CS_ERR_INVALID_PARAM, "CopyOfNull",
                    [send] { return send(NewMember(), nullptr, 1); }});
    all->push_back({row.function, CS_ERR_INVALID_PARAM, "NoLiveBuffer", [send] {
                      int here = 0;
                      return send(NewMember(CPG_MODEL_ZCB), &here, 1);
                    }});
    all->push_back({row.function, CS_ERR_INVALID_PARAM,
                    "NoLiveBuffer_SentAlready", [send] {
                      const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
                      void* const buffer = NewBuffer(member);
                      MustBeOk(send(member, buffer, 1));
                      return send(member, buffer, 1);
                    }});
    all->push_back(
        {row.function, CS_ERR_TOO_BIG, "CopyOfMoreThanTheRegion", [send] {
           char byte = 0;
           return send(NewMember(), &byte, std::size_t{1} << 40);
         }});
    all->push_back({row.function, CS_ERR_TOO_BIG, "MoreThanTheBuffer", [send] {
                      const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
                      return send(member, NewBuffer(member, 64), 65);
                    }});
  }
}

}  // namespace

Producers SendErrors() {
  Producers all;
  for (const Way& way : Ways()) AddWay(&all, way);
  AddPieces(&all);
  AddBuffers(&all);
  all.push_back(
      {"cpg_zcb_forward", CS_ERR_INVALID_PARAM, "NeitherKeptNorOpen", [] {
         char byte = 0;
         return cpg_zcb_forward(NewMember(), CPG_TYPE_AGREED, &byte, 1);
       }});
  all.push_back({"cpg_zcb_forward", CS_ERR_TOO_BIG, "MoreThanTheMessage", [] {
                   PrepareKept();
                   return cpg_zcb_forward(NewMember(), CPG_TYPE_AGREED, g_kept,
                                          2);
                 }});
  all.push_back(
      {"cpg_zcb_forward", CS_ERR_TOO_BIG, "MoreThanTheHandlesRegion", [] {
         g_length = kRegionBytes;
         const std::string bytes = std::to_string(4 * kRegionBytes);
         Must(setenv("ZCB_REGION", "larger", 1) == 0);
         Must(setenv("ZCB_REGION_BYTES", bytes.c_str(), 1) == 0);
         PrepareKept();
         Must(setenv("ZCB_REGION", "default", 1) == 0);
         Must(setenv("ZCB_REGION_BYTES", std::to_string(kRegionBytes).c_str(),
                     1) == 0);
         return cpg_zcb_forward(NewMember(), CPG_TYPE_AGREED, g_kept, g_length);
       }});
  all.push_back(
      {"cpg_zcb_mcast_batch", CS_ERR_INVALID_PARAM, "InTheBatchTwice", [] {
         const cpg_handle_t member = NewMember(CPG_MODEL_ZCB);
         void* const buffer = NewBuffer(member);
         const iovec messages[] = {{buffer, 1}, {buffer, 1}};
         unsigned int sent = 0;
         const cs_error_t error =
             cpg_zcb_mcast_batch(member, CPG_TYPE_AGREED, messages, 2, &sent);
         Must(sent == 1);
         return error;
       }});
  all.push_back(
      {"cpg_zcb_mcast_batch", CS_ERR_INVALID_PARAM, "MessagesAreNull", [] {
         unsigned int sent = 0;
         return cpg_zcb_mcast_batch(NewMember(), CPG_TYPE_AGREED, nullptr, 1,
                                    &sent);
       }});
  all.push_back({"cpg_zcb_mcast_batch", CS_ERR_INVALID_PARAM, "SentIsNull", [] {
                   const iovec message{nullptr, 0};
                   return cpg_zcb_mcast_batch(NewMember(), CPG_TYPE_AGREED,
                                              &message, 1, nullptr);
                 }});
  return all;
}

}  // namespace zcb::man
