// Members and views (docs/protocols.md, 6): join, leave, death, finalize, and
// eviction with -DEVICTIONS=1.
//
// proctype   stands for
// Elder      a member since position 0 (entry 0); it reads, sends, and leaves,
//            finalizes or stays
// Joiner     a process that joins, reads, and then the same
// Other      a process in no group that reaps, reclaims, and evicts
//
// inline     models
// Join       ClaimEntry (ipc/member_table.cc), Member::JoinRing, PublishOwn,
//            ApplyUpTo, UnclaimEntry
// Read       Member::Next, BeginControl, Done (ipc/member_receive.cc),
//            ReadViewAt, WasEvicted
// Publish    FindPlace, TryPublish (ipc/ring.h) with room for records
// PublishDown, ApplyRecord, FreeEntry, FreeIfPassed, GiveUpEntry
//            the functions of that name (ipc/member_table.cc)
// Reclaim    LimitOf and Reclaim (ipc/reclaim.cc), the part about records
// Reap       DownEntries and the end of Reap (ipc/reaper.cc)
// Evict      Evict, IsEvictable (ipc/eviction.cc), without the time
//
// Abstracted: two entries; messages are records without a buffer (send.pml);
// HelpTail is one step. A view is a set of {entry, generation}. Nobody attaches
// to the lease of a dead one.
//
// Held to be true: what was published, folded in its order, gives the view at
// each place; every member's own view is that one at each place it reads, the
// first view included; messages are dropped by all or by none; addresses that
// are read with a JOIN are its publisher's; every death gets into the order;
// an entry is given away only when it is nobody's.
#include "process.h"

#ifndef EVICTIONS
#define EVICTIONS 0
#endif
#ifndef ELDER_SENDS
#define ELDER_SENDS 1
#endif
#ifndef RECLAIMS
#define RECLAIMS 1 /* by Other, besides those that somebody needs */
#endif
#ifndef SLOTS
#define SLOTS 3
#endif
#define POSITIONS 12
#define ENTRIES 2
#define NOBODY 3

mtype = { Free, Joining, Member, Leaving, Down, Evicted };
mtype = { Alive, Dead };
mtype = { NoKind, Message, JoinRecord, LeaveRecord, DownRecord };

typedef EntryWord { mtype phase = Free; byte gen; byte lease = NOBODY };
typedef OrderWord { byte gen; byte at }; /* position + 1; 0: unset */
typedef Slot { byte lap; mtype kind = NoKind; byte entry; byte gen };
EntryWord entry[ENTRIES];
OrderWord joined[ENTRIES];
OrderWord left[ENTRIES];
byte address[ENTRIES];
byte cursor[ENTRIES];
mtype lease[3] = Alive;
Slot slot[SLOTS];
byte tail;
byte reclaimed;
byte evictions = EVICTIONS;

/* What is so: the fold. Lives of entries are bits. */
#define LIFE(e, g) (1 << ((e) * 4 + (g)))
byte truth[POSITIONS];     /* the view at that position */
bit delivered[POSITIONS];  /* a message that counts */
byte publisher[POSITIONS]; /* of a JOIN */
byte uses[ENTRIES];         /* whose the entry is */
byte view_now;
byte ever_joined;
byte ended;

#define LAP(p) ((p) / SLOTS + 1)
#define LAP_BEFORE(p) ((p) / SLOTS)
#define AT(p) slot[(p) % SLOTS]
#define GATES(e) \
  (entry[e].phase == Joining || entry[e].phase == Member || \
   entry[e].phase == Leaving)
#define WANTS_RECORD(e) (entry[e].phase == Down || entry[e].phase == Evicted)
#define ENDS(kind) (kind == LeaveRecord || kind == DownRecord)

#ifdef EVICTED_IS_FREED
#define NEVER_FREED(phase) false
#else
#define NEVER_FREED(phase) (phase == Evicted)
#endif

#ifdef JOINER_AT_RECLAIMED
#define RAISES_CURSOR false
#define FIRST_CURSOR reclaimed
#else
#define RAISES_CURSOR true
#define FIRST_CURSOR tail
#endif
#define IS_MEMBER \
  (entry[my].phase == Member && entry[my].gen == life && \
   entry[my].lease == ME)

#ifdef FINALIZE_WITHOUT_DOWN
#define FINALIZE() PublishOwn(DownRecord)
#else
#define FINALIZE() GiveUpEntry(false)
#endif
#define MESSAGE_ROOM (SLOTS - 1)

#define LOCALS \
  byte t; byte r; byte at; byte e; byte gen; byte limit; byte base; \
  byte moved; mtype kind; byte re; byte rg; bit ok; mtype phase; byte who

#define FORGET() \
  t = 0; r = 0; at = 0; e = 0; gen = 0; limit = 0; base = 0; kind = 0; \
  re = 0; rg = 0; phase = 0; who = 0

/* The record of `kind` at `position` about life `rg` of entry `re`. */
inline ApplyRecord(kind_, e_, g_, p_) {
  if
  :: ENDS(kind_) ->
     atomic {
       if
       :: left[e_].gen == g_ && left[e_].at == 0 -> left[e_].at = p_ + 1
       :: else
       fi
     }
  :: kind_ == JoinRecord ->
     atomic {
       ok = !(left[e_].gen == g_ && left[e_].at != 0 && left[e_].at - 1 < p_)
     }
     atomic {
       if
       :: ok && joined[e_].gen == g_ && joined[e_].at == 0 ->
          joined[e_].at = p_ + 1
       :: else
       fi;
       ok = 0
     }
  :: else
  fi
}

/* The first free place, if fewer than `room` are in use: t, and ok. */
inline FindPlace(room) {
  do
  :: atomic { t = tail }
     atomic {
       r = reclaimed;
       if
       :: t >= r && t - r >= room -> ok = 0; break
       :: t >= r && t - r < room -> ok = 1
       :: t < r -> ok = 0
       fi
     }
     if
     :: ok ->
        atomic {
          if
          :: AT(t).lap == LAP(t) -> tail = (tail <= t -> t + 1 : tail)
          :: AT(t).lap == LAP_BEFORE(t) -> break
          :: else -> assert(tail != t)
          fi
        }
     :: else
     fi
  od
}

/* In the order for ever if ok; and the fold goes on. */
inline TryPublish(kind_, e_, g_) {
  atomic {
    if
    :: AT(t).lap == LAP_BEFORE(t) ->
       AT(t).lap = LAP(t); AT(t).kind = kind_; AT(t).entry = e_;
       AT(t).gen = g_; ok = 1;
       if
       :: kind_ == Message ->
          delivered[t] = (ended & LIFE(e_, g_)) == 0
       :: kind_ == JoinRecord ->
          publisher[t] = ME;
          if
          :: ((ended | ever_joined) & LIFE(e_, g_)) == 0 ->
             ever_joined = ever_joined | LIFE(e_, g_);
             view_now = view_now | LIFE(e_, g_)
          :: else
          fi
       :: else ->
          ended = ended | LIFE(e_, g_);
          view_now = view_now & ~LIFE(e_, g_)
       fi;
       truth[t] = view_now
    :: else -> ok = 0
    fi
  }
  if
  :: ok -> atomic { tail = (tail <= t -> t + 1 : tail) }
  :: else
  fi
}

inline PublishDown(e_, g_) {
  atomic { ds = reclaimed }
  do
  :: atomic {
       if
       :: !(WANTS_RECORD(e_) && entry[e_].gen == g_) -> break
       :: else
       fi
     }
     atomic {
       if
       :: left[e_].gen == g_ && left[e_].at != 0 -> break
       :: else
       fi
     }
     FindPlace(SLOTS);
     if
     :: !ok -> break
     :: else
     fi;
     atomic { ds = (t - ds > SLOTS -> t - SLOTS : ds); ok = 0 }
#ifndef WITHOUT_SCAN
     do
     :: atomic {
          ds < t ->
          if
          :: AT(ds).lap == LAP(ds) && ENDS(AT(ds).kind) &&
             AT(ds).entry == e_ && AT(ds).gen == g_ ->
             kind = AT(ds).kind; ok = 1; break
          :: else -> ds++
          fi
        }
     :: atomic { ds >= t -> break }
     od;
#endif
     if
     :: ok -> ApplyRecord(kind, e_, g_, ds); break
     :: else
     fi;
     TryPublish(DownRecord, e_, g_);
     if
     :: ok -> ApplyRecord(DownRecord, e_, g_, t); break
     :: else
     fi
  od;
  atomic { ds = 0; ok = 0; kind = 0; t = 0; r = 0 }
}

inline GiveAway(e_) {
  assert(uses[e_] == NOBODY || IS_GONE(uses[e_]));
  entry[e_].phase = Free; entry[e_].gen++; entry[e_].lease = NOBODY;
  uses[e_] = NOBODY
}

inline Reclaim() {
  atomic { limit = tail; e = 0; moved = 0 }
  do
  :: atomic {
       e < ENTRIES ->
       phase = entry[e].phase; gen = entry[e].gen; who = entry[e].lease
     }
     if
     :: phase == Down || phase == Evicted ->
        PublishDown(e, gen);
        atomic { /* FreeIfPassed */
          ok = entry[e].phase == Down && entry[e].gen == gen
        }
        atomic {
          ok = ok && left[e].gen == gen && left[e].at != 0;
          at = left[e].at
        }
        atomic { ok = ok && at - 1 < reclaimed; at = 0 }
        atomic {
          if
          :: ok && entry[e].phase == Down && entry[e].gen == gen -> GiveAway(e)
          :: else
          fi;
          ok = 0
        }
     :: phase == Joining || phase == Member || phase == Leaving ->
        atomic { ok = lease[who] == Alive }
        atomic { limit = (ok && cursor[e] < limit -> cursor[e] : limit); ok = 0 }
     :: else
     fi;
     atomic { e++; phase = 0; gen = 0; who = 0 }
  :: atomic { e >= ENTRIES -> e = 0; break }
  od;
  atomic { base = reclaimed }
  do
  :: atomic {
       base < limit && AT(base).lap == LAP(base) ->
       kind = AT(base).kind; re = AT(base).entry; rg = AT(base).gen
     }
#ifndef WITHOUT_APPLY
     ApplyRecord(kind, re, rg, base);
#endif
     if
     :: ENDS(kind) ->
        do /* FreeEntry */
        :: atomic {
             phase = entry[re].phase;
             if
             :: phase == Free || NEVER_FREED(phase) || entry[re].gen != rg ->
                break
             :: else
             fi
           }
           atomic {
             if
             :: reclaimed != base -> break
             :: else
             fi
           }
           atomic {
             if
             :: entry[re].phase == phase && entry[re].gen == rg ->
                GiveAway(re); break
             :: else
             fi
           }
        od
     :: else
     fi;
     atomic {
       phase = 0; kind = 0; re = 0; rg = 0;
       if
       :: reclaimed == base -> base++; reclaimed = base; moved = 1
       :: else -> break
       fi
     }
  :: atomic { base >= limit || AT(base).lap != LAP(base) -> break }
  od;
  atomic { base = 0; limit = 0 }
}

/* The end of a member object, whatever has become of the entry. */
inline GiveUpEntry(has_left) {
  do
  :: atomic {
       phase = entry[my].phase;
       if
       :: entry[my].lease != ME || entry[my].gen != life || phase == Free ||
          phase == Down || (has_left && phase != Evicted) -> break
       :: else
       fi
     }
     atomic {
       if
       :: entry[my].phase == phase && entry[my].gen == life &&
          entry[my].lease == ME ->
          entry[my].phase = Down; entry[my].lease = NOBODY;
          uses[my] = NOBODY; ok = 1
       :: else
       fi
     }
     if
     :: ok -> PublishDown(my, life); break
     :: else
     fi
  od;
  atomic { phase = 0 }
}

/* JOIN or LEAVE: ok, and where it is, t. Full: gives up. */
inline PublishOwn(kind_) {
  do
  :: if
     :: kind_ == JoinRecord && RAISES_CURSOR ->
        atomic { t = tail }
        atomic { cursor[my] = t }
     :: else
     fi;
     FindPlace(SLOTS);
     if
     :: !ok ->
        Reclaim();
        if
        :: moved -> again = 0
        :: !moved ->
           /* Held back by nobody but itself, twice? */
           atomic {
             if
             :: kind_ == JoinRecord && !GATES(1 - my) &&
                tail - reclaimed >= SLOTS && entry[my].phase == Joining ->
                assert(!again); again = 1
             :: else -> again = 0; ok = 0; break
             fi
           }
        fi
     :: ok ->
        TryPublish(kind_, my, life);
        if
        :: ok -> break
        :: else
        fi
     fi
  od
}

/* Sets `in`, or not. */
inline Join() {
  if
  :: atomic { entry[0].phase == Free -> my = 0 }
  :: atomic { entry[1].phase == Free -> my = 1 }
  :: atomic { entry[0].phase != Free && entry[1].phase != Free }
     goto join_end
  fi;
  atomic {
    if
    :: entry[my].phase == Free ->
       life = entry[my].gen;
       entry[my].phase = Joining; entry[my].lease = ME;
       assert(uses[my] == NOBODY); uses[my] = ME
    :: else -> goto join_end
    fi
  }
#ifdef LEAVE_RESET_FIRST
  atomic { left[my].gen = life; left[my].at = 0 }
  atomic { joined[my].gen = life; joined[my].at = 0 }
#else
  atomic { joined[my].gen = life; joined[my].at = 0 }
  atomic {
    if
    :: left[my].gen != life -> left[my].gen = life; left[my].at = 0
    :: else
    fi
  }
#endif
  atomic { address[my] = ME; t = FIRST_CURSOR }
  atomic { cursor[my] = t }
  PublishOwn(JoinRecord);
  if
  :: !ok ->
     atomic { /* UnclaimEntry */
       if
       :: entry[my].phase == Joining && entry[my].gen == life &&
          entry[my].lease == ME ->
          uses[my] = NOBODY; GiveAway(my); goto join_end
       :: else
       fi
     }
     GiveUpEntry(false);
     goto join_end
  :: ok -> atomic { position = t; cursor[my] = position; ok = 0 }
  fi;
  /* ApplyUpTo */
  atomic { at = reclaimed; at = (at > position -> position + 1 : at) }
  do
  :: atomic {
       at <= position ->
       if
       :: AT(at).lap == LAP(at) ->
          kind = AT(at).kind; re = AT(at).entry; rg = AT(at).gen
       :: else -> kind = NoKind
       fi
     }
     ApplyRecord(kind, re, rg, at);
     atomic { at++ }
  :: atomic { at > position -> at = 0; kind = 0; re = 0; rg = 0; break }
  od;
  atomic {
    if
    :: entry[my].phase == Joining && entry[my].gen == life &&
       entry[my].lease == ME -> entry[my].phase = Member; in = 1
    :: else
    fi
  }
  if
  :: !in -> GiveUpEntry(false)
  :: else
  fi;
join_end:
  atomic { ok = 0; t = 0; r = 0; again = 0 }
}

inline ReadView() {
  atomic { e = 0; seen = 0 }
  do
  :: atomic { e < ENTRIES -> gen = entry[e].gen }
     atomic { ok = joined[e].gen == gen && joined[e].at != 0 &&
                   joined[e].at - 1 <= position }
     atomic {
       ok = ok && left[e].gen == gen &&
            (left[e].at == 0 || left[e].at - 1 > position);
       seen = (ok -> seen | LIFE(e, gen) : seen); ok = 0; gen = 0; e++
     }
  :: atomic { e >= ENTRIES -> e = 0; break }
  od
}

#define CAN_READ (AT(position).lap != LAP_BEFORE(position))

/* One event. Clears `in` if it was put out. */
inline Read() {
  atomic {
    if
    :: AT(position).lap == LAP(position) ->
       kind = AT(position).kind; re = AT(position).entry; rg = AT(position).gen
    :: else -> assert(!IS_MEMBER); in = 0
    fi
  }
  if
  :: in && kind == Message ->
     atomic {
       ok = left[re].gen == rg &&
            !(left[re].at != 0 && left[re].at - 1 < position)
     }
     atomic {
       if
       :: !IS_MEMBER -> in = 0
       :: else -> assert(ok == delivered[position])
       fi;
       ok = 0
     }
  :: in && kind != Message ->
     ApplyRecord(kind, re, rg, position);
     atomic {
       if
       :: ENDS(kind) ->
          ok = left[re].gen == rg && left[re].at == position + 1
       :: else -> ok = joined[re].gen == rg && joined[re].at == position + 1
       fi
     }
     if
     :: ok && kind == JoinRecord && re == my && rg == life ->
        ReadView(); atomic { view = seen; ok = 0 }
     :: ok && kind == JoinRecord && !(re == my && rg == life) ->
        atomic { who = address[re]; view = view | LIFE(re, rg) }
     :: ok && ENDS(kind) ->
        atomic {
          view = view & ~LIFE(re, rg);
          ending = re == my && rg == life
        }
     :: else
     fi;
     atomic { /* WasEvicted, then the callback */
       if
       :: !IS_MEMBER -> in = 0; ending = 0
       :: else ->
          assert(view == truth[position]);
          assert(!(ok && kind == JoinRecord && re != my) ||
                 who == publisher[position])
       fi
     }
  :: else
  fi;
  atomic {
    if
    :: in ->
       position++;
       assert(uses[my] == ME);
       cursor[my] = position;
       uses[my] = (ending -> NOBODY : ME)
    :: else
    fi;
    kind = 0; re = 0; rg = 0; ok = 0; who = 0; seen = 0
  }
}

/* What a member does until it has left, was put out, or stays. */
inline Life(sends_) {
  do
  :: atomic { in && !ending && CAN_READ }
     Read()
  :: atomic { in && sends_ > 0 && !ending && !leaving -> sends_-- }
     FindPlace(MESSAGE_ROOM);
     if
     :: ok ->
        atomic { ok = IS_MEMBER }
        if
        :: ok -> TryPublish(Message, my, life)
        :: else
        fi
     :: else
     fi;
     atomic { ok = 0; t = 0; r = 0 }
  :: atomic { in && !ending && !leaving -> leaving = 1 }
     PublishOwn(LeaveRecord);
     atomic {
       if
       :: !ok -> FINISH() /* stays */
       :: else
       fi;
       t = 0; r = 0; ok = 0
     }
  :: atomic { ending -> ending = 0; in = 0;
       if
       :: IS_MEMBER -> entry[my].phase = Leaving
       :: else
       fi
     }
     GiveUpEntry(true);
     break
  :: atomic { !in }
     GiveUpEntry(false);
     break
  :: atomic { in && !ending && !leaving } /* cpg_finalize */
     FINALIZE();
     break
  :: FINISH()
  od;
  Reclaim();
  FINISH()
}

#define MEMBER_LOCALS \
  byte my; byte life; byte position; byte view; byte seen; byte again; \
  bit in; bit ending; bit leaving; byte ds

PROCESS Elder() UNLESS_STRUCK {
  LOCALS;
  MEMBER_LOCALS;
  byte sends = ELDER_SENDS;
  atomic { in = 1; position = 1; view = LIFE(0, 0) }
  Life(sends)
}

PROCESS Joiner() UNLESS_STRUCK {
  LOCALS;
  MEMBER_LOCALS;
  byte sends = 0;
  Join();
  if
  :: in -> Life(sends)
  :: else -> FINISH()
  fi
}

#define IS_DUE(p) (IS_GONE(p) && lease[p] != Free)

inline Reap(dead) {
  atomic { lease[dead] = (lease[dead] == Alive -> Dead : lease[dead]); e = 0 }
  do
  :: atomic {
       e < ENTRIES ->
       phase = entry[e].phase; gen = entry[e].gen; who = entry[e].lease
     }
     atomic {
       if
       :: who == dead && phase != Free && phase != Down &&
          entry[e].phase == phase && entry[e].gen == gen ->
#ifndef REAP_WITHOUT_DOWN
          entry[e].phase = Down; entry[e].lease = NOBODY
#else
          skip
#endif
       :: else
       fi
     }
     atomic { phase = entry[e].phase; gen = entry[e].gen; who = 0 }
     if
     :: phase == Down || phase == Evicted -> PublishDown(e, gen)
     :: else
     fi;
     atomic { e++; phase = 0; gen = 0 }
  :: atomic { e >= ENTRIES -> e = 0; break }
  od;
  atomic { lease[dead] = Free }
}

PROCESS Other() UNLESS_STRUCK {
  LOCALS;
  byte ds;
  byte dead;
  byte reclaims = RECLAIMS;
  do
  :: atomic { IS_DUE(0) -> dead = 0 }
     Reap(dead)
  :: atomic { IS_DUE(1) -> dead = 1 }
     Reap(dead)
  :: atomic { reclaims > 0 -> reclaims-- }
     Reclaim()
  :: FINISH() -> break
  od
}

#define FIRST_SLOT \
  slot[0].lap = 1; slot[0].kind = JoinRecord; tail = 1

#define SETUP() \
  FIRST_SLOT; \
  entry[0].phase = Member; entry[0].lease = 0; \
  joined[0].at = 1; \
  cursor[0] = 1; \
  view_now = LIFE(0, 0); ever_joined = LIFE(0, 0); truth[0] = view_now; \
  uses[0] = 0; uses[1] = NOBODY

/* Nobody's entry says so, or is freed: a survivor comes across it. */
#define AUDIT() \
  assert(!(entry[0].phase != Free && entry[0].lease != NOBODY) || \
         !IS_GONE(entry[0].lease) || IS_DUE(entry[0].lease)); \
  assert(!(entry[1].phase != Free && entry[1].lease != NOBODY) || \
         !IS_GONE(entry[1].lease) || IS_DUE(entry[1].lease))

FATE
