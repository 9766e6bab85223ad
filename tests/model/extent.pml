// Extents: reserving, completing, freeing, and orphans (docs/protocols.md, 2),
// and how they are reaped (8).
//
// Three units, and buffers of two of them.
//
// proctype   stands for
// Owner      makes one of units 0 and 1; frees it, or sends it and then goes,
//            which makes it an orphan, or waits for its return
// Reader     gives the buffer back; then makes an extent of units 1 and 2, if
//            they are free, and frees it. With -DREADER_REAPS=1 it reaps Owner
//            first, beside Reaper, and makes one of units 0 and 1
// Reaper     one that reaps both
//
// inline     models
// Reserve, Complete, Free, FinishFreeing, MakeOrphan, FreeIfOrphan
//            ExtentWords (allocator/extent_words.cc)
// Reap       UnitReaper: UndoReservations, ReapUnit, ReapExtent
//            (allocator/unit_reaper.cc)
//
// Abstracted: no tails; the ring is a bit that says that it has the buffer;
// nobody attaches again, hence no look whether the dead is still dead (that is
// reap.pml's). The scan for orphans that came back (FreeReturnedOrphans) is for
// those whose finder was struck, and left out.
//
// Held to be true: no unit is taken from who uses it; each unit is free, or in
// an extent that is whole, or a reaper comes for it; an orphan whose buffer is
// free is freed.
#include "process.inc"

#ifndef READER_REAPS
#define READER_REAPS 0
#endif
#define MADE (1 - READER_REAPS) /* Reader's first unit */
#define UNITS 3
#define NOBODY 3

mtype = { Free, Reserved, Head, Member, Freeing, Orphan, Sent, Alive, Gone };

typedef UnitWord { mtype kind = Free; byte slot; byte length; byte epoch };
UnitWord unit[UNITS];
mtype word[UNITS] = Free; /* of the extent that begins there */
bit ring;                 /* it has the buffer of unit 0 */
mtype lease[3] = Alive;

/* What is so. */
byte user[UNITS] = NOBODY; /* who relies on the unit */
bit leaves;                /* Owner is about to look after its orphan */

#define LOCALS \
  byte u; byte n; mtype kind; byte slot_; byte length; byte epoch; byte done; \
  mtype hkind; byte hepoch

#define FORGET() \
  u = 0; n = 0; kind = 0; slot_ = 0; length = 0; epoch = 0; hkind = 0; \
  hepoch = 0

inline LookAt(i) {
  kind = unit[i].kind; slot_ = unit[i].slot; length = unit[i].length;
  epoch = unit[i].epoch
}
#define UNIT_IS(i) (unit[i].kind == kind && unit[i].epoch == epoch)

inline Become(i, kind_, slot__, length_) {
  unit[i].kind = kind_; unit[i].slot = slot__; unit[i].length = length_;
  unit[i].epoch++
}

inline BecomeFree(i) {
  assert(user[i] == NOBODY || IS_GONE(user[i]));
  user[i] = NOBODY;
  Become(i, Free, 0, 0)
}

/* Upwards; done = 2 if both are ours. */
inline Reserve(first) {
  atomic { done = 0 }
  do
  :: atomic { done < 2 -> LookAt(first + done) }
     atomic {
       if
       :: kind == Free && UNIT_IS(first + done) ->
          Become(first + done, Reserved, ME, 2); done++
       :: else -> break
       fi
     }
  :: atomic { done == 2 -> break }
  od;
  if
  :: done == 1 -> /* Unreserve */
     atomic {
       assert(unit[first].kind == Reserved && unit[first].slot == ME);
       BecomeFree(first); done = 0
     }
  :: else
  fi
}

inline Complete(first) {
#ifdef HEAD_FIRST
  atomic { Become(first, Head, ME, 2); user[first] = ME; user[first + 1] = ME }
  atomic { Become(first + 1, Member, ME, 1) }
#else
  atomic { Become(first + 1, Member, ME, 1) }
  atomic { Become(first, Head, ME, 2); user[first] = ME; user[first + 1] = ME }
#endif
}

/* From this very Freeing, which hepoch names. */
inline FinishFreeing(first) {
#ifdef FREES_HEAD_FIRST
  atomic {
    if
    :: unit[first].kind == Freeing && unit[first].epoch == hepoch ->
       BecomeFree(first)
    :: else
    fi
  }
#endif
  atomic { LookAt(first + 1) }
#ifndef FREES_HEAD_FIRST
#ifndef WITHOUT_LOOK_AT_HEAD
  atomic {
    if
    :: unit[first].kind == Freeing && unit[first].epoch == hepoch
    :: else -> kind = Free
    fi
  }
#endif
#endif
  atomic {
    if
    :: kind == Member && length == 1 && UNIT_IS(first + 1) ->
       BecomeFree(first + 1)
    :: else
    fi
  }
#ifndef FREES_HEAD_FIRST
  atomic {
    if
    :: unit[first].kind == Freeing && unit[first].epoch == hepoch ->
       BecomeFree(first)
    :: else
    fi
  }
#endif
}

/* From the head that hkind and hepoch name. */
inline FreeExtent(first) {
  atomic {
    if
    :: unit[first].kind == hkind && unit[first].epoch == hepoch ->
       assert(user[first] == NOBODY || user[first] == ME ||
              IS_GONE(user[first]));
       user[first] = NOBODY; user[first + 1] = NOBODY;
       Become(first, Freeing, ME, 2); hepoch++
    :: else -> hkind = Free
    fi
  }
  if
  :: hkind != Free -> FinishFreeing(first)
  :: else
  fi
}

inline MakeOrphan(first) {
  atomic {
    if
    :: unit[first].kind == Head && unit[first].epoch == hepoch ->
       assert(user[first] == NOBODY || user[first] == ME ||
              IS_GONE(user[first]));
       user[first] = NOBODY; user[first + 1] = NOBODY;
       Become(first, Orphan, 0, 2); hkind = Orphan; hepoch++
    :: else -> hkind = Free
    fi
  }
#ifndef ORPHAN_WITHOUT_LOOK
  if
  :: hkind == Orphan && word[first] == Free -> FreeExtent(first)
  :: else
  fi
#endif
}

inline FreeIfOrphan(first) {
  atomic { hkind = unit[first].kind; hepoch = unit[first].epoch }
  if
  :: hkind == Orphan -> FreeExtent(first)
  :: else
  fi
}

#define IS_DUE(p) (IS_GONE(p) && lease[p] != Gone)

inline Reap(dead) {
  atomic { u = UNITS }
  do /* UndoReservations: from the top down */
  :: atomic { u > 0 -> u--; LookAt(u) }
     if
     :: slot_ == dead && kind == Member && length <= u ->
        atomic {
          kind = (unit[u - length].kind == Reserved &&
                  unit[u - length].slot == dead -> Member : Free)
        }
     :: slot_ == dead && kind == Reserved
     :: else -> kind = Free
     fi;
     atomic {
       if
       :: kind != Free && UNIT_IS(u) -> BecomeFree(u)
       :: else
       fi
     }
  :: atomic { u == 0 -> break }
  od;
  do
  :: atomic { u < UNITS - 1 -> LookAt(u); hkind = kind; hepoch = epoch }
     if
     :: kind == Freeing && slot_ == dead -> FinishFreeing(u)
     :: kind == Head && slot_ == dead ->
        /* ReapRun */
        atomic { kind = word[u] }
        if
        :: kind == Sent && !(u == 0 && ring) ->
           atomic {
             if
             :: unit[u].kind == hkind && unit[u].epoch == hepoch &&
                word[u] == Sent -> word[u] = Free
             :: else
             fi
           }
           FreeIfOrphan(u);
           atomic { hkind = Head; hepoch = epoch }
        :: else
        fi;
        MakeOrphan(u)
     :: else
     fi;
     atomic { u++; kind = 0; slot_ = 0; length = 0; epoch = 0; hkind = 0;
              hepoch = 0 }
  :: atomic { u >= UNITS - 1 -> break }
  od;
  atomic { lease[dead] = Gone; FORGET() }
}

PROCESS Owner() UNLESS_STRUCK {
  LOCALS;
  Reserve(0);
  if
  :: done < 2 -> FINISH()
  :: else
  fi;
  Complete(0);
  atomic { hkind = Head; hepoch = unit[0].epoch }
  if
  :: true -> FreeExtent(0)
  :: true ->
     atomic { word[0] = Sent; user[0] = NOBODY; user[1] = NOBODY }
     atomic { ring = 1 }
     if
     :: atomic { word[0] == Free } /* TryTake, Collect */
        FreeExtent(0)
     :: atomic { leaves = 1 }
        MakeOrphan(0);
        atomic { leaves = 0 }
     fi
  :: true
  fi;
  FINISH()
}

PROCESS Reader() UNLESS_STRUCK {
  LOCALS;
  if
  :: atomic { ring } /* read to the end */
#ifdef LOOK_BEFORE_WORD
     atomic { hkind = unit[0].kind; hepoch = unit[0].epoch }
     atomic { assert(word[0] == Sent); word[0] = Free; ring = 0 }
     if
     :: hkind == Orphan -> FreeExtent(0)
     :: else
     fi
#else
     atomic { assert(word[0] == Sent); word[0] = Free; ring = 0 }
     FreeIfOrphan(0)
#endif
  :: true
  fi;
  atomic { FORGET() }
#if READER_REAPS
  if
  :: atomic { IS_DUE(0) }
     Reap(0)
  :: true
  fi;
#endif
  Reserve(MADE);
  if
  :: done == 2 ->
     Complete(MADE);
     atomic { hkind = Head; hepoch = unit[MADE].epoch }
     if
     :: FreeExtent(MADE)
     :: true
     fi
  :: else
  fi;
  FINISH()
}

PROCESS Reaper() UNLESS_STRUCK {
  LOCALS;
  byte dead;
  do
  :: atomic { IS_DUE(0) -> dead = 0 }
     Reap(dead)
  :: atomic { IS_DUE(1) -> dead = 1 }
     Reap(dead)
  :: atomic { status[0] != RUNS && status[1] != RUNS && !IS_DUE(0) &&
              !IS_DUE(1) -> FINISH() }
  od
}

#define SETUP() skip

/* Nobody has to answer for it, or who has to is there, or due to be reaped. A
   member is its head's. */
#define ANSWERED(u) \
  (unit[u].kind == Free || unit[u].kind == Orphan || \
   !IS_GONE(unit[u].slot) || IS_DUE(unit[u].slot))

#define AUDIT() \
  assert(ANSWERED(0)); \
  assert(ANSWERED(1) || unit[1].kind == Member); \
  assert(ANSWERED(2) || unit[2].kind == Member); \
  /* a head only when the extent is whole */ \
  assert(!(unit[0].kind == Head || unit[0].kind == Orphan) || \
         unit[1].kind == Member); \
  assert(!(unit[1].kind == Head || unit[1].kind == Orphan) || \
         unit[2].kind == Member); \
  /* no member without a head */ \
  assert(unit[1].kind != Member || unit[0].kind == Head || \
         unit[0].kind == Orphan || unit[0].kind == Freeing || \
         unit[0].kind == Reserved); \
  assert(unit[2].kind != Member || unit[1].kind == Head || \
         unit[1].kind == Orphan || unit[1].kind == Freeing || \
         unit[1].kind == Reserved); \
  assert(unit[0].kind != Orphan || word[0] != Free || \
         status[1] >= KILLED || status[2] >= KILLED || \
         (status[0] >= KILLED && leaves))

FATE
