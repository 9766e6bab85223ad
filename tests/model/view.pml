// Members and views (docs/protocols.md, 6): join, leave, death, finalize; and
// eviction, with -DEVICTIONS=1.
//
// All three processes run the same code. Process 0 is a member since position 0
// (entry 0); it reads, sends, leaves, finalizes or stays. (With -DELDER=0 it
// has to join first.) Process 1 joins, and then does the same. Process 2 is in
// no group: it reaps, reclaims and evicts.
//
// inline     models (view_table.inc, view_member.inc)
// Claim, Join  ClaimEntry (ipc/member_table.cc), Member::JoinRing, PublishOwn
//            (ipc/member.cc), ApplyUpTo, UnclaimEntry
// Read       Member::Next, BeginControl, Done (ipc/member_receive.cc),
//            ReadViewAt, WasEvicted
// FindPlace, TryPublish
//            the functions of that name (ipc/ring.h)
// PublishDown, ApplyRecord, FreeEntry, FreeIfPassed, GiveUpEntry
//            the functions of that name (ipc/member_table.cc)
// Reclaim    LimitOf and Reclaim (ipc/reclaim.cc), the part about records
// Reap       DownEntries and the end of Reap (ipc/reaper.cc)
// Evict      Evict, IsEvictable (ipc/eviction.cc), without the time
//
// Abstracted: two entries; messages are records without a buffer (send.pml);
// HelpTail is one step; records have no room of their own, so that a ring that
// is full of them is met, too. A view is a set of {entry, generation}. Nobody
// attaches to the lease of a dead one.
//
// Held to be true: what was published, folded in its order, gives the view at
// each place; every member's own view is that one at each place it reads, the
// first view included; a message is dropped by all or by none; the address that
// is read with a JOIN is its publisher's; each life has one record of its end,
// but for a LEAVE behind it; a death gets into the order, or is there for
// everybody to see; an entry is given away only when it is nobody's; a joiner
// does not lock a ring by itself.
#include "process.inc"

#ifndef EVICTIONS
#define EVICTIONS 0
#endif
#ifndef SENDS
#define SENDS 0 /* by process 0 */
#endif
#ifndef RECLAIMS
#define RECLAIMS 1 /* by process 2 */
#endif
#ifndef ELDER
#define ELDER 1 /* process 0 is a member; or else it joins as well */
#endif
#ifndef JOINS
#define JOINS 1 /* by process 1 */
#endif
#ifndef RECLAIMS_0
#define RECLAIMS_0 0
#endif
#ifndef LEAVES
#define LEAVES 1 /* processes 0 and 1 may leave, */
#endif
#ifndef FINALIZES
#define FINALIZES 1 /* ... and may go without waiting */
#endif
#ifndef SLOTS
#define SLOTS 3
#endif
#define MESSAGE_ROOM (SLOTS - 1)
#define POSITIONS 12
#define ENTRIES 2
#define NOBODY 3

mtype = { Nothing, Free, Joining, Member, Leaving, Down, Evicted };
mtype = { Alive, Dead };
mtype = { NoKind, Message, JoinRecord, LeaveRecord, DownRecord };
mtype = { Publish, MakeRoom, GiveUp };

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
byte uses[ENTRIES] = NOBODY; /* whose the entry is */
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

#ifdef INDEX_FIRST
#define MOVED_ALREADY 1
#else
#define MOVED_ALREADY 0
#endif

#ifdef EVICT_ANY_JOINING
#define IS_EVICTABLE(e) \
  (entry[e].phase == Member || entry[e].phase == Joining)
#else
#define IS_EVICTABLE(e) \
  (entry[e].phase == Member || \
   (entry[e].phase == Joining && left[e].gen == entry[e].gen))
#endif

#define IS_LAGGARD(e) \
  (tail > reclaimed && cursor[e] <= reclaimed && IS_EVICTABLE(e) && \
   lease[entry[e].lease] == Alive)

#define IS_MEMBER \
  (entry[my].phase == Member && entry[my].gen == life && \
   entry[my].lease == ME)

#include "view_table.inc"
#include "view_member.inc"

#define IS_DUE(p) (IS_GONE(p) && lease[p] != Free)
#define IS_IDLE (todo == Nothing && in && !ending)

active [3] proctype Process() UNLESS_STRUCK {
  byte my; byte life; byte position; byte view; byte seen;
  bit in; bit ending; bit has_left; bit again; byte joins; bit leaves;
  mtype todo = Nothing; mtype want = NoKind;
  byte sends; byte reclaims; byte dead;
  byte t; byte r; byte at; byte e; byte gen; byte limit; byte base; byte ds;
  byte re; byte rg; byte who; bit moved; bit ok; byte room;
  mtype kind; mtype phase;

  atomic {
    if
    :: ME == 0 ->
       sends = SENDS; leaves = 1; reclaims = RECLAIMS_0;
#if ELDER
       in = 1; position = 1; view = LIFE(0, 0)
#else
       joins = 1
#endif
    :: ME == 1 -> joins = JOINS; leaves = 1
    :: ME == 2 -> reclaims = RECLAIMS
    fi
  }
  do
  :: atomic { joins > 0 && todo == Nothing && !in && !ending ->
       joins--; has_left = 0 }
     Claim()
  :: atomic { todo == Publish }
     if
     :: want == JoinRecord && RAISES_CURSOR ->
        atomic { t = tail }
        atomic { cursor[my] = t }
     :: else
     fi;
     atomic { room = (want == Message -> MESSAGE_ROOM : SLOTS) }
     FindPlace(room);
     if
     :: ok ->
        atomic { ok = want != Message || IS_MEMBER }
        if
        :: ok ->
           TryPublish(want, my, life);
           if
           :: ok ->
              atomic { todo = Nothing }
              if
              :: want == JoinRecord -> Join()
              :: else
              fi;
              atomic { want = NoKind; again = 0 }
           :: else
           fi
        :: else -> todo = Nothing; want = NoKind
        fi
     :: else ->
        if
        :: want == Message -> todo = Nothing; want = NoKind
        :: else -> todo = MakeRoom
        fi
     fi;
     atomic { ok = 0; t = 0; r = 0; room = 0 }
  :: atomic { todo == MakeRoom || (todo == Nothing && reclaims > 0) ->
       reclaims = (todo == Nothing -> reclaims - 1 : reclaims) }
     Reclaim();
     atomic {
       if
       :: todo == MakeRoom && moved -> todo = Publish; again = 0
       :: todo == MakeRoom && !moved && want == JoinRecord ->
          /* Is it held back by itself alone, and not for the first time? */
          if
          :: !GATES(1 - my) && tail - reclaimed >= SLOTS &&
             entry[my].phase == Joining -> assert(!again); again = 1;
             todo = Publish
          :: else -> /* UnclaimEntry */
             if
             :: entry[my].phase == Joining && entry[my].gen == life &&
                entry[my].lease == ME ->
                uses[my] = NOBODY; GiveAway(my); todo = Nothing
             :: else -> todo = GiveUp
             fi;
             want = NoKind
          fi
       :: todo == MakeRoom && !moved && want != JoinRecord ->
          todo = Nothing; want = NoKind
       :: else
       fi;
       moved = 0
     }
  :: atomic { IS_IDLE && CAN_READ }
     Read()
  :: atomic { IS_IDLE && sends > 0 -> sends--; want = Message; todo = Publish }
  :: atomic { LEAVES && IS_IDLE && leaves -> leaves = 0; sends = 0;
       want = LeaveRecord; todo = Publish }
  :: atomic { FINALIZES && IS_IDLE && leaves -> leaves = 0; todo = GiveUp }
  :: atomic { ending -> /* its own LEAVE is read; it touches nothing more */
       if
       :: IS_MEMBER -> entry[my].phase = Leaving
       :: else
       fi;
       ending = 0; has_left = 1; todo = GiveUp
     }
  :: atomic { todo == GiveUp }
     GiveUpEntry();
     atomic { todo = Nothing }
  :: atomic { ME == 2 && (IS_DUE(0) || IS_DUE(1)) ->
       dead = (IS_DUE(0) -> 0 : 1) }
     Reap()
  :: atomic { ME == 2 && evictions > 0 && (IS_LAGGARD(0) || IS_LAGGARD(1)) ->
       if
       :: IS_LAGGARD(0) -> e = 0
       :: IS_LAGGARD(1) -> e = 1
       fi;
       gen = entry[e].gen; phase = entry[e].phase; who = entry[e].lease }
     atomic { evictions > 0 -> evictions--;
       if
       :: entry[e].phase == phase && entry[e].gen == gen &&
          entry[e].lease == who -> entry[e].phase = Evicted
       :: else -> goto not_evicted
       fi
     }
     PublishDown(e, gen);
not_evicted:
     atomic { e = 0; gen = 0; phase = 0; who = 0 }
  :: atomic { todo == Nothing && !ending -> FINISH() }
  od
}

/* Entry 1 has had a life, which is over. */
#define USED_ENTRY \
  entry[1].gen = 1; joined[1].at = 1; left[1].at = 1

#if ELDER
#define SETUP() \
  USED_ENTRY; \
  slot[0].lap = 1; slot[0].kind = JoinRecord; tail = 1; \
  entry[0].phase = Member; entry[0].lease = 0; \
  joined[0].at = 1; cursor[0] = 1; uses[0] = 0; \
  view_now = LIFE(0, 0); ever_joined = LIFE(0, 0); truth[0] = view_now
#else
#define SETUP() USED_ENTRY
#endif

/* Nobody's entry gates for ever, and a death can be found by its entry. */
inline AuditEntry(n) {
  assert(entry[n].phase == Free || entry[n].lease == NOBODY ||
         !IS_GONE(entry[n].lease) || IS_DUE(entry[n].lease));
  assert(uses[n] != NOBODY || !GATES(n) ||
         (left[n].at > reclaimed && left[n].at <= cursor[n]) ||
         lease[entry[n].lease] != Alive || IS_DUE(entry[n].lease))
}

#define AUDIT() \
  AuditEntry(0); \
  AuditEntry(1)

FATE
